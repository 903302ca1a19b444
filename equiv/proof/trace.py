"""From an abstract difference back to a real input, or to the merge that invented it.

A condition at an ending is carried backwards along arrivals, each time said in the words of the entry before. At the
start nothing is merged: what is satisfiable there is an input. Where a condition is satisfiable on an entry but on none
of the ways into it, merging at that entry forgot what excludes it; the entry is to blame.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.entry import Arrival, Entry, Key, instantiate, symbol_values
from equiv.proof.facts import Facts
from equiv.solve.backend import Backend, Model
from equiv.term import Term, conj, const, ult

MAX_DEPTH = 3000
"""Arrivals on one path; far beyond what 33 nested tail calls or 40 bytes of options need."""


@dataclass(slots=True)
class Trace:
    """Outcome of one search. `model` is of an exact path; `blamed` are joint locations that forgot too much.

    `complete` is false where the budget ended the search: then neither may be concluded from the absence of a model.
    """

    model: Model | None = None
    steps: tuple[tuple[str, str], ...] = ()
    blamed: dict[Key, None] = field(default_factory=dict)
    complete: bool = True


@dataclass(slots=True)
class Tracer:
    """Searches backwards from endings. One solver, one time budget per search in seconds."""

    backend: Backend
    start: Facts
    seconds: float = 10.0
    shortest: bool = True
    _deadline: float = 0.0
    _limit: Term | None = None

    def find(self, arrival: Arrival, condition: Term) -> Trace:
        """An input that reaches `arrival` with `condition` true; the shortest packet that the budget allows."""
        self._deadline = time.monotonic() + self.seconds
        self._limit = None
        sys.setrecursionlimit(max(sys.getrecursionlimit(), 2 * MAX_DEPTH))
        trace = Trace()
        self._search(arrival, [condition], (), trace, 0)
        return trace

    def _search(
        self, arrival: Arrival, conditions: Sequence[Term], after: tuple[tuple[str, str], ...], trace: Trace, depth: int
    ) -> bool:
        """Whether some way into `arrival` is satisfiable with `conditions`; depth first, the outermost way first."""
        here = [*conditions, *arrival.added]
        steps = (*arrival.steps, *after)
        if arrival.source is None:
            return self._conclude(here, steps, trace)
        if time.monotonic() > self._deadline or depth > MAX_DEPTH:
            trace.complete = False
            return False
        if not self._possible([*here, *arrival.source.facts.terms()], trace):
            return False
        found = entered = False
        for way in _ways(arrival.source):
            values = symbol_values(arrival.source, way.cells)
            moved = [instantiate(c, values) for c in here]
            if not self._possible([*moved, *way.facts.terms()], trace):
                continue
            entered = True
            found = self._search(way, moved, steps, trace, depth + 1) or found
            if found and not self.shortest:
                return True
        if not entered and self._limit is None and trace.complete:
            trace.blamed[arrival.source.key] = None
        return found

    def _possible(self, conditions: list[Term], trace: Trace) -> bool:
        if self._limit is not None:
            conditions = [*conditions, self._limit]
        whole = conj(*conditions)
        if whole.is_const:
            return whole.value == 1
        status = self.backend.check(_flat(whole), timeout=max(self._deadline - time.monotonic(), 0.05)).status
        if status == "unknown":
            trace.complete = False
        return status == "sat"

    def _conclude(self, conditions: list[Term], steps: tuple[tuple[str, str], ...], trace: Trace) -> bool:
        """At the start: an exact path. Take its shortest packet if it beats what was found before."""
        exact = [*conditions, *self.start.terms()]
        if self._limit is not None:
            exact.append(self._limit)
        model = self._model(exact, trace)
        if model is None:
            return False
        if self.shortest:
            model = self._shorten(exact, model, trace)
            best = _length(model)
            self._limit = ult(packet_length(), const(best, ADDRESS_WIDTH))
        trace.model, trace.steps = model, steps
        return True

    def _shorten(self, exact: list[Term], model: Model, trace: Trace) -> Model:
        """Bisect for the least packet length on this path."""
        low = self.start.term_bound(packet_length())[0]
        while low < _length(model):
            middle = (low + _length(model)) // 2
            shorter = self._model([*exact, ult(packet_length(), const(middle + 1, ADDRESS_WIDTH))], trace)
            if shorter is None:
                low = middle + 1
            else:
                model = shorter
        return model

    def _model(self, conditions: list[Term], trace: Trace) -> Model | None:
        whole = conj(*conditions)
        if whole.is_const and whole.value == 0:
            return None
        left = max(self._deadline - time.monotonic(), 1.0)
        answer = self.backend.check(_flat(whole), timeout=left, model=True)
        if answer.status == "unknown":
            trace.complete = False
        return answer.model


def _flat(whole: Term) -> list[Term]:
    return list(whole.args) if whole.op == "and" else [whole]


def _length(model: Model) -> int:
    return model.variables.get("len", 0)


def _ways(entry: Entry) -> list[Arrival]:
    """Current arrivals at `entry`, those from outside a loop first."""
    ways = [way for way in entry.arrivals.values() if way.is_current]
    return sorted(ways, key=lambda way: -1 if way.source is None else way.source.order)
