"""Drawings of both sides with the way of a counterexample marked: from the start to the verdict, and nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from pathlib import Path

import pytest

from equiv import api
from equiv.bpf.interpret.trace import path_of
from equiv.bpf.program import Program
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.p4.automata import model as a
from equiv.p4.automata.parser import AutomatonParser
from equiv.report.draw_parser import parser_drawing
from equiv.report.flow import source_flow
from equiv.report.marked import around, mark_flow, mark_states
from equiv.report.show_table import table_drawing
from equiv.report.svg import ENDS, Drawing, Edge, Node
from equiv.report.walked import walked

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
PACKETS = [bytes.fromhex(text) for text in (
    "00" * 12 + "0800" + "45000020000000000011" + "00" * 10 + "0035003500080000" + "00" * 8,
    "00" * 12 + "8100" + "0001" + "0800" + "46000020000000000006" + "00" * 40,
    "00" * 12 + "8847" + "00000000" + "00000100" + "45" + "00" * 30,
    "00" * 12 + "86dd" + "60000000" + "0000" + "2b00" + "00" * 60,
    "00" * 14,
)]  # fmt: skip
FILES = [
    "five-tuple/five-tuple.bpf.o", "mpls/mpls.bpf.o", "calls/calls.bpf.o", "tail-parser/tail-parser.bpf.o",
    "squashed/squashed.bpf.o", "tail-labels/callback-labels.bpf.o", "tail-labels/tail-labels.bpf.o",
    "five-tuple/five-tuple.dev", "gre/gre.dev", "ipv6-ext/ipv6-ext.dev", "mpls/mpls.dev", "p4-vlan/vlan.p4",
    "p4-subparser/subparser.p4", "p4-mpls/mpls.p4", "p4-ipv6-ext/ipv6-ext.p4",
]  # fmt: skip


def _marked(loaded: Loaded, packet: bytes) -> tuple[Drawing, Observation]:
    chosen = api.choose_interface(loaded, loaded, "tc_linear" if "tail-" in loaded.path else None)
    seen = api.run(loaded, packet, interface=chosen.name if chosen.name != "p4" else None)
    if loaded.program:
        return mark_flow(source_flow(loaded.program), loaded.program, seen), seen
    drawing = table_drawing(loaded.table) if loaded.table else parser_drawing(loaded.parser)  # type: ignore[arg-type]
    return mark_states(drawing, seen), seen


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("number", range(len(PACKETS)))
def test_marks_lead_from_the_start_to_the_verdict(file: str, number: int) -> None:
    drawing, seen = _marked(api.load(str(CORPORA / file)), PACKETS[number])
    nodes = {node.name: node for node in drawing.nodes if node.marked}
    edges = [(edge.source, edge.target) for edge in drawing.edges if edge.marked]
    start = drawing.nodes[0].name
    assert start in nodes
    assert {name for edge in edges for name in edge} <= set(nodes)
    reached, waiting = {start}, [start]
    while waiting:
        name = waiting.pop()
        new = {target for source, target in edges if source == name} - reached
        reached |= new
        waiting += new
    assert reached == set(nodes)
    ends = [node.title for node in nodes.values() if node.kind in ENDS and not _onwards(drawing, node)]
    assert seen.verdict in ends


@pytest.mark.parametrize("file", [file for file in FILES if file.endswith(".o")])
@pytest.mark.parametrize("number", range(len(PACKETS)))
def test_the_path_of_a_program_tells_every_instruction_that_it_went_through(
    file: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[int] = []

    def spy(program: Program, slots: Sequence[int]) -> tuple[TraceStep, ...]:
        visited.extend(slots)
        return path_of(program, slots)

    monkeypatch.setattr("equiv.bpf.interpret.execute.path_of", spy)
    loaded = api.load(str(CORPORA / file))
    assert loaded.program is not None
    chosen = api.choose_interface(loaded, loaded, "tc_linear" if "tail-" in file else None)
    seen = loaded.execute(chosen, Input(PACKETS[number]))
    found = {slot for pair in walked(loaded.program, seen.path) for slot in pair}
    assert found == set(visited)


def _onwards(drawing: Drawing, node: Node) -> bool:
    return any(edge.source == node.name for edge in drawing.edges)


def test_states_that_were_entered_are_marked_and_no_others() -> None:
    loaded = api.load(str(CORPORA / "five-tuple" / "five-tuple.dev"))
    drawing, _ = _marked(loaded, PACKETS[1])
    states = {node.title for node in drawing.nodes if node.marked}
    assert {"start", "parse_vlan", "parse_ipv4"} <= states
    assert "parse_ipv6" not in states and "parse_udp" not in states


def test_a_sub_parser_is_drawn_beside_the_states_that_run_it() -> None:
    loaded = api.load(str(CORPORA / "p4-subparser" / "subparser.p4"))
    assert loaded.parser is not None
    drawing = parser_drawing(loaded.parser)
    runs = {(edge.source, edge.target) for edge in drawing.edges if "runs" in edge.label}
    assert {target for _, target in runs} == {"Ipv4.start"} and len(runs) == 2


def test_automata_are_drawn() -> None:
    states = {
        "q0": a.State("q0", 8, (a.Extract("h", 8),), (a.Slice("h", 0, 3),), (a.Case(("0100",), "q1"),), "reject"),
        "q1": a.State("q1", 16, (a.Assign("h", a.Literal("00000000")),), (), (), "accept"),
    }
    drawing = parser_drawing(AutomatonParser(a.Automaton("x", {"h": 8}, states, "q0", "x.json")))
    assert [(edge.source, edge.target, edge.label) for edge in drawing.edges] == [
        ("q0", "q1", ("0b0100",)),
        ("q0", "end reject", ("default",)),
        ("q1", "end accept", ()),
    ]
    assert drawing.nodes[0].lines == ("takes 8 bits", "extract(h)", "select(h[0:3])")


def test_conditions_of_several_blocks_are_one_box() -> None:
    program = api.load(str(CORPORA / "five-tuple" / "five-tuple.bpf.o")).program
    assert program is not None
    drawing = source_flow(program)
    slots = [slot for node in drawing.nodes for slot in node.slots]
    assert len(slots) == len(set(slots))
    assert len(drawing.nodes) < 30


def test_of_a_large_graph_the_part_around_the_path_is_drawn() -> None:
    names = [f"n{i}" for i in range(500)]
    nodes = tuple(Node(name, name, marked=300 <= i < 310) for i, name in enumerate(names))
    edges = tuple(Edge(a, b) for i, a in enumerate(names) for b in names[i + 1 : i + 20])
    shown, left_out = around(Drawing("large", nodes, edges), 50, 100)
    assert {node.name for node in nodes if node.marked} <= {node.name for node in shown.nodes}
    assert len(shown.nodes) <= 60 and len(shown.edges) == 100
    assert left_out == len(nodes) + len(edges) - len(shown.nodes) - 100
    assert {name for edge in shown.edges for name in (edge.source, edge.target)} <= {n.name for n in shown.nodes}


def test_an_inline_drawing_keeps_its_ids_to_itself() -> None:
    drawing = Drawing("t", (Node("a", "a", marked=True), Node("b", "<b>")), (Edge("a", "b", ("&",), marked=True),))
    one, other = (ElementTree.fromstring(drawing.inline(key)) for key in ("left", "right"))
    ids = [{each.get("id") for each in root.iter() if each.get("id")} for root in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert [each.get("class") for each in one.iter("g") if "node" in (each.get("class") or "")] == [
        "node state marked",
        "node state",
    ]
