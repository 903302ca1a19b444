"""How many low bits of registers are looked at (D191), and that frozen states without the others go on as before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.cfg import control_flow
from equiv.bpf.interpret import run as interpret
from equiv.bpf.program import Insn
from equiv.bpf.significance import significance
from equiv.machine.concrete import Input
from equiv.term import extract
from tests.bpf.programs import (
    EXIT,
    TC,
    add,
    alu,
    call,
    copy,
    follow,
    jump,
    ldx,
    machine_for,
    mov,
    program,
    stx,
)


def widths(*insns: Insn, slot: int = 0) -> tuple[int, ...]:
    made = program(*insns)
    return significance(made, control_flow(made))[slot]


def test_a_mask_needs_no_more_than_its_bits() -> None:
    assert widths(alu(op.AND, 2, imm=0xFFFF), copy(0, 2), EXIT)[2] == 16
    assert widths(alu(op.AND, 2, imm=-16), copy(0, 2), EXIT)[2] == 64
    assert widths(alu(op.AND, 2, imm=-16, wide=False), copy(0, 2), EXIT)[2] == 32


def test_sums_need_what_is_needed_of_them() -> None:
    needed = widths(alu(op.ADD, 2, src=3), add(2, 7), alu(op.AND, 2, imm=0xFF), copy(0, 2), EXIT)
    assert (needed[2], needed[3]) == (8, 8)


def test_shifts_by_constants_move_the_bound() -> None:
    assert widths(alu(op.LSH, 2, imm=48), alu(op.RSH, 2, imm=48), copy(0, 2), EXIT)[2] == 16
    assert widths(alu(op.RSH, 2, imm=8), alu(op.AND, 2, imm=0xF), copy(0, 2), EXIT)[2] == 12
    assert widths(alu(op.LSH, 2, src=3), alu(op.AND, 2, imm=1), copy(0, 2), EXIT)[2:4] == (64, 64)


def test_stores_need_what_they_store_and_all_of_an_address() -> None:
    needed = widths(stx(op.H, 10, -8, 2), mov(0, 0), EXIT)
    assert (needed[2], needed[10]) == (16, 64)
    assert widths(stx(op.B, 2, 0, 2), mov(0, 0), EXIT)[2] == 64


def test_jumps_need_all_or_a_half_and_the_way_that_needs_more_counts() -> None:
    assert widths(jump(op.JEQ, 2, 0, imm=3), mov(0, 0), EXIT)[2] == 64
    assert widths(jump(op.JEQ, 2, 0, imm=3, wide=False), mov(0, 0), EXIT)[2] == 32
    both = [
        jump(op.JEQ, 3, 3, imm=3),
        alu(op.AND, 2, imm=7),
        copy(0, 2),
        EXIT,
        alu(op.AND, 2, imm=0x3FF),
        copy(0, 2),
        EXIT,
    ]
    assert widths(*both)[2] == 10


def test_helpers_need_all_of_their_arguments_and_leave_nothing() -> None:
    needed = widths(alu(op.AND, 2, imm=1), call(7), copy(0, 6), EXIT)
    assert (needed[2], needed[6]) == (1, 64)


def test_a_frozen_register_holds_nothing_that_is_not_looked_at() -> None:
    body = [
        ldx(op.W, 2, 1, 8),
        ldx(op.W, 3, 1, 0),
        jump(op.JEQ, 3, 0, imm=9),
        alu(op.AND, 2, imm=0xFF),
        copy(0, 2),
        EXIT,
    ]
    machine = machine_for(*body, interface=TC)
    stop = machine.run(machine.start(), lambda guard: None)
    kept = machine.snapshot(stop.before).cells["r2"]  # type: ignore[union-attr]
    assert kept.width == 64
    assert extract(63, 8, kept).value == 0
    assert not extract(7, 0, kept).is_const


CODES = [op.ADD, op.SUB, op.MUL, op.OR, op.AND, op.XOR, op.MOV, op.LSH, op.RSH, op.ARSH, op.DIV, op.MOD]


@some.composite
def changes(draw: some.DrawFn) -> Insn:
    """An operation on two of r2 to r5."""
    code, wide = draw(some.sampled_from(CODES)), draw(some.booleans())
    dst = draw(some.integers(2, 5))
    if draw(some.booleans()):
        return alu(code, dst, src=draw(some.integers(2, 5)), wide=wide)
    imm = draw(some.integers(-(2**31), 2**31 - 1) | some.sampled_from([0xFF, 0xFFFF, 1, -1]))
    if code in (op.LSH, op.RSH, op.ARSH):
        imm = draw(some.integers(0, 63 if wide else 31))
    if code in (op.DIV, op.MOD):
        imm = imm or 1
    return alu(code, dst, imm=imm, wide=wide)


@given(
    some.lists(changes(), max_size=8),
    some.lists(changes(), max_size=8),
    some.integers(2, 5),
    some.booleans(),
    some.sampled_from([0xFF, 0xFFFF, 0x7FFF_FFFF, 3]),
    some.lists(some.integers(0, 2**32 - 1), min_size=4, max_size=4),
)
def test_runs_go_on_from_frozen_states_as_from_others(
    before: list[Insn], after: list[Insn], compared: int, wide: bool, mask: int, fields: list[int]
) -> None:
    loads = [ldx(op.W, 2 + n, 1, off) for n, off in enumerate((8, 32, 48, 52))]
    ends = [alu(op.AND, 3, imm=mask), stx(op.W, 1, 8, 3), copy(0, 2), alu(op.AND, 0, imm=mask), EXIT]
    body = [*loads, *before, jump(op.JGT, compared, 0, imm=77, wide=wide), *after, *ends]
    machine = machine_for(*body, interface=TC)
    names = ["mark", "priority", "cb[0]", "cb[1]"]
    data = Input(bytes(64), context=dict(zip(names, fields, strict=True)))
    expected = interpret(machine.program, TC, data)
    followed = follow(machine, data, through_snapshots=True)
    assert TC.normalise(followed.code, 64) == expected.code
    assert followed.values["mark"] == expected.values["mark"]
