"""Comparisons: width-1 terms. Known bits and intervals decide most; the rest is brought to one shape.

Equality with a constant splits into equalities of the fields it is made of. Orderings of sums that cannot wrap are
inequalities over the integers with every summand on the side where its coefficient is positive, so `a + 14 > b` and
`b < 14 + a` and `b - a < 14` are one term wherever that is what they mean.
"""

from __future__ import annotations

from itertools import pairwise

from equiv.term.bitvector import Linear, bvsub, extract, from_linear, resize, to_linear, zero_extend
from equiv.term.boolean import conj, disj, exclusive_or, negate
from equiv.term.node import FALSE, TRUE, Term, const, intern, mask, signed
from equiv.term.runs import cuts_of
from equiv.term.whole import integer_form, signed_form

ORDER_WIDTH = 64
"""Orderings of narrower sums that cannot wrap are stated at this width."""

FIELD_WIDTH = 32
"""Slices no wider than this are fields rather than quantities: bounds on them are stated on the bits that matter."""


def eq(a: Term, b: Term) -> Term:
    """Equality, width 1."""
    if a is b:
        return TRUE
    if a.width != b.width:
        raise ValueError(f"eq of widths {a.width} and {b.width}")
    if a.hi < b.lo or b.hi < a.lo or a.ones & b.zeros or a.zeros & b.ones:
        return FALSE
    if a.width == 1:
        return negate(exclusive_or(a, b))
    if a.is_const:
        a, b = b, a
    if b.is_const:
        return _eq_const(a, b.value)
    if a.op == "add" or b.op == "add":
        return _eq_sums(a, b)
    if a.op == "concat" or b.op == "concat":
        cuts = sorted(cuts_of(a) | cuts_of(b), reverse=True)
        return conj(*(eq(extract(hi - 1, lo, a), extract(hi - 1, lo, b)) for hi, lo in pairwise(cuts)))
    if a.id > b.id:
        a, b = b, a
    return intern("eq", 1, (a, b), None, 0, 1, 0, 0)


def _eq_const(x: Term, value: int) -> Term:
    """`x` equals the constant `value`, which the bounds and known bits of `x` allow."""
    width = x.width
    if x.is_const:
        return TRUE if x.value == value else FALSE
    match x.op:
        case "concat":
            parts, at = [], width
            for piece in x.args:
                at -= piece.width
                parts.append(eq(piece, const(value >> at, piece.width)))
            return conj(*parts)
        case "not":
            return eq(x.args[0], const(~value, width))
        case "xor":
            if x.args[1].is_const:
                return eq(x.args[0], const(value ^ x.args[1].value, width))
        case "sext":
            inner = x.args[0]
            low = const(value, inner.width)
            if signed(low.value, inner.width) & mask(width) != value:
                return FALSE
            return eq(inner, low)
        case "ite":
            condition, a, b = x.args
            if a.is_const or b.is_const:
                literal = const(value, width)
                return disj(conj(condition, eq(a, literal)), conj(negate(condition), eq(b, literal)))
        case "add":
            return _eq_sums(x, const(value, width))
    return intern("eq", 1, (x, const(value, width)), None, 0, 1, 0, 0)


def _eq_sums(a: Term, b: Term) -> Term:
    """Equality of two terms at least one of which is a sum: everything on the left but the constant."""
    width = a.width
    atoms, constant = to_linear(bvsub(a, b))
    if not atoms:
        return TRUE if constant & mask(width) == 0 else FALSE
    first = min(atoms, key=lambda t: t.id)
    if atoms[first] < 0:
        atoms, constant = {t: -c for t, c in atoms.items()}, -constant
    if len(atoms) == 1 and atoms[first] == 1:
        return eq(first, const(-constant, width))
    positive = from_linear(({t: c for t, c in atoms.items() if c > 0}, 0), width)
    negative = from_linear(({t: -c for t, c in atoms.items() if c < 0}, -constant), width)
    if positive.hi < negative.lo or negative.hi < positive.lo:
        return FALSE
    if positive.op != "add" and negative.op != "add":
        return eq(positive, negative)
    return intern("eq", 1, (positive, negative), None, 0, 1, 0, 0)


def distinct(a: Term, b: Term) -> Term:
    """Inequality, width 1."""
    return negate(eq(a, b))


def ult(a: Term, b: Term) -> Term:
    """Unsigned less-than, width 1."""
    if a.width != b.width:
        raise ValueError(f"ult of widths {a.width} and {b.width}")
    if a.hi < b.lo:
        return TRUE
    if a.lo >= b.hi or a is b:
        return FALSE
    if a.width == 1:
        return conj(negate(a), b)
    if "add" in (a.op, b.op):
        left, right = integer_form(a), integer_form(b)
        if left and right and (ordered := order_forms(left, right, a.width)) is not None:
            return ordered
    if (narrow := max(a.hi.bit_length(), b.hi.bit_length(), 1)) < a.width and _is_field(a) and _is_field(b):
        return ult(resize(a, narrow), resize(b, narrow))
    if b.is_const:
        return _below_const(a, b.value)
    if a.is_const:
        return negate(_below_const(b, a.value + 1))
    return intern("ult", 1, (a, b), None, 0, 1, 0, 0)


