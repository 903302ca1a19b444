"""Global variables at offsets that depend on the input, of which there are many (D407)."""

from __future__ import annotations

import random

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import (
    EXIT,
    TC,
    add,
    alu,
    atomic,
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

SECTION = MapSpec(".bss", 2, 4, 2400, 1, initial=bytes(2400))
TABLE, OTHER = 0, 2048
"""A table of 256 numbers of 8 bytes, and behind it others."""


def section(register: int, offset: int = TABLE) -> Insn:
    return Insn(op.LD_IMM64, register, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(".bss", offset))


def entry(register: int, byte: int, scale: int = 8) -> list[Insn]:
    """The address of the table's entry that a byte of the packet chooses; r5 is overwritten."""
    return [
        *(section(register), copy(5, 7), ldx(op.B, 5, 5, byte)),
        *(alu(op.MUL, 5, imm=scale), alu(op.ADD, register, src=5)),
    ]


def counting(register: int = 1, by: int = 1) -> list[Insn]:
    return [ldx(op.DW, 4, register, 0), add(4, by), stx(op.DW, register, 0, 4)]


def made(*body: Insn) -> Program:
    """r7 is the packet, of at least 14 bytes; returns what r0 is then."""
    start = [copy(6, 1), ldx(op.W, 7, 1, 76), ldx(op.W, 8, 1, 80), copy(9, 7), add(9, 14)]
    bounds = [jump(op.JLE, 9, 2, src=8), mov(0, 2), EXIT]
    return program(*start, *bounds, *body, EXIT, maps=[SECTION])


def verdict(left: Program, right: Program, *observed: str) -> tuple[str, str]:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    result = api.check(*sides, interface="tc", timeout=60, kernel=False, observe_maps=list(observed))
    return result.verdict, result.reason


SHOWS_NEXT = [*entry(1, 1), ldx(op.DW, 0, 1, 0)]
"""r0: the entry that the packet's second byte chooses."""

PROGRAMS = {
    "count": made(*entry(1, 0), *counting(), ldx(op.DW, 0, 1, 0)),
    "count two": made(*entry(1, 0), *counting(), *entry(1, 1), *counting(), *entry(1, 2), ldx(op.DW, 0, 1, 0)),
    "another beside": made(*entry(1, 0), *counting(), section(2, OTHER), *counting(2, 3), *SHOWS_NEXT),
    "another before": made(section(2, OTHER), *counting(2, 3), *entry(1, 0), *counting(), *SHOWS_NEXT),
    "fixed entry after": made(*entry(1, 0), *counting(), section(2, 40), *counting(2, 3), *SHOWS_NEXT),
    "atomic": made(*entry(1, 0), mov(4, 5), atomic(op.DW, 1, 0, 4, op.ATOMIC_ADD), ldx(op.DW, 0, 1, 0)),
}


@pytest.mark.parametrize("built", PROGRAMS.values(), ids=PROGRAMS)
def test_machine_and_interpreter_agree(built: Program) -> None:
    chance = random.Random(1)
    for _ in range(25):
        chosen = [chance.choice((3, 5, chance.randrange(256))) for _ in range(3)]
        held = bytes(chance.randrange(4) for _ in range(2400))
        given = Input(bytes(chosen) + bytes(61), maps={".bss": {bytes(4): held}})
        seen = run(built, TC, given)
        for through_snapshots in (False, True):
            assert follow(BpfMachine(built, TC), given, through_snapshots=through_snapshots).code == seen.code


@pytest.mark.parametrize("built", PROGRAMS.values(), ids=PROGRAMS)
def test_each_is_equivalent_to_itself(built: Program) -> None:
    assert verdict(built, built)[0] == "equivalent"


TWINS = {
    "by another": (PROGRAMS["count"], made(*entry(1, 0), *counting(1, 2), ldx(op.DW, 0, 1, 0))),
    "not counted": (made(*entry(1, 0), *counting(), *SHOWS_NEXT), made(*SHOWS_NEXT)),
    "the other entry": (made(*entry(1, 0), *counting(), *SHOWS_NEXT), made(*entry(1, 2), *counting(), *SHOWS_NEXT)),
    "a fixed one": (PROGRAMS["fixed entry after"], made(*entry(1, 0), *counting(), *SHOWS_NEXT)),
}


@pytest.mark.parametrize(("left", "right"), TWINS.values(), ids=TWINS)
def test_a_broken_twin_is_different(left: Program, right: Program) -> None:
    assert verdict(left, right)[0] == "different"


def test_the_order_of_two_counters_does_not_matter() -> None:
    one = made(*entry(1, 0), *counting(), *entry(1, 1), *counting(), *entry(1, 2), ldx(op.DW, 0, 1, 0))
    other = made(*entry(1, 1), *counting(), *entry(1, 0), *counting(), *entry(1, 2), ldx(op.DW, 0, 1, 0))
    assert verdict(one, other)[0] == "equivalent"


def test_places_that_overlap_in_part_are_not_modelled() -> None:
    built = made(*entry(1, 0, 4), *counting(), *entry(1, 1, 4), ldx(op.DW, 0, 1, 0))
    found, reason = verdict(built, built)
    assert (found, "a part of what was written" in reason) == ("unknown", True)
    after_fixed = made(section(2, 3), *counting(2), *entry(1, 0), ldx(op.DW, 0, 1, 0))
    found, reason = verdict(after_fixed, after_fixed)
    assert (found, "a part of what was written" in reason) == ("unknown", True)


def test_observing_the_section_and_changing_it_as_a_map_are_not_modelled() -> None:
    built = PROGRAMS["count"]
    found, reason = verdict(built, built, ".bss")
    assert (found, "at an offset that depends on the input" in reason) == ("unknown", True)
    whole = Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(".bss"))
    update = [st(op.W, 10, -4, 0), whole, copy(2, 10), add(2, -4), section(3), mov(4, 0), call(2), mov(0, 0)]
    built = made(*entry(1, 0), *counting(), *update)
    assert verdict(built, built)[0] == "unknown"


@pytest.mark.parametrize(("rounds", "expected"), [(4, "equivalent"), (20, "unknown")])
def test_a_loop_of_writes_ends(rounds: int, expected: str) -> None:
    body = [*entry(1, 0), alu(op.ADD, 1, src=9), *counting(), add(9, 8), jump(op.JLT, 9, -12, imm=8 * rounds)]
    looped = made(mov(9, 0), *body, mov(0, 0))
    assert verdict(looped, looped)[0] == expected


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@pytest.mark.parametrize("built", PROGRAMS.values(), ids=PROGRAMS)
def test_the_kernel_counts_likewise(built: Program) -> None:
    given = Input(bytes([3, 3, 5]) + bytes(61), maps={".bss": {bytes(4): bytes(range(100)) * 24}})
    with KernelProgram(built, TC) as kernel:
        assert kernel.run(given).code == run(built, TC, given).code
