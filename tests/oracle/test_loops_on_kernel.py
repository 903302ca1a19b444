"""bpf_loop in the interpreter is that of the running kernel (D54)."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.machine.concrete import Input
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import TC, add, alu, mov
from tests.bpf.test_loops import count_from_packet, summing
from tests.oracle.test_kernel import both_agree

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
]


def test_the_function_is_called_for_each_number_until_it_returns_one() -> None:
    both_agree(summing(count_from_packet()), TC, *(Input(bytes(length)) for length in range(60, 70)))


def test_too_many_and_flags_are_refused() -> None:
    for checked in (
        summing([mov(1, (1 << 23) + 1)]),
        summing([mov(1, 3)], flags=1),
        summing([mov(1, 1 << 24)], flags=1),
    ):
        assert both_agree(checked, TC, Input(bytes(60))).code >> 31


def test_a_count_above_32_bits_is_compared_whole_where_the_loop_is_inlined() -> None:
    high = [mov(1, 1), alu(op.LSH, 1, imm=32), add(1, 2)]
    with KernelProgram(summing(high), TC) as kernel:
        assert kernel.run(Input(bytes(60))).code in (201, -700 & 0xFFFFFFFF)
