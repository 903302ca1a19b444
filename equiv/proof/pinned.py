"""Products without merging, for looking for a real difference: with all paths, or with one in each round of a loop.

What differs only after many rounds of a loop (one label or option too many) lies on paths that are long rather than
odd. There the places that a path reads at are pinned: one value in place of all, so that long paths stay easy to ask
about. The lengths of headers that the packet itself gives are taken to be the least possible.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import replace

from equiv.proof.entry import Arrival, Entry, Key, Waiting, covers
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.product import Product
from equiv.solve.backend import Backend
from equiv.term import Term, const, eq, evaluate, leaves

QUERY_SECONDS = 0.5
"""What the solver may take for one question on the way: what is found in the end is asked about once more."""


class WideProduct(Product):
    """Every path on its own (`exact`)."""

    __slots__ = ()

    def _possible(self, facts: list[Term], condition: Term) -> bool:
        if self.models.satisfy(facts, condition):
            return True
        answer = self.backend.check([*facts, condition], timeout=QUERY_SECONDS, model=True)
        if answer.model is not None:
            self.models.remember(answer.model)
        return answer.status != "unsat"


class DeepProduct(WideProduct):
    """Of all paths to a joint location one for each round of a loop, with its packet offsets pinned."""

    __slots__ = ()

    def _home(self, key: Key, stored: list[Entry], arrival: Arrival, changed: dict[int, Entry]) -> Entry | None:
        for entry in stored:
            if entry.rounds == arrival.rounds or covers(entry, arrival.cells, arrival.facts):
                return entry
        return None

    def _queue_arrival(self, waiting: Waiting) -> None:
        super()._queue_arrival(self._pinned(waiting))

    def _pinned(self, waiting: Waiting) -> Waiting:
        arrival = waiting.arrival
        facts = pinned(arrival.facts, (*arrival.added, *arrival.cells.values()), self.backend)
        if facts is not arrival.facts:
            cells = {name: facts.simplify(term) for name, term in arrival.cells.items()}
            arrival = replace(arrival, facts=facts, cells=cells)
        return replace(waiting, arrival=arrival)


class DivingProduct(DeepProduct):
    """The same, depth first: through all rounds along one path before others are tried, the last ones first."""

    __slots__ = ()

    def _queue_arrival(self, waiting: Waiting) -> None:
        turn = next(self._ticks)
        latest = replace(self._pinned(waiting), priority=-turn)
        self._pending.setdefault(latest.key, []).append(latest)
        self._due[latest.key] = latest.priority
        heapq.heappush(self._queue, (latest.priority, turn, latest.key))


def pinned(facts: Facts, terms: Iterable[Term], backend: Backend) -> Facts:
    """`facts` and values for the packet bytes that say where `terms` read; as they are where none is found."""
    reads = frozenset[Term]().union(*map(leaves, terms))
    for index in dict.fromkeys(leaf.args[0] for leaf in sorted(reads, key=lambda x: x.id) if leaf.op == "select"):
        place = facts.simplify(index)
        inputs = leaves(place)
        if not inputs or any(leaf.op != "select" or not leaf.args[0].is_const for leaf in inputs):
            continue
        least = eq(place, const(facts.term_bound(place)[0], place.width))
        for wanted in ([least], []):
            answer = backend.check([*facts.terms(), *wanted], timeout=1, model=True)
            if answer.model is None:
                continue
            given, memo = answer.model.assignment(), dict[Term, int]()
            try:
                facts = facts.assume(*(eq(x, const(evaluate(x, given, memo), x.width)) for x in inputs))
            except Contradiction:
                continue
            break
    return facts
