"""A suite put together: inputs that the engine finds for goals and that are generated, the fewest of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final, Literal

from equiv.errors import InternalError, Place, Unsupported
from equiv.generate.changes import coloured
from equiv.generate.draft import draft_of
from equiv.generate.generator import Generator, Plan
from equiv.generate.walks import Walker
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface
from equiv.modelled import map_layouts
from equiv.suite.bits import Aim, bent_at_choices
from equiv.suite.goals import Goal, GoalKey, goals_of
from equiv.suite.reach import Reach
from equiv.suite.subject import Item, Subject, coverable

Status = Literal["covered", "unreachable", "not reached"]

NO_MODELS: Final = Plan(0, 0)
"""The engine has looked for inputs itself."""
DRAWN: Final = 800
"""Candidates that are drawn where the engine's first search leaves something open."""
MOST_FLIPS: Final = 4000
"""Packets with one bit another one that are tried."""
LOOKING: Final = 0.5
"""What share of its time the engine's first look at everything may take."""
SEEKING: Final = 4.0
"""Seconds that the engine looks for inputs before others are drawn."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A whole suite. `statuses` says of each goal what became of it; `unreachable` is a proof over all packets."""

    items: tuple[Item, ...]
    goals: tuple[Goal, ...]
    statuses: tuple[Status, ...]


def make_suite(loaded: Loaded, interface: Interface, *, seed: int = 0, seconds: float = 120.0) -> Suite:
    """The suite of a table, program or parser; after `seconds` of the processor's the engine is asked nothing more.

    Raises Unsupported where none can be made, InputError for a program that the verifier would reject.
    """
    machine = coverable(loaded, interface)
    goals = goals_of(machine)
    subject = Subject(loaded, interface, machine, {goal.key: place for place, goal in enumerate(goals)})
    found = _Found(subject, {goal.key for goal in goals})
    reach = Reach(machine, interface, found.open, lambda model: found.add(subject.item_of(model)))
    started = time.process_time()
    reach.look(LOOKING * seconds)
    reach.seek(min(SEEKING, seconds))
    if found.open or not found.items:
        for given in _candidates(subject, seed):
            found.add(subject.item(given))
        found.flip()
    if not found.items:
        raise Unsupported("none of the packets that were generated can be run", Place(loaded.path))
    reach.run(seconds - (time.process_time() - started))
    items = _without_needless([_coloured(subject, _plainest(subject, item)) for item in _fewest(found.items)])
    covered = {place for item in items for place in item.covers}
    unreachable = {subject.places[key] for key in reach.unreachable}
    if not covered.isdisjoint(unreachable):
        raise InternalError("a packet goes where it was proved that none does", Place(loaded.path))
    statuses = [_status(place, covered, unreachable) for place in range(len(goals))]
    return Suite(tuple(items), tuple(goals), tuple(statuses))


def _status(place: int, covered: set[int], unreachable: set[int]) -> Status:
    if place in covered:
        return "covered"
    return "unreachable" if place in unreachable else "not reached"


@dataclass(slots=True)
class _Found:
    """The items so far, and the goals that are open."""

    subject: Subject
    open: set[GoalKey]
    items: list[Item] = field(default_factory=list)

    def add(self, item: Item | None) -> bool:
        """Keep an item; whether it covers something that was open."""
        if item is None:
            return False
        self.items.append(item)
        covered = self.open.intersection(item.keys)
        self.open -= covered
        return bool(covered)

    def flip(self) -> None:
        """Meet what is open of ways' bits: with packets that come by such a choice, with some bits other ones."""
        tries = MOST_FLIPS
        for item in sorted(_fewest(self.items), key=lambda item: len(item.given.packet)):
            spots = {source for source, _ in item.keys}
            wanted = {key for key in self.open if isinstance(key[1], Aim) and key[0] in spots}
            for given in bent_at_choices(self.subject.machine, item.given, wanted):
                if not tries:
                    return
                tries -= 1
                other = self.subject.item(given)
                if other is not None and not self.open.isdisjoint(other.keys):
                    self.add(other)


def _candidates(subject: Subject, seed: int) -> Iterator[Input]:
    sides = (subject.loaded,)
    made = Generator(
        [subject.loaded.machine(subject.interface)],
        subject.interface,
        Random(seed),
        maps=map_layouts(sides),
        plan=NO_MODELS,
    )
    for _ in range(DRAWN):
        yield made.next_input()


def _fewest(items: Sequence[Item]) -> list[Item]:
    """Few items that cover what all do: again and again the one that adds most, of those the one with least bytes."""
    missing = {place for item in items for place in item.covers}
    chosen: list[Item] = []
    while missing:
        best = min(items, key=lambda item: (-len(missing.intersection(item.covers)), len(item.given.packet)))
        chosen.append(best)
        missing.difference_update(best.covers)
    return chosen


def _plainest(subject: Subject, item: Item) -> Item:
    """The item without what it does not need beside the packet: a split, fields of the context, map contents."""
    given = item.given
    fewer = [replace(given, linear=None)]
    fewer += [replace(given, context={k: v for k, v in given.context.items() if k != name}) for name in given.context]
    fewer += [replace(given, maps={k: v for k, v in given.maps.items() if k != name}) for name in given.maps]
    for candidate in fewer:
        if candidate == given:
            continue
        other = subject.item(candidate)
        if other is not None and other.given != given and set(other.covers) >= set(item.covers):
            return _plainest(subject, other)
    return item


def _coloured(subject: Subject, item: Item) -> Item:
    """The item with other bytes than zeros wherever no decision looks, so that outputs tell where they come from."""
    walker = Walker(subject.machine, subject.interface, Random(0))
    packet = item.given.packet
    walked = walker.walk(draft_of(packet, item.given.context.items()), bends=0.0)
    other = subject.item(replace(item.given, packet=coloured(packet, walked.offsets)))
    return other if other is not None and set(other.covers) >= set(item.covers) else item


def _without_needless(items: Sequence[Item]) -> list[Item]:
    """Less what the others cover together; the shortest packets first."""
    kept = sorted(items, key=lambda item: (len(item.given.packet), item.given.packet))
    for item in kept[:0:-1]:
        others = {place for other in kept if other is not item for place in other.covers}
        if others.issuperset(item.covers):
            kept = [other for other in kept if other is not item]
    return kept
