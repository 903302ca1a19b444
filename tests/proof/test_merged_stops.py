"""A run that ends as not modelled only since states were merged is refined, not given up (D401)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.program import Insn, MapRef, MapSpec, Program
from equiv.loaded import Loaded
from tests.bpf.programs import EXIT, add, alu, call, copy, goto, jump, ldx, mov, program, st, stx

COUNTERS = MapSpec("large", 2, 4, 600, 4)
IN_PACKET = [ldx(op.W, 6, 1, 0), ldx(op.W, 7, 1, 4), copy(8, 6), add(8, 2), jump(op.JLE, 8, 2, src=7), mov(0, 0), EXIT]
"""r6: a packet of at least two bytes."""
LOOKED_UP = [
    st(op.W, 10, -4, 0),
    Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef("large")),
    *(copy(2, 10), add(2, -4), call(1), jump(op.JNE, 0, 2, imm=0), mov(0, 0), EXIT, copy(9, 0)),
]
"""r9: a value of 600 bytes."""


def counting(stride: int, second: int, shown: int = 0) -> Program:
    """Two tables of ten counters each: one byte of the packet says which, another where. Shows a counter in r0."""

    def place(table: int) -> list[Insn]:
        chosen = [ldx(op.B, 3, 6, 0), jump(op.JLT, 3, 1, imm=10), mov(3, 9), alu(op.MUL, 3, imm=stride)]
        return [*chosen, copy(2, 9), add(2, table)]

    count = [alu(op.ADD, 2, src=3), ldx(op.W, 4, 2, 8), add(4, 1), stx(op.W, 2, 8, 4)]
    ways = [ldx(op.B, 5, 6, 1), jump(op.JNE, 5, 7, imm=4), *place(0), goto(6), *place(second)]
    return program(*IN_PACKET, *LOOKED_UP, *ways, *count, ldx(op.W, 0, 9, shown), EXIT, maps=[COUNTERS])


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
    """A place that may be any of 500 in a map's value does not become one of a few by keeping states apart."""
    chosen = [copy(2, 9), ldx(op.H, 3, 6, 0), jump(op.JLT, 3, 1, imm=500), mov(3, 7)]
    write = [alu(op.ADD, 2, src=3), st(op.B, 2, 0, 1), mov(0, 1), EXIT]
    wide = program(*IN_PACKET, *LOOKED_UP, *chosen, *write, maps=[COUNTERS])
    found, reason = verdict(wide, wide)
    assert found == "unknown"
    assert "at an offset that depends on the input" in reason
