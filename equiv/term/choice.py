"""One of two terms, as a condition says."""

from __future__ import annotations

from equiv.term.boolean import conj, disj, negate
from equiv.term.node import FALSE, TRUE, Term, intern


def ite(condition: Term, a: Term, b: Term) -> Term:
    """`a` where `condition` (width 1) holds, else `b`."""
    if condition.is_const:
        return a if condition is TRUE else b
    if a is b:
        return a
    if condition.op == "not":
        return ite(condition.args[0], b, a)
    if a.width == 1:
        if a.is_const:
            return disj(condition, b) if a is TRUE else conj(negate(condition), b)
        if b.is_const:
            return conj(condition, a) if b is FALSE else disj(negate(condition), a)
    if a.op == "ite" and a.args[0] is condition:
        a = a.args[1]
    if b.op == "ite" and b.args[0] is condition:
        b = b.args[2]
    if a is b:
        return a
    return intern(
        "ite", a.width, (condition, a, b), None, min(a.lo, b.lo), max(a.hi, b.hi), a.zeros & b.zeros, a.ones & b.ones
    )
