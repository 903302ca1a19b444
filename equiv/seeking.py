"""A second process that looks for a difference while a proof goes on in the first (D380).

In: what was posed. Out: inputs on which the sides should differ, a campaign's confirmed counterexamples, or nothing,
which says nothing. The process is started once a check turns out to take longer than most, and ended with it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from equiv.errors import EquivError
from equiv.memory import rss_bytes
from equiv.proof.engine import Engine
from equiv.proof.finding import Witness
from equiv.question import Posed
from equiv.result import Counterexample, Fuzzed
from equiv.solve.backend import make_backend

if TYPE_CHECKING:
    import subprocess  # most checks are over before a process is started

AFTER: Final = 0.5
"""Seconds of a check's processor time before a second process is started for it: most checks are over by then."""

TURNS: Final[Sequence[float | Literal["fuzz"]]] = (2.5, "fuzz", 6.0, "fuzz", 12.0, "fuzz", 20.0)
"""What the process does, in order: search without merging for so many seconds in all, or fuzz for a turn."""

SLICE: Final = 1.0
"""A search goes on for so many seconds at a time."""

MOST_BYTES: Final = 1 << 30
"""A process that holds this much memory does not search further: without merging nothing bounds what it keeps."""


class Report(NamedTuple):
    """What the process found: witnesses, or counterexamples of a campaign with its figures, or an error to raise."""

    witnesses: tuple[Witness, ...] = ()
    counterexamples: tuple[Counterexample, ...] = ()
    figures: Fuzzed | None = None
    error: EquivError | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """What a process looks for. `kernel` is as in `Case`; `fuzzing` says whether packets are generated, too."""

    posed: Posed
    solver: str
    seed: int
    kernel: bool | None
    fuzzing: bool

    def __call__(self) -> Report:
        """Look for a difference until there is one or all turns are over."""
        try:
            return self._look()
        except EquivError as error:
            return Report(error=error)

    def _look(self) -> Report:
        from equiv.hunting import Beside  # only this process compiles anything

        interface = self.posed.interface
        sides = self.posed.left.machine(interface, "left"), self.posed.right.machine(interface, "right")
        engine = Engine(*sides, interface, make_backend(self.solver, self.seed))
        campaign = Beside(self.posed, self.seed, self.kernel, everything=False) if self.fuzzing else None
        spent = 0.0
        for turn in TURNS:
            if turn == "fuzz":
                if campaign is not None and campaign():
                    return Report((), tuple(campaign.counterexamples), campaign.figures)
                continue
            while spent < turn and rss_bytes() < MOST_BYTES:
                spent += SLICE
                if engine.seek(spent):
                    return Report(tuple(replace(w, cause=w.observables) for w in engine.finding.witnesses))
        return Report()


@dataclass(slots=True, eq=False)
class Seeker:
    """The first process's end: starts the other one, hears from it, ends it."""

    task: Callable[[], Report]
    witnesses: list[Witness] = field(default_factory=list)
    counterexamples: list[Counterexample] = field(default_factory=list)
    figures: Fuzzed | None = None
    _process: subprocess.Popen[bytes] | None = None
    _is_over: bool = False

    def is_at_work(self, spent: float) -> bool:
        """Whether somebody looks, or has looked, who need not be helped; a check has taken `spent` seconds so far."""
        if self._process is None and not self._is_over and spent >= AFTER:
            self._start()
        return self._process is not None

    def has_found(self) -> bool:
        """Whether a difference was found. Raises the EquivError that looking ended with."""
        if self._process is not None and not self._is_over:
            from multiprocessing.connection import wait

            assert self._process.stdout is not None
            if wait([self._process.stdout.fileno()], 0.0):
                self._hear(self._process)
        return bool(self.witnesses or self.counterexamples)

    def close(self) -> None:
        """End the process."""
        self._is_over = True
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                assert pipe is not None
                pipe.close()

    def _start(self) -> None:
        import pickle
        import subprocess

        command = [sys.executable, "-P", "-m", "equiv.seeker"]
        pipe = subprocess.PIPE
        try:
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)
        except OSError:  # no such interpreter, or no room for another process
            self._is_over = True
            return
        tell = partial(_tell, self._process, pickle.dumps(self.task))
        threading.Thread(target=tell, daemon=True).start()  # a pipe does not hold it, and the other is yet to read

    def _hear(self, process: subprocess.Popen[bytes]) -> None:
        import pickle

        self._is_over = True
        assert process.stdout is not None
        said = bytearray()
        while piece := process.stdout.read(1 << 16):
            said += piece
        if not said:  # it did not live to say anything: looking is up to the first process again
            self.close()
            self._process = None
            return
        report: Report = pickle.loads(bytes(said))
        if report.error is not None:
            raise report.error
        self.witnesses += report.witnesses
        self.counterexamples += report.counterexamples
        self.figures = report.figures


def _tell(process: subprocess.Popen[bytes], task: bytes) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(len(task).to_bytes(8, "big"))
        rest = memoryview(task)
        while rest:
            rest = rest[process.stdin.write(rest) or 0 :]
    except (OSError, ValueError):
        pass  # it has ended, or was ended
