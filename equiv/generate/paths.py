"""A solver's model for the paths of one machine: its structure, as inputs that go each way.

The machine is explored beside one that has ended before it began, without merging: round by round of its loops, and
with one path in each round for limits that are reached after many (`equiv.proof.pinned`). Each path gives an input of
the least length, and inputs on which its last comparison is met exactly, or missed by one. How far that goes is said in
steps, not in seconds, so that the same comes out on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from equiv.errors import ResourceLimit
from equiv.generate.draft import Draft
from equiv.machine.ended import Ended
from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.machine.interface import Interface
from equiv.machine.protocol import Machine
from equiv.machine.question import start_conditions
from equiv.machine.watch import comparisons
from equiv.proof.entry import Arrival
from equiv.proof.facts import Facts
from equiv.proof.pinned import DeepProduct, WideProduct
from equiv.solve.backend import Backend
from equiv.term import Term, bvadd, const, eq, ult

QUERY_SECONDS = 2.0
CHUNK = 10


@dataclass(slots=True)
class Paths:
    """The paths of one machine. `steps`: explorations of each of the two kinds; `models`: how many inputs are made."""

    machine: Machine
    interface: Interface
    backend: Backend
    steps: int = 300
    models: int = 400
    complete: bool = False
    """Whether every path of the machine was gone to its end."""
    _asked: set[tuple[frozenset[Term], Term | None]] = field(default_factory=set)
    _edges: set[tuple[Term, int]] = field(default_factory=set)

    def drafts(self) -> Iterator[Draft]:
        """An input for each path, the shortest first seen first; whole paths before those that were left."""
        start = Facts().assume(*start_conditions(self.interface))
        made = 0
        for kind in (WideProduct, DeepProduct):
            product = kind(self.machine, Ended(self.machine.name, self.interface.code_width), self.backend, start, {})
            product.exact = True
            finished = False
            try:
                while not finished and product.counters.explorations < self.steps:
                    finished = product.explore(at_most=CHUNK)
            except ResourceLimit:
                pass
            if kind is WideProduct:
                self.complete = finished
            ended = [ending.arrival for ending in product.endings.values()]
            underway = [] if finished else [way for e in product.all_entries() for way in e.arrivals.values()]
            passed = [way for entry in product.all_entries() for way in entry.arrivals.values()]
            for draft in self._of_arrivals(ended, [*ended, *passed], underway):
                made += 1
                yield draft
                if made >= self.models:
                    return

    def _of_arrivals(
        self, ended: Iterable[Arrival], decided: Iterable[Arrival], underway: Iterable[Arrival]
    ) -> Iterator[Draft]:
        for arrival in ended:
            yield from self._model(arrival.facts, None)
        for arrival in decided:
            for guard in arrival.added:
                yield from self._at_the_edge(arrival, guard)
        for arrival in underway:
            yield from self._model(arrival.facts, None)

    def _at_the_edge(self, arrival: Arrival, guard: Term) -> Iterator[Draft]:
        """Inputs on which a comparison is met exactly, and missed by one, as far as the path allows."""
        before = arrival.source.facts if arrival.source is not None else arrival.facts
        for comparison in comparisons(guard):
            a, b = comparison.args
            for number, edge in enumerate((eq(a, b), eq(bvadd(a, const(1, a.width)), b))):
                if (comparison, number) in self._edges:
                    continue
                self._edges.add((comparison, number))
                yield from self._model(before, edge)

    def _model(self, facts: Facts, condition: Term | None) -> Iterator[Draft]:
        terms = [*facts.terms(), *([] if condition is None else [condition])]
        key = frozenset(facts.terms()), condition
        if key in self._asked:
            return
        self._asked.add(key)
        low = facts.term_bound(packet_length())[0]
        shortest = ult(packet_length(), const(low + 1, ADDRESS_WIDTH))
        for more in ([shortest], []):
            model = self.backend.check([*terms, *more], timeout=QUERY_SECONDS, model=True).model
            if model is not None:
                yield Draft(dict(model.variables), {name: dict(held) for name, held in model.arrays.items()})
                return
