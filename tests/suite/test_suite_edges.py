"""Both sides of every comparison are goals of a suite, as far as some packet is there (D351)."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.loaded import Loaded, choose_interface, load
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.modelled import input_of
from equiv.p4.program import parse_p4
from equiv.suite.cover import cover
from equiv.suite.goals import goals_of
from equiv.suite.make import make_suite
from equiv.suite.reach import reach
from equiv.table.symbolic import TableMachine
from tests.bpf.programs import EXIT, XDP, add, copy, jump, ldx, machine_for, mov
from tests.suite.suites import CORPORA, table


def test_the_engine_finds_what_is_asked_for_or_says_that_there_is_none() -> None:
    loaded = table()
    interface = choose_interface(loaded, loaded)
    machine = TableMachine(loaded.table, interface)  # type: ignore[arg-type]
    for goal in goals_of(machine):
        status, model = reach(machine, goal, interface, 20)
        if model is not None:
            assert goal.key in cover(machine, input_of(model, interface, (loaded,))), goal
        assert status in ("reached", "unreachable")
        assert (status == "unreachable") is (goal.text in UNREACHABLE), goal


UNREACHABLE = {
    "state never",
    "four: select case 80..95",
    "start: truncation -> drop",
    "start: 14 bytes are there, the last number below",
    "four: truncation -> drop",
    "four: 1 bytes are there, the last number below",
}


@pytest.mark.parametrize(
    ("code", "number", "reached"),
    [
        (op.JGT, 4, {"below"}),  # 4 < 5: 4 is the last number below 5
        (op.JGE, 5, {"above"}),
        (op.JLT, 6, {"below"}),
        (op.JLE, 5, {"above"}),
        (op.JSGT, -1, set()),
        (op.JSLE, 4, {"below"}),
        (op.JGT, 9, set()),
    ],
)
def test_edges_of_a_comparison_whose_answer_is_known_are_decided(code: int, number: int, reached: set[str]) -> None:
    """D351: no packet decides how it ends, so nothing is asked about it."""
    built = machine_for(mov(2, 5), jump(code, 2, 1, imm=number), mov(0, 1), mov(0, 2), EXIT)
    edges = [goal for goal in goals_of(built) if goal.kind == "edge"]
    assert len(edges) == 2
    for edge in edges:
        met = edge.target in reached
        assert reach(built, edge, XDP, 10)[0] == ("reached" if met else "unreachable")
        assert (edge.key in cover(built, Input(bytes(64)))) is met


def test_edges_of_conditions_that_are_written_without_a_comparison_are_not_called_unreachable() -> None:
    """D351: `r5 > 7` is about the bits above the third, `1 byte is there` is that the length is not 0."""
    ends = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 1), jump(op.JGT, 4, 3, src=3)]
    tests = [ldx(op.B, 5, 2, 0), jump(op.JGT, 5, 1, imm=7, wide=False), mov(6, 0)]
    built = machine_for(*ends, *tests, mov(0, 2), EXIT)
    tested = next(goal.source for goal in goals_of(built) if goal.kind == "edge" and goal.source != 4)
    found = {goal.key: reach(built, goal, XDP, 10)[0] for goal in goals_of(built) if goal.kind == "edge"}
    assert found[tested, "below"] == found[tested, "above"] == "reached"
    source = (
        "#include <core.p4>\nheader a_t { bit<8> x; }\nstruct h_t { a_t a; }\n"
        "parser P(packet_in p, out h_t h) { state start { p.extract(h.a); transition accept; } }\n"
    )
    parser = parse_p4("t.p4", source)
    loaded = Loaded("t.p4", parser.sha256, "p4", parser=parser)
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    assert set(suite.statuses) == {"covered"}, "a packet of no byte, and one of one byte"


def test_edges_of_ends_of_a_packet_are_met_where_the_answer_is_known() -> None:
    """The second check asks for less than the first one has made sure of, once for as much."""
    ends = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4)]
    first = [copy(4, 2), add(4, 20), jump(op.JGT, 4, 7, src=3)]
    second = [copy(4, 2), add(4, 20), jump(op.JGT, 4, 4, src=3), copy(4, 2), add(4, 19), jump(op.JGT, 4, 1, src=3)]
    built = machine_for(*ends, *first, *second, mov(0, 2), mov(0, 1), EXIT)
    edges = [goal for goal in goals_of(built) if goal.kind == "edge"]
    found = {edge.key: reach(built, edge, XDP, 10)[0] for edge in edges}
    assert found == {
        (4, "below"): "reached",
        (4, "above"): "reached",
        (7, "below"): "unreachable",
        (7, "above"): "reached",
        (10, "below"): "unreachable",
        (10, "above"): "unreachable",
    }
    keys = {key for length in range(14, 24) for key in cover(built, Input(bytes(length)))}
    assert {key for key, status in found.items() if status == "reached"} <= keys
    assert not {key for key, status in found.items() if status == "unreachable"} & keys


def test_edges_are_found_behind_a_comparison_that_settles_them_not() -> None:
    """The answer is known behind the first comparison, but not whether it is close."""
    ends = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 20), jump(op.JGT, 4, 4, src=3)]
    second = [ldx(op.B, 5, 2, 0), jump(op.JGT, 5, 2, imm=11), jump(op.JGT, 5, 1, imm=11), mov(6, 0)]
    built = machine_for(*ends, *second, mov(0, 2), EXIT)
    found = {}
    for goal in goals_of(built):
        if goal.kind == "edge":
            found[goal.key], model = reach(built, goal, XDP, 10)
            assert model is None or goal.key in cover(built, input_of(model, XDP, ())), "a model is at the edge"
    assert found[7, "above"] == "reached" and found[7, "below"] == "unreachable"
    assert found[6, "above"] == found[6, "below"] == "reached"


def test_cover_sees_both_sides_of_a_comparison() -> None:
    loaded = load(str(CORPORA / "five-tuple" / "five-tuple.dev"))
    interface = load_interface("xdp")
    machine = TableMachine(loaded.table, interface)  # type: ignore[arg-type]
    ipv4 = bytes(12) + b"\x08\x00\x45" + bytes(40)
    for length, side in ((33, "below"), (34, "above")):
        edges = {goal.key for goal in goals_of(machine) if goal.kind == "edge" and goal.target == side}
        assert edges & cover(machine, Input(ipv4[:length]))
