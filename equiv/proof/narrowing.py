"""Bounds of what a loop merges: widened at once, and tightened again to what decisions compare a number with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from equiv.proof.entry import Cells, Entry
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.merge import Joined
from equiv.proof.symbols import fresh, is_place
from equiv.term import Term, substitute

WIDENING_STEPS = (0xFF, 0xFFFF, 1 << 20, (1 << 32) - 1)
"""Upper bounds that a symbol which keeps growing is widened to, in turn."""

MOST_LIMIT = 64
"""Up to this, what a number is compared with is taken for the limit of a loop: a step of its own."""


def widening_steps(thresholds: Mapping[Term, AbstractSet[int]]) -> Sequence[int]:
    """Upper bounds to widen to, least first: what numbers were compared with so far, and one more, and the usual."""
    limits = {near for values in thresholds.values() for value in values for near in (value, value + 1)}
    return (*sorted(limit for limit in limits if limit <= MOST_LIMIT), *WIDENING_STEPS)


def narrow(entry: Entry, thresholds: Mapping[Term, AbstractSet[int]]) -> Joined | None:
    """A loop's entry with its symbols bounded by what arrives, where widening went beyond that; None where it did not.

    Where what arrives says nothing, a value that a decision compares the number with is tried as its bound.

    What arrives was worked out under the wider bounds, so it may arrive differently now: the entry must be tried again.
    No bounds are tried twice.
    """
    tighter: dict[Term, Term] = {}
    ways = [way for way in entry.arrivals.values() if way.is_current]
    if not ways:  # what led here was retracted, perhaps with the entry beside it that was narrowed a moment ago
        return None
    for symbol, definition in entry.symbols.items():
        bounds = [way.facts.term_bound(definition.read(way.cells)) for way in ways]
        low, high = min(low for low, _ in bounds), max(high for _, high in bounds)
        if high >= symbol.hi:
            first = min(most for _, most in bounds)
            high = min((t for t in thresholds.get(symbol, ()) if first < t), default=high)
        guess = definition, max(low, symbol.lo), min(high, symbol.hi)
        if (symbol.lo < low < high or low < high < symbol.hi) and guess not in entry.guessed:
            entry.guessed.add(guess)
            tighter[symbol] = fresh(symbol.width, max(low, symbol.lo), min(high, symbol.hi), is_place(symbol))
    return _tightened(entry, tighter)


def narrow_early(
    entry: Entry, cells: Cells, facts: Facts, thresholds: Mapping[Term, AbstractSet[int]]
) -> Joined | None:
    """A loop's entry bounded by what decisions compare its numbers with, where an arrival goes beyond that.

    A counter that was widened arrives one higher than it was; where a decision stops it at some value, that is tried
    first. None where there is no such value that was not tried.
    """
    tighter: dict[Term, Term] = {}
    for symbol, definition in entry.symbols.items():
        known = thresholds.get(symbol)
        if not known or facts.term_bound(definition.read(cells))[1] <= symbol.hi:
            continue
        others = [w.facts.term_bound(definition.read(w.cells))[1] for w in entry.arrivals.values() if w.is_current]
        first = min(others, default=symbol.hi)
        high = min((t for t in known if first < t), default=symbol.hi)
        guess = definition, symbol.lo, high
        if symbol.lo < high < symbol.hi and guess not in entry.guessed:
            entry.guessed.add(guess)
            tighter[symbol] = fresh(symbol.width, symbol.lo, high, is_place(symbol))
    return _tightened(entry, tighter)


def _tightened(entry: Entry, tighter: Mapping[Term, Term]) -> Joined | None:
    """The entry with other symbols in place of some of its own; None where there are none, or none can be."""
    if not tighter:
        return None
    memo: dict[Term, Term] = {}
    cells = {name: substitute(term, tighter, memo) for name, term in entry.cells.items()}
    symbols = {tighter.get(symbol, symbol): definition for symbol, definition in entry.symbols.items()}
    if any(definition.read(cells) is not symbol for symbol, definition in symbols.items()):
        return None
    try:
        facts = Facts().assume(*(substitute(term, tighter, memo) for term in entry.facts.terms()))
    except Contradiction:
        return None
    return Joined(cells, symbols, facts)
