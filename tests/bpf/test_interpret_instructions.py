"""Each instruction, on its own, as RFC 9669 defines it: the interpreter against expectations written down by hand."""

from __future__ import annotations

import dataclasses

import pytest

from equiv.bpf import insn as op
from equiv.bpf.interpret import Fault, run
from equiv.bpf.program import ByteOrder, FunctionRef, Insn
from equiv.machine.concrete import Input, NotRunnable
from tests.bpf.programs import (
    EXIT,
    SOCKET_FILTER,
    XDP,
    add,
    alu,
    atomic,
    copy,
    goto,
    jump,
    ldx,
    load64,
    mov,
    program,
    st,
    stx,
)

FRAME = Input(bytes(64))
MINUS_ONE = (1 << 64) - 1
SMALLEST_64, SMALLEST_32 = 1 << 63, 1 << 31


def result(*insns: Insn, byte_order: ByteOrder = "little") -> int:
    """What r0 holds at the end, all 64 bits: each half is one run's return code."""
    low = program(*insns, EXIT, byte_order=byte_order)
    high = program(*insns, alu(op.RSH, 0, imm=32), EXIT, byte_order=byte_order)
    raw = dataclasses.replace(XDP, other_code=None)
    return run(high, raw, FRAME).code << 32 | run(low, raw, FRAME).code


@pytest.mark.parametrize(
    ("code", "off", "a", "b", "expected"),
    [
        (op.ADD, 0, MINUS_ONE, 1, 0),
        (op.SUB, 0, 0, 1, MINUS_ONE),
        (op.MUL, 0, 1 << 63, 2, 0),
        (op.DIV, 0, MINUS_ONE, 2, MINUS_ONE >> 1),
        (op.DIV, 0, 7, 0, 0),
        (op.MOD, 0, MINUS_ONE, 0, MINUS_ONE),
        (op.MOD, 0, 7, 4, 3),
        (op.DIV, 1, -7 & MINUS_ONE, 2, -3 & MINUS_ONE),
        (op.MOD, 1, -7 & MINUS_ONE, 2, -1 & MINUS_ONE),
        (op.MOD, 1, 7, -2 & MINUS_ONE, 1),
        (op.DIV, 1, SMALLEST_64, MINUS_ONE, SMALLEST_64),
        (op.MOD, 1, SMALLEST_64, MINUS_ONE, 0),
        (op.DIV, 1, 5, 0, 0),
        (op.MOD, 1, 5, 0, 5),
        (op.LSH, 0, 1, 65, 2),
        (op.RSH, 0, 1 << 63, 127, 1),
        (op.ARSH, 0, 1 << 63, 63, MINUS_ONE),
        (op.XOR, 0, 0xF0, 0xFF, 0x0F),
        (op.MOV, 8, 0, 0x1280, 0xFFFFFFFFFFFFFF80),
        (op.MOV, 16, 0, 0x128000, 0xFFFFFFFFFFFF8000),
        (op.MOV, 32, 0, 0x80000000, 0xFFFFFFFF80000000),
    ],
)
def test_64_bit_operations(code: int, off: int, a: int, b: int, expected: int) -> None:
    assert result(load64(0, a), load64(1, b), alu(code, 0, src=1, off=off)) == expected


@pytest.mark.parametrize(
    ("code", "off", "a", "b", "expected"),
    [
        (op.ADD, 0, 0xFFFFFFFF, 1, 0),
        (op.MOD, 0, 0xABCDEF0100000007, 0, 7),
        (op.DIV, 0, 0xABCDEF0100000007, 0, 0),
        (op.DIV, 1, SMALLEST_32, MINUS_ONE, SMALLEST_32),
        (op.MOD, 1, SMALLEST_32, MINUS_ONE, 0),
        (op.DIV, 1, 0xFFFFFFF9, 2, 0xFFFFFFFD),
        (op.LSH, 0, 1, 33, 2),
        (op.ARSH, 0, 0x80000000, 31, 0xFFFFFFFF),
        (op.MOV, 0, 0, MINUS_ONE, 0xFFFFFFFF),
        (op.MOV, 8, 0, 0x80, 0xFFFFFF80),
    ],
)
def test_32_bit_operations_clear_the_upper_half(code: int, off: int, a: int, b: int, expected: int) -> None:
    assert result(load64(0, a), load64(1, b), alu(code, 0, src=1, off=off, wide=False)) == expected


def test_immediates_are_sign_extended_to_the_width_of_the_operation() -> None:
    assert result(mov(0, -1)) == MINUS_ONE
    assert result(alu(op.MOV, 0, imm=-1, wide=False)) == 0xFFFFFFFF
    assert result(mov(0, 10), alu(op.DIV, 0, imm=-2)) == 0  # unsigned: by 2^64 - 2


