"""Remembered models: most questions whether something is possible were answered by a model found before.

A candidate is checked by evaluating every conjunct, so an answer from here is as good as a solver's. Candidates are
the latest models and those with one value changed to suit the condition asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from equiv.solve.backend import Model
from equiv.term import Assignment, Term, evaluate, integer_form, mask

REMEMBERED = 12


@dataclass(slots=True)
class Models:
    """The latest satisfying assignments; owned by one exploration."""

    latest: list[Model] = field(default_factory=lambda: [Model()])

    def remember(self, model: Model) -> None:
        """Keep `model` as the first candidate from now on."""
        self.latest.insert(0, model)
        del self.latest[REMEMBERED:]

    def satisfy(self, facts: Sequence[Term], condition: Term) -> bool:
        """Whether a candidate makes all of `facts` and `condition` true."""
        for index, model in enumerate(self.latest):
            for candidate in _candidates(model, condition):
                assignment = candidate.assignment()
                memo: dict[Term, int] = {}
                if evaluate(condition, assignment, memo) and all(evaluate(f, assignment, memo) for f in facts):
                    if not _within_bounds(memo):
                        continue
                    if index or candidate is not model:
                        self.remember(candidate)
                    return True
        return False


def _within_bounds(memo: Mapping[Term, int]) -> bool:
    """Whether every variable that was looked at has a value it can have."""
    return all(node.lo <= value <= node.hi for node, value in memo.items() if node.op == "var")


def _candidates(model: Model, condition: Term) -> Iterator[Model]:
    yield model
    for leaf, value in _repairs(condition, model.assignment()):
        if leaf.op == "var":
            yield Model({**model.variables, leaf.data[0]: value}, model.arrays)
        else:
            index = evaluate(leaf.args[0], model.assignment())
            array = {**model.arrays.get(leaf.data, {}), index: value}
            yield Model(model.variables, {**model.arrays, leaf.data: array})


def _repairs(condition: Term, assignment: Assignment) -> Iterator[tuple[Term, int]]:
    """Single changes of a leaf that may make `condition` true."""
    sense = condition.op != "not"
    atom = condition if sense else condition.args[0]
    match atom.op:
        case "and" | "or":
            for part in atom.args[:4]:
                yield from _repairs(part, assignment)
        case "eq":
            a, b = atom.args
            target = evaluate(b, assignment)
            yield from _set_field(a, target if sense else target ^ 1, assignment)
            yield from _shift_sum(a, b, 0 if sense else 1, assignment)
        case "ult":
            a, b = atom.args
            yield from _shift_sum(a, b, -1 if sense else 0, assignment)
            if sense:
                yield from _set_field(a, 0, assignment)
            else:
                yield from _set_field(a, mask(a.width), assignment)
        case "extract" | "select" | "var":
            yield from _set_field(atom, int(sense), assignment)


def _set_field(term: Term, value: int, assignment: Assignment) -> Iterator[tuple[Term, int]]:
    """Give the leaf that `term` is a slice of the value that makes the slice `value`."""
    low, width = 0, term.width
    if term.op == "extract":
        low, term = term.data[1], term.args[0]
    if term.op in ("var", "select"):
        old = evaluate(term, assignment)
        bits = mask(width) << low
        yield term, min(max(old & ~bits | (value & mask(width)) << low, term.lo), term.hi)


def _shift_sum(a: Term, b: Term, gap: int, assignment: Assignment) -> Iterator[tuple[Term, int]]:
    """Move one variable of an ordering of sums so that `a - b` becomes `gap`."""
    left, right = integer_form(a), integer_form(b)
    if left is None or right is None:
        return
    atoms = dict(left[0])
    for atom, coefficient in right[0].items():
        atoms[atom] = atoms.get(atom, 0) - coefficient
    now = left[1] - right[1] + sum(c * evaluate(t, assignment) for t, c in atoms.items())
    for atom, coefficient in atoms.items():
        if atom.op == "var" and coefficient in (1, -1):
            value = evaluate(atom, assignment) + coefficient * (gap - now)
            if atom.lo <= value <= atom.hi:
                yield atom, value
