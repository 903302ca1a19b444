"""What a parser's snapshot leaves out: contents of headers that are not valid, where nothing can read them (D122)."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv import api
from equiv.machine.protocol import Fork
from equiv.p4.parser import ParserOptions, parser_interface
from equiv.p4.program import parse_p4
from equiv.term import Term

HEAD = """#include <ebpf_model.p4>
header e_t { bit<8> type; }
header a_t { bit<8> x; bit<8> y; }
struct h_t { e_t e; a_t a; a_t b; }
parser P(packet_in p, out h_t h) {
    state start { p.extract(h.e); transition select(h.e.type) { 1: one; default: two; } }
    state one { %s }
    state two { %s }
}
"""
PLAIN = "p.extract(h.a); transition accept;"


def first_cells(text: str) -> dict[str, Term]:
    """Cells at the first decision of a field: whether the packet is long enough is the one before."""
    parser = parse_p4("p.p4", text)
    machine = parser.machine(parser_interface(parser, parser, ParserOptions()), "left")
    state = machine.start()
    for _ in range(2):
        stop = machine.run(state, lambda guard: None)
        assert isinstance(stop, Fork)
        state = stop.branches[0].state if "pkt" not in str(stop.branches[0].guard) else state
    return dict(machine.snapshot(state).cells)


def is_forgotten(text: str, name: str) -> bool:
    found = [term for cell, term in first_cells(text).items() if cell.endswith(name)]
    return all(term.is_const and not term.value for term in found)


def test_fields_that_are_stored_to_before_they_count_are_forgotten() -> None:
    assert is_forgotten(HEAD % (PLAIN, PLAIN), ".a.x")


@pytest.mark.parametrize(
    "way",
    [
        "h.a.setValid(); transition accept;",
        "h.a.setValid(); h.a.y = 1; transition accept;",
        "transition select(h.a.x) { 1: accept; default: reject; }",
        "h.b = { h.a.x, 1 }; transition accept;",
        "h.a.setValid(); h.b = h.a; transition accept;",
        "if (h.a.x == 1) { p.extract(h.b); } transition accept;",
    ],
)
def test_fields_that_something_may_read_are_kept(way: str, tmp_path: Path) -> None:
    text = HEAD % (PLAIN, way)
    assert not is_forgotten(text, ".a.x")
    (tmp_path / "p.p4").write_text(text)
    result = api.check(str(tmp_path / "p.p4"), str(tmp_path / "p.p4"), timeout=30)
    assert result.verdict == "different"  # each depends on what was never defined (D82)
    assert result.counterexample is not None and result.counterexample.confirmed_by == ("interpreter",)


def test_headers_that_only_some_paths_extract_do_not_multiply_states(tmp_path: Path) -> None:
    ways = "".join(
        f"state s{i} {{ p.extract(h.e); transition select(h.e.type) {{ 1: a{i}; 2: b{i}; default: s{i + 1}; }} }}"
        f"state a{i} {{ p.extract(h.a); transition s{i + 1}; }} state b{i} {{ p.extract(h.b); transition s{i + 1}; }}"
        for i in range(8)
    )
    text = (
        (HEAD % ("transition s0;", "transition s0;")).removesuffix("}\n") + ways + "state s8 { transition accept; } }\n"
    )
    (tmp_path / "p.p4").write_text(text)
    result = api.check(str(tmp_path / "p.p4"), str(tmp_path / "p.p4"), timeout=60)
    assert result.verdict == "equivalent"
    assert result.statistics.joint_states < 120  # 3 to the power of 8 ways through it
