"""From an abstract difference back to a real input, or to the merge that invented it.

A condition at an ending is carried backwards along arrivals, each time said in the words of the entry before. At the
start nothing is merged: what is satisfiable there is an input. Where a condition is satisfiable on an entry but on none
of the ways into it, merging at that entry forgot what excludes it; the entry is to blame.

Paths are tried in the order of their length: what was gone back, plus what it takes to get to the start at least. So a
loop is not gone round more often than a difference needs. Every other step goes on from the deepest path instead, so
that a difference which takes many rounds is not lost among all shorter paths.
"""

from __future__ import annotations

import heapq
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.entry import Arrival, Entry, Key, instantiate, symbol_values
from equiv.proof.facts import Facts
from equiv.solve.backend import Backend, Model
from equiv.term import Term, conj, const, ult

MAX_DEPTH = 3000
"""Arrivals on one path; far beyond what 33 nested tail calls or 40 bytes of options need."""

BLAME_AFTER = 12
"""Partial paths after which one that merging is to blame for is enough."""

SHORTER_SECONDS = 1.0
"""How long to look for a shorter packet once there is one."""


@dataclass(slots=True)
class Trace:
    """Outcome of one search. `model` is of an exact path; `blamed` are joint locations that forgot too much.

    `complete` is false where the budget ended the search: then neither may be concluded from the absence of a model.
    `passed` says how many partial paths went through each joint location.
    """

    model: Model | None = None
    steps: tuple[tuple[str, str], ...] = ()
    blamed: dict[Key, None] = field(default_factory=dict)
    complete: bool = True
    passed: dict[Key, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Node:
    """A partial path: `conditions` at `arrival`, in its words; `after` are the steps from there to the ending."""

    arrival: Arrival
    conditions: tuple[Term, ...]
    after: tuple[tuple[str, str], ...]
    length: int


@dataclass(slots=True)
class Tracer:
    """Searches backwards from endings. One solver, one budget per search in seconds of the processor.

    `distances` are the least numbers of arrivals from the start to each entry (`distances_from_start`).
    """

    backend: Backend
    start: Facts
    distances: Mapping[int, int]
    seconds: float = 10.0
    shortest: bool = True
    _deadline: float = 0.0
    _limit: Term | None = None

    def find(self, arrival: Arrival, condition: Term) -> Trace:
        """An input that reaches `arrival` with `condition` true; the shortest packet that the budget allows."""
        self._deadline = time.process_time() + self.seconds
        self._limit = None
        trace = Trace()
        if not self._possible([condition, *arrival.facts.terms()], trace):
            return trace  # no pair of states gets there, merged or not
        ticks = count()
        first = _Node(arrival, (condition, *arrival.added), (), 0)
        queue = [(self._distance(arrival), next(ticks), first)]
        deepest = [first]
        done: set[int] = set()
        kept: list[_Node] = []  # so that no identity is used twice
        looked = 0
        while queue:
            looked += 1
            if time.process_time() > self._deadline or (trace.blamed and looked > BLAME_AFTER):
                trace.complete = False
                break
            while deepest and id(deepest[-1]) in done:
                deepest.pop()
            node = deepest.pop() if looked % 2 == 0 and deepest else heapq.heappop(queue)[2]
            if id(node) in done:
                continue
            done.add(id(node))
            kept.append(node)
            source = node.arrival.source
            steps = (*node.arrival.steps, *node.after)
            if source is None:
                if self._conclude(node.conditions, steps, trace):
                    if not self.shortest:
                        break
                    self._deadline = min(self._deadline, time.process_time() + SHORTER_SECONDS)
                continue
            if node.length > MAX_DEPTH:
                trace.complete = False
                continue
            trace.passed[source.key] = trace.passed.get(source.key, 0) + 1
            entered = False
            for way in reversed(_ways(source)):  # the outermost is the next to go deeper from
                values = symbol_values(source, way.cells)
                moved = tuple(instantiate(c, values) for c in node.conditions)
                if not self._possible([*moved, *way.facts.terms()], trace):
                    continue
                entered = True
                further = _Node(way, (*moved, *way.added), steps, node.length + 1)
                heapq.heappush(queue, (further.length + self._distance(way), next(ticks), further))
                deepest.append(further)
            if not entered and self._limit is None:
                trace.blamed[source.key] = None
        return trace

    def _distance(self, arrival: Arrival) -> int:
        return 0 if arrival.source is None else 1 + self.distances.get(arrival.source.id, 0)

    def _possible(self, conditions: list[Term], trace: Trace) -> bool:
        if self._limit is not None:
            conditions = [*conditions, self._limit]
        whole = conj(*conditions)
        if whole.is_const:
            return whole.value == 1
        status = self.backend.check(_flat(whole), timeout=max(self._deadline - time.process_time(), 0.05)).status
        if status == "unknown":
            trace.complete = False
        return status == "sat"

    def _conclude(self, conditions: Sequence[Term], steps: tuple[tuple[str, str], ...], trace: Trace) -> bool:
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
        left = max(self._deadline - time.process_time(), 1.0)
        answer = self.backend.check(_flat(whole), timeout=left, model=True)
        if answer.status == "unknown":
            trace.complete = False
        return answer.model


def distances_from_start(entries: Iterable[Entry]) -> dict[int, int]:
    """By entry id, the least number of current arrivals on a way from the start to it."""
    following: dict[int, list[int]] = {}
    found: dict[int, int] = {}
    todo: deque[int] = deque()
    for entry in entries:
        for way in _ways(entry):
            if way.source is None:
                found[entry.id] = 0
                todo.append(entry.id)
            else:
                following.setdefault(way.source.id, []).append(entry.id)
    while todo:
        here = todo.popleft()
        for successor in following.get(here, ()):
            if successor not in found:
                found[successor] = found[here] + 1
                todo.append(successor)
    return found


def _flat(whole: Term) -> list[Term]:
    return list(whole.args) if whole.op == "and" else [whole]


def _length(model: Model) -> int:
    return model.variables.get("len", 0)


def _ways(entry: Entry) -> list[Arrival]:
    """Current arrivals at `entry`, those from outside a loop first."""
    ways = [way for way in entry.arrivals.values() if way.is_current]
    return sorted(ways, key=lambda way: -1 if way.source is None else way.source.order)
