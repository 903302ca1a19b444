"""The product of two machines: every pair of states that one input can lead to, up to merging.

Both sides stop at decisions that what is known on the path does not settle. The side whose decision looks at the
earlier byte is taken further; the other waits, and often finds its own decision settled by then. Pairs of decisions
are joint locations. Arrivals at one joint location are merged (`join`), in an order that lets acyclic predecessors
come first, until every arrival is covered by a stored entry. The stored entries are then inductive: a certificate.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from equiv.errors import ResourceLimit
from equiv.machine.protocol import Branch, Done, Fork, Machine, Native, Outcome, Snapshot, Stop
from equiv.proof.both_names import BothNames
from equiv.proof.choices import Choices, Split, are_apart
from equiv.proof.cubes import is_plainly_excluded, is_plainly_open
from equiv.proof.endings import Ending, ending_of
from equiv.proof.entry import Answers, Arrival, Entry, Hints, Key, Waiting, covers
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.frozen import (
    Finished,
    frozen,
    leaves_of,
    order_of,
    settled,
    without_dead_symbols,
    without_past_bytes,
)
from equiv.proof.join import join
from equiv.proof.lineage import Lineage, entries_before, rounds_of, went_back
from equiv.proof.merge import Joined
from equiv.proof.narrowing import narrow, narrow_early, widening_steps
from equiv.proof.pace import earlier
from equiv.proof.room import is_room_open
from equiv.proof.stopwatch import Counters
from equiv.proof.thresholds import note_threshold
from equiv.solve.backend import Backend
from equiv.solve.models import Models
from equiv.term import Term, negate

CROWDED = 64
"""More entries than this at one joint location are merged whatever they forget (widening)."""

MAX_JOINS = 40
"""An entry joined into more often than this keeps no facts at all, so that exploration ends."""

MAX_NARROWED = 8
"""How often an entry's bounds are tightened again after widening."""

MAX_RESTARTS = 8
"""How often a loop may start over because one around it has changed. After that it goes on from what it came to."""

ROUND_SHIFT = 2010
"""Places of a round in a priority; no `order` is that large."""

Level = int

Way = tuple[int, tuple[int, ...]]
"""Names an arrival: the source entry's id (-1: the start) and the number of the branch taken there."""


@dataclass(slots=True)
class _Side:
    """One machine at a stop, while one entry is explored."""

    machine: Machine
    stop: Stop
    answers: str = ""


