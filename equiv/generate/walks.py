"""Runs of a machine on which the packet is bent at decisions: towards ways not gone yet, and onto limits.

A machine's state is terms over the input; so the input may still change while it runs, as long as every decision made
so far stays what it was. Loops are gone round to their limits since each round is new.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from equiv.generate.draft import LENGTH, Draft
from equiv.generate.invert import Inverter
from equiv.machine.inputs import PACKET, packet_length
from equiv.machine.interface import Interface
from equiv.machine.protocol import Fork, Machine
from equiv.machine.question import start_conditions
from equiv.term import Term, evaluate, integer_form, interned_terms, leaves

LONGEST: Final = 4096
"""Packets are made no longer, in bytes, whatever an interface allows."""
MOST_GUARDS: Final = 600
"""After so many decisions a walk only follows."""
MOST_TERMS: Final = 3_000_000
"""Terms stay for as long as the process does; with so many there, no more walks are made."""
ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Walked:
    """What a run looked at. `offsets`: packet bytes that decisions depend on. `ends`: what the length was compared
    with, which is where headers end, in bytes from the packet's start."""

    draft: Draft
    offsets: tuple[int, ...]
    ends: tuple[int, ...]
    is_new: bool
    """Whether a decision went some way for the first time."""


@dataclass(slots=True)
class Walker:
    """Walks one machine. Owns what it knows of ways gone; all its choices come from `random`."""

    machine: Machine
    interface: Interface
    random: Random
    gone: Counter[tuple[Term, bool]] = field(default_factory=Counter)

    def walk(self, draft: Draft, bends: float = 1.0) -> Walked:
        """One run on `draft`, bent at decisions (as often as `bends` says, 0 to 1)."""
        walk = _Walk(self, draft, [(term, True) for term in start_conditions(self.interface)], bends)
        state = self.machine.start()
        for _ in range(10 * MOST_GUARDS):
            stop = self.machine.run(state, walk.decide)
            if not isinstance(stop, Fork):
                break
            taken = [branch for branch in stop.branches if walk.decide(branch.guard)]
            if len(taken) != 1:
                break
            state = taken[0].state
        offsets, ends = walk.looked_at()
        return Walked(walk.draft, offsets, ends, walk.is_new)

    @property
    def is_exhausted(self) -> bool:
        """Whether there is no more room for walks in this process."""
        return interned_terms() > MOST_TERMS


@dataclass(slots=True)
class _Walk:
    """One walk in progress."""

    walker: Walker
    draft: Draft
    guards: list[tuple[Term, bool]]
    bends: float
    values: dict[Term, int] = field(default_factory=dict)
    is_new: bool = False
    seen: set[Term] = field(default_factory=set)

    def decide(self, condition: Term) -> bool:
        """How the condition is on the input, which may be changed for it."""
        if condition.is_const:
            return bool(condition.data)
        truth = bool(evaluate(condition, self.draft.assignment, self.values))
        if condition in self.seen:
            return truth
        walker, random = self.walker, self.walker.random
        here, there = walker.gone[condition, truth], walker.gone[condition, not truth]
        if len(self.guards) < MOST_GUARDS and self.bends and random.random() < self.bends:
            if random.random() < (0.6 if there <= here else 0.1):
                truth ^= self._bend(condition, not truth)
            elif random.random() < 0.2:
                self._bend(condition, truth)
        self.is_new |= not walker.gone[condition, truth]
        walker.gone[condition, truth] += 1
        self.seen.add(condition)
        self.guards.append((condition, truth))
        return truth

    def _bend(self, condition: Term, wanted: bool) -> bool:
        """Whether the input could be changed so that `condition` is `wanted` and all before it stays as it is."""
        inverter = Inverter(self.draft.assignment, self.walker.random, self.values)
        for _ in range(ATTEMPTS):
            change = inverter.condition(condition, wanted)
            if not change:
                continue
            candidate = self.draft.changed(change)
            if candidate.variables.get(LENGTH, 0) > LONGEST:
                continue
            assignment, values = candidate.assignment, dict[Term, int]()
            if bool(evaluate(condition, assignment, values)) is wanted and all(
                bool(evaluate(guard, assignment, values)) is truth for guard, truth in reversed(self.guards)
            ):
                self.draft, self.values = candidate, values
                return True
        return False

    def looked_at(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The packet offsets that the decisions depend on, and what they compare the length with."""
        offsets: set[int] = set()
        ends: set[int] = set()
        length, size = packet_length(), self.draft.variables.get(LENGTH, 0)
        assignment = self.draft.assignment
        for guard, _ in self.guards:
            found = leaves(guard)
            for leaf in found:
                if leaf.op == "select" and leaf.data == PACKET:
                    offsets.add(evaluate(leaf.args[0], assignment, self.values))
            if length in found:
                ends |= {end for end in map(self._compared, _comparisons(guard)) if 0 <= end <= LONGEST}
        return tuple(sorted(o for o in offsets if o < size)), tuple(sorted(ends))

    def _compared(self, comparison: Term) -> int:
        """What the length is compared with; -1 where that cannot be told."""
        forms = [integer_form(argument) for argument in comparison.args]
        value, coefficient = 0, 0
        for form, sense in zip(forms, (1, -1)):
            if form is None:
                return -1
            value += sense * form[1]
            for atom, times in form[0].items():
                if atom is packet_length():
                    coefficient += sense * times
                else:
                    value += sense * times * evaluate(atom, self.draft.assignment, self.values)
        return -value * coefficient if coefficient in (1, -1) else -1


def _comparisons(guard: Term) -> list[Term]:
    """Comparisons in a guard that are about the length."""
    found, stack = [], [guard]
    while stack:
        node = stack.pop()
        if node.op in ("not", "and", "or"):
            stack.extend(node.args)
        elif node.op in ("ult", "eq") and packet_length() in leaves(node):
            found.append(node)
    return found
