"""Linear forms over the integers and intervals, as facts keep them; an end that is None is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import gcd

from equiv.term import Term, concat, const, extract, resize

Key = tuple[tuple[Term, int], ...]
"""A linear form without its constant: atoms in order of their id, the first coefficient positive."""

Interval = tuple[int | None, int | None]
"""Inclusive integer bounds; None where there is none."""


def with_bits(leaf: Term, zeros: int, ones: int) -> Term:
    """`leaf` as a concatenation of its open slices and constants for the bits that are known."""
    known, parts, top = zeros | ones, [], leaf.width
    while top > 0:
        is_known = known >> (top - 1) & 1
        low = top - 1
        while low > 0 and known >> (low - 1) & 1 == is_known:
            low -= 1
        part = const(ones >> low, top - low) if is_known else extract(top - 1, low, leaf)
        parts.append(part)
        top = low
    return concat(*parts)


def at_width(atoms: Mapping[Term, int], width: int) -> dict[Term, int]:
    """Atoms of any width as atoms of `width` bits, for a form that holds modulo 2^width."""
    form: dict[Term, int] = {}
    for atom, coefficient in atoms.items():
        same = resize(atom, width)
        form[same] = form.get(same, 0) + coefficient
    return {a: c for a, c in form.items() if c}


def strip_not(literal: Term) -> Term:
    """The literal without its negation, as `Facts.literals` has it."""
    return literal.args[0] if literal.op == "not" else literal


def form_difference(a: tuple[dict[Term, int], int], b: tuple[dict[Term, int], int]) -> tuple[dict[Term, int], int]:
    atoms = dict(a[0])
    for atom, coefficient in b[0].items():
        atoms[atom] = atoms.get(atom, 0) - coefficient
    return {t: c for t, c in atoms.items() if c}, a[1] - b[1]


def strip_zero(atom: Term) -> Term:
    """The shortest term that is the same integer: without leading zero bits, without a cut that cuts nothing off."""
    if atom.op == "concat" and len(atom.args) == 2 and atom.args[0].is_const and atom.args[0].value == 0:
        atom = atom.args[1]
    if atom.op == "extract" and atom.data[1] == 0 and atom.args[0].hi >> atom.width == 0:
        return atom.args[0]
    return atom


def strip_form(atoms: Mapping[Term, int]) -> dict[Term, int]:
    form: dict[Term, int] = {}
    for atom, coefficient in atoms.items():
        base = strip_zero(atom)
        form[base] = form.get(base, 0) + coefficient
    return {a: c for a, c in form.items() if c}


def form_key(form: Mapping[Term, int]) -> tuple[Key, int]:
    """The form divided by its coefficients' greatest common divisor and the first one's sign; and that divisor."""
    if len(form) == 1:
        ((atom, scale),) = form.items()
        return ((atom, 1),), scale
    ordered = sorted(form.items(), key=lambda item: item[0].id)
    scale = gcd(*(c for _, c in ordered)) * (1 if ordered[0][1] > 0 else -1)
    return tuple((atom, coefficient // scale) for atom, coefficient in ordered), scale


def times(bounds: Interval, scale: int) -> Interval:
    low, high = (None if x is None else x * scale for x in bounds)
    return (low, high) if scale > 0 else (high, low)


def plus(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def minus(a: int | None) -> int | None:
    return None if a is None else -a


def larger(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def smaller(a: int | None, b: int | None) -> int | None:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def invert(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def all_of(answers: Iterable[bool | None]) -> bool | None:
    result: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result
