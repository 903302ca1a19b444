"""From an input on which two sides differ to a counterexample: replayed, made small, explained.

Whoever found the input (the engine, a campaign), it is reported only once both interpreters have shown the difference,
and with what the running kernel says.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from equiv.errors import EquivError, InputError, InternalError
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.output_fields import output_fields
from equiv.proof.dependence import dependence
from equiv.proof.replay import confirm, differing, relevant_bytes, shrink
from equiv.proof.taint import tainted_by
from equiv.result import Counterexample, Dependence, UnknownCause

if TYPE_CHECKING:
    from equiv.bpf.program import MapSpec

LOOPBACK = 1
"""Where test runs say that packets come from, unless told of another device (`equiv.oracle.contexts`)."""

SHRINK_SECONDS = 5.0
"""How long a counterexample is made smaller; one that takes long to run stays as it was found."""


@dataclass(frozen=True, slots=True)
class Case:
    """Two sides under one interface. `kernel`: whether differences are replayed there (None: if possible)."""

    left: Loaded
    right: Loaded
    interface: Interface
    kernel: bool | None

    def run_left(self, given: Input) -> Observation:
        return self.left.execute(self.interface, given, "left")

    def run_right(self, given: Input) -> Observation:
        return self.right.execute(self.interface, given, "right")

    def differ(self, given: Input) -> bool:
        """Whether the two sides differ on `given`; an input that either cannot run does not count."""
        try:
            return bool(differing(self.interface, self.run_left(given), self.run_right(given), given))
        except (NotRunnable, EquivError):
            return False

    @property
    def maps(self) -> dict[str, MapSpec]:
        found: dict[str, MapSpec] = {}
        for side in (self.left, self.right):
            if side.program:
                found.update(side.program.maps)
        return found


def _shrunk(case: Case, given: Input) -> Input:
    """The input made smaller for as long as that may take."""
    until = time.monotonic() + SHRINK_SECONDS
    return shrink(given, lambda smaller: time.monotonic() < until and case.differ(smaller), case.interface.min_length)


def confirmed(
    case: Case, inputs: Iterable[Input], everything: bool, doubtful: list[UnknownCause]
) -> list[Counterexample]:
    """Counterexamples of inputs on which the sides should differ, the shortest first; one unless all were asked for.

    Differences that depend on what no packet determines go to `doubtful`, unless the kernel shows them (D62).
    """
    found: list[Counterexample] = []
    seen: set[object] = set()
    for given in inputs:
        confirm(case.interface, given, case.run_left, case.run_right)
        small, until = _shrunk(case, given), time.monotonic() + SHRINK_SECONDS
        left, right = case.run_left(small), case.run_right(small)
        differs = differing(case.interface, left, right, small)
        if not differs:
            raise InternalError(
                f"native code and interpreters disagree on packet {small.packet.hex()}",
                hint="this is a defect in equiv; please report it with both inputs",
            )
        identity = (differs, left.verdict, right.verdict, left.path[-1:], right.path[-1:])
        if identity in seen:
            continue
        seen.add(identity)
        offsets = sorted(left.read | right.read) if time.monotonic() < until else []
        relevant = relevant_bytes(small, offsets, case.differ)
        on, on_kernel, notes = _on_kernel(case, small)
        if notes and case.differ(elsewhere := replace(small, context={**small.context, "ifindex": LOOPBACK})):
            again = _on_kernel(case, elsewhere)
            if again[0]:
                small, (on, on_kernel, notes) = elsewhere, again
                left, right = case.run_left(small), case.run_right(small)
                differs = differing(case.interface, left, right, small)
        notes = (*notes, *_responsible(case, small, differs))
        taint = tainted_by(small, case.differ)
        if taint is not None and not on:
            what = ", ".join(differs)
            doubtful.append(UnknownCause(f"the two sides differ in {what} only for some results of {taint}"))
            continue
        depends: dict[str, dict[str, Dependence]] = {}
        if case.interface.relation is None and time.monotonic() < until:
            sides = {"left": (case.run_left, left), "right": (case.run_right, right)}
            depends = dependence(small, sides, differs, output_fields(case.left, case.right, case.interface))
        found.append(
            Counterexample(small, left, right, differs, relevant, ("interpreter", *on), on_kernel, notes, depends)
        )
        if not everything:
            break
    return sorted(found, key=lambda c: len(c.input.packet))


def _responsible(case: Case, given: Input, differs: Sequence[str]) -> Iterator[str]:
    """What instructions of programs made them differ, where the interface knows (D203)."""
    for name, side in (("left", case.left), ("right", case.right)):
        if side.program:
            from equiv.p4.responsible import responsible

            alone = not (case.left.program and case.right.program)
            yield from responsible(side.program, case.interface, given, differs, "program" if alone else name)


def _on_kernel(case: Case, given: Input) -> tuple[tuple[str, ...], dict[str, Observation], tuple[str, ...]]:
    """Replay on the running kernel: whether it agrees, what it showed for each BPF side, why it was left out."""
    if case.kernel is False:
        return (), {}, ()
    from equiv.oracle import KernelProgram, VerifierRejected, available

    if (reason := available()) is not None:
        if case.kernel:
            raise InputError(f"the kernel cannot be asked: {reason}")
        return (), {}, (f"not replayed on the kernel: {reason}",)
    shown: dict[str, Observation] = {}
    for name, loaded, runner in (("left", case.left, case.run_left), ("right", case.right, case.run_right)):
        if loaded.program is None:
            continue
        try:
            with KernelProgram(loaded.program, case.interface) as kernel:
                shown[name] = kernel.run(loaded.given(given))
        except NotRunnable as error:
            return (), shown, (f"{name} not replayed on the kernel: {error}",)
        except VerifierRejected as error:  # by this kernel's version and limits, not by any rule that was checked here
            if case.kernel:
                raise
            first, *log = error.message.splitlines()
            said = f"{first}: {log[-1].strip()}" if log else first  # what the verifier said last is why
            return (), shown, (f"{name} not replayed on the kernel: {said}",)
        expected = runner(given)
        if (shown[name].code, dict(shown[name].values)) != (expected.code, dict(expected.values)):
            raise InternalError(
                f"interpreter and kernel disagree on {loaded.path} for packet {given.packet.hex()}: "
                f"{expected.verdict} {dict(expected.values)} and {shown[name].verdict} {dict(shown[name].values)}",
                hint="this is a defect in equiv; please report it with the program",
            )
    return (("kernel",) if shown else ()), shown, ()


def distinct(causes: list[UnknownCause]) -> list[UnknownCause]:
    """Each cause once."""
    return list(dict.fromkeys(causes))


def difference_in_words(example: Counterexample, interface: Interface) -> str:
    """A counterexample as one sentence."""
    from equiv.condition.relation import Conditions

    size = len(example.input.packet)
    if isinstance(interface.relation, Conditions) and example.differs != ("verdict",):
        return f"a packet of {size} bytes violates: {', '.join(example.differs)}"
    if example.differs == ("verdict",):
        return f"a packet of {size} bytes: left says {example.left.verdict}, right says {example.right.verdict}"
    return f"a packet of {size} bytes gives other results: {', '.join(example.differs)}"
