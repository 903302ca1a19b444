"""Differences that only the running kernel can show: where what a side gives depends on the kernel's memory (D333).

In: a question without an answer, and inputs. The interpreters make up no address and no byte that nobody wrote, so they
do not run such inputs to their end (D180); the kernel does. Out: a counterexample that the kernel alone confirms.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from equiv.bpf.helper_table import TABLE
from equiv.confirmed import Case
from equiv.errors import EquivError
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.oracle import KernelProgram, VerifierRejected, available
from equiv.proof.replay import differing, shrink
from equiv.result import Counterexample

SECONDS: Final = 2.0
"""How long inputs are looked at, and again how long one is made smaller."""
RUNS: Final = 2
"""How often each copy runs an input."""
GIVEN: Final = frozenset({"mark", "priority", "cb", "flags"})
"""Fields of the context that inputs keep; others are those that a test run chooses."""


def shown_by_the_kernel_alone(case: Case, inputs: Iterable[Input]) -> Counterexample | None:
    """One of `inputs` that an interpreter cannot run, on which the two programs differ in the kernel; made smaller."""
    programs = case.left.program, case.right.program
    plain = case.interface.relation is None and not (case.left.linear or case.right.linear)
    if case.kernel is False or None in programs or not plain or available() is not None:
        return None
    with ExitStack() as resources:
        copies = []
        try:
            for program in (*programs, *programs):
                assert program is not None
                copies.append(resources.enter_context(KernelProgram(program, case.interface)))
                if not copies[-1].use.helpers <= TABLE.keys():  # who knows what else these do
                    return None
                resources.enter_context(copies[-1].staying())
        except (NotRunnable, VerifierRejected):
            return None
        beside = _Beside(case, (copies[0], copies[2]), (copies[1], copies[3]))
        until = time.monotonic() + SECONDS
        for given in inputs:
            if time.monotonic() > until:
                break
            if beside.still(given):
                return beside.counterexample(given)
    return None


@dataclass(frozen=True, slots=True)
class _Beside:
    """Two copies of each side in the kernel."""

    case: Case
    left: tuple[KernelProgram, KernelProgram]
    right: tuple[KernelProgram, KernelProgram]

    def why_not_interpreted(self, given: Input) -> str:
        """Why an interpreter does not run the input to its end; "" where both do, or where one finds a fault."""
        reason = ""
        for run in (self.case.run_left, self.case.run_right):
            try:
                run(self.natural(given))
            except NotRunnable as error:
                reason = reason or str(error)
            except EquivError:
                return ""
        return reason

    def natural(self, given: Input) -> Input:
        """The input as a test run gives it to the programs."""
        kept = {name: value for name, value in given.context.items() if name in GIVEN or name.startswith("map.")}
        return replace(given, context={**kept, **self.left[0].natural_context(given.packet)}, oracles={})

    def differs(self, given: Input) -> bool:
        """Whether one side shows the same each time, whichever copy runs, and the other never that.

        So no program is told apart from itself: what differs from run to run, or from copy to copy, is no difference.
        """
        given = self.natural(given)
        try:
            lefts, rights = (
                [copy.run(given) for _ in range(RUNS) for copy in copies] for copies in (self.left, self.right)
            )
        except NotRunnable:
            return False
        apart = all(self._differing(a, b, given) for a in lefts for b in rights)
        return apart and (self._steady(lefts, given) or self._steady(rights, given))

    def _differing(self, a: Observation, b: Observation, given: Input) -> tuple[str, ...]:
        return differing(self.case.interface, a, b, given)

    def _steady(self, shown: Sequence[Observation], given: Input) -> bool:
        return not any(self._differing(shown[0], other, given) for other in shown[1:])

    def counterexample(self, given: Input) -> Counterexample:
        until = time.monotonic() + SECONDS
        minimum = self.case.interface.min_length
        small = self.natural(shrink(given, lambda less: time.monotonic() < until and self.still(less), minimum))
        left, right = self.left[0].run(small), self.right[0].run(small)
        note = f"shown by the kernel alone, as an interpreter does not make it up: {self.why_not_interpreted(small)}"
        differs = self._differing(left, right, small)
        shown = {"left": left, "right": right}
        return Counterexample(small, left, right, differs, frozenset(), ("kernel",), shown, (note,))

    def still(self, given: Input) -> bool:
        """Whether the input shows a difference, and the kernel alone does."""
        return bool(self.why_not_interpreted(given)) and self.differs(given)
