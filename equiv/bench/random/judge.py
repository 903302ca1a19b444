"""One drawn program: built in several ways and with single mistakes, each checked against what it was, and run."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Final

from equiv.bench.kernel.objects import in_one_line
from equiv.bench.manifest import Pair
from equiv.bench.measure import Limits, Row, measure
from equiv.bench.mutants.kernel import Compared, compare
from equiv.bench.programs.builds import OTHERS, REFERENCE, Build
from equiv.bench.random.places import meant, mistakes
from equiv.bench.random.source import draw
from equiv.bench.random.writer import KINDS, Kind
from equiv.bpf.load import load_program
from equiv.bpf.program import Program
from equiv.errors import EquivError
from equiv.loaded import load
from equiv.machine.concrete import NotRunnable
from equiv.machine.interface import Interface, load_interface
from equiv.oracle import KernelProgram, VerifierRejected
from equiv.question import Question, pose

INTERFACES: Final[dict[Kind, str]] = {"xdp": "xdp", "tc": "tc", "socket": "socket_filter"}
OBSERVED: Final = ("table", "flows", ".bss")
"""Maps whose contents are compared, each with an even chance."""
PROGRAM: Final = "drawn"
FLAGS: Final = ("-g", "-target", "bpf", "-fwrapv", "-fno-strict-aliasing", "-Wno-everything")
COMPILE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Task:
    """The program of this number, in so many other builds and with so many mistakes."""

    number: int
    seed: int
    builds: int
    mistakes: int
    runs: int
    seconds: float
    timeout: float
    certificates: bool
    keep: str | None = None
    """A folder for what shows a defect."""

    @property
    def kind(self) -> Kind:
        return KINDS[self.number % len(KINDS)]

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.seed}-{self.number}"


@dataclass(frozen=True, slots=True)
class DrawnRow:
    """One pair: the program, and another build of it or one with a mistake."""

    id: str
    kind: str
    what: str
    mistake: bool
    verdict: str
    reason: str
    confirmed_by: tuple[str, ...]
    certificate: str
    kernel_runs: int
    kernel_differs: tuple[str, ...]
    packet: str
    seconds: float

    @property
    def missed(self) -> bool:
        """The worst there is: called equivalent, and the kernel shows a difference."""
        return self.verdict == "equivalent" and bool(self.kernel_differs)

    @property
    def problem(self) -> str:
        """What is wrong with equiv here; '' where nothing is."""
        if self.missed:
            return f"called equivalent, and told apart in {', '.join(self.kernel_differs)} by packet {self.packet}"
        if self.verdict == "error":
            return f"not checked: {self.reason}"
        if self.certificate not in ("", "holds", "undecided"):
            return f"its certificate is {self.certificate}: {self.reason}"
        return ""


@dataclass(frozen=True, slots=True)
class Judged:
    rows: tuple[DrawnRow, ...] = ()
    not_taken: int = 0
    """Programs that the verifier, or a compiler, did not take."""
    alike: int = 0
    """Mistakes, and builds, that make no difference to the instructions."""
    size: int = 0
    """Instructions of the program; 0 where it was not taken."""


def judge(task: Task) -> Judged:
    """Draw, build, check and run one program."""
    random = Random(f"{task.seed} {task.number}")
    source = draw(random, task.kind)
    interface = load_interface(INTERFACES[task.kind])
    ways = [(REFERENCE, meant(source), "")]
    ways += [(build, meant(source), "") for build in random.sample(OTHERS, min(task.builds, len(OTHERS)))]
    ways += [(REFERENCE, each.text, each.what) for each in mistakes(source, random, task.mistakes)]
    not_taken = alike = 0
    with TemporaryDirectory() as folder:
        taken: list[tuple[Build, str, str, Program]] = []
        seen = set[object]()
        for number, (build, text, what) in enumerate(ways):
            path = Path(folder) / f"{number}.bpf.o"
            path.with_suffix(".c").write_text(text, encoding="utf-8")
            program = _built(text, build, path, interface)
            if program is None:
                not_taken += 1
                if number == 0:
                    return Judged(not_taken=not_taken)
                continue
            key = tuple(map(repr, program.insns))
            if key in seen:
                alike += 1
                continue
            seen.add(key)
            taken.append((build, what, str(path), program))
        (_, _, reference, original), *others = taken
        observed = tuple(name for name in original.maps if name in OBSERVED and random.random() < 0.5)
        title, named = task.id, interface.name
        pairs = [
            Pair(title, "random", f"{reference}:{PROGRAM}", f"{path}:{PROGRAM}", "equivalent", named, observe=observed)
            for _, _, path, _ in others
        ]
        rows = [measure(pair, Limits(task.timeout, certificates=task.certificates, one_process=True)) for pair in pairs]
        if observed:
            interface = pose(load(pairs[0].left), load(pairs[0].left), Question(named, observe_maps=observed)).interface
        more = {i: each[3] for i, each in enumerate(others) if "kernel" not in rows[i].confirmed_by}
        shown = compare(original, more, interface, task.runs, task.seconds, task.seed) if more else {}
        found = tuple(
            _row(task, build, what, rows[i], shown.get(i, Compared())) for i, (build, what, _, _) in enumerate(others)
        )
        if task.keep is not None and any(row.problem for row in found):
            shutil.copytree(folder, Path(task.keep) / task.id, dirs_exist_ok=True)
    return Judged(found, not_taken, alike, len(original.insns))


def _built(text: str, build: Build, path: Path, interface: Interface) -> Program | None:
    """The program if compiler and kernel take it."""
    flags = [*FLAGS, build.level, f"-mcpu={build.cpu}", "-idirafter", "/usr/include/x86_64-linux-gnu"]
    command = [build.compiler, *flags, "-x", "c", "-", "-c", "-o", str(path)]
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, timeout=COMPILE_SECONDS)
    if done.returncode:
        return None
    try:
        program = load_program(str(path), PROGRAM)
        KernelProgram(program, interface).close()
    except (VerifierRejected, EquivError, NotRunnable):
        return None
    return program


def _row(task: Task, build: Build, what: str, row: Row, shown: Compared) -> DrawnRow:
    return DrawnRow(
        id=task.id,
        kind=task.kind,
        what=what or f"{REFERENCE.name} → {build.name}",
        mistake=bool(what),
        verdict=row.verdict,
        reason="" if row.verdict == "equivalent" and row.certificate in ("", "holds") else in_one_line(row.reason),
        confirmed_by=row.confirmed_by,
        certificate=row.certificate,
        kernel_runs=shown.runs,
        kernel_differs=shown.differs,
        packet=shown.given.packet.hex() if shown.given is not None else "",
        seconds=row.seconds,
    )
