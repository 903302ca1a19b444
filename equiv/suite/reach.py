"""Inputs that reach goals, and proofs that no input does (D181, D390).

Three ways take turns, each for longer than before: searches that forget nothing (`seek`), a look at everything that can
happen at all (`survey`), and going back from where a goal seems to be met to an input.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from equiv.errors import ResourceLimit
from equiv.machine.interface import Interface
from equiv.solve.backend import Model
from equiv.suite.goals import Coverable, Goal, GoalKey
from equiv.suite.seek import Seeker
from equiv.suite.survey import Survey

SEEKING: Final = 3.0
"""Seconds of the first search; the others have twice as many each time."""
TRACING: Final = 0.3
"""Seconds for going back from one place where a goal seems to be met, the first time."""
LOOKING: Final = 0.7
"""What share of the time that is left one look at everything may take."""

Status = Literal["reached", "unreachable", "open"]

Accept = Callable[[Model], bool]
"""Whether the input that a model stands for covers something that is open, as a concrete run shows; takes that away."""


@dataclass(slots=True)
class Reach:
    """The engine's work on the goals of one machine that are `open`; goes on where it was.

    `unreachable` are those of which it has proved that no input meets them, open no more.
    """

    machine: Coverable
    interface: Interface
    open: set[GoalKey]
    accept: Accept
    unreachable: set[GoalKey] = field(default_factory=set)
    _seeker: Seeker | None = None
    _survey: Survey | None = None
    _is_seen: bool = False
    """Whether there is a look at everything to go back from."""

    def look(self, seconds: float) -> None:
        """Prove what one more look at everything proves."""
        if self._survey is None:
            self._survey = Survey(self.machine, self.interface)
        self._is_seen = False
        if not self.open or seconds <= 0:
            return
        try:
            proved = self._survey.look(self.open, seconds)
        except ResourceLimit:
            return
        self._is_seen = True
        self.unreachable |= proved
        self.open -= proved

    def seek(self, seconds: float) -> None:
        """Look for inputs along paths of which nothing is forgotten."""
        if self._seeker is None:
            self._seeker = Seeker(self.machine, self.interface, self.open, self.accept)
        self._seeker.run(seconds)

    def run(self, seconds: float) -> None:
        """Look for inputs and proofs for about `seconds` of the processor's time, or until nothing is open."""
        until = time.process_time() + seconds
        if self._survey is None:
            self.look(LOOKING * seconds)
        seeking, tracing = SEEKING, TRACING
        while self.open and (left := until - time.process_time()) > 0:
            self.seek(min(seeking, left))
            self._go_back(tracing, until)
            if self._is_seen and self._survey is not None and self._survey.refine():
                self.look(LOOKING * (until - time.process_time()))
            elif self._seeker is not None and self._seeker.is_finished:
                return
            else:
                self._is_seen = False
            seeking, tracing = 2 * seeking, 2 * tracing

    def _go_back(self, seconds: float, until: float) -> None:
        """Go back from where goals are met, as far as the last look tells, for `seconds` from each such place."""
        survey = self._survey
        if not self._is_seen or survey is None:
            return
        for key in sorted(self.open, key=lambda key: (survey.distance(key), str(key))):
            for model in survey.trace(key, seconds):
                if key not in self.open or self.accept(model) or time.process_time() > until:
                    break
            if time.process_time() > until:
                return


def reach(machine: Coverable, goal: Goal, interface: Interface, seconds: float) -> tuple[Status, Model | None]:
    """A model of an input that reaches a goal, or that there is none; `open` where neither was found in time."""
    found: list[Model] = []
    wanted = {goal.key}

    def accept(model: Model) -> bool:
        found.append(model)
        wanted.clear()
        return True

    engine = Reach(machine, interface, wanted, accept)
    engine.run(seconds)
    if found:
        return "reached", found[0]
    return ("unreachable" if engine.unreachable else "open"), None