@dataclass(slots=True)
class Product:
    """One exploration. `levels` says per joint location how much merging may forget (see `join`)."""

    left: Machine
    right: Machine
    backend: Backend
    start: Facts
    levels: dict[Key, Level] = field(default_factory=dict)
    deadline: float | None = None
    splits: frozenset[Split] = frozenset()
    """Numbers that are kept apart wherever there is a cell of that name."""
    choices: Choices = field(default_factory=Choices)
    on_progress: Callable[[int, int], None] | None = None
    max_entries: int = 200_000
    is_mirrored: bool = False
    """Whether the right side goes first where neither decision is earlier: the sides are the other way round."""
    exact: bool = False
    """Merge nothing but what is covered, and go through loops round by round."""
    entries: dict[Key, list[Entry]] = field(default_factory=dict)
    endings: dict[Way, Ending] = field(default_factory=dict)
    counters: Counters = field(default_factory=Counters)
    models: Models = field(default_factory=Models)
    _pending: dict[Key, list[Waiting]] = field(default_factory=dict)
    cuts: set[Key] = field(default_factory=set)
    """Joint locations that a run comes back to: loops are cut there."""
    thresholds: dict[Term, set[int]] = field(default_factory=dict)
    """Merged numbers to the values that decisions compared them with."""
    _queue: list[tuple[int, int, Key]] = field(default_factory=list)
    _due: dict[Key, int] = field(default_factory=dict)
    _restarts: dict[Key, int] = field(default_factory=dict)
    _lineages: dict[Key, Lineage] = field(default_factory=dict)
    _names: BothNames = field(default_factory=BothNames)
    _goes_round: bool = False
    """Whether any step so far led back, or stayed, in its side's order: without one no run comes back to anywhere."""
    _settled_now: dict[int, tuple[Facts, dict[Term, bool | None]]] = field(default_factory=dict)
    """What was settled under which facts while one entry is explored: both sides often ask the same."""
    _started: bool = False
    _ids: count[int] = field(default_factory=count)
    _ticks: count[int] = field(default_factory=count)
    _asked: dict[tuple[frozenset[Term], Term], bool | None] = field(default_factory=dict)

    # --- the work list ------------------------------------------------------------------------------------------

    def explore(self, at_most: int | None = None) -> bool:
        """Run on to the fixpoint, or for `at_most` explorations; whether the fixpoint was reached.

        Raises ResourceLimit when time or the number of explorations runs out.
        """
        if not self._started:
            self._started = True
            self._expand(None, self.start, self.left.start(), self.right.start())
        stop = None if at_most is None else self.counters.explorations + at_most
        while self._queue:
            if stop is not None and self.counters.explorations >= stop:
                return False
            priority, _, key = heapq.heappop(self._queue)
            if self._due.get(key) != priority:
                continue  # put off since
            del self._due[key]
            for changed in self._absorb(key, self._pending.pop(key)):
                if changed.is_retracted:
                    continue
                self._check_budget()
                self.counters.explorations += 1
                left, right = self.resumed(self.left, changed, "L"), self.resumed(self.right, changed, "R")
                self._expand(changed, changed.facts, left, right)
        return True

    def all_entries(self) -> Iterable[Entry]:
        """Every stored entry."""
        return (entry for entries in self.entries.values() for entry in entries)

    def current_endings(self) -> list[Ending]:
        """Endings reached from entries as they are now."""
        return [ending for ending in self.endings.values() if ending.arrival.is_current]

    def unrecorded(self) -> Entry | None:
        """An entry with a way on that is neither a current arrival nor a current ending; None where there is none."""
        recorded = {way for way, ending in self.endings.items() if ending.arrival.is_current}
        for entry in self.all_entries():
            recorded |= {way for way, arrival in entry.arrivals.items() if arrival.is_current}
        for entry in self.all_entries():
            if entry.expanded != entry.version or any((entry.id, label) not in recorded for label in entry.ways):
                return entry
        return None

    def _check_budget(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise ResourceLimit("the time limit was reached")
        total = next(self._ticks)
        if total > self.max_entries:
            raise ResourceLimit(f"more than {self.max_entries} explorations of joint states")
        if self.on_progress is not None and total % 16 == 0:
            self.on_progress(self.counters.explorations, len(self._queue))

    def _queue_arrival(self, waiting: Waiting) -> None:
        """Put an arrival on the work list."""
        self._pending.setdefault(waiting.key, []).append(waiting)
        due = self._due.get(waiting.key)
        if due is None or due < waiting.priority:
            self._due[waiting.key] = waiting.priority
            heapq.heappush(self._queue, (waiting.priority, next(self._ticks), waiting.key))

    def _absorb(self, key: Key, arrivals: list[Waiting]) -> list[Entry]:
        """Merge arrivals into the entries at `key`; the entries that changed or are new."""
        stored = self.entries.setdefault(key, [])
        changed: dict[int, Entry] = {}
        for waiting in arrivals:
            label, arrival = waiting.label, waiting.arrival
            if not arrival.is_current:
                continue
            home = self._home(key, stored, arrival, changed)
            if home is None and not arrival.is_current:
                continue  # it was drawn from an entry that has been narrowed since
            if home is None:
                home = Entry(
                    id=next(self._ids),
                    key=key,
                    left=waiting.left,
                    right=waiting.right,
                    cells=arrival.cells,
                    facts=arrival.facts,
                    orders=waiting.orders,
                    parent=arrival.source,
                    rounds=arrival.rounds,
                    steering=arrival.hints.steering,
                )
                stored.append(home)
                changed[home.id] = home
            home.arrivals[label] = arrival
            if arrival.source is not None:
                arrival.source.successors[home.id] = home
            home.waiting[label] = waiting
        if key in self.cuts and not changed:
            for entry in stored:
                if entry.narrowed < MAX_NARROWED and (narrower := narrow(entry, self.thresholds)) is not None:
                    self._narrow(entry, narrower)
                    changed[entry.id] = entry
        return list(changed.values())

    def _narrow(self, entry: Entry, narrower: Joined) -> None:
        """Go on with tighter bounds of an entry. What it does not cover then is joined once more."""
        entry.narrowed += 1
        entry.cells, entry.symbols, entry.facts = narrower.cells, narrower.symbols, narrower.facts
        self._retract(entry)
        for label, way in list(entry.arrivals.items()):
            if way.is_current and not covers(entry, way.cells, way.facts):
                del entry.arrivals[label]
                self._queue_arrival(entry.waiting[label])

    def _home(self, key: Key, stored: list[Entry], arrival: Arrival, changed: dict[int, Entry]) -> Entry | None:
        """The entry that covers `arrival`, made to do so if need be; None where it should stand alone."""
        for entry in stored:
            if covers(entry, arrival.cells, arrival.facts):
                return entry
        if self.exact:
            return None
        lineage = self._lineages.setdefault(key, Lineage())
        ended = isinstance(key[0], Finished) or isinstance(key[1], Finished)
        ahead: set[int] = set()
        if self._goes_round:
            lineage.note(key, arrival)
            comes_back, ahead = lineage.visits(key, arrival, ended)
            if comes_back:
                self.cuts.add(key)
        level = self.levels.get(key, 0) - (key in self.cuts)
        if len(stored) >= CROWDED or level < 0:
            level = -1
        elif ended:
            return None  # one side has ended; the other should soon, if nothing that is known is forgotten
        for entry in stored:
            if entry.id in ahead or (self.splits and are_apart(entry.cells, arrival.cells, self.splits)):
                continue
            if key in self.cuts and entry.narrowed < MAX_NARROWED:
                narrower = narrow_early(entry, arrival.cells, arrival.facts, self.thresholds)
                if narrower is not None:
                    self._narrow(entry, narrower)
                    changed[entry.id] = entry
                    if not arrival.is_current:
                        return None
            steps = widening_steps(self.thresholds)
            joined = join(entry, arrival.cells, arrival.facts, arrival.hints, level, lineage.wandering, steps)
            if joined is None:
                continue
            self.counters.joins += 1
            entry.cells, entry.symbols, entry.facts = joined.cells, joined.symbols, joined.facts
            entry.joins += 1
            if entry.joins > MAX_JOINS:
                entry.facts = Facts()
            self._retract(entry, arrival)
            changed[entry.id] = entry
            return entry
        return None

    def _retract(self, changed: Entry, by: Arrival | None = None) -> None:
        """Take back what was concluded from an entry before it changed; other ways to those places are tried again."""
        changed.version += 1
        todo = [changed]
        gone: dict[int, Entry] = {}
        before: set[int] | None = None
        while todo:
            for successor in todo.pop().successors.values():
                if successor is changed or successor.id in gone or successor.is_retracted:
                    continue
                if successor.joins and successor.key in self.cuts:
                    if self.splits:
                        before = entries_before(changed, by) if before is None else before
                        if successor.id in before:
                            continue  # the cut of the loop that this is in: it is joined into, like any cut
                    self._restarts[successor.key] = self._restarts.get(successor.key, 0) + 1
                    if self._restarts[successor.key] > MAX_RESTARTS:
                        continue
                successor.version += 1
                successor.is_retracted = True
                gone[successor.id] = successor
                todo.append(successor)
        changed.successors = {}
        for entry in gone.values():
            self.entries[entry.key].remove(entry)
            for label, way in entry.arrivals.items():
                if way.is_current:
                    self._queue_arrival(entry.waiting[label])

    # --- one step -----------------------------------------------------------------------------------------------

    def resumed(self, machine: Machine, entry: Entry, side: str) -> Native | Done:
        """The state of the machine on one side of an entry."""
        location = entry.left if side == "L" else entry.right
        cells = {name[2:]: term for name, term in entry.cells.items() if name[0] == side}
        if isinstance(location, Finished):
            values = {name[6:]: term for name, term in cells.items() if name.startswith("value.")}
            return Done(Outcome(cells["code"], values, location.punt))
        return machine.resume(Snapshot(location, cells))

    def _expand(self, source: Entry | None, facts: Facts, left: Native | Done, right: Native | Done) -> None:
        """Take one decision from `source` and hand every way on to where it arrives."""
        self._settled_now.clear()
        if source is not None:
            source.ways, source.expanded = set(), source.version
        sides = {"L": self._run(self.left, left, facts), "R": self._run(self.right, right, facts)}
        answers = sides["L"].answers, sides["R"].answers
        if source is not None:
            source.answers, source.moves = answers, ""
        if self._finish(source, facts, sides, (), answers):
            return
        if source is None:  # the start is a joint state like any other
            self._arrive(None, facts, sides, (), answers)
            return
        side = source.moves = self._earlier(source, facts, sides)
        fork = sides[side].stop
        assert isinstance(fork, Fork)
        for number, branch in enumerate(fork.branches):
            self._take(source, facts, sides, side, number, branch)

    def _take(
        self, source: Entry, facts: Facts, sides: dict[str, _Side], side: str, number: int, branch: Branch
    ) -> None:
        guard = branch.guard
        if self.settle(facts, guard) is False:
            return
        try:
            known = facts.assume(guard)
        except Contradiction:
            return
        moved = dict(sides)
        moved[side] = self._run(sides[side].machine, branch.state, known)
        answers: Answers = moved[side].answers, None
        other = "R" if side == "L" else "L"
        waiting = sides[other].stop
        if isinstance(waiting, Fork) and self._settled(known, waiting):
            moved[other] = self._run(sides[other].machine, waiting.before, known)
            answers = moved[side].answers, moved[other].answers
        steps = ((side, branch.label),)
        if not self._finish(source, known, moved, (number,), answers, steps, (guard,)):
            self._arrive(source, known, moved, (number,), answers, steps, (guard,))

    def _run(self, machine: Machine, state: Native | Done, facts: Facts) -> _Side:
        if isinstance(state, Done):
            return _Side(machine, state)
        answers: list[str] = []

        def decide(guard: Term) -> bool | None:
            answer = self.settle(facts, guard)
            answers.append("." if answer is None else "T" if answer else "F")
            return answer

        stop = machine.run(state, decide)
        return _Side(machine, stop, "".join(answers).rstrip("."))

    def _settled(self, facts: Facts, fork: Fork) -> bool:
        """Whether a waiting decision is one no more."""
        return any(self.settle(facts, branch.guard) is not None for branch in fork.branches)

    def _finish(
        self,
        source: Entry | None,
        facts: Facts,
        sides: dict[str, _Side],
        label: tuple[int, ...],
        answers: Answers,
        steps: tuple[tuple[str, str], ...] = (),
        added: tuple[Term, ...] = (),
    ) -> bool:
        """Note the ending where the two stops are one."""
        left, right = sides["L"].stop, sides["R"].stop
        kind, side = ending_of(left, right)
        if not kind:
            return False
        identity = -1 if source is None else source.id
        if source is not None:
            source.ways.add(label)
        arrival = Arrival(source, source.version if source else 0, {}, facts, added, steps, answers=answers)
        self.endings[identity, label] = Ending(kind, left, right, arrival, side)
        return True

    def _arrive(
        self,
        source: Entry | None,
        facts: Facts,
        sides: dict[str, _Side],
        label: tuple[int, ...],
        answers: Answers,
        steps: tuple[tuple[str, str], ...] = (),
        added: tuple[Term, ...] = (),
    ) -> None:
        left, right = (frozen(sides[side].machine, sides[side].stop) for side in "LR")
        names = self._names.of_cells(left.cells, right.cells)
        to_blame = source if self.cuts else None
        made = None if self.exact else partial(self.choices.made, partial(self.settle, facts), to_blame)
        cells = dict(zip(names, settled(facts, left, made) + settled(facts, right, made), strict=True))
        live = leaves_of(cells)
        try:
            facts = without_dead_symbols(facts, live)
        except Contradiction:
            return  # what is known, said in fewer words, cannot hold: nothing gets here
        if left.ahead is not None and right.ahead is not None and not self.exact:
            facts = without_past_bytes(facts, live, (facts.simplify(left.ahead), facts.simplify(right.ahead)))
        hints = Hints(
            self._names.together(left.offsets, right.offsets),
            self._names.together(left.steering, right.steering),
            left.ahead is not None and right.ahead is not None,
        )
        identity = (-1 if source is None else source.id, label)
        if source is not None:
            source.ways.add(label)
        orders = order_of(self.left, left), order_of(self.right, right)
        arrival = Arrival(
            source,
            source.version if source else 0,
            cells,
            facts,
            added,
            steps,
            hints,
            rounds_of(source, orders),
            answers,
        )
        self._goes_round = self._goes_round or went_back(arrival, orders)
        priority = self._priority(arrival, (left, right), orders)
        self._queue_arrival(Waiting(identity, arrival, left.location, right.location, orders, priority))

    def _priority(self, arrival: Arrival, sides: tuple[Snapshot, Snapshot], orders: tuple[int, int]) -> int:
        """Its turn. One that closes a loop waits until the loop's body has been gone through."""
        source, priority = arrival.source, 0
        for side, machine in enumerate((self.left, self.right)):
            goes_back = source is not None and orders[side] < source.orders[side]
            priority += machine.loop_end(sides[side]) if goes_back else orders[side]
        if self.exact:
            priority += sum(arrival.rounds) << ROUND_SHIFT
        return priority

    # --- questions ----------------------------------------------------------------------------------------------

    def settle(self, facts: Facts, guard: Term) -> bool | None:
        """Whether `guard` holds under `facts`: by the indexes, else by the solver where facts bear on it."""
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise ResourceLimit("the time limit was reached")  # one run can pass very many settled decisions
        _, known = self._settled_now.setdefault(id(facts), (facts, {}))
        if guard not in known:
            known[guard] = self._settle(facts, guard)
        return known[guard]

    def _settle(self, facts: Facts, guard: Term) -> bool | None:
        answer = facts.decide(guard)
        if answer is not None:
            return answer
        note_threshold(self.thresholds, guard)
        relevant = facts.about(guard)
        simple = facts.simplify(guard)
        if not relevant or is_plainly_open(simple, relevant) or is_room_open(simple, relevant):
            return None
        if is_plainly_excluded(simple, relevant):
            return False
        if is_plainly_excluded(negate(simple), relevant):
            return True
        question = (frozenset(relevant), guard)
        if question in self._asked:
            return self._asked[question]
        if not self._possible(relevant, guard):
            answer = False
        elif not self._possible(relevant, negate(guard)):
            answer = True
        self._asked[question] = answer
        return answer

    def _possible(self, facts: list[Term], condition: Term) -> bool:
        """Whether `condition` can hold with `facts`, as far as a model or the solver can tell."""
        if self.models.satisfy(facts, condition):
            return True
        answer = self.backend.check([*facts, condition], timeout=5, model=True)
        if answer.model is not None:
            self.models.remember(answer.model)
        return answer.status != "unsat"

    def _earlier(self, source: Entry, facts: Facts, sides: dict[str, _Side]) -> str:
        """The side to take further: the one that runs on yet or, of two, the one whose decision comes earlier."""
        left, right = sides["L"].stop, sides["R"].stop
        if isinstance(left, Fork) and isinstance(right, Fork):
            return earlier(facts, left, right, source.rounds, self.is_mirrored)
        return "L" if isinstance(left, Fork) else "R"
