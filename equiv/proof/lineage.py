"""Counters and cursors: which constants tell one round of a loop from the next, and which merely vary within one.

A loop's counter changes by the same amount every round, on every path; a position in a list of options changes by
what it just passed. States of different rounds are kept apart by their counters (the loop is unrolled, as the kernel's
verifier does), states of one round are merged whatever their positions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd

from equiv.proof.entry import Arrival, Entry, Key, Rounds
from equiv.term import mask, signed

MAX_AHEAD = 4
"""Rounds that one side may go through while the other looks far ahead; then the loop is cut though only one moved."""

MAX_STEPS_BACK = 400
"""Ancestors looked through for earlier visits to the same joint location."""


@dataclass(slots=True)
class Lineage:
    """What was seen at one joint location; owned by the exploration.

    `wandering` are cells that changed neither by one amount from one visit to the next nor at one rate per round.
    """

    changes: dict[str, set[int]] = field(default_factory=dict)
    rates: dict[str, set[tuple[int, int]]] = field(default_factory=dict)
    """Change and rounds, as a fraction in lowest terms."""
    wandering: set[str] = field(default_factory=set)
    is_astray: bool = False
    """Whether one side went round too often without the other."""

    def visits(self, key: Key, arrival: Arrival, alone: bool) -> tuple[bool, set[int]]:
        """Whether the way to `arrival` was at `key` before, and the entries there from which only one side has moved.

        The latter are not to be merged with: the other side looks far ahead and has yet to go round. They count as
        visits where `alone` says that there is no other side to wait for, and where that happened too often.
        """
        before = list(_earlier(key, arrival))
        ahead = set() if alone or self.is_astray else {entry.id for entry in before if _went_alone(entry, arrival)}
        if len(ahead) > MAX_AHEAD:
            self.is_astray, ahead = True, set()
        return len(before) > len(ahead), ahead

    def note(self, key: Key, arrival: Arrival) -> None:
        """Take in by how much each constant changed since this way was last here."""
        last = next(_visits(key, arrival), None)
        if last is None:
            return
        for name in arrival.hints.steering - self.wandering:
            before, after = last.cells.get(name), arrival.cells[name]
            if before is None or not before.is_const or not after.is_const:
                continue
            change = signed(after.value - before.value & mask(after.width), after.width)
            side = "LR".index(name[0])
            rounds = arrival.rounds[side] - last.rounds[side]
            changes, rates = self.changes.setdefault(name, set()), self.rates.setdefault(name, set())
            changes.add(change)
            if rounds:
                divisor = gcd(change, rounds)
                rates.add((change // divisor, rounds // divisor))
            if len(changes) > 1 and len(rates) > 1:
                self.wandering.add(name)


def _earlier(key: Key, arrival: Arrival) -> Iterator[Entry]:
    """Entries at `key` on any way to `arrival`: what is in a loop may have been reached first from outside of it."""
    todo = [arrival.source] if arrival.source is not None else []
    seen = {entry.id for entry in todo}
    for _ in range(MAX_STEPS_BACK):
        if not todo:
            return
        entry = todo.pop()
        if entry.key == key:
            yield entry
        for way in entry.arrivals.values():
            if way.source is not None and way.is_current and way.source.id not in seen:
                seen.add(way.source.id)
                todo.append(way.source)


def _visits(key: Key, arrival: Arrival) -> Iterator[Entry]:
    """Entries at `key` on the way by which `arrival` first came about, the last first."""
    entry = arrival.source
    for _ in range(MAX_STEPS_BACK):
        if entry is None:
            return
        if entry.key == key:
            yield entry
        entry = entry.parent


def rounds_of(source: Entry | None, orders: tuple[int, int]) -> Rounds:
    """The source's rounds, and one more for a side that went back in its order."""
    if source is None:
        return 0, 0
    return source.rounds[0] + (orders[0] < source.orders[0]), source.rounds[1] + (orders[1] < source.orders[1])


def went_back(arrival: Arrival, orders: tuple[int, int]) -> bool:
    """Whether a side ran back in its order on the last step, or to where it was."""
    source = arrival.source
    if source is None:
        return False
    return any(
        here < before or (here == before and (source.moves == side or arrival.answers[1] is not None))
        for side, before, here in zip("LR", source.orders, orders, strict=True)
    )


def entries_before(entry: Entry, by: Arrival | None) -> set[int]:
    """The ids of entries on any way to this one; `by` is one more arrival there."""
    todo, seen = [entry], set[int]()
    if by is not None and by.source is not None:
        todo.append(by.source)
        seen.add(by.source.id)
    while todo:
        for way in todo.pop().arrivals.values():
            if way.source is not None and way.is_current and way.source.id not in seen:
                seen.add(way.source.id)
                todo.append(way.source)
    return seen


def _went_alone(entry: Entry, arrival: Arrival) -> bool:
    """Whether one side went round a loop on the way from `entry` to `arrival` while the other did not."""
    gone = [now - before for before, now in zip(entry.rounds, arrival.rounds)]
    return min(gone) == 0 < max(gone)
