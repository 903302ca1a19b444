"""How literals are added to facts: what each fixes or bounds, and what follows for what was known before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from equiv.proof.intervals import (
    Interval,
    Key,
    at_width,
    form_difference,
    form_key,
    larger,
    minus,
    plus,
    smaller,
    strip_form,
    strip_not,
    with_bits,
)
from equiv.proof.parts import Leasts, leasts_of
from equiv.term import FALSE, TRUE, Term, integer_form, leaves, mask, order_forms, to_linear, zero_extend

if TYPE_CHECKING:
    from equiv.proof.facts import Facts

MAX_PROPAGATED = 24
"""Sums looked at after one literal was added."""

BOUND_WIDTH = 64
"""Leaves are widened to this before they are taken apart, so that their parts are the ones addresses are made of."""


class Contradiction(Exception):
    """The literals exclude each other: no input reaches this."""


@dataclass(slots=True)
class Draft:
    """Facts while they are being extended; lives within one call of `Facts.assume`."""

    view: Facts
    """What is known so far, for questions: it has these very maps, so it changes along."""
    literals: dict[Term, bool]
    fixed: dict[Term, tuple[int, int]]
    bounds: dict[Key, Interval]
    replacement: dict[Term, Term]
    by_leaf: dict[Term, tuple[Term, ...]]
    sums: dict[Key, Interval]
    either: list[Leasts]

    def add(self, condition: Term) -> None:
        if condition is TRUE:
            return
        if condition is FALSE:
            raise Contradiction
        if condition.op == "and":
            for part in condition.args:
                self.add(part)
            return
        atom, sense = (condition.args[0], False) if condition.op == "not" else (condition, True)
        known = self.literals.get(atom)
        if known is not None:
            if known != sense:
                raise Contradiction
            return
        so_far = self.view
        if (atom.op == "ult" or (atom.op == "eq" and not sense)) and so_far.compare(atom) is sense:
            return  # weaker than what is known
        self._note(atom, sense)
        match atom.op:
            case "eq":
                self._equality(atom, sense, so_far)
            case "ult":
                self._ordering(atom, sense, so_far)
            case "extract" | "select" | "var":
                self._fix(atom, int(sense))
            case "or" if sense and (leasts := leasts_of(atom)) is not None:
                self.either.append(leasts)

    def _note(self, atom: Term, sense: bool) -> None:
        self.literals[atom] = sense
        for leaf in leaves(atom):
            self.by_leaf[leaf] = (*self.by_leaf.get(leaf, ()), atom)

    def _equality(self, atom: Term, sense: bool, so_far: Facts) -> None:
        a, b = atom.args
        if sense and b.is_const:
            self._fix(a, b.value)
        left, right = so_far.exact_form(a), so_far.exact_form(b)
        if left is None or right is None:
            return
        atoms, constant = form_difference(left, right)
        if sense:
            self._bound(atoms, -constant, -constant)
            return
        low, high = so_far.bound(atoms, constant)
        if low == 0:  # an end of what was possible is cut off
            self._bound(atoms, 1 - constant, None)
        if high == 0:
            self._bound(atoms, None, -1 - constant)

    def _ordering(self, atom: Term, sense: bool, so_far: Facts) -> None:
        left, right = so_far.exact_form(atom.args[0]), so_far.exact_form(atom.args[1])
        if left is None or right is None:
            return
        if integer_form(atom.args[0]) is None or integer_form(atom.args[1]) is None:
            width = max(atom.args[0].width, BOUND_WIDTH)  # now that it cannot wrap: the form others meet
            forms = (at_width(left[0], width), left[1]), (at_width(right[0], width), right[1])
            stated = order_forms(*forms, width)
            if stated is not None and not stated.is_const and strip_not(stated) not in self.literals:
                self._note(strip_not(stated), sense != (stated.op == "not"))
        atoms, constant = form_difference(right, left)  # b - a
        if sense:
            self._bound(atoms, 1 - constant, None)
        else:
            self._bound(atoms, None, -constant)

    def _bound(self, atoms: Mapping[Term, int], low: int | None, high: int | None) -> None:
        form = strip_form(atoms)
        if not form:
            if (low is not None and low > 0) or (high is not None and high < 0):
                raise Contradiction
            return
        self._store(form, low, high)
        if any(atom in self.replacement for atom in form):
            self._restate(form, low, high)
        self._propagate(form_key(form)[0])

    def _propagate(self, key: Key) -> None:
        """Sharpen the bounds of single atoms by those of sums, so that chains of comparisons are one step long."""
        view = self.view
        todo = [key] if len(key) > 1 else self._sums_with(key[0][0])
        for _ in range(MAX_PROPAGATED):
            if not todo:
                return
            key = todo.pop()
            low, high = self.bounds[key]
            known = {atom: view.atom_bound(atom) for atom, _ in key}
            least = sum(c * known[a][c < 0] for a, c in key)
            most = sum(c * known[a][c > 0] for a, c in key)
            for atom, c in key:
                (atom_low, atom_high), negative = known[atom], c < 0
                under, over = None, None
                if high is not None:  # c * atom <= high - the least of the rest
                    share = high - (least - c * known[atom][negative])
                    under, over = (-(share // -c), None) if negative else (None, share // c)
                if low is not None:  # c * atom >= low - the most of the rest
                    share = low - (most - c * known[atom][not negative])
                    if negative:
                        over = smaller(over, share // c)
                    else:
                        under = larger(under, -(-share // c))
                if (under is not None and under > atom_low) or (over is not None and over < atom_high):
                    self._store({atom: 1}, under, over)
                    todo += [other for other in self._sums_with(atom) if other != key and other not in todo]

    def _sums_with(self, atom: Term) -> list[Key]:
        return [key for key in self.sums if any(a is atom for a, _ in key)]

    def _restate(self, form: Mapping[Term, int], low: int | None, high: int | None) -> None:
        """Store a bound once more in terms of the open bits of leaves of which some are fixed."""
        atoms: dict[Term, int] = {}
        constant = 0
        for atom, coefficient in form.items():
            known = self.replacement.get(atom, atom)
            if known.is_const:  # its unsigned value: `to_linear` reads constants as signed
                constant += coefficient * known.value
                continue
            inner, extra = to_linear(zero_extend(max(BOUND_WIDTH - known.width, 0), known))
            constant += coefficient * extra
            for part, factor in inner.items():
                atoms[part] = atoms.get(part, 0) + coefficient * factor
        stripped = strip_form(atoms)
        if stripped and stripped != form:
            self._store(stripped, plus(low, -constant), plus(high, -constant))

    def _store(self, form: Mapping[Term, int], low: int | None, high: int | None) -> None:
        key, scale = form_key(form)
        if scale < 0:
            low, high, scale = minus(high), minus(low), -scale
        low = None if low is None else -(-low // scale)
        high = None if high is None else high // scale
        old_low, old_high = self.bounds.get(key, (None, None))
        low, high = larger(low, old_low), smaller(high, old_high)
        self.bounds[key] = (low, high)
        if len(key) > 1:
            self.sums[key] = (low, high)
        if len(key) == 1 and key[0][1] == 1:
            atom = key[0][0]
            full_low = atom.lo if low is None else max(low, atom.lo)
            full_high = atom.hi if high is None else min(high, atom.hi)
            if full_low > full_high:
                raise Contradiction
            if full_low == full_high:
                self._fix(atom, full_low)
            if atom.op == "extract" and atom.data[0] == atom.args[0].width - 1:  # the upper bits bound the whole
                shift = atom.data[1]
                self._store({atom.args[0]: 1}, full_low << shift, ((full_high + 1) << shift) - 1)
        elif low is not None and high is not None and low > high:
            raise Contradiction

    def _fix(self, term: Term, value: int) -> None:
        """Note that `term` equals `value`, as fixed bits of the leaf that it is a slice of."""
        offset, width = 0, term.width
        if term.op == "extract":
            offset, term = term.data[1], term.args[0]
        if term.op not in ("var", "select"):
            return
        zeros, ones = self.fixed.get(term, (term.zeros, term.ones))
        new_ones = ones | value << offset
        new_zeros = zeros | (mask(width) & ~value) << offset
        if new_ones & new_zeros:
            raise Contradiction
        if (new_zeros, new_ones) == (zeros, ones):
            return
        self.fixed[term] = (new_zeros, new_ones)
        self.replacement[term] = with_bits(term, new_zeros, new_ones)
        for key, (low, high) in list(self.sums.items()):
            if any(atom is term for atom, _ in key):
                self._restate(dict(key), low, high)
        if new_zeros | new_ones == mask(term.width):
            self._bound({term: 1}, new_ones, new_ones)
