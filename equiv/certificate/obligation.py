"""Proof obligations: what has to follow from what. Most follow at once; a solver is asked about the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from equiv.term import FALSE, TRUE, Term, concat, conj, const, extract, leaves, mask, negate, substitute


@dataclass(frozen=True, slots=True)
class Obligation:
    """`goals` (width 1) must hold for every input, and all values of symbols, for which `assumptions` do."""

    name: str
    assumptions: tuple[Term, ...]
    goals: tuple[Term, ...]

    def denied(self) -> tuple[Term, ...]:
        """Conditions that hold together just where the obligation fails."""
        return *self.assumptions, negate(conj(*self.goals))


class Assumptions:
    """Conditions that are taken to hold, and what they say at once: literals, and the bits that equations fix."""

    def __init__(self, conditions: Iterable[Term]) -> None:
        self.conditions = tuple(conditions)
        self._literals: set[Term] = set()
        self._bits: dict[Term, tuple[int, int]] = {}
        self.contradictory = False
        for condition in self.conditions:
            for part in condition.args if condition.op == "and" else (condition,):
                self._note(part)
        self._known: Mapping[Term, Term] = {leaf: _with_bits(leaf, *bits) for leaf, bits in self._bits.items()}
        self._memo: dict[Term, Term] = {}

    def and_also(self, *conditions: Term) -> Assumptions:
        """These and more."""
        return Assumptions((*self.conditions, *conditions)) if conditions else self

    def open_goals(self, goals: Iterable[Term]) -> tuple[Term, ...]:
        """What is left of `goals` when those that hold at once are gone; FALSE for one that plainly does not."""
        if self.contradictory:
            return ()
        rest: dict[Term, None] = {}
        todo = list(goals)
        while todo:
            goal = todo.pop()
            if goal.op == "and":
                todo += goal.args
            elif goal is not TRUE and goal not in self._literals:
                simple = substitute(goal, self._known, self._memo) if self._known else goal
                if simple.op == "and":
                    todo += simple.args
                elif simple is not TRUE and simple not in self._literals:
                    rest[goal] = None
        return tuple(rest)

    def _note(self, condition: Term) -> None:
        if condition is FALSE:
            self.contradictory = True
        self._literals.add(condition)
        if condition.op == "eq" and condition.args[1].is_const:
            self._fix(condition.args[0], condition.args[1].value)
        elif condition.width == 1 and condition.op in ("var", "select", "extract"):
            self._fix(condition, 1)
        elif condition.op == "not" and condition.args[0].op in ("var", "select", "extract"):
            self._fix(condition.args[0], 0)

    def _fix(self, term: Term, value: int) -> None:
        low, width = 0, term.width
        if term.op == "extract":
            low, term = term.data[1], term.args[0]
        if term.op not in ("var", "select"):
            return
        known, bits = self._bits.get(term, (0, 0))
        field = mask(width) << low
        if (known & field) & (bits ^ value << low):
            self.contradictory = True
        self._bits[term] = known | field, bits & ~field | value << low


def _with_bits(leaf: Term, known: int, bits: int) -> Term:
    """`leaf` with the bits of mask `known` written as the constants that `bits` has there."""
    parts: list[Term] = []
    high = leaf.width - 1
    while high >= 0:
        fixed, low = known >> high & 1, high
        while low > 0 and known >> (low - 1) & 1 == fixed:
            low -= 1
        part = const(bits >> low & mask(high - low + 1), high - low + 1) if fixed else extract(high, low, leaf)
        parts.append(part)
        high = low - 1
    return concat(*parts)


def relevant(assumptions: Iterable[Term], goals: Iterable[Term]) -> tuple[Term, ...]:
    """The assumptions that share an input or symbol with `goals`, or with others that do, and so on; in their order."""
    given = dict.fromkeys(assumptions)
    by_leaf: dict[Term, list[Term]] = {}
    for condition in given:
        for leaf in leaves(condition):
            by_leaf.setdefault(leaf, []).append(condition)
    found: set[Term] = set()
    todo = [leaf for goal in goals for leaf in leaves(goal)]
    seen = set(todo)
    while todo:
        for condition in by_leaf.get(todo.pop(), ()):
            if condition not in found:
                found.add(condition)
                fresh = leaves(condition) - seen
                seen |= fresh
                todo += fresh
    return tuple(condition for condition in given if condition in found)
