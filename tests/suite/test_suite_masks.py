"""Every condition of a row is missed by one bit, and bits that its mask leaves out are set (D323)."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from equiv.cli import main
from equiv.loaded import Loaded
from equiv.machine.interface import load_interface
from equiv.suite.make import make_suite
from equiv.table.parse import parse_table
from tests.suite.suites import SCHEMA, document

ROWS = """
interface xdp;
header eth_t { bit<96> a; bit<16> type; }
eth_t eth;
state start { extract(eth); transition select(eth.type) { 0x800: ip; 0x8847 &&& 0xfffe: accept; default: drop; } }
state ip {
    transition select(u8[0], u8[1]) { (0x40 &&& 0xf0, 0x10 &&& 0x3c): accept; (0x60, _): accept; default: drop; }
}
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table with masks, and its suite."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "t.dev").write_text(ROWS)
    assert main(["testgen", str(folder / "t.dev"), "-o", str(folder / "suite")]) == 0
    return folder / "t.dev", folder / "suite"


def test_every_condition_is_missed_by_one_bit_and_every_mask_left_out_bits_are_set(rows: tuple[Path, Path]) -> None:
    """D323."""
    held = document(rows[1])
    jsonschema.validate(held, SCHEMA)
    bits = [goal for goal in held["goals"] if goal["kind"] == "bit"]
    assert {goal["status"] for goal in bits} == {"covered"}
    assert sum("missed by one bit" in goal["text"] for goal in bits) == 4
    assert sum("the mask leaves out" in goal["text"] for goal in bits) == 4


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("0x8847 &&& 0xfffe", "0x8847"),
        ("0x40 &&& 0xf0", "0x40"),
        ("0x10 &&& 0x3c", "0x10"),
        ("0x10 &&& 0x3c", "0x10 &&& 0x3d"),
    ],
)
def test_a_mask_that_asks_for_too_much_fails_the_suite(
    rows: tuple[Path, Path], right: str, wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "t.dev").write_text(ROWS.replace(right, wrong))
    assert main(["replay", str(rows[1]), "--on", str(tmp_path / "t.dev")]) == 1


def test_rows_that_no_packet_misses_by_one_bit_are_proved_so() -> None:
    """Before a row with a mask come all its neighbours: no packet that takes it has other bits."""
    text = ROWS.replace("0x8847 &&& 0xfffe: accept", "0x8846: ip; 0x8846 &&& 0xfffe: accept")
    table = parse_table(text, "t.dev")
    suite = make_suite(Loaded("t.dev", "", "dev", table=table), load_interface("xdp"))
    found = {g.text: s for g, s in zip(suite.goals, suite.statuses) if "0x8846 &&&" in g.text and g.kind == "bit"}
    assert {text.rpartition(", ")[2]: status for text, status in found.items()} == {
        "missed by one bit": "covered",
        "with 0 in all bits that the mask leaves out": "unreachable",
        "with 1 in all bits that the mask leaves out": "covered",
    }
