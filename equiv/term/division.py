"""Quotients and remainders, as SMT-LIB has them where the divisor is 0; powers of two are shifts and masks."""

from __future__ import annotations

from equiv.term.bitvector import bvand, bvlshr
from equiv.term.node import Term, const, intern, mask, signed


def bvudiv(a: Term, b: Term) -> Term:
    """Unsigned quotient; by zero all ones (SMT-LIB)."""
    if b.is_const:
        d = b.value
        if d == 0:
            return const(mask(a.width), a.width)
        if a.is_const:
            return const(a.value // d, a.width)
        if d & (d - 1) == 0:
            return bvlshr(a, const(d.bit_length() - 1, a.width))
        return intern("udiv", a.width, (a, b), None, a.lo // d, a.hi // d, 0, 0)
    return intern("udiv", a.width, (a, b), None, 0, mask(a.width), 0, 0)


def bvurem(a: Term, b: Term) -> Term:
    """Unsigned remainder; by zero the dividend (SMT-LIB)."""
    if b.is_const:
        d = b.value
        if d == 0:
            return a
        if a.is_const:
            return const(a.value % d, a.width)
        if d & (d - 1) == 0:
            return bvand(a, const(d - 1, a.width))
        if a.hi < d:
            return a
        return intern("urem", a.width, (a, b), None, 0, d - 1, 0, 0)
    return intern("urem", a.width, (a, b), None, 0, a.hi, 0, 0)


def bvsdiv(a: Term, b: Term) -> Term:
    """Signed quotient, rounded to zero; by zero 1 for a negative dividend, else -1 (SMT-LIB)."""
    if a.is_const and b.is_const:
        x, y = signed(a.value, a.width), signed(b.value, b.width)
        if y == 0:
            return const(1 if x < 0 else -1, a.width)
        return const(abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1), a.width)
    return intern("sdiv", a.width, (a, b), None, 0, mask(a.width), 0, 0)


def bvsrem(a: Term, b: Term) -> Term:
    """Signed remainder with the dividend's sign; by zero the dividend (SMT-LIB)."""
    if a.is_const and b.is_const:
        x, y = signed(a.value, a.width), signed(b.value, b.width)
        return a if y == 0 else const(abs(x) % abs(y) * (-1 if x < 0 else 1), a.width)
    return intern("srem", a.width, (a, b), None, 0, mask(a.width), 0, 0)
