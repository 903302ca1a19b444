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

    def seek(self, seconds: float) -> None:
        """Only look for inputs."""
        if self._seeker is None:
            self._seeker = Seeker(self.machine, self.interface, self.open, self.accept)
        self._seeker.run(seconds)

    def run(self, seconds: float) -> None:
        """Look for inputs and proofs for about `seconds` of the processor's time, or until nothing is open."""
        until = time.process_time() + seconds
        survey = Survey(self.machine, self.interface)
        seeking, tracing = SEEKING, TRACING
        can_look = True
        while self.open and (left := until - time.process_time()) > 0:
            if can_look:
                can_look = self._survey(survey, tracing, until)
            left = until - time.process_time()
            if self.open and left > 0:
                self.seek(min(seeking, left))
            if self._is_sought() and not can_look:
                return
            seeking, tracing = 2 * seeking, 2 * tracing

    def _survey(self, survey: Survey, tracing: float, until: float) -> bool:
        """Look at everything, and go back from what is met; whether there is more to be seen by another look."""
        try:
            proved = survey.look(self.open, LOOKING * (until - time.process_time()))
        except ResourceLimit:
            return False
        self.unreachable |= proved
        self.open -= proved
        for key in sorted(self.open, key=lambda key: (survey.distance(key), str(key))):
            for model in survey.trace(key, tracing):
                if key not in self.open or self.accept(model) or time.process_time() > until:
                    break
            if time.process_time() > until:
                return False
        return bool(self.open) and survey.refine()

    def _is_sought(self) -> bool:
        return self._seeker is not None and self._seeker.is_finished


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