@pytest.mark.parametrize(
    ("byte_order", "opcode", "width", "expected"),
    [
        ("little", op.ALU | op.END | op.X, 16, 0x8877),
        ("little", op.ALU | op.END | op.K, 16, 0x7788),
        ("little", op.ALU | op.END | op.X, 32, 0x88776655),
        ("little", op.ALU | op.END | op.X, 64, 0x8877665544332211),
        ("big", op.ALU | op.END | op.X, 32, 0x55667788),
        ("big", op.ALU | op.END | op.K, 32, 0x88776655),
        ("big", op.ALU64 | op.END | op.K, 16, 0x8877),
        ("little", op.ALU64 | op.END | op.K, 64, 0x8877665544332211),
    ],
)
def test_byte_swaps_depend_on_the_order_of_the_machine(
    byte_order: ByteOrder, opcode: int, width: int, expected: int
) -> None:
    swap = Insn(opcode, 0, 0, 0, width)
    assert result(load64(0, 0x1122334455667788), swap, byte_order=byte_order) == expected


@pytest.mark.parametrize(
    ("code", "a", "b", "wide", "taken"),
    [
        (op.JEQ, 1 << 32, 0, True, False),
        (op.JEQ, 1 << 32, 0, False, True),
        (op.JGT, MINUS_ONE, 1, True, True),
        (op.JSGT, MINUS_ONE, 1, True, False),
        (op.JSLT, 0x80000000, 0, False, True),
        (op.JSLT, 0x80000000, 0, True, False),
        (op.JSET, 6, 1, True, False),
        (op.JSET, 6, 2, True, True),
        (op.JLE, 3, 3, True, True),
        (op.JGE, 3, 4, True, False),
        (op.JSGE, SMALLEST_64, 0, True, False),
        (op.JNE, 1, 1, True, False),
        (op.JLT, 1, 2, True, True),
        (op.JSLE, SMALLEST_64, MINUS_ONE, True, True),
        (op.JSLE, 0, MINUS_ONE, True, False),
    ],
)
def test_conditional_jumps(code: int, a: int, b: int, wide: bool, taken: bool) -> None:
    insns = (load64(1, a), load64(2, b), mov(0, 1), jump(code, 1, 1, src=2, wide=wide), mov(0, 0))
    assert result(*insns) == int(taken)


def test_long_jump_takes_its_distance_from_imm() -> None:
    assert result(mov(0, 1), Insn(op.JMP32 | op.JA, 0, 0, 0, 1), mov(0, 2)) == 1


def test_memory_is_in_the_byte_order_of_the_machine() -> None:
    insns = (load64(1, 0x1122334455667788), stx(op.DW, 10, -8, 1), ldx(op.B, 0, 10, -8))
    assert result(*insns) == 0x88
    assert result(*insns, byte_order="big") == 0x11


def test_sign_extending_loads() -> None:
    assert result(st(op.DW, 10, -8, -2), ldx(op.H, 0, 10, -8, mode=op.MEMSX)) == -2 & MINUS_ONE
    assert result(st(op.DW, 10, -8, -2), ldx(op.H, 0, 10, -8)) == 0xFFFE


@pytest.mark.parametrize(
    ("operation", "stored", "register"),
    [
        (op.ADD, 0x1_0000_0005, 2),
        (op.ADD | op.FETCH, 0x1_0000_0005, 0x1_0000_0003),
        (op.OR | op.FETCH, 0x1_0000_0003, 0x1_0000_0003),
        (op.AND, 2, 2),
        (op.XOR | op.FETCH, 0x1_0000_0001, 0x1_0000_0003),
        (op.XCHG, 2, 0x1_0000_0003),
    ],
)
def test_atomic_operations_of_64_bits(operation: int, stored: int, register: int) -> None:
    before = (load64(1, 0x1_0000_0003), stx(op.DW, 10, -8, 1), mov(2, 2), atomic(op.DW, 10, -8, 2, operation))
    assert result(*before, ldx(op.DW, 0, 10, -8)) == stored
    assert result(*before, copy(0, 2)) == register


def test_atomic_operations_of_32_bits_wrap_and_zero_extend() -> None:
    before = (st(op.DW, 10, -8, -1), mov(2, 1), atomic(op.W, 10, -8, 2, op.ADD | op.FETCH))
    assert result(*before, ldx(op.DW, 0, 10, -8)) == 0xFFFFFFFF00000000
    assert result(*before, copy(0, 2)) == 0xFFFFFFFF


