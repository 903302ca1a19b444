"""bpf_loop in the interpreter and the symbolic machine (D54)."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.bpf.interpret import Fault, run
from equiv.bpf.program import FunctionRef, Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input, NotRunnable
from tests.bpf.programs import (
    EXIT,
    TC,
    NotDone,
    add,
    alu,
    call,
    copy,
    follow,
    jump,
    ldx,
    mov,
    program,
    st,
    stx,
)


def summing(setup: list[Insn], stop_at: int = 5, *, flags: int = 0, within: list[Insn] | None = None) -> Program:
    """Adds up the numbers that a function gets until one is `stop_at`; returns 100 times the calls plus the sum.

    `setup` sets r1, the count. `within` is done first in the function; it may change r0 and r3.
    """
    function = [*(within or []), ldx(op.DW, 3, 2, 0), alu(op.ADD, 3, src=1), stx(op.DW, 2, 0, 3), mov(0, 0)]
    function += [jump(op.JNE, 1, 1, imm=stop_at), mov(0, 1), EXIT]
    before = [mov(7, 100), st(op.DW, 10, -8, 0), *setup]
    start = len(before) + 10
    entry = [*before, load_function(start), copy(3, 10), add(3, -8), mov(4, flags), call(181)]
    entry += [alu(op.MUL, 0, src=7), ldx(op.DW, 3, 10, -8), alu(op.ADD, 0, src=3), EXIT]
    return program(*entry, *function, functions={0: "t", start: "add_one"})


def load_function(target: int) -> Insn:
    return Insn(op.LD_IMM64, 2, op.PSEUDO_FUNC, 0, 0, ref=FunctionRef(target, "add_one"))


def count_from_packet() -> list[Insn]:
    """r1 = the length of the packet less 60."""
    return [ldx(op.W, 1, 1, 0), add(1, -60)]


def both(checked: Program, given: Input) -> int:
    seen = run(checked, TC, given)
    for through_snapshots in (False, True):
        ended = follow(BpfMachine(checked, TC), given, through_snapshots=through_snapshots)
        assert ended.code == seen.code
    return seen.code


@pytest.mark.parametrize("length", range(60, 70))
def test_the_function_is_called_for_each_number_until_it_returns_one(length: int) -> None:
    calls = min(length - 60, 6)
    assert both(summing(count_from_packet()), Input(bytes(length))) == 100 * calls + sum(range(calls))


@pytest.mark.parametrize("count", [0, 1, 4, 6, 7])
def test_constant_counts(count: int) -> None:
    calls = min(count, 6)
    assert both(summing([mov(1, count)]), Input(bytes(60))) == 100 * calls + sum(range(calls))


def test_too_many_and_flags_are_refused() -> None:
    given = Input(bytes(60))
    assert both(summing([mov(1, (1 << 23) + 1)]), given) == -700 & 0xFFFFFFFF
    assert both(summing([mov(1, 3)], flags=1), given) == -2200 & 0xFFFFFFFF
    assert both(summing([mov(1, 1 << 24)], flags=1), given) == -2200 & 0xFFFFFFFF


def test_a_count_above_32_bits_depends_on_the_kernel() -> None:
    checked = summing([mov(1, 1), alu(op.LSH, 1, imm=32), add(1, 2)])
    with pytest.raises(NotRunnable, match="inlined"):
        run(checked, TC, Input(bytes(60)))
    with pytest.raises(NotDone, match="inlined"):
        follow(BpfMachine(checked, TC), Input(bytes(60)))


def test_the_function_finds_nothing_of_the_last_call() -> None:
    for within in ([ldx(op.DW, 3, 10, -8)], [copy(3, 6)], [copy(3, 3)]):
        checked = summing([mov(1, 3)], within=[*within, stx(op.DW, 10, -8, 3)])
        with pytest.raises((Fault, NotRunnable)):
            run(checked, TC, Input(bytes(60)))
        if within[0].opcode & op.CLASS_MASK == op.LDX:  # whatever the stack holds, nothing comes of it (D360)
            assert follow(BpfMachine(checked, TC), Input(bytes(60))).code == both(
                summing([mov(1, 3)]), Input(bytes(60))
            )
            continue
        with pytest.raises(NotDone, match="uninitialised"):
            follow(BpfMachine(checked, TC), Input(bytes(60)))


def test_registers_of_the_caller_survive() -> None:
    checked = summing([mov(1, 3)], within=[mov(7, 1), mov(6, 2)])
    assert both(checked, Input(bytes(60))) == 303
