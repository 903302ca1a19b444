"""What a check asks in the words of conditions: assumptions, and relations in place of equality (D83, D120).

Everything here is inert and can be sent to other processes; terms are made where they are asked for.
"""

from __future__ import annotations

from dataclasses import dataclass

from equiv.condition import model as m
from equiv.condition.concrete import Runs
from equiv.condition.symbolic import Meaning
from equiv.machine.concrete import Input, Observation
from equiv.machine.protocol import Outcome
from equiv.term import Term


@dataclass(frozen=True, slots=True)
class Assumption:
    """Only packets for which `condition` holds are looked at. `element`: bits of a packet's element."""

    text: str
    condition: m.Boolean
    element: int

    @property
    def about_inputs(self) -> bool:
        """Whether it is about the packet alone, and so known before either side runs."""
        return m.about_inputs(self.condition)

    def term(self, left: Outcome | None = None, right: Outcome | None = None) -> Term:
        """Width 1: whether it holds; outcomes may be left out where it is about inputs."""
        return Meaning(left, right, self.element).condition(self.condition)

    def holds(self, given: Input, left: Observation | None, right: Observation | None) -> bool:
        """Whether it holds of concrete runs."""
        return Runs(given, left, right, self.element).holds(self.condition)


@dataclass(frozen=True, slots=True)
class Part:
    """One of the conditions that a text asks for together: where `given` holds, `claim` must. `text` is the claim's."""

    text: str
    given: m.Boolean
    claim: m.Boolean


@dataclass(frozen=True, slots=True)
class Conditions:
    """A relation of two outcomes, or a property of the left one: each part's claim holds where its condition does."""

    text: str
    parts: tuple[Part, ...]
    given: m.Boolean
    """What stands before all claims; `Always(True)` where nothing does. If it never holds, little is said."""
    element: int

    def violated(self, left: Outcome, right: Outcome) -> dict[str, Term]:
        meaning = Meaning(left, right, self.element)
        found = {part.text: meaning.condition(_broken(part)) for part in self.parts}
        return {name: term for name, term in found.items() if not (term.is_const and not term.value)}

    def differing(self, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
        runs = Runs(given, left, right, self.element)
        return tuple(dict.fromkeys(part.text for part in self.parts if runs.holds(_broken(part))))


def possible(text: str, condition: m.Boolean, element: int) -> Conditions:
    """A relation that is violated by just the packets for which `condition` holds: to see if there are any."""
    part = Part(text, condition, m.Always(False))
    return Conditions(text, (part,), m.Always(True), element)


def _broken(part: Part) -> m.Boolean:
    return m.Connective("&&", part.given, m.Not(part.claim))
