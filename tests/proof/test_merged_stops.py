"""A run that ends as not modelled only since states were merged is refined, not given up (D401)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.program import Insn, MapSpec, MapValueRef, Program
from equiv.loaded import Loaded
from tests.bpf.programs import EXIT, add, alu, copy, goto, jump, ldx, mov, program, st, stx

COUNTERS = MapSpec(".bss", 2, 4, 600, 1, initial=bytes(600))


def counting(stride: int, second: int, shown: int = 0) -> Program:
    """Two tables of ten counters each: one byte of the packet says which, another where. Shows a counter in r0."""
    entry = [ldx(op.W, 6, 1, 0), ldx(op.W, 7, 1, 4), copy(8, 6), add(8, 2), jump(op.JLE, 8, 2, src=7), mov(0, 0), EXIT]
    base = Insn(op.LD_IMM64, 2, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(".bss", 0))
    there = Insn(op.LD_IMM64, 2, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(".bss", second))

    def place(table: Insn) -> list[Insn]:
        return [ldx(op.B, 3, 6, 0), jump(op.JLT, 3, 1, imm=10), mov(3, 9), alu(op.MUL, 3, imm=stride), table]

    count = [alu(op.ADD, 2, src=3), ldx(op.W, 4, 2, 8), add(4, 1), stx(op.W, 2, 8, 4)]
    ways = [ldx(op.B, 5, 6, 1), jump(op.JNE, 5, 7, imm=4), *place(base), goto(6), *place(there)]
    return program(*entry, *ways, *count, base, ldx(op.W, 0, 2, shown), EXIT, maps=[COUNTERS])


def verdict(left: Program, right: Program) -> tuple[str, str]:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    result = api.check(*sides, interface="xdp", timeout=60, kernel=False)
    return result.verdict, result.reason


def test_a_place_in_a_value_that_two_ways_choose_is_kept_apart() -> None:
    assert verdict(counting(28, 280, 8), counting(28, 280, 8))[0] == "equivalent"


@pytest.mark.parametrize(("stride", "second", "shown"), [(28, 284, 288), (24, 280, 36), (28, 280, 12)])
def test_another_place_is_a_difference(stride: int, second: int, shown: int) -> None:
    same = shown if (stride, second) != (28, 280) else 8
    assert verdict(counting(28, 280, same), counting(stride, second, shown))[0] == "different"


def test_what_is_not_modelled_whatever_is_merged_stays_so() -> None:
    """A place that may be any of 500 does not become one of a few by keeping states apart."""
    wide = program(
        *(ldx(op.W, 6, 1, 0), ldx(op.W, 7, 1, 4), copy(8, 6), add(8, 2), jump(op.JLE, 8, 2, src=7), mov(0, 0), EXIT),
        *(ldx(op.H, 3, 6, 0), jump(op.JLT, 3, 1, imm=500), mov(3, 7)),
        Insn(op.LD_IMM64, 2, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(".bss", 0)),
        *(alu(op.ADD, 2, src=3), st(op.B, 2, 0, 1), mov(0, 1), EXIT),
        maps=[COUNTERS],
    )
    found, reason = verdict(wide, wide)
    assert found == "unknown"
    assert "at an offset that depends on the input" in reason
