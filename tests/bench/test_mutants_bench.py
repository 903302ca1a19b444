"""A program and its mutants in the kernel: differences are real ones, and many runs find none between equals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from equiv.bench.mutants.command import _summary
from equiv.bench.mutants.kernel import Compared, compare
from equiv.bench.mutants.rows import Judged, MutantRow
from equiv.bpf import insn as op
from equiv.bpf.load import load_program
from equiv.bpf.program import Insn, MapSpec, Program
from equiv.compiled.native import why_not
from equiv.machine.interface import load_interface
from equiv.oracle import available
from tests.bpf.map_programs import load_map
from tests.bpf.programs import EXIT, XDP, add, call, copy, jump, ldx, mov, program, st, stx

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
    pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}"),
]

CORPORA = Path(__file__).parents[2] / "corpora"
RUNS = 20_000


def beside(original: Program, other: Program, interface: str = "xdp", runs: int = RUNS) -> Compared:
    return compare(original, {0: other}, load_interface(interface), runs, 120, 0)[0]


def at(checked: Program, slot: int, **changes: int) -> Program:
    insn = checked.insns[slot]
    assert insn is not None
    insns = (*checked.insns[:slot], replace(insn, **changes), *checked.insns[slot + 1 :])
    return replace(checked, insns=insns)


@pytest.mark.parametrize("name", ["five-tuple", "tcp-options"])
def test_a_program_does_what_it_does_itself(name: str) -> None:
    checked = load_program(str(CORPORA / f"{name}/{name}.bpf.o"))
    found = beside(checked, checked)
    assert found.runs >= RUNS and found.given is None and not found.differs


def test_a_mutant_is_told_apart_by_a_packet_that_is_handed_out() -> None:
    checked = load_program(str(CORPORA / "five-tuple/five-tuple.bpf.o"))
    slot = next(n for n, i in enumerate(checked.insns) if i and op.is_conditional(i) and i.imm == 17)
    found = beside(checked, at(checked, slot, imm=18))
    assert found.differs and found.given is not None


NEVER = -2  # of 64 bits, as a number without sign
SEEN = MapSpec("seen", 6, 4, 8, 4096)


def counting(most: int, *, by: int = 1, maps: MapSpec = SEEN) -> Program:
    """Counts packets by their first two bytes; drops a packet once its counter is above `most`."""
    body = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 14), jump(op.JGT, 4, 13, src=3)]
    body += [ldx(op.H, 2, 2, 0), Insn(op.ALU64 | op.AND | op.K, 2, 0, 0, 4095), stx(op.W, 10, -4, 2)]
    body += [load_map(1, "seen"), copy(2, 10), add(2, -4), call(1), jump(op.JEQ, 0, 4, imm=0)]
    body += [ldx(op.DW, 1, 0, 0), add(1, by), stx(op.DW, 0, 0, 1), jump(op.JGT, 1, 2, imm=most), mov(0, 2), EXIT]
    return program(*body, mov(0, 1), EXIT, maps=[maps])


def test_what_runs_leave_in_large_maps_makes_no_difference_of_its_own() -> None:
    """One side counts by two: verdicts part as maps fill up, but never on one input from the same contents."""
    same = beside(counting(NEVER), counting(NEVER, by=2))
    assert same.runs >= RUNS and not same.differs
    filling = beside(counting(40), counting(40, by=2))
    assert filling.runs >= RUNS and not filling.differs  # 39 would have to be drawn as contents


def test_a_difference_that_contents_of_a_large_map_decide_is_found() -> None:
    found = beside(counting(NEVER), counting(0x7FFFFFFF), runs=400_000)
    assert found.differs == ("verdict",) and found.given is not None and found.given.maps["seen"]


def test_programs_that_change_which_entries_there_are_are_run_as_often() -> None:
    hashed = MapSpec("seen", 1, 4, 8, 64)
    body = [st(op.W, 10, -4, 7), st(op.DW, 10, -16, 1), load_map(1, "seen"), copy(2, 10), add(2, -4), copy(3, 10)]
    body += [add(3, -16), mov(4, 0), call(2), mov(0, 2), EXIT]
    updating = program(*body, maps=[hashed])
    assert beside(updating, updating).runs >= RUNS
    assert XDP.name == "xdp"


def row(number: int, verdict: str, reason: str = "", **more: object) -> MutantRow:
    plain = MutantRow(
        *(f"p#{number}", "p", "jump", "0: a → b", "p", "p with a → b", "equivalent", verdict, reason, ()),
        *(120_000, (), "", 1, 1, 1.0, 1),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def test_a_report_says_of_each_mutant_that_is_not_decided_why() -> None:
    rows = (
        row(0, "equivalent"),
        row(1, "unknown", "reads uninitialised stack byte at offset -4"),
        row(2, "unknown", "reads uninitialised stack byte at offset -16"),
        row(3, "unknown", "the time limit was reached"),
        row(4, "different", kernel_runs=1, confirmed_by=("interpreter", "kernel")),
    )
    lines = _summary([Judged("p", rows)])
    assert "- **0 called equivalent that the kernel tells apart**" in lines
    assert any("1 equivalent: no difference in 120,000 runs" in line for line in lines)
    at = lines.index("- 3 unknown")
    assert lines[at + 1 : at + 3] == [
        "  - 2: reads uninitialised stack byte at offset …",
        "  - 1: the time limit was reached",
    ]
    missed = _summary([Judged("p", (row(0, "equivalent", kernel_differs=("verdict",)),))])
    assert "- **1 called equivalent that the kernel tells apart**" in missed
