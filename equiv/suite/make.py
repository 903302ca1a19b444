"""A suite put together: candidates that are generated, the fewest of them, and the engine for what they leave."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

from equiv.bpf.interpret import Fault
from equiv.bpf.symbolic import BpfMachine
from equiv.errors import InputError, Place, Unsupported
from equiv.generate.changes import coloured
from equiv.generate.draft import draft_of
from equiv.generate.generator import Generator, Plan
from equiv.generate.walks import Walker
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.modelled import completed, input_of, map_layouts
from equiv.p4.code import with_own_ways
from equiv.p4.machine import ParserMachine
from equiv.p4.parser import P4
from equiv.suite.bits import bent_at_choices
from equiv.suite.cover import Covered, cover
from equiv.suite.goals import Coverable, Goal, goals_of
from equiv.suite.natural import natural
from equiv.suite.reach import reach
from equiv.table.symbolic import TableMachine

Status = Literal["covered", "unreachable", "not reached"]

PLAN: Final = Plan(400, 500)
DRAWN: Final = 800
"""Candidates that are drawn after the solver's."""
MOST_FLIPS: Final = 4000
"""Packets with one bit another one that are tried."""
QUESTION_SECONDS: Final = 20.0
"""How long the engine may take for one question."""
MOMENT: Final = 1.0
"""How long for a question about one goal while others wait."""
LEAST_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a suite, what it must show, and the places of its goals in the list of all."""

    given: Input
    expected: Observation
    covers: tuple[int, ...]


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
    subject = _Subject(loaded, interface, machine, {goal.key: place for place, goal in enumerate(goals)})
    candidates = [item for given in _candidates(subject, seed) if (item := subject.item(given)) is not None]
    if not candidates:
        raise Unsupported("none of the packets that were generated can be run", Place(loaded.path))
    chosen = _fewest(candidates) or candidates[:1]
    covered = {place for item in chosen for place in item.covers}
    chosen += _flipped(subject, goals, chosen, covered)
    covered = {place for item in chosen for place in item.covers}
    left = [place for place in range(len(goals)) if place not in covered]
    more, unreachable = _ask(subject, goals, left, time.process_time() + seconds)
    items = _without_needless([_coloured(subject, _plainest(subject, item)) for item in (*chosen, *more)])
    covered = {place for item in items for place in item.covers}
    statuses = [_status(place, covered, unreachable) for place in range(len(goals))]
    return Suite(tuple(items), tuple(goals), tuple(statuses))


def coverable(loaded: Loaded, interface: Interface) -> Coverable:
    """The machine of which it is said what a suite covers. Raises Unsupported for a parser beside something else."""
    machine = loaded.machine(interface)
    if isinstance(machine, ParserMachine):
        if interface.name != P4:
            raise Unsupported("suites of parsers are made for interface p4", Place(loaded.path))
        return ParserMachine(machine.name, with_own_ways(machine.code), machine.interface)
    assert isinstance(machine, TableMachine | BpfMachine)
    return machine


def _status(place: int, covered: set[int], unreachable: set[int]) -> Status:
    if place in covered:
        return "covered"
    return "unreachable" if place in unreachable else "not reached"


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a suite is made for. `places` are the goals' by key."""

    loaded: Loaded
    interface: Interface
    machine: Coverable
    places: dict[tuple[object, object], int]

    def item(self, given: Input) -> Item | None:
        """The input as an item; None where it cannot be run."""
        given = completed(natural(self.interface, given), (self.loaded,))
        width = self.interface.element_width
        if width < 8:  # each byte holds one element (D80)
            given = replace(given, packet=bytes(byte & (1 << width) - 1 for byte in given.packet))
        try:
            expected = self.loaded.execute(self.interface, given)
        except Fault as fault:
            raise InputError(f"the kernel's verifier rejects this program: {fault.message}", fault.place) from fault
        except NotRunnable:
            return None
        reached: Covered = cover(self.machine, given)
        found = sorted(place for key in reached if (place := self.places.get(key)) is not None)
        return Item(given, replace(expected, path=()), tuple(found))


def _flipped(subject: _Subject, goals: Sequence[Goal], items: Sequence[Item], covered: set[int]) -> list[Item]:
    """Items that meet what is left of ways' bits: packets that come by such a choice, with some bits other ones."""
    open_ones = {goal.key for place, goal in enumerate(goals) if goal.kind == "bit" and place not in covered}
    found: list[Item] = []
    tries = MOST_FLIPS
    for item in sorted(items, key=lambda item: len(item.given.packet)):
        spots = {goals[place].source for place in item.covers}
        for given in bent_at_choices(subject.machine, item.given, {key for key in open_ones if key[0] in spots}):
            if not open_ones or not tries:
                return found
            tries -= 1
            other = subject.item(given)
            keys = set() if other is None else {goals[place].key for place in other.covers}
            if other is not None and not open_ones.isdisjoint(keys):
                found.append(other)
                open_ones -= keys
    return found


def _candidates(subject: _Subject, seed: int) -> Iterator[Input]:
    sides = (subject.loaded,)
    made = Generator(
        [subject.loaded.machine(subject.interface)],
        subject.interface,
        Random(seed),
        maps=map_layouts(sides),
        plan=PLAN,
    )
    yield from made.models
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


def _plainest(subject: _Subject, item: Item) -> Item:
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


def _coloured(subject: _Subject, item: Item) -> Item:
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


def _ask(subject: _Subject, goals: Sequence[Goal], left: Sequence[int], until: float) -> tuple[list[Item], set[int]]:
    """Items that the engine finds for what is left, and what it proves unreachable.

    All are asked about at once, moves first; where that leads no further, one at a time, for a moment each, and what is
    open then once more, for as long as there is time.
    """
    found: list[Item] = []
    unreachable: set[int] = set()

    def ask(asked: Sequence[int], seconds: float) -> set[int]:
        """What of these is covered or unreachable now."""
        limit = min(QUESTION_SECONDS, max(LEAST_SECONDS, seconds))
        status, model = reach(subject.machine, [goals[place] for place in asked], subject.interface, limit)
        if status == "unreachable":
            unreachable.update(asked)
            return set(asked)
        item = None if model is None else subject.item(input_of(model, subject.interface, (subject.loaded,)))
        if item is None or set(asked).isdisjoint(item.covers):
            return set()
        found.append(item)
        return set(item.covers)

    def still_open(settled: set[int]) -> list[int]:
        return [place for place in rest if place not in settled]

    rest = list(left)
    for is_edge in (False, True):
        asked = [place for place in rest if (goals[place].kind in ("edge", "bit")) is is_edge]
        while asked and (now := time.process_time()) < until:
            settled = ask(asked, (until - now) / 3)
            rest, asked = still_open(settled), [place for place in asked if place not in settled]
            if not settled:
                break
    for is_last in (False, True):
        for place in tuple(rest):
            if place in rest and (now := time.process_time()) < until:
                share = (until - now) / len(rest)
                rest = still_open(ask([place], share if is_last else min(MOMENT, share)))
    return found, unreachable
