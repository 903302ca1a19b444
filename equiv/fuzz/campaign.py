"""The loop: make an input, run it twice, compare, remember what was new."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from equiv.bpf.interpret import Fault
from equiv.fuzz.inputs import Inputs
from equiv.fuzz.packets import Packets
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.proof.replay import differing, shrink

Executor = Callable[[Input], Observation]

MAX_DIFFERENCES = 5
"""After so many a campaign ends: most of them have one cause."""
SHRINK_SECONDS = 10.0
REPORT_EVERY = 256


@dataclass(frozen=True, slots=True)
class Difference:
    """An input that two executors do not agree on, made small. A side that could not run it says why."""

    given: Input
    left: Observation | str
    right: Observation | str
    differs: tuple[str, ...]


@dataclass(slots=True)
class Findings:
    """How far a campaign has come. `behaviours` are the distinct pairs of return code and offsets looked at.

    `not_run` counts, by reason, inputs that an executor cannot stand for; they are not among `compared`.
    """

    compared: int = 0
    behaviours: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    not_run: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Inputs compared a second."""
        return self.compared / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """When a campaign ends. `packets`: inputs to compare (at most twice as many are tried)."""

    packets: int
    seconds: float | None = None


def campaign(
    interface: Interface,
    left: Executor,
    right: Executor,
    inputs: Inputs,
    packets: Packets,
    limits: Limits,
    progress: Callable[[Findings], None] | None = None,
) -> Findings:
    """Compare `left`, whose reads guide what comes next, with `right` until a limit is reached."""
    found = Findings()
    seen: set[tuple[int, frozenset[int], int]] = set()
    started = time.monotonic()
    tried = 0
    while found.compared < limits.packets and tried < 2 * limits.packets + 1000:
        tried += 1
        given = inputs.next()
        try:
            a, b = _run(left, given), _run(right, given)
        except NotRunnable as reason:
            found.not_run[str(reason)] += 1
        else:
            found.compared += 1
            if isinstance(a, Observation):
                found.codes[a.verdict] += 1
                identity = (a.code, a.read, len(given.packet) - max(a.read, default=0) if len(a.read) < 64 else 0)
                if identity not in seen:
                    seen.add(identity)
                    packets.keep(given.packet, a.read)
            differs = _differs(interface, a, b, given)
            if differs:
                found.differences.append(_small(interface, left, right, given))
                if len(found.differences) >= MAX_DIFFERENCES:
                    break
        found.seconds = time.monotonic() - started
        if limits.seconds is not None and found.seconds >= limits.seconds:
            break
        if progress is not None and tried % REPORT_EVERY == 0:
            found.behaviours = len(seen)
            progress(found)
    found.seconds = time.monotonic() - started
    found.behaviours = len(seen)
    return found


def _run(executor: Executor, given: Input) -> Observation | str:
    """What an executor shows; a fault, which no accepted program has, counts as something shown."""
    try:
        return executor(given)
    except Fault as fault:
        return str(fault)


def _differs(interface: Interface, a: Observation | str, b: Observation | str, given: Input) -> tuple[str, ...]:
    if isinstance(a, str) or isinstance(b, str):
        return () if isinstance(a, str) and isinstance(b, str) else ("fault",)
    return differing(interface, a, b, given)


def _small(interface: Interface, left: Executor, right: Executor, given: Input) -> Difference:
    """The difference on a smaller input, as far as that takes no longer than `SHRINK_SECONDS`."""
    until = time.monotonic() + SHRINK_SECONDS

    def still(smaller: Input) -> bool:
        if time.monotonic() > until:
            return False
        try:
            return bool(_differs(interface, _run(left, smaller), _run(right, smaller), smaller))
        except NotRunnable:
            return False

    small = shrink(given, still, interface.min_length)
    a, b = _run(left, small), _run(right, small)
    return Difference(small, a, b, _differs(interface, a, b, small))