def _is_field(x: Term) -> bool:
    return x.op in ("concat", "const")


def _below_const(x: Term, bound: int) -> Term:
    """`x < bound` for a constant that the bounds of `x` leave open."""
    if bound > x.hi:
        return TRUE
    if bound <= x.lo:
        return FALSE
    if bound == x.lo + 1:
        return eq(x, const(x.lo, x.width))
    if bound == x.hi:
        return distinct(x, const(x.hi, x.width))
    if x.op == "concat":
        low = x.args[-1]
        if low.is_const:  # x = high * 2^k + low, so x < bound is high < ceil((bound - low) / 2^k)
            if bound <= low.value:
                return FALSE
            high = extract(x.width - 1, low.width, x)
            limit = -(-(bound - low.value) >> low.width)
            return TRUE if limit > mask(high.width) else _below_const(high, limit)
        if x.args[0].is_const and x.args[0].value == bound >> (x.width - x.args[0].width):
            rest = x.width - x.args[0].width
            return _below_const(extract(rest - 1, 0, x), bound & mask(rest))
    trailing = (bound & -bound).bit_length() - 1
    if 0 < trailing < x.width and x.op in ("select", "extract") and x.width <= FIELD_WIDTH:
        return _below_const(extract(x.width - 1, trailing, x), bound >> trailing)  # the low bits do not matter
    if bound & (bound - 1) == 0 and x.op in ("concat", "extract", "select"):
        return eq(extract(x.width - 1, bound.bit_length() - 1, x), const(0, x.width - bound.bit_length() + 1))
    return intern("ult", 1, (x, const(bound, x.width)), None, 0, 1, 0, 0)


def order_forms(left: Linear, right: Linear, width: int) -> Term | None:
    """`left < right` for two forms over the integers, in normal form; None where that does not fit `width` bits."""
    difference: Linear = (dict(right[0]), right[1] - left[1])  # b - a > 0
    for atom, coefficient in left[0].items():
        difference[0][atom] = difference[0].get(atom, 0) - coefficient
    atoms = {t: c for t, c in difference[0].items() if c}
    if width < ORDER_WIDTH:  # one width for all orderings, so that a program's 32-bit sums meet a table's 64-bit ones
        atoms, width = {zero_extend(ORDER_WIDTH - width, t): c for t, c in atoms.items()}, ORDER_WIDTH
    constant = difference[1]
    low = constant + sum(c * (t.lo if c > 0 else t.hi) for t, c in atoms.items())
    high = constant + sum(c * (t.hi if c > 0 else t.lo) for t, c in atoms.items())
    if low > 0:
        return TRUE
    if high <= 0:
        return FALSE
    up = ({t: c for t, c in atoms.items() if c > 0}, max(constant, 0))
    down = ({t: -c for t, c in atoms.items() if c < 0}, max(-constant, 0))
    limit = mask(width)
    if any(f[1] + sum(c * t.hi for t, c in f[0].items()) > limit for f in (up, down)):
        return None
    big, small = from_linear(up, width), from_linear(down, width)
    if big.is_const:
        return _below_const(small, big.value) if small.op != "add" else _plain_ult(small, big)
    if small.is_const:
        return negate(_below_const(big, small.value + 1)) if big.op != "add" else _plain_ult(small, big)
    return _plain_ult(small, big)


def _plain_ult(a: Term, b: Term) -> Term:
    return intern("ult", 1, (a, b), None, 0, 1, 0, 0)


def slt(a: Term, b: Term) -> Term:
    """Signed (two's complement) less-than, width 1. Unsigned where both signs are known."""
    if a is b:
        return FALSE
    if a.width == 1:
        return conj(a, negate(b))
    sign = a.width - 1
    sign_a, sign_b = extract(sign, sign, a), extract(sign, sign, b)
    if sign_a.is_const and sign_b.is_const:
        return ult(a, b) if sign_a is sign_b else sign_a
    if "add" in (a.op, b.op):
        left, right = signed_form(a), signed_form(b)
        if left and right and (ordered := order_forms(left, right, a.width)) is not None:
            return ordered
    if a.op == "sext" and b.op == "sext" and a.args[0].width == b.args[0].width:
        return slt(a.args[0], b.args[0])
    if b.is_const and b.value == 0:
        return sign_a
    if a.is_const and a.value == mask(a.width):
        return negate(sign_b)
    return intern("slt", 1, (a, b), None, 0, 1, 0, 0)


def ule(a: Term, b: Term) -> Term:
    """Unsigned at most."""
    return negate(ult(b, a))


def ugt(a: Term, b: Term) -> Term:
    """Unsigned more than."""
    return ult(b, a)


def uge(a: Term, b: Term) -> Term:
    """Unsigned at least."""
    return negate(ult(a, b))


def sle(a: Term, b: Term) -> Term:
    """Signed at most."""
    return negate(slt(b, a))


def sgt(a: Term, b: Term) -> Term:
    """Signed more than."""
    return slt(b, a)


def sge(a: Term, b: Term) -> Term:
    """Signed at least."""
    return negate(slt(a, b))