def test_compare_and_exchange_puts_the_old_value_into_r0() -> None:
    before = (st(op.DW, 10, -8, 7), mov(0, 7), mov(2, 9), atomic(op.DW, 10, -8, 2, op.CMPXCHG))
    assert result(*before) == 7
    assert result(*before, ldx(op.DW, 0, 10, -8)) == 9
    differing = (st(op.DW, 10, -8, 7), mov(0, 8), mov(2, 9), atomic(op.DW, 10, -8, 2, op.CMPXCHG))
    assert result(*differing) == 7
    assert result(*differing, ldx(op.DW, 0, 10, -8)) == 7


def call_function(target: int) -> Insn:
    return Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 0, ref=FunctionRef(target, "f"))


def test_calls_keep_r6_to_r9_and_give_a_stack_of_their_own() -> None:
    main = [mov(6, 5), st(op.DW, 10, -8, 40), mov(1, 2), call_function(8), alu(op.ADD, 0, src=6)]
    main += [ldx(op.DW, 1, 10, -8), alu(op.ADD, 0, src=1), EXIT]
    callee = [mov(6, 99), st(op.DW, 10, -8, 77), copy(0, 1), EXIT]
    assert run(program(*main, *callee), SOCKET_FILTER, FRAME).code == 47


def test_a_ninth_frame_is_a_fault() -> None:
    recursive = program(call_function(0), EXIT)
    with pytest.raises(Fault, match="8 frames"):
        run(recursive, XDP, FRAME)


def test_an_endless_loop_is_a_fault() -> None:
    with pytest.raises(Fault, match="did not end"):
        run(program(mov(0, 0), goto(-2), EXIT), XDP, FRAME)


@pytest.mark.parametrize(
    ("insns", "message"),
    [
        ((copy(0, 2),), "not written"),
        ((copy(6, 4), mov(0, 2)), "not written"),
        ((mov(0, 0), ldx(op.DW, 0, 0, 0)), "not memory"),
        ((stx(op.DW, 10, 0, 1), mov(0, 0)), "stack"),
        ((ldx(op.W, 1, 1, 0), ldx(op.B, 0, 1, 64)), "packet"),
        ((ldx(op.W, 1, 1, 0), ldx(op.B, 0, 1, -1)), "packet"),
        ((st(op.DW, 1, 0, 1),), "writes to struct xdp_md"),
        ((ldx(op.W, 0, 1, 24),), "no field"),
        ((Insn(0xFF, 0, 0, 0, 0),), "unknown opcode"),
        ((goto(-3),), "jumps out"),
        ((goto(5),), "jumps out"),
        ((st(op.W, 10, -6, 0),), "misaligned"),
        ((ldx(op.W, 1, 1, 0), mov(2, 1), atomic(op.W, 1, 0, 2, op.ADD)), "atomic access to the packet"),
    ],
)
def test_what_the_verifier_would_reject_is_a_fault_with_its_place(insns: tuple[Insn, ...], message: str) -> None:
    with pytest.raises(Fault, match=message) as caught:
        run(program(*insns, EXIT), XDP, FRAME)
    assert caught.value.place is not None
    assert caught.value.place.insn is not None


def test_a_helper_clobbers_its_argument_registers() -> None:
    with pytest.raises(Fault, match="not written"):
        run(program(mov(2, 0), Insn(op.JMP | op.CALL, 0, 0, 0, 54), copy(0, 2), EXIT), XDP, FRAME)


def test_uninitialised_stack_is_not_runnable() -> None:
    with pytest.raises(NotRunnable, match="not known"):
        run(program(ldx(op.DW, 0, 10, -8), EXIT), XDP, FRAME)


def test_an_unmodelled_helper_is_named_with_its_instruction() -> None:
    with pytest.raises(NotRunnable, match=r"instruction 1.*4000"):
        run(program(mov(1, 0), Insn(op.JMP | op.CALL, 0, 0, 0, 4000), EXIT), XDP, FRAME)


def test_the_result_of_a_clock_may_be_stored_but_not_decide() -> None:
    clock = Insn(op.JMP | op.CALL, 0, 0, 0, 5)
    stored = program(clock, stx(op.DW, 10, -8, 0), mov(0, 2), EXIT)
    assert run(stored, XDP, FRAME).verdict == "accept"
    with pytest.raises(NotRunnable, match="ktime_get_ns"):
        run(program(clock, jump(op.JEQ, 0, 0, imm=0), mov(0, 2), EXIT), XDP, FRAME)
    fixed = Input(bytes(64), context={"helper.ktime_get_ns": 2})
    assert run(program(clock, EXIT), XDP, fixed).verdict == "accept"


def test_the_path_names_each_branch_and_its_way() -> None:
    path = run(program(mov(0, 2), jump(op.JEQ, 0, 1, imm=3), add(0, 0), EXIT), XDP, FRAME).path
    assert [step.text for step in path] == ["1: if r0 == 3: not taken"]
