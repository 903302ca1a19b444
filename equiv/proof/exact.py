"""Looking for a real difference without merging: every path on its own, fewest rounds of loops first.

Nothing is forgotten here, so whatever differs is an input that does it. Most differences show within a round or two of
a loop. Some take one round more than a limit allows, where the paths are too many to follow all; a *deep* product
(`DeepProduct`) has one of them in each round. Where rounds are long themselves, as those of whole programs that
tail-call each other, one that *dives* (`DivingProduct`) gets to the last round first. Searches go on for as long as
they are given and then say nothing. Their time is that of the processor, so that what is found does not depend on what
else the machine does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.endings import Ending
from equiv.proof.entry import Arrival
from equiv.proof.product import Product
from equiv.solve.backend import Backend, Model
from equiv.term import Term, conj, const, disj, ult

CHUNK = 10
"""Explorations between two looks at the outcomes found so far."""

SHORTER_SHARE = 2
"""A shorter packet is looked for this many times as long as the first one took to find, within the limit."""

TURN_SECONDS = 0.5
"""How long a search goes on before another one does."""


@dataclass(frozen=True, slots=True)
class Found:
    """A difference on an exact path, with the shortest packet that the path allows."""

    ending: Ending
    conditions: dict[str, Term]
    model: Model

    @property
    def length(self) -> int:
        return self.model.variables.get("len", 0)

    @property
    def steps(self) -> tuple[tuple[str, str], ...]:
        """The decisions on the path, in order: (side, label)."""
        steps: list[tuple[str, str]] = []
        arrival: Arrival | None = self.ending.arrival
        while arrival is not None:
            steps[:0] = arrival.steps
            source = arrival.source
            arrival = None if source is None else next(iter(source.arrivals.values()))
        return tuple(steps)


@dataclass(slots=True)
class Search:
    """One search over an exact product; it owns that product."""

    product: Product
    differences: Callable[[Ending], dict[str, Term]]
    backend: Backend
    guesses: Mapping[Term, Term] = field(default_factory=dict)
    """By condition, what may make it easier to satisfy."""
    head_start: float = 0.0
    """How many seconds other searches have before this one gets a turn."""
    share: float = 1.0
    """How much time this one gets for a second of the others', from then on."""
    best: Found | None = None
    spent: float = 0.0
    """Seconds of the processor's time so far."""
    is_finished: bool = False
    _seen: int = 0

    def run(self, seconds: float) -> Found | None:
        """The difference with the shortest packet that was found in about the time given. Goes on when called again."""
        started = now = time.process_time()
        found_at = None
        while not self.is_finished and now < started + seconds:
            self.is_finished = self.product.explore(at_most=CHUNK)
            endings = list(self.product.endings.values())
            for ending in endings[self._seen :]:
                if ending.kind == "outcomes":
                    self._look_at(ending)
            self._seen = len(endings)
            now = time.process_time()
            if self.best is not None and found_at is None:
                found_at = self.spent + now - started
                seconds = min(seconds, now - started + SHORTER_SHARE * found_at)
        self.spent += now - started
        return self.best

    def _look_at(self, ending: Ending) -> None:
        low = ending.arrival.facts.term_bound(packet_length())[0]
        if self.best is not None and low >= self.best.length:
            return
        conditions = self.differences(ending)
        if not conditions:
            return
        most = None if self.best is None else self.best.length - 1
        guessed = (conj(c, guess) for c in conditions.values() if (guess := self.guesses.get(c)) is not None)
        for condition in (*guessed, disj(*conditions.values())):
            path = [*ending.arrival.facts.terms(), condition]
            if (model := self._within(path, most)) is not None:
                break
        else:
            return
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


@dataclass(slots=True)
class Searches:
    """Several searches that take turns: whichever had least so far."""

    searches: Sequence[Search]

    @property
    def spent(self) -> float:
        """Seconds of the processor's time so far."""
        return sum(search.spent for search in self.searches)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to search."""
        return all(search.is_finished for search in self.searches)

    def run(self, until: float) -> tuple[Search, Found] | None:
        """A difference, if one of the searches finds it before they have spent `until` seconds in all."""
        while self.spent < until:
            open_ones = [search for search in self.searches if not search.is_finished]
            if not open_ones:
                return None
            search = min(open_ones, key=lambda s: s.spent / s.share + s.head_start)
            if (found := search.run(min(TURN_SECONDS, until - self.spent))) is not None:
                return search, found
        return None
