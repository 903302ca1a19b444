"""Cubes: conditions that fix some bits of some leaves, as parser keys do, and when they plainly leave each other open.

A parser's decisions are mostly `field == value` after a number of `field != other value`. Whether such a decision is
still open needs no solver: what excludes a cube must agree with it on every bit that both fix, and a few small cubes
cannot exclude everything.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from equiv.machine.inputs import packet_length
from equiv.term import Term, leaves, mask

Cube = dict[Term, tuple[int, int]]
"""Leaf to (mask of the bits fixed, their values)."""


@lru_cache(maxsize=1 << 16)
def cube_of(condition: Term) -> Cube | None:
    """`condition` as a cube, where it is a conjunction of slices of leaves equal to constants. Not to be changed."""
    cube: Cube = {}
    for part in condition.args if condition.op == "and" else (condition,):
        fixed = _fixed(part)
        if fixed is None:
            return None
        leaf, bits, values = fixed
        old_bits, old_values = cube.get(leaf, (0, 0))
        if (old_values ^ values) & old_bits & bits:
            return None
        cube[leaf] = (old_bits | bits, old_values | values)
    return cube


def _fixed(part: Term) -> tuple[Term, int, int] | None:
    if part.op == "eq" and part.args[1].is_const:
        subject, value = part.args[0], part.args[1].value
    elif part.op == "not" and part.args[0].op in ("extract", "select", "var"):
        subject, value = part.args[0], 0
    else:
        subject, value = part, 1
    low, width = 0, subject.width
    if subject.op == "extract":
        low, subject = subject.data[1], subject.args[0]
    if subject.op not in ("select", "var") or subject.lo or subject.hi != mask(subject.width):
        return None
    return subject, mask(width) << low, value << low


@lru_cache(maxsize=1 << 16)
def excluded_by(fact: Term) -> Cube | None:
    """The cube whose negation `fact` is, if it is one. Not to be changed."""
    if fact.op == "not":
        return cube_of(fact.args[0])
    if fact.op == "or":
        cube: Cube = {}
        for part in fact.args:
            inner = part.args[0] if part.op == "not" else None
            fixed = _fixed(inner) if inner is not None else None
            if fixed is None or fixed[0] in cube:
                return None
            cube[fixed[0]] = fixed[1:]
        return cube
    return None


def is_plainly_excluded(guard: Term, facts: Iterable[Term]) -> bool:
    """Whether cube `guard` lies within one that a fact excludes. False only means that this cannot be told here."""
    cube = cube_of(guard)
    if cube is None:
        return False
    return any((other := excluded_by(fact)) is not None and _within(cube, other) for fact in facts)


def _within(cube: Cube, other: Cube) -> bool:
    return all(
        leaf in cube and bits & ~cube[leaf][0] == 0 and (cube[leaf][1] ^ values) & bits == 0
        for leaf, (bits, values) in other.items()
    )


def is_plainly_open(guard: Term, facts: Iterable[Term]) -> bool:
    """Whether cube `guard`, its negation, or several joined, and its opposite are both possible though `facts` hold.

    `guard` has no bit that the facts fix. False only means that this cannot be told here. Leaves are taken to be
    independent: elements at addresses that may coincide count as two, so "open" may be more than is really possible,
    which is on the safe side.
    """
    cubes = _cubes(guard)
    if not cubes:
        return False
    covered = [_fixed_bits(cube) for cube in cubes]
    excluded = []
    for fact in facts:
        other = cube_of(fact)
        if other is not None or _is_about_lengths(fact):
            continue  # already written into the guard, or about lengths and places only
        other = excluded_by(fact)
        if other is None:
            return False
        excluded.append(other)
        covered.append(_fixed_bits(other))
    return _leave_room(covered) and any(all(_apart(cube, other) for other in excluded) for cube in cubes)


def _is_about_lengths(fact: Term) -> bool:
    """Whether `fact` says something of the packet's length, and nothing of its bytes."""
    inside = leaves(fact)
    return packet_length() in inside and not any(leaf.op == "select" for leaf in inside)


def _cubes(guard: Term) -> list[Cube]:
    """The cubes one of which `guard` or its negation asks for; none where it is something else."""
    cube = cube_of(guard) or excluded_by(guard)
    if cube is not None:
        return [cube]
    if guard.op == "not":
        guard = guard.args[0]
    each = {"or": cube_of, "and": excluded_by}.get(guard.op)
    found = [each(part) for part in guard.args] if each is not None else []
    return [cube for cube in found if cube] if all(found) else []


def _apart(cube: Cube, other: Cube) -> bool:
    """Whether no values are in both."""
    return any(leaf in cube and (cube[leaf][1] ^ v) & cube[leaf][0] & bits for leaf, (bits, v) in other.items())


def _fixed_bits(cube: Cube) -> int:
    """How many bits a cube fixes: with each, half as many values lie in it."""
    return sum([bits.bit_count() for bits, _ in cube.values()])


def _leave_room(fixed: list[int]) -> bool:
    """Whether cubes that fix so many bits are too small to hold all values."""
    most = max(fixed)
    return sum([1 << most - bits for bits in fixed]) < 1 << most
