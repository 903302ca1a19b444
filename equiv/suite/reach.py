"""An input that reaches one of some goals, or a proof that none of them is reached by any.

The engine is asked whether the machine is equal to one that does nothing but return 0. The machine is wrapped: it
returns 1 where it makes one of the wanted moves, and 0 where it ends without. So "different" comes with an input, and
"equivalent" means that no input makes any of those moves: that is a proof like any other, over all packets (D181).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from equiv.errors import Place, ResourceLimit
from equiv.generate.paths import comparisons
from equiv.machine.ended import Ended
from equiv.machine.interface import Interface
from equiv.machine.protocol import Branch, Decide, Done, Fork, Outcome, Snapshot, Stop
from equiv.machine.watch import Comparing, Edges, Option, Spot, watching
from equiv.proof.engine import Engine
from equiv.solve.backend import Model, make_backend
from equiv.suite.bits import met
from equiv.suite.goals import Coverable, Goal
from equiv.term import Term, bvadd, conj, const, disj, eq, negate

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

    A program tells of each comparison what it compares: where its answer is known and the edge is not, that is a fork
    of its own (D351). Of a table an edge is looked for where its comparison is asked about. Where the answer follows
    from what is known, and the edge may still be there, the run counts as having reached it: an input may then turn out
    not to, but nothing is missed. The same holds of what is asked of a way's bits.
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
        self._tells = isinstance(machine, Comparing)
        self._here: Spot = None
        self._has_asked = False
        self._undecided: dict[Spot, list[Term]] = {}
        self.unasked: set[Spot] = set()
        self.name = machine.name

    def start(self) -> Any:
        return self._machine.start()

    def run(self, state: Any, decide: Decide) -> Stop:
        if state is HIT:
            return self._ended(1)
        self._here, self._has_asked, self._undecided = self._machine.spot(state), False, {}

        def ask(condition: Term) -> bool | None:
            answer = decide(condition)
            self._has_asked = True
            if answer is not None and self._here in self._edges and not self._tells:
                for edge in self._edges_of(self._here, condition):
                    if decide(edge) is not False:
                        raise _Reached
            return answer

        def choice(spot: Spot, options: Sequence[Option]) -> None:
            for each in met(options):
                if (spot, each.target) in self._bits and (answer := decide(each.term)) is not False:
                    if answer:
                        raise _Reached
                    self._undecided.setdefault(spot, []).append(each.term)

        def compare(spot: Spot, edges: Edges | None, at: Any) -> None:
            wanted = self._edges.get(spot, frozenset())
            if edges is None and wanted:
                self.unasked.add(spot)
            for side, term in () if edges is None else (("below", edges.below), ("above", edges.above)):
                if side in wanted and (answer := _known(term, decide)) is not False:
                    if answer:
                        raise _Reached
                    self._undecided.setdefault(spot, []).append(term)
                    self._before = at.copy()

        try:
            on_compare = compare if self._edges else None
            with watching(self._machine, self._moved, choice if self._bits else None, on_compare):
                stop: Stop = self._machine.run(state, ask)
        except _Reached:
            return self._ended(1)
        except _Open as found:
            at, before = disj(*found.edges), self._before
            ways = (Branch(at, HIT, "at the edge"), Branch(negate(at), before.copy(), "not at the edge"))
            return Fork(before, ways, self._machine.place_of(self._here))
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
        edges = self._undecided.get(source, [])
        if source in self._edges and not self._tells:
            edges += [edge for branch in stop.branches for edge in self._edges_of(source, branch.guard)]
        if edges:
            at = disj(*edges)
            branches = [replace(branch, guard=conj(branch.guard, negate(at))) for branch in branches]
            branches.append(Branch(at, HIT, "at the edge"))
        possible = tuple(branch for branch in branches if not (branch.guard.is_const and not branch.guard.value))
        return Fork(stop.before, possible, stop.place)

    def _edges_of(self, spot: Spot, condition: Term) -> list[Term]:
        """Conditions (width 1) under which a wanted edge of the spot is met by a comparison in `condition`."""
        found = []
        for comparison in comparisons(condition):
            a, b = comparison.args
            if "below" in self._edges[spot]:
                found.append(conj(comparison, eq(bvadd(a, const(1, a.width)), b)))
            if "above" in self._edges[spot]:
                found.append(eq(a, b))
        return found

    def _moved(self, source: Spot, target: Spot) -> None:
        if (source, target) in self._wanted or (None, target) in self._wanted:
            raise _Reached
        if undecided := self._undecided.pop(source, None):  # the way is known, these are not
            raise _Open(undecided) if self._tells else _Reached
        if source in self._edges and not self._has_asked and not self._tells:
            self.unasked.add(source)
        self._here, self._has_asked = target, False

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
