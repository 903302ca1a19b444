"""Frozen states (D30): what they hold, that equal ones look equal, and that thawed ones go on as before."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import run as interpret
from equiv.bpf.load import load_object
from equiv.bpf.program import FunctionRef, Insn, Line
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input
from equiv.machine.interface import interface_for_section, load_interface
from equiv.machine.protocol import Done, Fork, Snapshot
from equiv.term import Term, const, var
from tests.bpf.programs import (
    EXIT,
    TC,
    add,
    alu,
    call,
    copy,
    follow,
    goto,
    jump,
    ldx,
    machine_for,
    mov,
    st,
    stx,
)

CORPORA = Path(__file__).parents[2] / "corpora"


def undecided(guard: Term) -> bool | None:
    return None


def all_forks(machine: BpfMachine) -> Iterator[Snapshot]:
    """Snapshots of every fork that any path comes to, whether it is feasible or not."""
    pending = [machine.start()]
    while pending:
        stop = machine.run(pending.pop(), undecided)
        if isinstance(stop, Fork):
            yield machine.snapshot(stop.before)
            pending += [branch.state for branch in stop.branches]


def fork_at(machine: BpfMachine, slot: int) -> list[Snapshot]:
    return [s for s in all_forks(machine) if machine.place(s).insn == slot]


def test_snapshot_holds_live_cells_only() -> None:
    insns = [
        *(ldx(op.W, 2, 1, 8), ldx(op.W, 3, 1, 12), ldx(op.W, 4, 1, 32), stx(op.W, 10, -8, 3), st(op.W, 10, -16, 5)),
        *(jump(op.JEQ, 2, 1, imm=1), ldx(op.W, 2, 10, -8), copy(0, 2), EXIT),
    ]
    (snapshot,) = fork_at(machine_for(*insns, interface=TC), 5)
    assert sorted(snapshot.cells) == ["r2", "s0.-8"]


def test_paths_that_wrote_the_same_bytes_differently_come_to_the_same_location() -> None:
    insns = [
        *(ldx(op.W, 2, 1, 8), ldx(op.W, 3, 1, 32), jump(op.JEQ, 2, 3, imm=1)),
        *(stx(op.W, 10, -8, 3), st(op.W, 10, -4, 0), goto(1)),
        st(op.DW, 10, -8, 0),
        *(jump(op.JEQ, 3, 0, imm=7), ldx(op.W, 0, 10, -8), ldx(op.W, 4, 10, -4), alu(op.ADD, 0, src=4), EXIT),
    ]
    first, second = fork_at(machine_for(*insns, interface=TC), 7)
    assert first.location == second.location
    assert list(first.cells) == list(second.cells) == ["r3", "s0.-8", "s0.-4"]


def test_packet_pointers_are_told_from_numbers_and_marked_as_offsets() -> None:
    insns = [
        *(ldx(op.W, 2, 1, 76), ldx(op.W, 3, 1, 80), ldx(op.W, 4, 1, 8), alu(op.AND, 4, imm=255)),
        *(alu(op.ADD, 2, src=4), add(2, 14), jump(op.JGT, 2, 1, src=3), copy(0, 4), EXIT),
    ]
    snapshot = fork_at(machine_for(*insns, interface=TC), 6)[0]
    assert {"r2", "r3"} == set(snapshot.offsets)
    assert set(snapshot.cells) == {"r2", "r3", "r4"}


def test_resumed_state_goes_on_with_the_terms_that_the_cells_now_hold() -> None:
    insns = [ldx(op.W, 2, 1, 8), jump(op.JEQ, 2, 0, imm=1), copy(0, 2), EXIT]
    machine = machine_for(*insns, interface=TC)
    (snapshot,) = fork_at(machine, 1)
    merged = dataclasses.replace(snapshot, cells={"r2": var("merged", 64)})
    stop = machine.run(machine.resume(merged), lambda guard: True)
    assert isinstance(stop, Done)
    assert stop.outcome.code.args[0] is var("merged", 64)
    exact = dataclasses.replace(snapshot, cells={"r2": const(5, 64)})
    stop = machine.run(machine.resume(exact), undecided)
    assert isinstance(stop, Done)
    assert stop.outcome.code is const(5, 32)


def test_decision_inside_an_instruction_is_part_of_the_location() -> None:
    insns = [
        *(ldx(op.W, 2, 1, 8), copy(3, 10), add(3, -4), mov(4, 4), call(26), ldx(op.W, 0, 10, -4), EXIT),
    ]
    machine = machine_for(*insns, interface=TC)
    stop = machine.run(machine.start(), undecided)
    assert isinstance(stop, Fork)
    snapshots = [machine.snapshot(branch.state) for branch in stop.branches]
    assert snapshots[0].location != snapshots[1].location
    codes = [machine.run(machine.resume(snapshot), undecided) for snapshot in snapshots]
    failed = codes[1]
    assert isinstance(failed, Done)
    assert failed.outcome.code is const(0, 32)


def test_order_puts_a_callee_between_its_call_and_the_return() -> None:
    called = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 4, ref=FunctionRef(7, "callee"))
    insns = [
        *(ldx(op.W, 1, 1, 8), jump(op.JEQ, 1, 0, imm=1), called, jump(op.JEQ, 0, 0, imm=2)),
        *(mov(0, 0), EXIT, EXIT),
        *(copy(0, 1), jump(op.JEQ, 1, 0, imm=3), EXIT),
    ]
    machine = machine_for(*insns, functions={0: "t", 7: "callee"}, interface=TC)
    found = {machine.place(s).insn: machine.order(s) for s in all_forks(machine)}
    assert set(found) == {1, 3, 8}
    assert found[1] < found[8] < found[3]
    assert {machine.place(s).function for s in all_forks(machine)} == {"t", "callee"}


def test_place_is_the_source_line() -> None:
    lines = (Line(0, "t.c", 3, 2, "x = skb->mark;"), Line(1, "t.c", 4, 6, "if (x == 1)"))
    insns = [ldx(op.W, 2, 1, 8), jump(op.JEQ, 2, 0, imm=1), mov(0, 0), EXIT]
    machine = machine_for(*insns, interface=TC, lines=lines)
    stop = machine.run(machine.start(), undecided)
    assert isinstance(stop, Fork)
    assert stop.place is not None
    assert (stop.place.file, stop.place.line, stop.place.insn) == ("t.c", 4, 1)
    assert stop.branches[0].label == "t.c:4: if (x == 1) (jumps)"


ETHER_TYPES = (0x0800, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x6558, 0x0011, 0x4500, 0x4600, 0x2F00, 0x2900, 4789, 6081)
EDIT = some.tuples(some.integers(6, 40), some.sampled_from(ETHER_TYPES))


@some.composite
def packets(draw: some.DrawFn) -> bytes:
    """Packets with plausible words here and there, whole or cut short."""
    packet = bytearray(draw(some.binary(min_size=60, max_size=100)))
    packet[12:14] = draw(some.sampled_from(ETHER_TYPES[:5])).to_bytes(2, "big")
    packet[14] = draw(some.sampled_from((0x45, 0x46, 0x60, packet[14])))
    packet[23] = draw(some.sampled_from((4, 6, 17, 41, 47, packet[23])))
    for place, word in draw(some.lists(EDIT, max_size=4)):
        packet[2 * place : 2 * place + 2] = word.to_bytes(2, "big")
    return bytes(packet[: draw(some.one_of(some.just(len(packet)), some.integers(14, len(packet))))])


OBJECTS = sorted(path.relative_to(CORPORA).as_posix() for path in CORPORA.glob("*/*.bpf.o"))


@pytest.mark.parametrize("name", OBJECTS)
@settings(max_examples=12)
@given(packet=packets(), through_snapshots=some.booleans())
def test_corpus_programs_agree_with_the_interpreter(name: str, packet: bytes, through_snapshots: bool) -> None:
    for program in load_object(str(CORPORA / name)).programs.values():
        interface = load_interface(interface_for_section(program.section) or "xdp")
        checked = Input(packet)
        concrete = interpret(program, interface, checked)
        symbolic = follow(BpfMachine(program, interface), checked, through_snapshots=through_snapshots)
        assert symbolic.code == concrete.code
        for observable in interface.observables:
            if not interface.counts(observable, concrete.code):
                continue
            expected = concrete.values.get(observable.name, 0)  # effects that there were none of are left out
            if expected == b"":
                assert observable.name not in symbolic.values
                continue
            number = expected if isinstance(expected, int) else int.from_bytes(expected, "big")
            assert symbolic.values[observable.name] == number


def test_there_are_corpus_programs() -> None:
    assert len(OBJECTS) > 5


def test_locations_of_one_program_are_few_although_its_paths_are_many() -> None:
    program = next(iter(load_object(str(CORPORA / "five-tuple/five-tuple.bpf.o")).programs.values()))
    machine = BpfMachine(program, load_interface("xdp"))
    visited = list(itertools.islice(all_forks(machine), 3000))
    assert len(visited) > 500
    assert len({snapshot.location for snapshot in visited}) < len(program.insns)
