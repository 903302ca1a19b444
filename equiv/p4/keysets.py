"""When a case of a `select` is taken, as a term over its keys."""

from __future__ import annotations

from equiv.p4 import model as m
from equiv.p4.code import Pattern, masked
from equiv.term import TRUE, Term, concat, conj, const, eq, select, sle, ule


def matches(case: m.Case, keys: list[Term], signed: list[bool]) -> tuple[Term, Pattern]:
    """The condition, and the bits it asks for of all keys side by side (none where they are not all it asks)."""
    if isinstance(case.keysets[0], m.InSet):
        return select(f"set.{case.keysets[0].value_set}", concat(*keys), 1), None
    if len(case.keysets) == 1 and isinstance(case.keysets[0], m.Anything):
        return TRUE, None
    value = mask = 0
    conditions: list[Term] = []
    for keyset, key, is_signed in zip(case.keysets, keys, signed):
        full = (1 << key.width) - 1
        wanted, cared = 0, 0
        match keyset:
            case m.Exactly(value=m.Const(value=v)):
                wanted, cared = v & full, full
                conditions.append(eq(key, const(v, key.width)))
            case m.Masked(value=m.Const(value=v), mask=m.Const(value=w)):
                wanted, cared = v & w & full, w & full
                conditions.append(masked(key, v & full, w & full))
            case m.Between(low=m.Const(value=low), high=m.Const(value=high)):
                below = sle if is_signed else ule
                conditions += [below(const(low, key.width), key), below(key, const(high, key.width))]
        value, mask = value << key.width | wanted, mask << key.width | cared
    return conj(*conditions), (value, mask)
