"""One look at everything that a machine can do: which goals its runs may meet, and that none meets the others.

The machine is explored beside one that does nothing, to the fixpoint, as for a proof. What is stored then holds of
every run: whatever a run does, it does from a stored state, under what is known there. So each stored state is run on
once more and watched. A goal that is met from none of them is met by no input: one exploration proves that of all such
goals at once (D390). A goal that is met may be real, or made up by merging: where it is met is traced back, to an input
or to the merges to blame, which are refined.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from equiv.machine.ended import Ended
from equiv.machine.interface import Interface
from equiv.machine.question import start_conditions
from equiv.proof.audit import audit
from equiv.proof.choices import Split
from equiv.proof.entry import Entry, Key, Waiting
from equiv.proof.facts import Facts
from equiv.proof.product import Product
from equiv.proof.trace import Tracer, distances_from_start
from equiv.solve.backend import Backend, Model, make_backend
from equiv.suite.goals import SIDES, Coverable, GoalKey
from equiv.suite.watcher import Meeting, Watcher
from equiv.term import TRUE, Term, leaves, negate

MOST_MEETINGS: Final = 8
"""Places where one goal is met that are kept, the first ones."""
CHECK_SECONDS: Final = 5.0
"""What the solver may take to say that a goal is not met where it seems to be."""
COARSEST: Final = -1
MAX_LEVEL: Final = 3
ROUND_AND_ROUND: Final = 4
"""A path that was traced back through a cut loop so many times, and no end in sight, tells that its rounds matter."""


class Alone(Product):
    """The product of a machine and one that does nothing."""

    __slots__ = ()

    def _absorb(self, key: Key, arrivals: list[Waiting]) -> list[Entry]:
        """Arrivals that say most of how cursors move come first.

        Where one that moves by a constant comes first, other numbers are said to be multiples of a counter.
        """
        return super()._absorb(key, sorted(arrivals, key=_says, reverse=True))


class Levels(dict[Key, int]):
    """How much merging may forget (`Product.levels`): everything, where nothing was to blame yet."""

    def get(self, key: Key, default: object = None) -> int:
        return super().get(key, COARSEST)


def _says(waiting: Waiting) -> int:
    arrival = waiting.arrival
    return sum(len(leaves(arrival.cells[name])) for name in arrival.hints.offsets)


@dataclass(slots=True)
class Survey:
    """Looks at a machine again and again, each time with what merging forgot too much kept apart."""

    machine: Coverable
    interface: Interface
    backend: Backend = field(default_factory=lambda: make_backend("z3"))
    meetings: dict[GoalKey, list[Meeting]] = field(default_factory=dict)
    """Of the last look: where goals are met, as far as what is stored tells."""
    _product: Alone | None = None
    _start: Facts = field(default_factory=Facts)
    _distances: dict[int, int] = field(default_factory=dict)
    _levels: Levels = field(default_factory=Levels)
    _splits: frozenset[Split] = frozenset()
    _blamed: dict[Key, None] = field(default_factory=dict)
    _passed: dict[Key, int] = field(default_factory=dict)

    def look(self, wanted: Collection[GoalKey], seconds: float) -> frozenset[GoalKey]:
        """Those of `wanted` that no input meets. Raises ResourceLimit where the time is too short to see everything."""
        bare = replace(self.interface, observables=(), relation=None, assumed=())
        self._start = Facts().assume(*start_conditions(bare))
        self.backend.deadline = time.monotonic() + seconds
        self._product = product = self._explored()
        self.meetings, self._blamed, self._passed = {}, {}, {}
        watcher = Watcher(self.machine, wanted, self._note)
        for entry in (None, *product.all_entries()):
            watcher.watch(product, entry)
        self._distances = distances_from_start(product.all_entries())
        if any(ending.kind in ("stuck", "fault") for ending in product.current_endings()):
            return frozenset()  # what is behind that was not seen
        audit(product, self._entails)
        unasked = {(spot, side) for spot in watcher.unasked for side in SIDES}
        return frozenset(key for key in wanted if key not in self.meetings and key not in unasked)

    def trace(self, key: GoalKey, seconds: float) -> Iterator[Model]:
        """Models of inputs that should meet a goal, from the places where it is met; may be none."""
        assert self._product is not None
        self.backend.deadline = None
        for meeting in sorted(self.meetings.get(key, ()), key=self._distance):
            tracer = Tracer(self.backend, self._start, self._distances, seconds, shortest=False)
            trace = tracer.find(meeting.arrival, meeting.condition)
            if trace.model is not None:
                yield trace.model
                continue
            self._blamed.update(trace.blamed)
            for passed, times in trace.passed.items():
                self._passed[passed] = self._passed.get(passed, 0) + times

    def distance(self, key: GoalKey) -> int:
        """In how few steps a goal is met, as far as the last look tells."""
        return min((self._distance(meeting) for meeting in self.meetings.get(key, ())), default=0)

    def refine(self) -> bool:
        """Let what was to blame for meetings that are not real forget less; false where nothing can be refined."""
        assert self._product is not None
        blamed = [key for key in self._blamed if self._levels.get(key) < MAX_LEVEL]
        if not blamed:
            often = [
                key
                for key, times in self._passed.items()
                if times >= ROUND_AND_ROUND and key in self._product.cuts and self._levels.get(key) < 1
            ]
            blamed = sorted(often, key=lambda key: self._passed[key])[-1:]
        for key in blamed:
            finer = self._levels.get(key) + 1
            self._levels[key] = max(finer, 1) if key in self._product.cuts else finer
        return bool(blamed)

    def _explored(self) -> Alone:
        """The product at its fixpoint, numbers that choose kept apart (D300)."""
        nothing = Ended("nothing", self.interface.code_width)
        while True:
            product = Alone(
                self.machine, nothing, self.backend, self._start, self._levels, self.backend.deadline, self._splits
            )
            product.explore()
            if product.choices.splits <= self._splits:
                return product
            self._splits |= product.choices.splits

    def _note(self, meeting: Meeting) -> None:
        """Keep a meeting, unless the solver says that it is none."""
        kept = self.meetings.get(meeting.key, [])
        if len(kept) < MOST_MEETINGS:
            if meeting.condition is not TRUE or not kept:
                conditions = [*meeting.arrival.facts.terms(), meeting.condition]
                if self.backend.check(conditions, timeout=CHECK_SECONDS).status == "unsat":
                    return
            self.meetings[meeting.key] = [*kept, meeting]

    def _entails(self, facts: Facts, condition: Term) -> bool:
        return self.backend.check([*facts.terms(), negate(condition)], timeout=CHECK_SECONDS).status == "unsat"

    def _distance(self, meeting: Meeting) -> int:
        source = meeting.arrival.source
        return -1 if source is None else self._distances.get(source.id, 0)
