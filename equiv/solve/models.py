"""Remembered models: most questions whether something is possible were answered by a model found before.

A candidate is checked by evaluating every conjunct, so an answer from here is as good as a solver's. Candidates are
the latest models, those with one value changed to suit the condition asked about, and what a few such changes, one for
each conjunct that is not true yet, make of the model that comes closest.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from equiv.solve.backend import Model
from equiv.term import Assignment, Term, evaluate, integer_form, leaves, mask

REMEMBERED = 12

MOST_CHANGES = 6
"""Values changed one after the other before a solver is asked; that is as much work as a small query."""

MOST_CONJUNCTS = 24
"""With more of them few changes seldom suffice, and each has to be looked at after every change."""

MOST_KNOWN = 50_000
"""Terms whose value in one model is kept."""


@dataclass(slots=True)
class _Remembered:
    """A model, and what terms were found to be in it."""

    model: Model
    assignment: Assignment
    values: dict[Term, int] = field(default_factory=dict)
    truths: dict[Term, bool] = field(default_factory=dict)

    def holds(self, condition: Term) -> bool:
        """Whether `condition` is true here, and every variable in it within its bounds."""
        known = self.truths.get(condition)
        if known is None:
            if len(self.values) > MOST_KNOWN:
                self.values.clear()
                self.truths.clear()
            known = bool(evaluate(condition, self.assignment, self.values)) and _within_bounds(condition, self.values)
            self.truths[condition] = known
        return known

    def changed(self, leaf: Term, value: int) -> Model:
        """The model with another value of one variable or element."""
        if leaf.op == "var":
            return Model({**self.model.variables, leaf.data[0]: value}, self.model.arrays)
        index = evaluate(leaf.args[0], self.assignment, self.values)
        array = {**self.model.arrays.get(leaf.data, {}), index: value}
        return Model(self.model.variables, {**self.model.arrays, leaf.data: array})

    def concerns(self, leaf: Term, condition: Term) -> bool:
        """Whether another value of `leaf` may make a difference to `condition`."""
        inside = leaves(condition)
        if leaf in inside or leaf.op == "var":
            return leaf in inside
        index = evaluate(leaf.args[0], self.assignment, self.values)
        return any(
            other.op == "select"
            and other.data == leaf.data
            and evaluate(other.args[0], self.assignment, self.values) == index
            for other in inside
        )


@dataclass(slots=True)
class Models:
    """The latest satisfying assignments; owned by one exploration."""

    _latest: list[_Remembered] = field(default_factory=lambda: [_Remembered(Model(), Model().assignment())])

    @property
    def latest(self) -> list[Model]:
        """The models kept, the last one used first."""
        return [known.model for known in self._latest]

    def remember(self, model: Model) -> None:
        """Keep `model` as the first candidate from now on."""
        self._latest.insert(0, _Remembered(model, model.assignment()))
        del self._latest[REMEMBERED:]

    def satisfy(self, facts: Sequence[Term], condition: Term) -> bool:
        """Whether a candidate makes all of `facts` and `condition` true."""
        broken: list[list[Term]] = []
        for place, known in enumerate(self._latest):
            broken.append([fact for fact in facts if not known.holds(fact)])
            if not broken[-1] and known.holds(condition):
                if place:
                    self._latest.insert(0, self._latest.pop(place))
                return True
        for known, wrong in zip(self._latest, broken):
            for leaf, value in _repairs(condition, known.assignment):
                if not all(known.concerns(leaf, fact) for fact in wrong):
                    continue
                candidate = _Remembered(model := known.changed(leaf, value), model.assignment())
                if candidate.holds(condition) and all(
                    candidate.holds(fact) for fact in facts if known.concerns(leaf, fact)
                ):
                    self.remember(candidate.model)
                    return True
        if len(facts) >= MOST_CONJUNCTS:
            return False
        nearest = min(range(len(broken)), key=lambda place: len(broken[place]))
        found = _mended(self._latest[nearest], [condition, *facts])
        if found is not None:
            self.remember(found)
        return found is not None


def _mended(known: _Remembered, conjuncts: Sequence[Term]) -> Model | None:
    """The model with values changed until all of `conjuncts` are true; None where that takes too many."""
    changed = set[Term]()
    for _ in range(MOST_CHANGES):
        wrong = [each for each in conjuncts if not known.holds(each)]
        if not wrong:
            return known.model
        # What was changed before has a reason to be as it is, so it is changed again only where nothing else helps.
        for leaf, value in sorted(_repairs(wrong[0], known.assignment), key=lambda repair: repair[0] in changed):
            candidate = _Remembered(model := known.changed(leaf, value), model.assignment())
            if candidate.holds(wrong[0]):
                changed.add(leaf)
                known = candidate
                break
        else:
            return None
    return known.model if all(map(known.holds, conjuncts)) else None


def _within_bounds(condition: Term, values: Mapping[Term, int]) -> bool:
    """Whether every variable in `condition` has a value it can have."""
    return all(leaf.lo <= values[leaf] <= leaf.hi for leaf in leaves(condition) if leaf.op == "var")


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
