"""Terms as linear forms over the *integers*: what holds of whole numbers holds of them, since nothing wraps."""

from __future__ import annotations

from equiv.term.bitvector import Linear, to_linear
from equiv.term.bounds import bounds, is_exact
from equiv.term.node import Term, mask, signed


def integer_form(x: Term) -> Linear | None:
    """`x` as a linear form over the *integers* (no wrap), or None where it may wrap."""
    if x.op == "add":
        return to_linear(x) if is_exact(x) else None
    if x.op == "const":
        return {}, x.value
    if x.op != "concat":
        return {x: 1}, 0
    atoms, constant = to_linear(x)
    low = constant + sum(c * a.lo for a, c in atoms.items())
    high = constant + sum(c * a.hi for a, c in atoms.items())
    return (atoms, constant) if low >= 0 and high <= mask(x.width) and all(c > 0 for c in atoms.values()) else None


def signed_form(x: Term) -> Linear | None:
    """`x` read as two's complement, as a linear form over the integers, or None where that may wrap."""
    half = 1 << (x.width - 1)
    if x.op == "add":
        low, high = bounds(list(x.args), *x.data)
        return to_linear(x) if low >= -half and high < half else None
    if x.op == "const":
        return {}, signed(x.value, x.width)
    return ({x: 1}, 0) if x.zeros & half else None
