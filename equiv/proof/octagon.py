"""Bounds of sums and differences of two numbers in a merged state: an octagon's constraints (A. Miné, 2006)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.entry import Hints
from equiv.proof.merge import Merge, length_of
from equiv.term import (
    Term,
    bvadd,
    bvneg,
    bvsub,
    const,
    from_linear,
    negate,
    to_linear,
    ult,
)

MOST_QUANTITIES = 16
"""Quantities whose sums and differences are bounded in a join; those that hold offsets first."""

FARTHEST = 1 << 17
"""Bounds beyond this say nothing about a packet."""


@dataclass(frozen=True, slots=True)
class _Quantity:
    """A number that steers a run: what it is now (64 bits), and as an integer form in the entry and in the arrival."""

    term: Term
    entry: tuple[dict[Term, int], int]
    arrival: tuple[dict[Term, int], int]
    moves: bool
    interval: tuple[int, int]
    """Bounds that hold on both sides."""


def bounds_between(merge: Merge, hints: Hints) -> Iterable[Term]:
    """Bounds that both sides know of the sum or the difference of two quantities (an octagon's constraints).

    The room ahead of a cursor is one, another that a counter and an offset together are no less than they were.
    """
    quantities, sums = _quantities(merge, hints)
    length = packet_length()
    nothing = _Quantity(const(0, ADDRESS_WIDTH), ({}, 0), ({}, 0), False, (0, 0))
    pairs = [(x, nothing) for x in sums]
    pairs += [(x, y) for position, x in enumerate(quantities) for y in quantities[:position]]
    for x, y in pairs:
        if not (x.moves or y.moves):
            continue
        for sign in (-1, 1):
            if sign > 0 and (y.term is length or y is nothing):
                continue
            plain_low, plain_high = _apart(x.interval, y.interval, sign)
            low, high = merge.entry.facts.bound(*_combined(x.entry, y.entry, sign))
            other_low, other_high = merge.facts.bound(*_combined(x.arrival, y.arrival, sign))
            if low is not None and other_low is not None and y.term is not length:
                least = _lowered(merge, low, other_low)
                if least is not None and least > plain_low:
                    yield from _at_least(x.term, y.term, sign, least)
            if high is not None and other_high is not None:
                least = _lowered(merge, -high, -other_high)
                if least is not None and -least < plain_high:
                    yield from _at_most(x.term, y.term, sign, -least)


def _lowered(merge: Merge, low: int, other: int) -> int | None:
    """A lower bound of both; where a loop comes back once more, one that cannot fall for long (widening)."""
    if not merge.cut or merge.entry.joins == 0 or other >= low:
        return min(low, other)
    return next((bound for bound in (1, 0) if bound <= other), None)


def _quantities(merge: Merge, hints: Hints) -> tuple[list[_Quantity], list[_Quantity]]:
    """The packet's length, then what cells hold, less what is a sum or a difference of two before it; and all sums."""
    entry, arrival = merge.entry.facts, merge.facts
    length = packet_length()
    found = [_Quantity(length, ({length: 1}, 0), ({length: 1}, 0), False, (length.lo, length.hi))]
    forms: set[Term] = {length}
    sums: dict[Term, _Quantity] = {}
    names = [name for name in merge.result if name in hints.offsets]
    names += [name for name in merge.result if name in hints.steering and name not in hints.offsets]
    names.sort(key=lambda name: length_of(merge.result[name]))
    for name in names:
        term = merge.result[name]
        if term.is_const or not 4 <= term.width <= ADDRESS_WIDTH:
            continue
        before, here = entry.exact_form(merge.entry.cells[name]), arrival.exact_form(merge.cells[name])
        if before is None or here is None:
            continue
        wide = entry.widened(_restated(term), ADDRESS_WIDTH)
        form = from_linear((to_linear(wide)[0], 0), ADDRESS_WIDTH)
        moves = not (merge.entry.cells[name] is term is merge.cells[name])
        if wide.op == "add" and moves:
            sums.setdefault(wide, _Quantity(wide, before, here, moves, (-FARTHEST, FARTHEST)))
        if form in forms or bvneg(form) in forms:
            continue
        for other in found:
            known = from_linear((to_linear(other.term)[0], 0), ADDRESS_WIDTH)
            forms |= {bvadd(form, known), bvsub(form, known)}
        forms.add(form)
        if not moves and name not in hints.offsets and not _counts(before):
            continue
        one, two = entry.bound(*before), arrival.bound(*here)
        if one[0] is None or one[1] is None or two[0] is None or two[1] is None:
            continue
        interval = min(one[0], two[0]), max(one[1], two[1])
        found.append(_Quantity(wide, before, here, moves, interval))
        if len(found) >= MOST_QUANTITIES:
            break
    return found, list(sums.values())


def _restated(term: Term) -> Term:
    return (
        term.args[1]
        if term.op == "concat" and len(term.args) == 2 and term.args[0] is const(0, term.args[0].width)
        else term
    )


def _counts(form: tuple[dict[Term, int], int]) -> bool:
    """Whether a number that stays as it is looks like a size, not like a code: a field that is scaled or shifted."""
    return form[1] != 0 or any(coefficient != 1 for coefficient in form[0].values())


def _apart(x: tuple[int, int], y: tuple[int, int], sign: int) -> tuple[int, int]:
    """Bounds of `x + sign * y` for what lies anywhere in two intervals."""
    return (x[0] + y[0], x[1] + y[1]) if sign > 0 else (x[0] - y[1], x[1] - y[0])


def _combined(x: tuple[dict[Term, int], int], y: tuple[dict[Term, int], int], sign: int) -> tuple[dict[Term, int], int]:
    """`x + sign * y`, atoms of one quantity together whatever their width."""
    atoms: dict[Term, int] = {}
    for form, factor in ((x[0], 1), (y[0], sign)):
        for atom, coefficient in form.items():
            atoms[atom] = atoms.get(atom, 0) + factor * coefficient
    return {t: c for t, c in atoms.items() if c}, x[1] + sign * y[1]


def _at_least(x: Term, y: Term, sign: int, bound: int) -> Iterable[Term]:
    """`x + sign * y >= bound`, with what is subtracted brought to the other side, so that nothing wraps."""
    if not -FARTHEST < bound < FARTHEST:
        return
    atoms, constant = to_linear(x)
    form = dict(atoms)
    others, extra = to_linear(y)
    for atom, coefficient in others.items():
        form[atom] = form.get(atom, 0) + sign * coefficient
    constant += sign * extra - bound
    more = {atom: c for atom, c in form.items() if c > 0}
    less = {atom: -c for atom, c in form.items() if c < 0}
    yield negate(
        ult(
            from_linear((more, max(constant, 0)), ADDRESS_WIDTH),
            from_linear((less, max(-constant, 0)), ADDRESS_WIDTH),
        )
    )


def _at_most(x: Term, y: Term, sign: int, bound: int) -> Iterable[Term]:
    """`x + sign * y <= bound`."""
    yield from _at_least(bvneg(x), y, -sign, -bound)
