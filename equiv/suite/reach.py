"""An input that reaches one of some goals, or a proof that none of them is reached by any.

The engine is asked whether the machine is equal to one that does nothing but return 0. The machine is wrapped: it
returns 1 where it makes one of the wanted moves, and 0 where it ends without. So "different" comes with an input, and
"equivalent" means that no input makes any of those moves: that is a proof like any other, over all packets (D181).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from equiv.errors import Place, ResourceLimit
from equiv.machine.ended import Ended
from equiv.machine.interface import Interface
from equiv.machine.protocol import Branch, Decide, Done, Fork, Outcome, Snapshot, Stop
from equiv.machine.watch import Edges, Option, Spot, watching
from equiv.proof.engine import Engine
from equiv.solve.backend import Model, make_backend
from equiv.suite.bits import met
from equiv.suite.goals import Coverable, Goal
from equiv.term import Term, conj, const, disj, negate

Status = Literal["reached", "unreachable", "open"]


class _Reached(Exception):
    """A wanted move was made."""


class _Open(Exception):
    """A move was made of which it is not known whether it was at an edge."""

    def __init__(self, edges: Sequence[Term]) -> None:
        super().__init__()
        self.edges = edges


@dataclass(frozen=True, slots=True)
class _Hit:
    """The state behind a wanted move."""


HIT: Final = _Hit()


class Marked:
    """`equiv.machine.protocol.Machine` that returns 1 where `machine` reaches one of the goals, 0 where it ends else.

    Machines tell of each comparison what they compare: where its answer is known and the edge is not, that is a fork of
    its own (D351). Where a way is known and what is asked of its bits is not, the run counts as having reached it: an
    input may then turn out not to, but nothing is missed.
    `unasked` are spots with wanted edges that a run passed without saying what it compares: of their edges nothing may
    be concluded.
    """

    def __init__(self, machine: Coverable, goals: Iterable[Goal], width: int) -> None:
        self._machine: Any = machine
        goals = tuple(goals)
        self._wanted = frozenset(goal.key for goal in goals if goal.kind not in ("edge", "bit"))
        self._bits = frozenset(goal.key for goal in goals if goal.kind == "bit")
        self._edges: dict[Spot, frozenset[Spot]] = {}
        for goal in goals:
            if goal.kind == "edge":
                self._edges[goal.source] = self._edges.get(goal.source, frozenset()) | {goal.target}
        self._width = width
        self._before: Any = None
        self._places = {goal.source: goal.place for goal in goals}
        self._here: Spot = None
        self._undecided: dict[Spot, list[Term]] = {}
        self._undecided_edges: dict[Spot, list[Term]] = {}
        self.unasked: set[Spot] = set()
        self.name = machine.name

    def start(self) -> Any:
        return self._machine.start()

    def run(self, state: Any, decide: Decide) -> Stop:
        if state is HIT:
            return self._ended(1)
        self._here = self._machine.spot(state)
        self._undecided, self._undecided_edges = {}, {}

        def choice(spot: Spot, options: Sequence[Option]) -> None:
            for each in met(options):
                if (spot, each.target) in self._bits and (answer := decide(each.term)) is not False:
                    if answer:
                        raise _Reached
                    self._undecided.setdefault(spot, []).append(each.term)

        def compare(spot: Spot, edges: Edges | None, before: Callable[[], Any]) -> None:
            wanted = self._edges.get(spot, frozenset())
            if edges is None and wanted:
                self.unasked.add(spot)
            for side, term in () if edges is None else (("below", edges.below), ("above", edges.above)):
                if side in wanted and (answer := _known(term, decide)) is not False:
                    if answer:
                        raise _Reached
                    self._undecided_edges.setdefault(spot, []).append(term)
                    self._before = before()

        try:
            on_compare = compare if self._edges else None
            with watching(self._machine, self._moved, choice if self._bits else None, on_compare):
                stop: Stop = self._machine.run(state, decide)
        except _Reached:
            return self._ended(1)
        except _Open as found:
            at = disj(*found.edges)
            ways = (Branch(at, HIT, "at the edge"), Branch(negate(at), self._before, "not at the edge"))
            return Fork(self._before, ways, self._places.get(self._here))
        match stop:
            case Fork():
                return self._fork(stop)
            case Done():
                return self._ended(0)
        return stop

    def _fork(self, stop: Fork) -> Fork:
        """The fork with a way of its own for edges, and with the wanted ways leading to where 1 is returned."""
        source = self._machine.spot(stop.before)
        branches = [self._branch(source, branch) for branch in stop.branches]
        edges = [*self._undecided.get(source, []), *self._undecided_edges.get(source, [])]
        if edges:
            at = disj(*edges)
            branches = [replace(branch, guard=conj(branch.guard, negate(at))) for branch in branches]
            branches.append(Branch(at, HIT, "at the edge"))
        possible = tuple(branch for branch in branches if not (branch.guard.is_const and not branch.guard.value))
        return Fork(stop.before, possible, stop.place)

    def _moved(self, source: Spot, target: Spot) -> None:
        if (source, target) in self._wanted or (None, target) in self._wanted:
            raise _Reached
        if self._undecided.pop(source, None):  # the way is known, its bits are not
            raise _Reached
        if edges := self._undecided_edges.pop(source, None):
            raise _Open(edges)
        self._here = target

    def _branch(self, source: Spot, branch: Branch) -> Branch:
        target = self._machine.spot(branch.state)
        if target != source and ((source, target) in self._wanted or (None, target) in self._wanted):
            return replace(branch, state=HIT)
        return branch

    def _ended(self, code: int) -> Done:
        return Done(Outcome(const(code, self._width)))

    def snapshot(self, state: Any, like: Collection[str] | None = None) -> Snapshot:
        snapshot: Snapshot = self._machine.snapshot(state, like)
        return snapshot

    def resume(self, snapshot: Snapshot) -> Any:
        return self._machine.resume(snapshot)

    def order(self, snapshot: Snapshot) -> int:
        return int(self._machine.order(snapshot))

    def loop_end(self, snapshot: Snapshot) -> int:
        return int(self._machine.loop_end(snapshot))

    def place(self, snapshot: Snapshot) -> Place | None:
        place: Place | None = self._machine.place(snapshot)
        return place

    @property
    def assumptions(self) -> tuple[str, ...]:
        return tuple(self._machine.assumptions)


def _known(term: Term, decide: Decide) -> bool | None:
    return bool(term.value) if term.is_const else decide(term)


def reach(
    machine: Coverable, goals: Sequence[Goal], interface: Interface, timeout: float
) -> tuple[Status, Model | None]:
    """A model of an input that reaches one of `goals`, or that there is none; `open` where neither was found in time.

    Of edges a model is a guess: whether its input is at one, `cover` says.
    """
    bare = replace(interface, observables=(), relation=None, assumed=())
    marked = Marked(machine, goals, interface.code_width)
    engine = Engine(marked, Ended("nothing", interface.code_width), bare, make_backend("z3"), timeout)
    try:
        found = engine.run()
    except ResourceLimit:
        found = engine.finding
        if not found.witnesses:
            return "open", None
    if found.witnesses:
        return "reached", found.witnesses[0].model
    if found.unknown or found.faults or found.relation is None or marked.unasked:
        return "open", None
    return "unreachable", None
