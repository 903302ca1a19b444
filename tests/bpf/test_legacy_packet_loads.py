"""LD_ABS and LD_IND: in called functions and at negative offsets (D41)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import ByteOrder, FunctionRef, Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input, NotRunnable
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, SOCKET_FILTER, TC, TC_LINEAR, NotDone, add, copy, follow, mov, program

NETWORK, LINK = -0x100000, -0x200000
SIZES = some.sampled_from((op.B, op.H, op.W))
OFFSETS = some.one_of(
    some.integers(0, 40),
    some.builds(int.__add__, some.sampled_from((NETWORK, LINK)), some.integers(-3, 40)),
    some.sampled_from((-1, -(1 << 31), (1 << 31) - 1, LINK - 1)),
)
PACKETS = some.binary(min_size=14, max_size=40)


def absolute(size: int, offset: int, order: ByteOrder = "little") -> Program:
    return program(copy(6, 1), Insn(op.LD | op.ABS | size, 0, 0, 0, offset), add(0, 1), EXIT, byte_order=order)


def indirect(size: int, register: int, offset: int) -> Program:
    return program(copy(6, 1), mov(7, register), Insn(op.LD | op.IND | size, 0, 7, 0, offset), add(0, 1), EXIT)


def test_a_load_past_the_end_returns_zero_to_the_caller() -> None:
    call = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 2, ref=FunctionRef(3, "sub"))
    load = Insn(op.LD | op.ABS | op.B, 0, 0, 0, 20)
    checked = program(call, add(0, 100), EXIT, copy(6, 1), load, add(0, 7), EXIT, functions={0: "t", 3: "sub"})
    for packet, expected in ((bytes(20), 100), (bytes(20) + b"\x05", 112)):
        assert run(checked, TC_LINEAR, Input(packet)).code == expected
        assert follow(BpfMachine(checked, TC_LINEAR), Input(packet), through_snapshots=True).code == expected


@given(size=SIZES, offset=OFFSETS, packet=PACKETS, order=some.sampled_from(("little", "big")))
def test_interpreter_and_symbolic_machine_agree(size: int, offset: int, packet: bytes, order: ByteOrder) -> None:
    for checked in (absolute(size, offset, order), indirect(size, 5, max(offset - 5, -(1 << 31)))):
        seen = run(checked, TC_LINEAR, Input(packet))
        assert follow(BpfMachine(checked, TC_LINEAR), Input(packet)).code == seen.code


def test_headers_start_where_they_are() -> None:
    packet = bytes(range(40))
    assert run(absolute(op.H, NETWORK), TC_LINEAR, Input(packet)).code == 0x0E0F + 1
    assert run(absolute(op.H, LINK + 12), SOCKET_FILTER, Input(packet + bytes(9000))).code == 0x0C0D + 1
    assert run(absolute(op.H, LINK - 1), TC_LINEAR, Input(packet)).code == 0


def test_a_header_in_paged_data_is_not_modelled() -> None:
    packet = Input(bytes(40), linear=20)
    with pytest.raises(NotRunnable, match="not linear"):
        run(absolute(op.W, NETWORK + 10), TC, packet)
    with pytest.raises(NotDone, match="not linear"):
        follow(BpfMachine(absolute(op.W, NETWORK + 10), TC), packet)


def test_a_socket_filter_with_a_register_that_makes_the_offset_negative_is_not_modelled() -> None:
    checked = indirect(op.B, -5, 0)
    with pytest.raises(NotRunnable, match="negative offset"):
        run(checked, SOCKET_FILTER, Input(bytes(40)))
    with pytest.raises(NotDone, match="negative offset"):
        follow(BpfMachine(checked, SOCKET_FILTER), Input(bytes(40)))


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@given(size=SIZES, offset=OFFSETS, packets=some.lists(PACKETS, min_size=4, max_size=4))
def test_the_kernel_agrees(size: int, offset: int, packets: list[bytes]) -> None:
    for checked in (absolute(size, offset), indirect(size, 5, max(offset - 5, -(1 << 31)))):
        with KernelProgram(checked, TC_LINEAR) as kernel:
            for packet in packets:
                assert kernel.run(Input(packet)).code == run(checked, TC_LINEAR, Input(packet)).code
