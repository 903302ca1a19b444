"""The mutants of one program, from choosing them to what the kernel shows."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from equiv.bench.kernel.objects import in_one_line
from equiv.bench.manifest import Pair
from equiv.bench.measure import Limits, Row, measure
from equiv.bench.mutants.kernel import Compared, compare
from equiv.bpf.load import load_program
from equiv.bpf.program import Program
from equiv.bpf.source import read_source
from equiv.errors import EquivError
from equiv.machine.concrete import NotRunnable
from equiv.machine.interface import load_interface
from equiv.mutate.program import Mutant, mutants_of, written
from equiv.oracle import KernelProgram, VerifierRejected

TRIES: Final = 60
"""So many times the wanted number of mutants is tried, as the verifier takes few."""


@dataclass(frozen=True, slots=True)
class Task:
    """One program whose mutants are wanted: `count` that the kernel takes."""

    id: str
    file: str
    program: str
    interface: str
    count: int
    runs: int
    seconds: float
    timeout: float
    seed: int


@dataclass(frozen=True, slots=True)
class MutantRow:
    """One mutant. `expected` is `different` where the kernel shows a difference, else `equivalent` (none was seen).

    `verdict` is the check's; `confirmed_by` whoever ran its packet and saw the difference; `kernel_runs` how many
    generated inputs both ran in the kernel, `kernel_differs` in what they differed on one of those.
    """

    id: str
    program: str
    kind: str
    mutant: str
    left: str
    right: str
    expected: str
    verdict: str
    reason: str
    confirmed_by: tuple[str, ...]
    kernel_runs: int
    kernel_differs: tuple[str, ...]
    packet: str
    joint_states: int
    solver_queries: int
    seconds: float
    peak_rss_bytes: int
    place: str = ""
    """Where in the mutant or the original what stopped the proof is."""

    @property
    def missed(self) -> bool:
        """The worst there is: called equivalent, and the kernel shows a difference."""
        return self.verdict == "equivalent" and bool(self.kernel_differs)

    @property
    def confirmed(self) -> bool:
        """Whether the kernel shows a difference, on the check's own packet or on a generated one."""
        return "kernel" in self.confirmed_by or bool(self.kernel_differs)


@dataclass(frozen=True, slots=True)
class Judged:
    """A program's mutants; how many more the verifier, or reading the file, refused, by kind; or why there are none."""

    id: str
    rows: tuple[MutantRow, ...] = ()
    refused: tuple[tuple[str, int], ...] = ()
    reason: str = ""
    seconds: float = 0.0


def judge(task: Task) -> Judged:
    """Make, check and run the mutants of one program."""
    started = time.perf_counter()
    interface = load_interface(task.interface)
    random = Random(f"{task.seed} {task.id}")
    data, source = Path(task.file).read_bytes(), read_source(task.file)
    original = load_program(task.file, task.program)
    with TemporaryDirectory() as folder:
        try:
            KernelProgram(original, interface).close()
        except (NotRunnable, EquivError) as problem:
            text = problem.message if isinstance(problem, EquivError) else str(problem)
            return Judged(task.id, reason=in_one_line(text))
        refused: Counter[str] = Counter()
        taken: list[tuple[Mutant, str, Program]] = []
        for number, mutant in enumerate(mutants_of(source, original, random)):
            if len(taken) == task.count or number >= TRIES * task.count:
                break
            path = Path(folder) / f"{number}.o"
            path.write_bytes(written(data, mutant, source))
            try:
                program = load_program(str(path), task.program)
                KernelProgram(program, interface).close()
            except (VerifierRejected, EquivError, NotRunnable):
                refused[mutant.kind] += 1
                path.unlink()
                continue
            taken.append((mutant, str(path), program))
        rows = [measure(_pair(task, path), Limits(task.timeout, certificates=False)) for _, path, _ in taken]
        # Differences that the kernel has confirmed need no more of it.
        more = {i: p for i, (_, _, p) in enumerate(taken) if "kernel" not in rows[i].confirmed_by}
        shown = compare(original, more, interface, task.runs, task.seconds, task.seed) if more else {}
    found = tuple(
        _row(task, number, taken[number][0], row, shown.get(number, Compared())) for number, row in enumerate(rows)
    )
    return Judged(task.id, found, tuple(sorted(refused.items())), "", time.perf_counter() - started)


def _pair(task: Task, path: str) -> Pair:
    name = task.program
    left, right = f"{task.file}:{name}", f"{path}:{name}"
    return Pair(task.id, "mutants", left, right, "equivalent", task.interface)


def _row(task: Task, number: int, mutant: Mutant, row: Row, shown: Compared) -> MutantRow:
    differs = "kernel" in row.confirmed_by or shown.given is not None
    return MutantRow(
        id=f"{task.id}#{number}",
        program=task.id,
        kind=mutant.kind,
        mutant=str(mutant),
        left=task.id,
        right=f"{task.id} with {mutant}",
        expected="different" if differs else "equivalent",
        verdict=row.verdict,
        reason="" if row.verdict == "equivalent" else in_one_line(row.reason),
        confirmed_by=row.confirmed_by,
        kernel_runs=shown.runs,
        kernel_differs=shown.differs,
        packet=shown.given.packet.hex() if shown.given is not None else "",
        joint_states=row.joint_states,
        solver_queries=row.solver_queries,
        seconds=row.seconds,
        peak_rss_bytes=row.peak_rss_bytes,
        place=row.place,
    )
