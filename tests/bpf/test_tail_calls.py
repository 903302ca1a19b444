"""Tail calls (D50) in the interpreter and the symbolic machine, what objects say of them; stack and packet (D51)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from equiv.bpf import insn as op
from equiv.bpf.interpret import Fault, run
from equiv.bpf.load import load_object, load_program
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.bpf.tail_calls import TailCall, parse_tail_call
from equiv.errors import InputError
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.protocol import Done, Fork, Stuck
from tests.bpf.objects import ObjectBuilder, call_helper, load_symbol
from tests.bpf.objects import exit_ as exit_of
from tests.bpf.objects import mov as set_to
from tests.bpf.programs import EXIT, SOCKET_FILTER, TC, Ended, NotDone, add, call, copy, follow, jump, ldx, mov, program

ARRAY = MapSpec("progs", 3, 4, 4, 8)
GIVEN = Input(bytes(64))


def load_map(register: int, name: str = "progs") -> Insn:
    return Insn(op.LD_IMM64, register, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))


def tail_call(index: Insn) -> list[Insn]:
    """Six slots, if `index` (which sets r3) is one."""
    return [copy(1, 6), load_map(2), index, call(12)]


def both(checked: Program, given: Input = GIVEN) -> int:
    """What the interpreter and the symbolic machine return, which must be the same."""
    seen = run(checked, TC, given)
    ended: Ended = follow(BpfMachine(checked, TC), given, through_snapshots=True)
    shown = {name for name, value in ended.values.items() if value or name in seen.values}
    assert (ended.code, shown) == (seen.code, set(seen.values))
    return ended.code


def counting(start: int = 0) -> Program:
    """Tail-calls itself, counting in skb->mark, until that falls through; returns the mark."""
    body = [copy(6, 1), ldx(op.W, 7, 6, 8), add(7, 1), Insn(op.STX | op.MEM | op.W, 6, 7, 8, 0)]
    body += [*tail_call(mov(3, 0)), ldx(op.W, 0, 6, 8), EXIT]
    return program(*body, maps=[ARRAY], tail_calls={"progs": {0: 0}})


def test_thirty_three_tail_calls_succeed_and_the_next_falls_through() -> None:
    assert both(counting()) == 34


def test_a_tail_call_does_not_return() -> None:
    body = [copy(6, 1), *tail_call(mov(3, 5)), mov(0, 1), EXIT]
    checked = program(*body, mov(0, 2), EXIT, maps=[ARRAY], functions={0: "t", 8: "u"}, tail_calls={"progs": {5: 8}})
    assert both(checked) == 2


@pytest.mark.parametrize("index", [4, 6, 7, 8, 1 << 20, -1])
def test_a_tail_call_to_an_empty_slot_or_past_the_array_falls_through(index: int) -> None:
    body = [copy(6, 1), *tail_call(mov(3, index)), mov(0, 1), EXIT]
    checked = program(*body, mov(0, 2), EXIT, maps=[ARRAY], functions={0: "t", 8: "u"}, tail_calls={"progs": {5: 8}})
    assert both(checked) == 1


@pytest.mark.parametrize("length", range(60, 70))
def test_an_index_that_depends_on_the_input_finds_its_program(length: int) -> None:
    body = [copy(6, 1), ldx(op.W, 7, 1, 0), add(7, -62), copy(1, 6), load_map(2), copy(3, 7), call(12), mov(0, 9), EXIT]
    others = [mov(0, 1), EXIT, mov(0, 2), EXIT]
    held = {0: 10, 2: 12, 4: 10}
    functions = {0: "t", 10: "one", 12: "two"}
    checked = program(*body, *others, maps=[ARRAY], functions=functions, tail_calls={"progs": held})
    assert both(checked, Input(bytes(length))) == {62: 1, 64: 2, 66: 1}.get(length, 9)


def test_after_a_failed_tail_call_r0_holds_nothing() -> None:
    checked = program(copy(6, 1), *tail_call(mov(3, 1)), EXIT, maps=[ARRAY], tail_calls={"progs": {}})
    with pytest.raises(Fault):
        run(checked, TC, GIVEN)
    with pytest.raises(NotDone, match="uninitialised"):
        follow(BpfMachine(checked, TC), GIVEN)


def test_registers_and_stack_do_not_survive() -> None:
    body = [copy(6, 1), Insn(op.ST | op.MEM | op.DW, 10, 0, -8, 7), *tail_call(mov(3, 0)), mov(0, 1), EXIT]
    for target in ([copy(0, 6), EXIT], [ldx(op.DW, 0, 10, -8), EXIT]):
        functions, held = {0: "t", 9: "u"}, {"progs": {0: 9}}
        checked = program(*body, *target, maps=[ARRAY], functions=functions, tail_calls=held)
        with pytest.raises((Fault, NotRunnable)):
            run(checked, TC, GIVEN)
        with pytest.raises(NotDone, match="uninitialised"):
            follow(BpfMachine(checked, TC), GIVEN)


def test_an_array_of_which_nothing_is_known_is_not_taken_for_empty() -> None:
    checked = program(copy(6, 1), *tail_call(mov(3, 1)), mov(0, 1), EXIT, maps=[ARRAY])
    with pytest.raises(NotRunnable, match="whose programs are not given"):
        run(checked, TC, GIVEN)
    stop = BpfMachine(checked, TC).run(BpfMachine(checked, TC).start(), lambda guard: None)
    assert isinstance(stop, Stuck)
    assert "whose programs are not given" in stop.reason


def in_a_called_function() -> Program:
    """A function whose tail call succeeds: the program's exit returns to the function's caller, registers intact."""
    call_function = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 4, ref=FunctionRef(6, "f"))
    entry = [mov(7, 40), call_function, copy(8, 0), add(8, 2), copy(0, 8), EXIT]
    function = [copy(6, 1), *tail_call(mov(3, 0)), mov(0, 1), EXIT]
    functions = {0: "t", 6: "f", 14: "u"}
    insns = [*entry, *function, mov(0, 5), EXIT]
    return program(*insns, maps=[ARRAY], functions=functions, tail_calls={"progs": {0: 14}})


def test_a_tail_call_in_a_called_function_returns_to_its_caller() -> None:
    assert both(in_a_called_function()) == 7


def counting_in_calls() -> Program:
    """Calls a function twice that tail-calls a program which tail-calls itself; each adds one to skb->mark."""
    first, second = (Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, at, ref=FunctionRef(7, "f")) for at in (5, 3))
    entry = [copy(6, 1), first, copy(1, 6), second, ldx(op.W, 0, 6, 8), copy(7, 0), EXIT]
    function = [copy(6, 1), *tail_call(mov(3, 0)), mov(0, 0), EXIT]
    target = [copy(6, 1), ldx(op.W, 7, 6, 8), add(7, 1), Insn(op.STX | op.MEM | op.W, 6, 7, 8, 0)]
    target += [*tail_call(mov(3, 0)), mov(0, 0), EXIT]
    functions = {0: "t", 7: "f", 15: "u"}
    return program(*entry, *function, *target, maps=[ARRAY], functions=functions, tail_calls={"progs": {0: 15}})


def test_the_count_is_that_of_the_whole_run() -> None:
    assert both(counting_in_calls()) == 33


def test_the_count_is_a_cell_only_where_another_tail_call_may_follow() -> None:
    body = [copy(6, 1), ldx(op.W, 7, 1, 8), jump(op.JEQ, 7, 9, imm=5), *tail_call(mov(3, 0)), ldx(op.W, 0, 6, 12)]
    body += [jump(op.JEQ, 0, 2, imm=5), mov(0, 1), EXIT, mov(0, 2), EXIT]
    machine = BpfMachine(program(*body, maps=[ARRAY], tail_calls={"progs": {0: 0}}), TC)
    first = machine.run(machine.start(), lambda guard: None)
    assert isinstance(first, Fork)
    assert machine.snapshot(first.before).cells["tail_calls.0"].value == 0
    again = machine.run(first.branches[1].state, lambda guard: None)
    assert isinstance(again, Fork)
    assert machine.snapshot(again.before).cells["tail_calls.0"].value == 1
    left = machine.resume(machine.snapshot(again.before))
    assert left.tail_calls.value == 1


def test_programs_are_ordered_behind_those_that_enter_them() -> None:
    entry = [copy(6, 1), ldx(op.W, 7, 1, 8), jump(op.JEQ, 7, 0, imm=5), *tail_call(mov(3, 1)), mov(0, 1), EXIT]
    last = [ldx(op.W, 7, 1, 8), jump(op.JEQ, 7, 0, imm=6), mov(0, 1), EXIT]
    middle = [copy(6, 1), ldx(op.W, 7, 1, 8), jump(op.JEQ, 7, 0, imm=7), *tail_call(mov(3, 0)), mov(0, 1), EXIT]
    functions = {0: "t", 10: "last", 14: "middle"}
    held = {"progs": {0: 10, 1: 14}}
    machine = BpfMachine(program(*entry, *last, *middle, maps=[ARRAY], functions=functions, tail_calls=held), TC)
    state, orders, programs = machine.start(), [], []
    while isinstance(stop := machine.run(state, lambda guard: None), Fork):
        snapshot = machine.snapshot(stop.before)
        orders.append(machine.order(snapshot))
        programs.append(machine.place(snapshot).program)
        state = stop.branches[0].state
    assert isinstance(stop, Done)
    assert programs == ["t", "middle", "last"]
    assert orders == sorted(orders)
    assert len(set(orders)) == 3


# --- objects ----------------------------------------------------------------------------------------------------


def two_programs(tmp_path: Path) -> str:
    builder = ObjectBuilder()
    builder.legacy_map("progs", kind=3, key_size=4, value_size=4, max_entries=2)
    body = [load_symbol(2, "progs"), set_to(3, 0), call_helper(12), set_to(0, 1), exit_of()]
    builder.function("first", "tc/one", body)
    builder.function("second", "tc/two", [set_to(0, 2), exit_of()])
    builder.write(tmp_path / "p.o")
    return str(tmp_path / "p.o")


def test_what_is_said_fills_the_array(tmp_path: Path) -> None:
    path = two_programs(tmp_path)
    loaded = load_program(path, None, [parse_tail_call("progs[0]=second")])
    assert loaded.name == "first"
    assert loaded.entries == {0: "first", 6: "second"}
    assert loaded.tail_calls == {"progs": {0: 6}}
    assert loaded.place_at(7) == ("second", 1)
    assert load_program(path, "first", [TailCall("progs", 1, "tc/two")]).tail_calls == {"progs": {1: 6}}
    assert load_program(path, "first", [TailCall("progs")]).tail_calls == {"progs": {}}
    assert load_program(path, "first").tail_calls == {}
    assert {name: p.tail_calls for name, p in load_object(path).programs.items()} == {"first": {}, "second": {}}


@pytest.mark.parametrize("text", ["progs", "progs[0]", "progs=x", "[0]=x", "progs[x]=y", "progs[]=x", "progs[0]="])
def test_what_is_no_tail_call_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not MAP"):
        parse_tail_call(text)


@pytest.mark.parametrize(
    ("said", "reason"), [("progs[0]=third", "no program 'third'"), ("progs[2]=second", "2 entries")]
)
def test_programs_and_indices_must_exist(tmp_path: Path, said: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        load_program(two_programs(tmp_path), "first", [parse_tail_call(said)])


# --- stack against packet ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("above", [0, 1])
@pytest.mark.parametrize("code", [op.JGT, op.JGE, op.JLT, op.JLE])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_order_of_stack_and_packet_is_an_input(above: int, code: int, swapped: bool) -> None:
    first, second = (2, 10) if swapped else (10, 2)
    checked = program(ldx(op.W, 2, 1, 80), mov(0, 1), jump(code, first, 1, src=second), mov(0, 2), EXIT)
    given = Input(bytes(64), context={"packet_above_stack": above})
    assert both(checked, given) == (1 if (code in (op.JGT, op.JGE)) == (bool(above) == swapped) else 2)
    machine = BpfMachine(checked, TC)
    assert not any("compared with the stack" in sentence for sentence in machine.assumptions)
    follow(machine, given)
    assert any("compared with the stack" in sentence for sentence in machine.assumptions)


@pytest.mark.parametrize("code", [op.JGT, op.JLE])
def test_against_a_table_the_stack_is_above_the_packet_and_a_warning_says_where_that_matters(code: int) -> None:
    checked = program(ldx(op.W, 2, 1, 80), mov(0, 1), jump(code, 10, 1, src=2), mov(0, 2), EXIT)
    given = Input(bytes(64))
    machine = BpfMachine(checked, replace(TC, stack_above=True))
    assert follow(machine, given).code == run(checked, TC, given).code == (1 if code == op.JGT else 2)
    assert not follow(machine, given).forks
    (warning,) = (sentence for sentence in machine.assumptions if sentence.startswith("warning: "))
    assert "the stack is higher" in warning and warning.endswith("(instruction 2)")


def test_socket_filters_tail_call_too() -> None:
    checked = counting()
    seen = run(
        program(copy(6, 1), *tail_call(mov(3, 0)), mov(0, 3), EXIT, maps=[ARRAY], tail_calls={"progs": {0: 0}}),
        SOCKET_FILTER,
        GIVEN,
    )
    assert (seen.code, checked.entries) == (3, {0: "t"})
