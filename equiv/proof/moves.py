"""How the symbols of a merge move from the entry to the arrival, so that other cells can be said to move along.

Most cells do not, and there may be many symbols. So sums are compared by *marks* first: numbers that are equal where
sums are.
"""

from __future__ import annotations

from equiv.machine.inputs import ADDRESS_WIDTH
from equiv.proof.merge import Merge, Move, Moves, Symbol
from equiv.term import Term, bvneg, bvsub, mask, resize, substitute, to_linear, zero_extend

Mark = tuple[int, int]
"""What the atoms of a sum come to, modulo 2^64, and its constant."""

SPREAD = 0x9E3779B97F4A7C15_F39CC0605CEDC835
"""An odd number that spreads consecutive ids over all bits."""


def mark_of(term: Term) -> Mark:
    atoms, constant = to_linear(term)
    mark = 0
    for atom, coefficient in atoms.items():
        mixed = (atom.id + 1) * SPREAD
        mark += coefficient * (mixed ^ mixed >> 67)
    return mark & mask(64), constant & mask(term.width)


def less(mark: Mark, other: Mark, width: int) -> Mark:
    """The mark of the difference of two sums of `width` bits."""
    return mark[0] - other[0] & mask(64), mark[1] - other[1] & mask(width)


def moves_of(merge: Merge, width: int) -> Moves:
    """The moves of all new symbols, and of their negations, as numbers of `width` bits."""
    moves = merge.moves.setdefault(width, Moves())
    while moves.seen < len(merge.symbols):
        symbol = merge.symbols[moves.seen]
        moves.seen += 1
        if not (symbol.is_new and symbol.is_number) or not (_is_wide(symbol, width) or symbol.term.width >= width):
            continue
        up, down = Move(symbol), Move(symbol, negated=True)
        if _is_wide(symbol, width) or symbol.term.width > width:
            mark = mark_of(delta(merge, up, width))
        else:
            mark = less(mark_of(symbol.arrival), mark_of(substitute(symbol.entry, merge.values)), width)
        for move, its_mark in ((up, mark), (down, less((0, 0), mark, width))):
            moves.all.append((its_mark, move))
            moves.by_mark.setdefault(its_mark, []).append(move)
    return moves


def delta(merge: Merge, move: Move, width: int) -> Term:
    """What the symbol, or its negation, changes by, in the arrival's words."""
    if move.delta is None:
        symbol = move.symbol
        if _is_wide(symbol, width):
            assert symbol.wide_entry is not None
            assert symbol.wide_arrival is not None
            change = bvsub(symbol.wide_arrival, substitute(symbol.wide_entry, merge.values))
        else:
            change = resize(bvsub(symbol.arrival, substitute(symbol.entry, merge.values)), width)
        move.delta = bvneg(change) if move.negated else change
    return move.delta


def moved(move: Move, width: int) -> Term:
    """The symbol, or its negation, less what it was in the entry."""
    symbol = move.symbol
    if _is_wide(symbol, width):
        assert symbol.wide_entry is not None
        change = bvsub(zero_extend(width - symbol.term.width, symbol.term), symbol.wide_entry)
    else:
        change = resize(bvsub(symbol.term, symbol.entry), width)
    return bvneg(change) if move.negated else change


def _is_wide(symbol: Symbol, width: int) -> bool:
    return width == ADDRESS_WIDTH and symbol.wide_entry is not None and symbol.wide_arrival is not None
