"""Counters and cursors: which constants tell one round of a loop from the next, and which merely vary within one.

A loop's counter changes by the same amount every round, on every path; a position in a list of options changes by
what it just passed. States of different rounds are kept apart by their counters (the loop is unrolled, as the kernel's
verifier does), states of one round are merged whatever their positions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from equiv.proof.entry import Arrival, Entry, Key
from equiv.term import mask, signed

MAX_STEPS_BACK = 400
"""Ancestors looked through for the last visit to the same joint location."""


@dataclass(slots=True)
class Lineage:
    """What was seen at one joint location; owned by the exploration.

    `wandering` are cells that changed neither by one amount from one visit to the next nor at one rate per round.
    """

    changes: dict[str, set[int]] = field(default_factory=dict)
    rates: dict[str, set[Fraction]] = field(default_factory=dict)
    wandering: set[str] = field(default_factory=set)

    def note(self, key: Key, arrival: Arrival) -> None:
        """Take in by how much each constant changed since this way was last here."""
        last = _last_visit(key, arrival)
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
                rates.add(Fraction(change, rounds))
            if len(changes) > 1 and len(rates) > 1:
                self.wandering.add(name)


def _last_visit(key: Key, arrival: Arrival) -> Entry | None:
    entry = arrival.source
    for _ in range(MAX_STEPS_BACK):
        if entry is None or entry.key == key:
            return entry
        entry = entry.parent
    return None


def lineage_of(key: Key, arrival: Arrival) -> bool:
    """Whether the way to `arrival` was at `key` before."""
    return _last_visit(key, arrival) is not None
