"""P4 parsers against device tables and eBPF programs: the verdict is compared (D82)."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from equiv import api
from equiv.errors import Unsupported
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.sides import Sides
from equiv.loaded import load

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
PARSER = """#include <ebpf_model.p4>
header eth_t { bit<48> dst; bit<48> src; bit<16> type; }
struct h_t { eth_t eth; }
parser P(packet_in p, out h_t h) {
    state start { p.extract(h.eth); transition select(h.eth.type) { 0x800: accept; default: reject; } }
}
"""
TABLE = """interface xdp;
header eth_t { bit<48> dst; bit<48> src; bit<16> type; }
eth_t eth;
state start { extract(eth); transition select(eth.type) { 0x800: accept; default: drop; } }
"""


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def table(folder: Path, ethertype: str) -> str:
    from equiv.table.parse import load_table

    path = written(folder, "t.dev", TABLE.replace("0x800", ethertype))
    load_table(path)
    return path


def test_table_that_accepts_the_same_is_equivalent(tmp_path: Path) -> None:
    parser = written(tmp_path, "p.p4", PARSER)
    for sides in ((parser, table(tmp_path, "0x800")), (table(tmp_path, "0x800"), parser)):
        result = api.check(*sides, timeout=20)
        assert result.verdict == "equivalent"
        assert result.interface == "xdp"


def test_table_that_accepts_something_else_is_different(tmp_path: Path) -> None:
    result = api.check(written(tmp_path, "p.p4", PARSER), table(tmp_path, "0x806"), timeout=20)
    assert result.verdict == "different"
    assert result.counterexample is not None
    assert result.counterexample.differs == ("verdict",)


def test_what_is_compared_is_said(tmp_path: Path) -> None:
    result = api.check(written(tmp_path, "p.p4", PARSER), table(tmp_path, "0x800"), timeout=20)
    assert any("only the verdict is compared" in line for line in result.assumptions)


def test_parser_of_parts_of_bytes_is_refused_against_bytes(tmp_path: Path) -> None:
    nibbles = PARSER.replace("bit<48> dst;", "bit<4> dst;")
    with pytest.raises(Unsupported, match="parts of bytes"):
        api.check(written(tmp_path, "p.p4", nibbles), table(tmp_path, "0x800"), timeout=20)


def test_a_parser_can_be_sent_to_another_process_after_it_was_looked_at() -> None:
    parser = load(str(CORPORA / "p4-vlan" / "vlan.p4")).parser
    assert parser is not None and parser.outputs and parser.observables
    again = pickle.loads(pickle.dumps(parser))
    assert again == parser and again.outputs == parser.outputs


def test_a_socket_filter_keeps_no_more_than_the_packet_has(tmp_path: Path) -> None:
    """What `accept` stands for is clamped to the packet's length, in runs as in proofs and in machine code."""
    parser = load(written(tmp_path, "p.p4", PARSER))
    packet = bytes(12) + b"\x08\x00" + bytes(6)
    assert api.run(parser, packet, interface="socket_filter").code == len(packet)
    whole = TABLE.replace("interface xdp;", "interface socket_filter;\noutput keep at return;")
    whole = whole.replace("extract(eth);", "extract(eth); keep = length;")
    posed = api.pose(parser, written(tmp_path, "w.dev", whole), api.question_for())
    assert api.check(parser, written(tmp_path, "w.dev", whole), timeout=20).verdict == "equivalent"
    hunt = Hunt(Sides(posed.left, posed.right, posed.interface), seed=0)
    hunt.run(Limits(packets=5000))
    assert not hunt.differences
