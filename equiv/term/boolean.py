"""Boolean connectives: width-1 terms in negation normal form, so that both ways of saying a thing are one term."""

from __future__ import annotations

from collections.abc import Iterable

from equiv.term.node import FALSE, TRUE, Term, intern, mask


def negate(a: Term) -> Term:
    """Not `a`, width 1. Negation is pushed to the leaves."""
    match a.op:
        case "const":
            return FALSE if a is TRUE else TRUE
        case "not":
            return a.args[0]
        case "and" | "or":
            if a._negation is None:
                other = disj if a.op == "and" else conj
                a._negation = other(*(negate(x) for x in a.args))
            return a._negation
    return intern("not", 1, (a,), None, 0, 1, 0, 0)


def conj(*terms: Term) -> Term:
    """All of `terms` (width 1 each); TRUE for none."""
    parts = _flatten("and", terms, neutral=TRUE, absorbing=FALSE)
    if parts is None or _contradicts(parts):
        return FALSE
    return _connective("and", parts, TRUE)


def disj(*terms: Term) -> Term:
    """Any of `terms` (width 1 each); FALSE for none."""
    parts = _flatten("or", terms, neutral=FALSE, absorbing=TRUE)
    if parts is None or any(x.op == "not" and x.args[0] in parts for x in parts):
        return TRUE
    return _connective("or", parts, FALSE)


def implies(a: Term, b: Term) -> Term:
    """`a` implies `b`, width 1."""
    return disj(negate(a), b)


def exclusive_or(a: Term, b: Term) -> Term:
    """Exclusive or at width 1; negations move outside."""
    flip = False
    if a.op == "not":
        a, flip = a.args[0], not flip
    if b.op == "not":
        b, flip = b.args[0], not flip
    if a.is_const:
        result = negate(b) if a is TRUE else b
    elif b.is_const:
        result = negate(a) if b is TRUE else a
    elif a is b:
        result = FALSE
    else:
        result = intern("xor", 1, (a, b) if a.id < b.id else (b, a), None, 0, 1, 0, 0)
    return negate(result) if flip else result


def _flatten(op: str, terms: Iterable[Term], neutral: Term, absorbing: Term) -> dict[Term, None] | None:
    """Distinct arguments with nested `op` opened; None where the absorbing element is among them."""
    parts: dict[Term, None] = {}
    for term in terms:
        if term is absorbing:
            return None
        if term is neutral:
            continue
        if term.op == op:
            parts.update(dict.fromkeys(term.args))
        else:
            parts[term] = None
    return parts


def _contradicts(parts: dict[Term, None]) -> bool:
    """Whether two conjuncts plainly exclude each other: `x` and `not x`, or one term equal to two constants."""
    fixed: dict[Term, Term] = {}
    for part in parts:
        if part.op == "not" and part.args[0] in parts:
            return True
        if (
            part.op == "eq"
            and part.args[1].is_const
            and fixed.setdefault(part.args[0], part.args[1]) is not part.args[1]
        ):
            return True
    return False


def _connective(op: str, parts: dict[Term, None], neutral: Term) -> Term:
    if not parts:
        return neutral
    if len(parts) == 1:
        return next(iter(parts))
    return intern(op, 1, tuple(sorted(parts, key=lambda t: t.id)), None, 0, mask(1), 0, 0)
