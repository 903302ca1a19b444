"""Looking for inputs that meet goals, along paths of which nothing is forgotten.

What is met on such a path is met by any input that goes it. All goals are looked for at once, by the same three
searches that look for a difference (`equiv.proof.exact`): round by round of the loops, with one path in each round, and
depth first, for limits that are reached after many rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from equiv.errors import ResourceLimit
from equiv.machine.ended import Ended
from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.machine.interface import Interface
from equiv.machine.question import start_conditions
from equiv.proof.facts import Facts
from equiv.proof.pinned import DeepProduct, DivingProduct, WideProduct
from equiv.proof.product import Product
from equiv.solve.backend import Backend, Model, make_backend
from equiv.suite.goals import Coverable, GoalKey
from equiv.suite.watcher import Meeting, Watcher
from equiv.term import const, ult

QUERY_SECONDS: Final = 1.0
CHUNK: Final = 10
"""Explorations between two looks at what was found."""
MOST_TRIES: Final = 20
"""Places at which the solver is asked about one goal."""
KINDS: Final = (WideProduct, DeepProduct, DivingProduct)

OnModel = Callable[[Model], object]
"""Told of a model that meets a goal; it takes the goals that its input covers from those that are wanted."""


@dataclass(slots=True)
class _Search:
    """One of the searches. `seen` is the last entry that was looked at, `spent` the processor's seconds so far."""

    product: Product
    seen: int = -1
    spent: float = 0.0
    is_finished: bool = False


@dataclass(slots=True)
class Seeker:
    """Looks for inputs that meet the goals `wanted`; goes on where it was when it is called again."""

    machine: Coverable
    interface: Interface
    wanted: set[GoalKey]
    on_model: OnModel
    backend: Backend = field(default_factory=lambda: make_backend("z3"))
    _searches: list[_Search] = field(default_factory=list)
    _tried: dict[GoalKey, int] = field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether there is nothing left to search."""
        return bool(self._searches) and all(search.is_finished for search in self._searches)

    def run(self, seconds: float) -> None:
        """Look for about `seconds` of the processor's time, while something is wanted."""
        if not self._searches:
            bare = replace(self.interface, observables=(), relation=None, assumed=())
            start = Facts().assume(*start_conditions(bare))
            nothing = Ended("nothing", bare.code_width)
            self._searches = [
                _Search(kind(self.machine, nothing, self.backend, start, {}, exact=True)) for kind in KINDS
            ]
        until = time.process_time() + seconds
        while self.wanted and (now := time.process_time()) < until:
            search = min((s for s in self._searches if not s.is_finished), key=lambda s: s.spent, default=None)
            if search is None:
                return
            try:
                search.is_finished = search.product.explore(at_most=CHUNK)
            except ResourceLimit:
                search.is_finished = True
            self._look(search)
            search.spent += time.process_time() - now

    def _look(self, search: _Search) -> None:
        """What is met from the states that were stored since the last look."""
        watcher = Watcher(self.machine, self.wanted, self._met)
        fresh = sorted((e for e in search.product.all_entries() if e.id > search.seen), key=lambda entry: entry.id)
        if search.seen < 0:
            watcher.watch(search.product, None)
        for entry in fresh:
            watcher.watch(search.product, entry)
            search.seen = entry.id

    def _met(self, meeting: Meeting) -> None:
        tried = self._tried.get(meeting.key, 0)
        if tried >= MOST_TRIES:
            return
        self._tried[meeting.key] = tried + 1
        facts = meeting.arrival.facts
        conditions = [*facts.terms(), meeting.condition]
        shortest = ult(packet_length(), const(facts.term_bound(packet_length())[0] + 1, ADDRESS_WIDTH))
        for more in ([shortest], []):
            model = self.backend.check([*conditions, *more], timeout=QUERY_SECONDS, model=True).model
            if model is not None:
                self.on_model(model)
                return
