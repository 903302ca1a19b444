"""Each arithmetic and jump instruction: the symbolic step's term, evaluated, is what the interpreter computes."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import ByteOrder, Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input
from tests.bpf.programs import (
    EXIT,
    TC_LINEAR,
    add,
    alu,
    atomic,
    copy,
    follow,
    jump,
    ldx,
    mov,
    program,
    stx,
)

BOUNDARY = (0, 1, 2, 7, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 63) - 1, (1 << 64) - 1)
OPERAND = some.one_of(some.sampled_from(BOUNDARY), some.integers(0, (1 << 64) - 1))
IMMEDIATE = some.one_of(some.sampled_from((0, 1, -1, 8, 255, -(1 << 31), (1 << 31) - 1)), some.integers(-100, 100))

BINARY = (op.ADD, op.SUB, op.MUL, op.DIV, op.OR, op.AND, op.LSH, op.RSH, op.MOD, op.XOR, op.MOV, op.ARSH)
COMPARISONS = (
    *(op.JEQ, op.JGT, op.JGE, op.JSET, op.JNE, op.JSGT),
    *(op.JSGE, op.JLT, op.JLE, op.JSLT, op.JSLE),
)

ATOMICS = sorted(op.ATOMIC_OPS)


def over_operands(*middle: Insn, byte_order: ByteOrder = "little") -> Program:
    """r2 and r3 from the packet, the instructions, then r2 and r3 to the control block."""
    body = [copy(6, 1), ldx(op.W, 4, 1, 76), ldx(op.W, 5, 1, 80), copy(7, 4), add(7, 30), mov(0, 2)]
    tail = [stx(op.DW, 6, 48, 2), stx(op.DW, 6, 56, 3), mov(0, 0), EXIT]
    loads = [ldx(op.DW, 2, 4, 14), ldx(op.DW, 3, 4, 22)]
    check = jump(op.JGT, 7, len(loads) + len(middle) + len(tail) - 1, src=5)
    return program(*body, check, *loads, *middle, *tail, byte_order=byte_order)


def agree(checked: Program, a: int, b: int) -> None:
    order = "<" if checked.byte_order == "little" else ">"
    packet = Input(bytes(14) + struct.pack(f"{order}QQ", a, b))
    symbolic = follow(BpfMachine(checked, TC_LINEAR), packet)
    concrete = run(checked, TC_LINEAR, packet)
    assert symbolic.code == concrete.code
    expected = concrete.values["cb"]
    assert isinstance(expected, bytes)
    assert symbolic.values["cb"].to_bytes(20, "big") == expected


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("by_register", [True, False], ids=["register", "immediate"])
@pytest.mark.parametrize("code", BINARY, ids=hex)
@settings(max_examples=25)
@given(a=OPERAND, b=OPERAND, imm=IMMEDIATE)
def test_binary_operations_agree_with_the_interpreter(
    code: int, by_register: bool, wide: bool, a: int, b: int, imm: int
) -> None:
    agree(over_operands(alu(code, 2, src=3, wide=wide) if by_register else alu(code, 2, imm=imm, wide=wide)), a, b)


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("code", [op.DIV, op.MOD], ids=["div", "mod"])
@settings(max_examples=40)
@given(a=OPERAND, b=OPERAND, imm=IMMEDIATE, by_register=some.booleans())
def test_signed_division_agrees_with_the_interpreter(
    code: int, wide: bool, a: int, b: int, imm: int, by_register: bool
) -> None:
    insn = alu(code, 2, src=3, off=1, wide=wide) if by_register else alu(code, 2, imm=imm, off=1, wide=wide)
    agree(over_operands(insn), a, b)


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("kind", [op.ALU | op.K, op.ALU | op.X, op.ALU64 | op.K], ids=["le", "be", "bswap"])
@pytest.mark.parametrize("width", [16, 32, 64])
@settings(max_examples=10)
@given(a=OPERAND)
def test_byte_swaps_agree_with_the_interpreter(kind: int, width: int, byte_order: ByteOrder, a: int) -> None:
    agree(over_operands(Insn(kind | op.END, 2, 0, 0, width), byte_order=byte_order), a, 0)


@pytest.mark.parametrize(("wide", "off"), [(True, 8), (True, 16), (True, 32), (False, 8), (False, 16)])
@settings(max_examples=15)
@given(b=OPERAND)
def test_sign_extending_moves_agree_with_the_interpreter(wide: bool, off: int, b: int) -> None:
    agree(over_operands(alu(op.MOV, 2, src=3, off=off, wide=wide)), 5, b)


@pytest.mark.parametrize("wide", [True, False])
@given(a=OPERAND)
def test_negation_agrees_with_the_interpreter(wide: bool, a: int) -> None:
    agree(over_operands(Insn((op.ALU64 if wide else op.ALU) | op.NEG, 2, 0, 0, 0)), a, 0)


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("code", COMPARISONS, ids=hex)
@settings(max_examples=40)
@given(a=OPERAND, b=OPERAND, imm=IMMEDIATE, by_register=some.booleans())
def test_conditional_jumps_agree_with_the_interpreter(
    code: int, wide: bool, a: int, b: int, imm: int, by_register: bool
) -> None:
    insn = jump(code, 2, 1, src=3, wide=wide) if by_register else jump(code, 2, 1, imm=imm, wide=wide)
    agree(over_operands(insn, mov(2, 77)), a, b)


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("mode", [op.MEM, op.MEMSX], ids=["zero", "sign"])
@pytest.mark.parametrize("size", [op.B, op.H, op.W])
@settings(max_examples=10)
@given(a=OPERAND)
def test_narrow_packet_loads_agree_with_the_interpreter(size: int, mode: int, byte_order: ByteOrder, a: int) -> None:
    agree(over_operands(ldx(size, 2, 4, 15, mode), byte_order=byte_order), a, 0)


@pytest.mark.parametrize("byte_order", ["little", "big"])
@pytest.mark.parametrize("size", [op.W, op.DW])
@pytest.mark.parametrize("operation", ATOMICS, ids=hex)
@settings(max_examples=15)
@given(a=OPERAND, b=OPERAND, same=some.booleans())
def test_atomic_operations_on_the_stack_agree_with_the_interpreter(
    operation: int, size: int, byte_order: ByteOrder, a: int, b: int, same: bool
) -> None:
    middle = [
        stx(op.DW, 10, -8, 2),
        copy(0, 2 if same else 3),
        atomic(size, 10, -8, 3, operation),
        ldx(op.DW, 2, 10, -8),
        alu(op.ADD, 3, src=0),
    ]
    agree(over_operands(*middle, byte_order=byte_order), a, b)


STEP = some.one_of(
    some.builds(
        lambda code, dst, src, wide: alu(code, dst, src=src, wide=wide),
        some.sampled_from(BINARY),
        some.sampled_from((2, 3)),
        some.sampled_from((2, 3)),
        some.booleans(),
    ),
    some.builds(
        lambda code, dst, imm, wide: alu(code, dst, imm=imm, wide=wide),
        some.sampled_from(BINARY),
        some.sampled_from((2, 3)),
        IMMEDIATE,
        some.booleans(),
    ),
    some.builds(
        lambda kind, dst, width: Insn(kind | op.END, dst, 0, 0, width),
        some.sampled_from((op.ALU | op.K, op.ALU | op.X, op.ALU64 | op.K)),
        some.sampled_from((2, 3)),
        some.sampled_from((16, 32, 64)),
    ),
    some.builds(
        lambda code, imm: jump(code, 2, 0, imm=imm),
        some.sampled_from(COMPARISONS),
        IMMEDIATE,
    ),
)


@settings(max_examples=150)
@given(steps=some.lists(STEP, max_size=8), a=OPERAND, b=OPERAND)
def test_straight_line_programs_agree_with_the_interpreter(steps: list[Insn], a: int, b: int) -> None:
    agree(over_operands(*steps), a, b)
