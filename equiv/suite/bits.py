"""Packets that miss a way of a choice by one bit, and packets that take it with bits that its mask does not ask for.

A way's condition says which bits of the packet it asks for. A suite that only takes every way would pass a device whose
mask lacks a bit, or has one too many; these packets tell (D323).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal

from equiv.generate.draft import draft_of
from equiv.generate.invert import Inverter
from equiv.machine.concrete import Input
from equiv.machine.drive import drive
from equiv.machine.watch import Option, Spot, Watched, watching
from equiv.term import FALSE, Term, conj, negate

ATTEMPTS: Final = 6
"""Changes that are tried for one thing to meet on one packet."""

Which = Literal["bit", "clear", "set"]


@dataclass(frozen=True, slots=True)
class Aim:
    """What of a choice's ways, by number, is met: missed by one bit; taken with all bits 0, or 1, that masks leave out.

    It stands where a move has the spot that it leads to, and equals none.
    """

    which: Which
    number: int


@dataclass(frozen=True, slots=True)
class Met:
    """Condition (width 1) under which something of a way is met, where the choice is come to."""

    target: Aim
    term: Term


def met(options: Sequence[Option]) -> Iterator[Met]:
    """Everything that can be met at a choice. A way is looked at only where none before it holds."""
    before: list[Term] = []
    for number, option in enumerate(options):
        terms: dict[Which, Term] = {
            "bit": option.missed,
            "clear": conj(option.holds, option.clear),
            "set": conj(option.holds, option.set),
        }
        for which, term in terms.items():
            if term is not FALSE:
                yield Met(Aim(which, number), conj(term, *before))
        before.append(negate(option.holds))


def bent_at_choices(machine: Watched, given: Input, keys: Collection[tuple[Spot | None, Spot]]) -> list[Input]:
    """Inputs that may meet what `keys` say of choices, by spot and target; `given` comes by these choices."""
    draft = draft_of(given.packet, given.context.items())
    inverter = Inverter(draft.assignment, Random(0))
    found: list[Input] = []

    def choice(spot: Spot, options: Sequence[Option]) -> None:
        for each in met(options):
            if (spot, each.target) not in keys:
                continue
            for _ in range(ATTEMPTS):
                change = inverter.condition(each.term, True)
                if change:
                    found.append(replace(given, packet=draft.changed(change).packet))

    if keys:
        with watching(machine, lambda source, target: None, choice):
            drive(machine, draft.assignment)
    return list({other.packet: other for other in found}.values())
