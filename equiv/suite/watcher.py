"""A machine run under what is known of a path, and which goals it meets there.

A goal is met where what is known does not exclude it: at a move when the machine makes it, at the edge of a comparison
or the bits of a choice under a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from equiv.machine.protocol import Decide, Done, Fork, Stop
from equiv.machine.watch import Edges, Option, Spot, watching
from equiv.proof.entry import Arrival, Entry
from equiv.proof.facts import Contradiction
from equiv.proof.product import Product
from equiv.suite.bits import Aim, met
from equiv.suite.goals import Coverable, GoalKey
from equiv.term import TRUE, Term


@dataclass(frozen=True, slots=True)
class Meeting:
    """A goal is met at `arrival`, if `condition` (width 1) holds there."""

    key: GoalKey
    arrival: Arrival
    condition: Term


OnMeeting = Callable[[Meeting], None]


@dataclass(slots=True)
class Watcher:
    """Watches the runs of a machine beside which nothing happens, for the goals `wanted`.

    Whoever owns it may take some of `wanted` away as it goes. `unasked` are spots of comparisons that a run passed
    without saying what it compares: of their edges nothing may be concluded (D351).
    """

    machine: Coverable
    wanted: Collection[GoalKey]
    on_meeting: OnMeeting
    unasked: set[Spot] = field(default_factory=set)

    def watch(self, product: Product, entry: Entry | None) -> None:
        """All that can happen from a stored state of `product`, or from the start, to the next decisions."""
        if entry is None:
            facts, version, state = product.start, 0, product.left.start()
        else:
            facts, version, state = entry.facts, entry.version, product.resumed(product.left, entry, "L")
        if isinstance(state, Done):
            return
        stop = self._run(product, Arrival(entry, version, {}, facts, ()), state)
        for branch in stop.branches if isinstance(stop, Fork) else ():
            if product.settle(facts, branch.guard) is False:
                continue
            try:
                known = facts.assume(branch.guard)
            except Contradiction:
                continue
            assert isinstance(stop, Fork)
            arrival = Arrival(entry, version, {}, known, (branch.guard,))
            self._moved(self.machine.spot(stop.before), self.machine.spot(branch.state), arrival)
            self._run(product, arrival, branch.state)

    def _run(self, product: Product, arrival: Arrival, state: Any) -> Stop:
        """The machine's run, watched."""

        def decide(condition: Term) -> bool | None:
            return product.settle(arrival.facts, condition)

        def moved(source: Spot, target: Spot) -> None:
            self._moved(source, target, arrival)

        def choice(spot: Spot, options: Sequence[Option]) -> None:
            for each in met(options):
                self._under((spot, each.target), each.term, decide, arrival)

        def compare(spot: Spot, edges: Edges | None, before: object) -> None:
            if edges is None:
                self.unasked.add(spot)
                return
            self._under((spot, "below"), edges.below, decide, arrival)
            self._under((spot, "above"), edges.above, decide, arrival)

        with watching(self.machine, moved, choice if self._looks_at_bits() else None, compare):
            stop: Stop = self.machine.run(state, decide)
        return stop

    def _looks_at_bits(self) -> bool:
        return any(isinstance(target, Aim) for _, target in self.wanted)

    def _moved(self, source: Spot, target: Spot, arrival: Arrival) -> None:
        for key in ((source, target), (None, target)):
            if key in self.wanted:
                self.on_meeting(Meeting(key, arrival, TRUE))

    def _under(self, key: GoalKey, condition: Term, decide: Decide, arrival: Arrival) -> None:
        if key in self.wanted:
            answer = bool(condition.value) if condition.is_const else decide(condition)
            if answer is not False:
                self.on_meeting(Meeting(key, arrival, condition))
