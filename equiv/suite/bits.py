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
from equiv.p4.code import conjuncts
from equiv.term import FALSE, Term, bvand, bvsub, bvxor, conj, const, disj, distinct, eq, negate

ATTEMPTS: Final = 6
"""Changes that are tried for one thing to meet on one packet."""

Which = Literal["bit", "clear", "set"]
Target = tuple[Which, int]
"""What of a choice's ways, by number, is met: missed by one bit; taken with all bits 0, or 1, that masks leave out."""


@dataclass(frozen=True, slots=True)
class Met:
    """Condition (width 1) under which something of a way is met, where the choice is come to."""

    target: Target
    term: Term


def met(options: Sequence[Option]) -> Iterator[Met]:
    """Everything that can be met at a choice. A way is looked at only where none before it holds."""
    before: list[Term] = []
    for number, option in enumerate(options):
        terms: dict[Which, Term] = {
            "bit": one_bit_off(option.holds),
            "clear": conj(option.holds, option.clear),
            "set": conj(option.holds, option.set),
        }
        for which, term in terms.items():
            if term is not FALSE:
                yield Met((which, number), conj(term, *before))
        before.append(negate(option.holds))


def one_bit_off(condition: Term) -> Term:
    """Width 1: whether a conjunction of equations would hold if one bit of one of them were another."""
    parts = conjuncts(condition)
    found = []
    for part in parts:
        if part.op == "eq":
            others = [other for other in parts if other is not part]
            found.append(conj(_is_one_bit(bvxor(*part.args)), *others))
        elif _is_bit(part):
            others = [other for other in parts if other is not part]
            found.append(conj(negate(part), *others))
    return disj(*found) if found else FALSE


def _is_bit(part: Term) -> bool:
    """Whether a condition is a bit, or that it is 0: an equation of one bit is written so."""
    inner = part.args[0] if part.op == "not" else part
    return inner.width == 1 and inner.op in ("extract", "var", "select")


def _is_one_bit(value: Term) -> Term:
    width = value.width
    if width == 1:
        return value
    less = bvsub(value, const(1, width))
    return conj(distinct(value, const(0, width)), eq(bvand(value, less), const(0, width)))


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
