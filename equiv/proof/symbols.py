"""Names of merged quantities: variables that stand for a set of values, not for an input."""

from __future__ import annotations

from itertools import count

from equiv.machine.inputs import SYMBOL_PREFIX
from equiv.term import Term, var

_numbers = count()

PLACE_PREFIX = f"{SYMBOL_PREFIX}@"
"""Names of merged packet offsets begin so."""


def is_symbol(leaf: Term) -> bool:
    """Whether a leaf is a merged quantity rather than an input."""
    return leaf.op == "var" and leaf.data[0].startswith(SYMBOL_PREFIX)


def is_place(leaf: Term) -> bool:
    """Whether a leaf is a merged packet offset."""
    return leaf.op == "var" and leaf.data[0].startswith(PLACE_PREFIX)


def fresh(width: int, low: int, high: int, place: bool = False) -> Term:
    """A merged quantity that there was none of before, with its bounds; `place` says that it is an offset."""
    return var(f"{PLACE_PREFIX if place else SYMBOL_PREFIX}{next(_numbers)}", width, low, high)
