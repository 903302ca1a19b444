"""Instruction encoding, classification, and what counts as malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv.bpf import insn as isa
from equiv.bpf.program import ByteOrder, Insn
from tests.bpf.objects import (
    add,
    call_distance,
    call_helper,
    exit_,
    goto,
    insn,
    jump_if_equal,
    load,
    load_imm64,
    mov,
    mov_register,
    store,
)

ORDERS: tuple[ByteOrder, ...] = ("little", "big")

single_slots = st.builds(
    Insn,
    opcode=st.integers(0, 255).filter(lambda opcode: opcode != isa.LD_IMM64),
    dst=st.integers(0, 15),
    src=st.integers(0, 15),
    off=st.integers(-(1 << 15), (1 << 15) - 1),
    imm=st.integers(-(1 << 31), (1 << 31) - 1),
)


@pytest.mark.parametrize("byte_order", ORDERS)
@given(item=single_slots)
def test_decoding_undoes_encoding(byte_order: ByteOrder, item: Insn) -> None:
    assert isa.decode_slots(isa.encode(item, byte_order), byte_order) == [item]


@pytest.mark.parametrize("byte_order", ORDERS)
@given(value=st.integers(0, (1 << 64) - 1))
def test_wide_load_takes_two_slots_low_half_first(byte_order: ByteOrder, value: int) -> None:
    first, second = isa.decode_slots(isa.encode(load_imm64(3, value), byte_order), byte_order)
    assert isa.join_wide(first, second).imm64 == value
    assert first.imm & 0xFFFFFFFF == value & 0xFFFFFFFF


def test_big_endian_object_swaps_register_nibbles_and_field_bytes() -> None:
    item = insn(isa.STX | isa.MEM | isa.W, dst=10, src=1, off=-4)
    assert isa.encode(item, "little").hex() == "631afcff00000000"
    assert isa.encode(item, "big").hex() == "63a1fffc00000000"


def test_long_goto_keeps_its_distance_in_imm() -> None:
    assert isa.jump_target(10, insn(isa.JMP32 | isa.JA, imm=100_000)) == 100_011
    assert isa.jump_target(10, goto(-3)) == 8
    assert isa.jump_target(10, jump_if_equal(1, 0, 5)) == 16
    assert isa.jump_target(10, call_distance(5)) is None
    assert isa.jump_target(10, exit_()) is None


@pytest.mark.parametrize(
    ("item", "reads", "writes"),
    [
        (mov(1, 5), 0, 0b10),
        (mov_register(1, 2), 0b100, 0b10),
        (add(3, 1), 0b1000, 0b1000),
        (insn(isa.ALU | isa.NEG, 3), 0b1000, 0b1000),
        (insn(isa.ALU | isa.END | isa.X, 2, imm=16), 0b100, 0b100),
        (load(1, 2, 0), 0b100, 0b10),
        (store(10, -8, 1), 1 << 10 | 0b10, 0),
        (jump_if_equal(4, 0, 1), 1 << 4, 0),
        (insn(isa.JMP | isa.JGT | isa.X, 4, 5, 1), 0b11_0000, 0),
        (goto(1), 0, 0),
        (exit_(), 1, 0),
        (call_helper(1), 0, 0b11_1111),
        (insn(isa.STX | isa.ATOMIC | isa.DW, 1, 2, imm=isa.ATOMIC_ADD), 0b110, 0),
        (insn(isa.STX | isa.ATOMIC | isa.DW, 1, 2, imm=isa.XCHG), 0b110, 0b100),
        (insn(isa.STX | isa.ATOMIC | isa.DW, 1, 2, imm=isa.CMPXCHG), 0b111, 0b1),
        (insn(isa.LD | isa.ABS | isa.H, imm=12), 1 << 6, 0b11_1111),
        (insn(isa.LD | isa.IND | isa.H, src=7, imm=12), 0b11 << 6, 0b11_1111),
        (load_imm64(9, 1), 0, 1 << 9),
    ],
)
def test_registers_read_and_written(item: Insn, reads: int, writes: int) -> None:
    assert (isa.registers_read(item), isa.registers_written(item)) == (reads, writes)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (insn(0xFF), "unknown opcode 0xff"),
        (insn(isa.LDX | isa.MEMSX | isa.DW, 1, 1), "unknown opcode"),
        (insn(isa.JMP32 | isa.EXIT), "unknown opcode"),
        (insn(isa.ALU64 | isa.END | isa.X, 1, imm=16), "unknown opcode"),
        (insn(isa.STX | isa.ATOMIC | isa.B, 1, 1), "unknown opcode"),
        (insn(isa.JMP | isa.CALL | isa.X, 1), "indirect call"),
        (mov(11, 0), "no register r11"),
        (mov_register(1, 15), "no register r15"),
        (mov(10, 0), "r10"),
        (load(10, 1, 0), "r10"),
        (insn(isa.ALU64 | isa.MOV, 1, src=1), "reserved"),
        (insn(isa.ALU64 | isa.ADD, 1, off=1), "offset 1"),
        (insn(isa.ALU64 | isa.DIV, 1, off=2, imm=1), "offset 2"),
        (insn(isa.ALU | isa.MOV | isa.X, 1, 1, off=32), "offset 32"),
        (insn(isa.ALU | isa.END, 1, imm=24), "24 bits"),
        (insn(isa.JMP | isa.EXIT, imm=1), "reserved"),
        (insn(isa.JMP | isa.JA, imm=1), "reserved"),
        (insn(isa.JMP32 | isa.JA, off=1), "reserved"),
        (insn(isa.JMP | isa.CALL, src=3), "unknown kind 3"),
        (insn(isa.STX | isa.ATOMIC | isa.W, 1, 1, imm=2), "atomic operation 0x2"),
        (insn(isa.LD | isa.ABS | isa.W, src=1), "reserved"),
    ],
)
def test_malformed_instruction_is_named(item: Insn, words: str) -> None:
    assert words in (isa.malformed(item) or "")


@pytest.mark.parametrize(
    "item",
    [
        mov(1, -1),
        insn(isa.ALU64 | isa.DIV, 1, off=1, imm=3),
        insn(isa.ALU64 | isa.MOV | isa.X, 1, 1, off=32),
        insn(isa.ALU64 | isa.END, 1, imm=64),
        insn(isa.LDX | isa.MEMSX | isa.W, 1, 2, 4),
        insn(isa.JMP | isa.CALL, src=isa.PSEUDO_KFUNC_CALL, off=1, imm=7),
        insn(isa.STX | isa.ATOMIC | isa.W, 10, 1, -4, isa.ATOMIC_XOR | isa.FETCH),
        exit_(),
    ],
)
def test_well_formed_instruction_is_accepted(item: Insn) -> None:
    assert isa.malformed(item) is None


def test_opcodes_are_those_of_the_standard() -> None:
    # 24 binary operations and NEG of ALU and ALU64 each, 3 byte swaps, 22 comparisons of JMP and JMP32 each, 2 JA,
    # CALL, EXIT, 3 x 4 plain and 3 sign-extending accesses, 2 atomics, 6 packet loads, LD_IMM64
    assert len(isa.OPCODES) == 2 * 25 + 3 + 2 * 22 + 4 + 12 + 3 + 2 + 6 + 1
