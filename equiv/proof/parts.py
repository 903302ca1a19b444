"""Numbers of several parts, as lengths in two bytes are: what a disjunction about the parts says of sums of them.

`length >= 8` is simplified to "one of the upper bits is set".
"""

from __future__ import annotations

from equiv.term import Term

Leasts = tuple[tuple[Term, int], ...]
"""Leaves and how large each is, if it is the one that is."""


def leasts_of(either: Term) -> Leasts | None:
    """Of a disjunction that says that a number of several parts is not small: which leaves are how large if they are.

    Such a number has a high bit that is not 0; None where the disjunction says anything else.
    """
    found: dict[Term, int] = {}
    for part in either.args:
        atom = part.args[0] if part.op == "not" else part
        if part.op != "not" or atom.op != "eq" or not atom.args[1].is_const or atom.args[1].value:
            return None
        piece, low = atom.args[0], 0
        if piece.op == "extract":
            low, piece = piece.data[1], piece.args[0]
        if piece.op not in ("select", "var") or piece in found:
            return None
        found[piece] = 1 << low
    return tuple(found.items())
