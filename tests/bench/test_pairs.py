"""`equiv bench pairs`: which files belong together, and what is told of them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from equiv.bench.pairs import main
from equiv.bench.pairs.find import find
from equiv.errors import InputError

CORPORA = Path(__file__).parents[2] / "corpora" / "p4tc"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A build tree: one right, one wrong, one unreadable object, one source without any, and other files."""
    below = tmp_path / "below"
    below.mkdir()
    shutil.copy(CORPORA / "match.p4", tmp_path)
    shutil.copy(CORPORA / "match.bpf.o", tmp_path / "match_parser.o")
    shutil.copy(CORPORA / "beacon.p4", below)
    shutil.copy(CORPORA / "beacon.padded.bpf.o", below / "beacon.o")
    shutil.copy(CORPORA / "tag.p4", tmp_path)
    (tmp_path / "tag.o").write_text("no object")
    shutil.copy(CORPORA / "udp.p4", tmp_path)
    for other in ("match.template", "match.json", "match.c", "beacon_control_blocks.o"):
        (tmp_path / other).write_text("")
    return tmp_path


def test_a_source_is_paired_with_the_object_of_its_name(tree: Path) -> None:
    found = find(str(tree))
    assert [(pair.name, Path(pair.object).name) for pair in found.pairs] == [
        ("below/beacon", "beacon.o"),
        ("match", "match_parser.o"),
        ("tag", "tag.o"),
    ]
    assert found.alone == ("udp",)


def test_folders_without_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no P4 source"):
        find(str(tmp_path))
    (tmp_path / "x.p4").write_text("")
    with pytest.raises(InputError, match="none with an object beside it"):
        find(str(tmp_path))
    with pytest.raises(InputError, match="no such folder"):
        find(str(tmp_path / "nowhere"))


def test_each_pair_gets_its_verdict_and_a_difference_its_packet_and_line(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tree / "report.md"
    assert main([str(tree), "--json", "--no-kernel", "-o", str(target)]) == 1
    said = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in said["pairs"]}
    assert {name: row["verdict"] for name, row in rows.items()} == {
        "below/beacon": "different",
        "match": "equivalent",
        "tag": "unknown",
    }
    assert said["without_object"] == ["udp"]
    beacon = rows["below/beacon"]
    assert len(bytes.fromhex(beacon["packet"])) == 25
    assert beacon["confirmed_by"] == ["interpreter"]
    assert any("beacon.bpf.c" in text and "instruction" in text for text in beacon["responsible"])
    assert rows["tag"]["reason"] == "not an ELF object"
    text = target.read_text("utf-8")
    assert "**2 of 3 pairs decided**: 1 equivalent, 1 different; 1 unknown" in text
    assert "below/beacon: different" in text


def test_where_all_are_equivalent_the_exit_status_is_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(CORPORA / "match.p4", tmp_path)
    shutil.copy(CORPORA / "match.bpf.o", tmp_path)
    assert main([str(tmp_path)]) == 0
    assert "equivalent match" in capsys.readouterr().out


def test_a_report_that_cannot_be_written_is_said_before_anything_is_checked(tree: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        main([str(tree), "-o", str(tree / "no" / "report.md")])
