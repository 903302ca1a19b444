"""Looking for a real difference without merging: every path on its own, fewest rounds of loops first.

Nothing is forgotten here, so whatever differs is an input that does it. Most differences show within a round or two of
a loop; the search stops after a given time and then says nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from equiv.errors import ResourceLimit
from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.endings import Ending
from equiv.proof.product import Product
from equiv.solve.backend import Backend, Model
from equiv.term import Term, const, disj, ult

CHUNK = 25
"""Explorations between two looks at the outcomes found so far."""

SHORTER_SHARE = 2
"""A shorter packet is looked for this many times as long as the first one took to find, within the limit."""


@dataclass(frozen=True, slots=True)
class Found:
    """A difference on an exact path, with the shortest packet that the path allows."""

    ending: Ending
    conditions: dict[str, Term]
    model: Model

    @property
    def length(self) -> int:
        return self.model.variables.get("len", 0)


@dataclass(slots=True)
class Search:
    """One search over an exact product; it owns that product and its deadline."""

    product: Product
    differences: Callable[[Ending], dict[str, Term]]
    backend: Backend
    best: Found | None = None

    def run(self, seconds: float) -> Found | None:
        """The difference with the shortest packet that was found in the time given."""
        started = time.monotonic()
        self.product.deadline = min(started + seconds, self.product.deadline or started + seconds)
        seen = 0
        try:
            finished = False
            while not finished:
                finished = self.product.explore(at_most=CHUNK)
                endings = list(self.product.endings.values())
                for ending in endings[seen:]:
                    if ending.kind == "outcomes":
                        self._look_at(ending, started)
                seen = len(endings)
        except ResourceLimit:
            pass
        return self.best

    def _look_at(self, ending: Ending, started: float) -> None:
        low = ending.arrival.facts.term_bound(packet_length())[0]
        if self.best is not None and low >= self.best.length:
            return
        conditions = self.differences(ending)
        if not conditions:
            return
        path = [*ending.arrival.facts.terms(), disj(*conditions.values())]
        model = self._within(path, None if self.best is None else self.best.length - 1)
        if model is None:
            return
        if self.best is None:
            now = time.monotonic()
            self.product.deadline = min(self.product.deadline or now, now + SHORTER_SHARE * (now - started))
        self.best = Found(ending, conditions, self._shortest(path, low, model))

    def _shortest(self, path: list[Term], low: int, model: Model) -> Model:
        """Mostly the least length that the facts allow; else bisected."""
        middle = low
        while low < model.variables.get("len", 0):
            shorter = self._within(path, middle)
            if shorter is None:
                low = middle + 1
            else:
                model = shorter
            middle = (low + model.variables.get("len", 0)) // 2
        return model

    def _within(self, path: list[Term], most: int | None) -> Model | None:
        limit = [] if most is None else [ult(packet_length(), const(most + 1, ADDRESS_WIDTH))]
        return self.backend.check([*path, *limit], timeout=5, model=True).model
