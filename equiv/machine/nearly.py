"""Conditions that hold but for one bit: what a mask that asks for too little, or too much, would get wrong (D323).

They are made of the numbers that are compared, before anything is known of these: where a comparison of constants is
folded, they still say whether it is missed by one bit (D391).
"""

from __future__ import annotations

from collections.abc import Sequence

from equiv.term import FALSE, Term, bvand, bvsub, bvxor, conj, const, disj, distinct, eq, extract

Equation = tuple[Term, Term]
"""Two numbers of one width that are to be equal."""

PIECE = 8


def one_bit_off(equations: Sequence[Equation], others: Sequence[Term] = ()) -> Term:
    """Width 1: whether one bit of one equation is another and all else holds, `others` (conditions) too."""
    found = []
    for place, (a, b) in enumerate(equations):
        rest = [eq(x, y) for other, (x, y) in enumerate(equations) if other != place]
        if (off := _differs_by_one_bit(a, b)) is not FALSE:
            found.append(conj(off, *rest, *others))
    return disj(*found) if found else FALSE


def one_bit_off_conjunction(condition: Term) -> Term:
    """The same of a condition that is put together of equations, of single bits and of anything else."""
    equations: list[Equation] = []
    others = []
    for part in conjuncts(condition):
        inner = part.args[0] if part.op == "not" else part
        if part.op == "eq":
            equations.append((part.args[0], part.args[1]))
        elif inner.width == 1 and inner.op in ("extract", "var", "select"):
            equations.append((inner, const(int(inner is part), 1)))
        else:
            others.append(part)
    return one_bit_off(equations, others)


def conjuncts(condition: Term) -> list[Term]:
    """The parts that must all hold."""
    found, stack = [], [condition]
    while stack:
        node = stack.pop()
        if node.op == "and" and node.width == 1:
            stack.extend(node.args)
        else:
            found.append(node)
    return found


def _differs_by_one_bit(a: Term, b: Term) -> Term:
    """Width 1. Byte by byte: packets are changed to meet it, and conditions on a byte are easy to meet."""
    pieces = [(low, min(low + PIECE, a.width) - 1) for low in range(0, a.width, PIECE)]
    cut = [(extract(high, low, a), extract(high, low, b)) for low, high in pieces]
    found = []
    for place, (x, y) in enumerate(cut):
        rest = [eq(*other) for number, other in enumerate(cut) if number != place]
        if (off := _is_one_bit(bvxor(x, y))) is not FALSE:
            found.append(conj(off, *rest))
    return disj(*found) if found else FALSE


def _is_one_bit(value: Term) -> Term:
    width = value.width
    if width == 1:
        return eq(value, const(1, 1))
    less = bvsub(value, const(1, width))
    return conj(distinct(value, const(0, width)), eq(bvand(value, less), const(0, width)))
