"""Programs by chance and by malice: native code shows what the interpreter shows, or leaves the run to it (D170)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import Fault
from equiv.bpf.interpret import run as interpret
from equiv.bpf.program import Insn, MapRef, MapSpec, Program
from equiv.compiled.native import why_not
from equiv.compiled.pair import Pair, compile_pair
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface, load_interface
from tests.bpf.programs import (
    EXIT,
    TC,
    XDP,
    add,
    alu,
    atomic,
    call,
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

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")

BUFFER = load_interface("buffer")
SIZES = (op.B, op.H, op.W, op.DW)


def shown(pair: Pair, given: Input) -> Observation | str | None:
    return pair.run_side(pair.left, given)


def agree(made: Program, interface: Interface, *inputs: Input) -> list[bool]:
    """For each input whether native code ran it; where it did, it shows what the interpreter shows."""
    pair = compile_pair(made, program(mov(0, 0), EXIT), interface)
    ran = []
    for each in inputs:
        native = shown(pair, each)
        ran.append(native is not None)
        if isinstance(native, Observation):
            plain = interpret(made, interface, each)
            assert (native.code, dict(native.values)) == (plain.code, dict(plain.values)), each
    return ran


numbers = some.one_of(
    some.sampled_from([0, 1, 2, 31, 32, 63, 64, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 63, (1 << 64) - 1]),
    some.integers(0, (1 << 64) - 1),
)
_codes = some.sampled_from([c for c in range(0, 0xD0, 0x10) if c != op.NEG])


@some.composite
def operations(draw: some.DrawFn) -> Insn:
    code, wide, dst, src = draw(_codes), draw(some.booleans()), draw(some.integers(0, 5)), draw(some.integers(0, 5))
    off = draw(some.sampled_from([0, 0, 1])) if code in (op.DIV, op.MOD) else 0
    kind = draw(some.integers(0, 9))
    if kind == 0:
        return alu(op.NEG, dst, wide=wide)
    if kind == 1:
        width = draw(some.sampled_from([16, 32, 64]))
        return Insn(
            (op.ALU64 | op.END) if wide else (op.ALU | op.END | draw(some.sampled_from([0, 8]))), dst, 0, 0, width
        )
    if kind == 2:
        return Insn((op.ALU64 if wide else op.ALU) | op.MOV | op.X, dst, src, draw(some.sampled_from([8, 16])), 0)
    if kind < 6:
        return alu(code, dst, src=src, wide=wide, off=off)
    return alu(code, dst, imm=draw(some.integers(-(1 << 31), (1 << 31) - 1)), wide=wide, off=off)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some.lists(numbers, min_size=6, max_size=6), some.lists(operations(), min_size=1, max_size=60))
def test_arithmetic_is_the_interpreters(start: list[int], insns: list[Insn]) -> None:
    made = program(*(load64(r, value) for r, value in enumerate(start)), *insns, EXIT)
    native = agree(made, BUFFER, Input(b""))
    # A number that looks like an address may not be returned; anything else is run.
    assert native[0] or interpret(made, BUFFER, Input(b"")).code >> 56 == 0xFE


@settings(max_examples=8, deadline=None)
@given(numbers, numbers, some.integers(-(1 << 31), (1 << 31) - 1))
def test_conditions_are_the_interpreters(a: int, b: int, imm: int) -> None:
    insns = [load64(1, a), load64(2, b), mov(0, 0)]
    for code in (*range(0x10, 0x80, 0x10), *range(0xA0, 0xE0, 0x10)):
        for wide in (True, False):
            for against in ({"src": 2}, {"imm": imm}):
                insns += [alu(op.LSH, 0, imm=1), jump(code, 1, 1, wide=wide, **against), alu(op.OR, 0, imm=1)]  # type: ignore[arg-type]
    assert agree(program(*insns, alu(op.AND, 0, imm=0x7FFFFFFF), EXIT), BUFFER, Input(b"")) == [True]


@settings(max_examples=8, deadline=None)
@given(some.sampled_from(SIZES), some.integers(-12, 40), some.integers(0, 24), some.booleans())
def test_only_bytes_of_the_packet_are_loaded_and_stored(size: int, off: int, length: int, writes: bool) -> None:
    access = [stx(size, 1, off, 2)] if writes else [ldx(size, 3, 1, off)]
    made = program(*access, mov(0, 7), EXIT)
    given_ = Input(bytes(range(length)))
    inside = off >= 0 and off + {op.B: 1, op.H: 2, op.W: 4, op.DW: 8}[size] <= length
    assert agree(made, BUFFER, given_) == [inside]


@settings(max_examples=12, deadline=None)
@given(some.sampled_from(SIZES), some.integers(-530, 20), numbers)
def test_only_bytes_of_the_stack_are_stored_and_loaded_once_they_are_written(size: int, off: int, value: int) -> None:
    bytes_ = {op.B: 1, op.H: 2, op.W: 4, op.DW: 8}[size]
    store = program(load64(2, value), stx(size, 10, off, 2), ldx(size, 0, 10, off), alu(op.AND, 0, imm=0xFFFF), EXIT)
    inside = off >= -512 and off + bytes_ <= 0 and off % bytes_ == 0
    assert agree(store, BUFFER, Input(b"")) == [inside]
    unwritten = program(ldx(size, 0, 10, off), mov(0, 0), EXIT)
    assert agree(unwritten, BUFFER, Input(b"")) == [False]


@settings(max_examples=10, deadline=None)
@given(numbers, some.sampled_from(SIZES), some.booleans())
def test_no_number_is_an_address(value: int, size: int, writes: bool) -> None:
    access = [stx(size, 4, 0, 4)] if writes else [ldx(size, 3, 4, 0)]
    assert agree(program(load64(4, value), *access, mov(0, 0), EXIT), BUFFER, Input(bytes(8))) == [False]


@settings(max_examples=12, deadline=None)
@given(numbers, some.sampled_from(["packet", "stack", "value"]), some.sampled_from(SIZES))
def test_no_arithmetic_leaves_a_region(distance: int, region: str, size: int) -> None:
    """Whatever is added to a pointer: native code runs what the interpreter runs, or asks it."""
    spec = MapSpec("m", 2, 4, 16, 2)
    address = {
        "packet": [ldx(op.W, 4, 1, 0)],
        "stack": [copy(4, 10)],
        "value": [Insn(op.LD_IMM64, 1, 1, 0, 0, 0, MapRef("m")), st(op.W, 10, -4, 1), copy(2, 10), add(2, -4), call(1),
                  jump(op.JNE, 0, 2, imm=0), mov(0, 0), EXIT, copy(4, 0)],
    }[region]  # fmt: skip
    made = program(
        *address, load64(5, distance), alu(op.ADD, 4, src=5), stx(size, 4, 0, 5), mov(0, 2), EXIT, maps=[spec]
    )
    try:
        interpret(made, XDP, Input(bytes(60)))
    except (Fault, NotRunnable):
        assert agree(made, XDP, Input(bytes(60))) == [False]
    else:
        assert agree(made, XDP, Input(bytes(60))) == [True]


@pytest.mark.parametrize("insns", [
    (EXIT,),
    (copy(0, 3), EXIT),
    (goto(-1), EXIT),
    (goto(100), EXIT),
    (goto(-100), EXIT),
    (mov(0, 0),),
    (mov(0, 0), jump(op.JEQ, 0, -2, imm=0), EXIT),
    (Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, -1), EXIT),
    (call(9999), EXIT),
    (Insn(0xFF, 0, 0, 0, 0), EXIT),
    (atomic(op.DW, 10, -7, 1, op.ATOMIC_ADD), EXIT),
], ids=str)  # fmt: skip
def test_what_no_kernel_runs_is_left_to_the_interpreter(insns: tuple[Insn, ...]) -> None:
    assert agree(program(*insns), XDP, Input(bytes(60))) == [False]


def test_a_run_ends_where_the_interpreters_does() -> None:
    """The interpreter gives up after a million instructions; native code asks it before that."""

    def counting(rounds: int) -> Program:
        return program(mov(0, 2), load64(2, rounds), add(2, -1), jump(op.JNE, 2, -2, imm=0), EXIT)

    assert agree(counting(1000), XDP, Input(bytes(60))) == [True]
    pair = compile_pair(counting(1_000_000), counting(1), XDP)
    assert pair.run_side(pair.left, Input(bytes(60))) is None


def test_addresses_that_are_handed_on_are_left_to_the_interpreter() -> None:
    """D180: what they are depends on the kernel. On the stack they may be put down."""
    packet = [ldx(op.W, 4, 1, 0)]
    for made in (
        program(copy(0, 10), EXIT),
        program(*packet, stx(op.W, 4, 0, 10), mov(0, 2), EXIT),
        program(*packet, stx(op.DW, 4, 0, 4), mov(0, 2), EXIT),
        program(*packet, alu(op.SUB, 4, src=10), mov(0, 2), EXIT),
        program(*packet, alu(op.SUB, 4, src=10, wide=False), mov(0, 2), EXIT),
        program(*packet, alu(op.SUB, 4, imm=0, wide=False), mov(0, 2), EXIT),
    ):
        assert agree(made, XDP, Input(bytes(60))) == [False]
    spilled = program(stx(op.DW, 10, -8, 1), ldx(op.DW, 2, 10, -8), ldx(op.W, 3, 2, 0), mov(0, 2), EXIT)
    assert agree(spilled, XDP, Input(bytes(60))) == [True]


def test_maps_begin_anew_with_every_run() -> None:
    spec = MapSpec("m", 1, 4, 8, 2)
    key = [st(op.W, 10, -4, 7), copy(2, 10), add(2, -4)]
    load = Insn(op.LD_IMM64, 1, 1, 0, 0, 0, MapRef("m"))
    put = [st(op.DW, 10, -16, 5), load, *key, copy(3, 10), add(3, -16), mov(4, 0), call(2)]
    look = [load, *key, call(1), jump(op.JNE, 0, 11, imm=0)]
    made = program(
        *look,
        *put,
        goto(4),
        ldx(op.DW, 6, 0, 0),
        add(6, 1),
        stx(op.DW, 0, 0, 6),
        mov(0, 1),
        mov(0, 2),
        EXIT,
        maps=[spec],
    )
    interface = XDP.observing_any_key("m", 8)
    key_given = {"observed_key.m": int.from_bytes(b"\x07\0\0\0", "big")}
    absent = Input(bytes(60), context=key_given)
    present = Input(bytes(60), context=key_given, maps={"m": {b"\x07\0\0\0": bytes(8)}})
    full = Input(bytes(60), context=key_given, maps={"m": {bytes([n, 0, 0, 0]): bytes(8) for n in (1, 2)}})
    assert agree(made, interface, absent, absent, present, absent, full, present) == [True] * 6


def test_context_fields_and_splits_of_an_skb() -> None:
    made = program(
        ldx(op.W, 2, 1, 8), ldx(op.W, 3, 1, 0), alu(op.XOR, 2, src=3), stx(op.W, 1, 8, 2),
        ldx(op.W, 4, 1, 76), ldx(op.W, 5, 1, 80), alu(op.SUB, 5, src=4), stx(op.W, 1, 48, 5), ldx(op.W, 2, 1, 16),
        stx(op.W, 1, 32, 2), ldx(op.B, 2, 1, 49), stx(op.W, 1, 44, 2), mov(0, 0), EXIT,
    )  # fmt: skip
    inputs = [
        Input(
            bytes(12) + b"\x08\x00" + bytes(range(50)),
            linear,
            {"mark": mark, "priority": 3, "tc_index": 9, "cb": 1 << 150},
        )
        for linear in (None, 14, 30)
        for mark in (0, 1, 0xFFFFFFFF)
    ]
    assert agree(made, TC, *inputs) == [True] * len(inputs)
    assert agree(
        made, TC, Input(bytes(60), context={"tc_index": 1 << 16}), Input(bytes(60), context={"nonsense": 1})
    ) == [
        False,
        False,
    ]
