"""The hash-consed node: one object per distinct term, with what is known of its bits and its value.

A term is a bit vector of `width` bits; width 1 doubles as Boolean (1 is true). Terms are made by the constructors in
`boolean`, `bitvector`, `division`, `choice` and `compare` only, which simplify as they build; two terms that simplify
to the same shape are the same object, so `is` and hashing are the equality that everything above uses.

Operators, with their arguments:

    const                      data: the value, unsigned
    var                        data: (name, lo, hi); an input or a merged quantity, always within [lo, hi]
    select   index             data: array name; an element of an uninterpreted array
    add      atoms…            data: (signed coefficients, signed constant): their linear sum modulo 2^width
    mul udiv urem sdiv srem    two arguments, SMT-LIB semantics
    and or xor not             bitwise; at width 1 the Boolean connectives, `and`/`or` of any number of arguments
    shl lshr ashr              two arguments, SMT-LIB semantics, amount not constant
    concat                     most significant part first; zero extension is a leading constant
    extract  x                 data: (hi, lo), both inclusive
    sext     x                 sign extension to `width`
    ite      condition, a, b
    eq ult slt                 width 1
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from operator import attrgetter
from typing import Any, ClassVar

WIDEST = 1 << 20
"""No term is wider, in bits."""


def mask(width: int) -> int:
    """`width` one bits."""
    return (1 << width) - 1


def signed(value: int, width: int) -> int:
    """`value` (unsigned, `width` bits) read as two's complement."""
    return value - (1 << width) if value >> (width - 1) & 1 else value


class Term:
    """One node. `lo`, `hi` bound the unsigned value; `zeros`, `ones` are masks of bits known to be 0 and 1."""

    __slots__ = ("_leaves", "_negation", "args", "data", "hi", "id", "lo", "ones", "op", "width", "zeros")

    _table: ClassVar[dict[tuple[Any, ...], Term]] = {}
    _ids: ClassVar[count[int]] = count()

    op: str
    width: int
    args: tuple[Term, ...]
    data: Any
    id: int
    lo: int
    hi: int
    zeros: int
    ones: int
    _leaves: frozenset[Term] | None
    _negation: Term | None
    """Of a connective, once it was asked for: without it, parts that are shared are negated again and again."""

    @property
    def is_const(self) -> bool:
        """Whether the term is a literal."""
        return self.op == "const"

    @property
    def value(self) -> int:
        """The unsigned value of a `const` term."""
        if self.op != "const":
            raise ValueError(f"not a constant: {self!r}")
        return int(self.data)

    def __repr__(self) -> str:
        from equiv.term.text import to_text

        return to_text(self, limit=400)

    def __reduce__(self) -> Any:
        raise TypeError("terms belong to one process; write them as text")


def intern(op: str, width: int, args: tuple[Term, ...], data: Any, lo: int, hi: int, zeros: int, ones: int) -> Term:
    """The node of that shape, made if it is new. Bounds and known bits sharpen each other first.

    A node whose value is fully known becomes the constant.
    """
    key = (op, width, args, data)
    found = Term._table.get(key)
    if found is not None:
        return found
    full = mask(width)
    zeros |= full & ~mask(hi.bit_length())
    lo = max(lo, ones)
    hi = min(hi, full & ~zeros)
    if op != "const" and (lo == hi or zeros | ones == full):
        return const(lo, width)
    term = object.__new__(Term)
    term.op, term.width, term.args, term.data = op, width, args, data
    term.lo, term.hi, term.zeros, term.ones = lo, hi, zeros, ones
    term.id = next(Term._ids)
    term._leaves = term._negation = None
    Term._table[key] = term
    return term


def interned_terms() -> int:
    """How many distinct terms this process holds; they live as long as it does."""
    return len(Term._table)


def const(value: int, width: int) -> Term:
    """The literal `value` modulo 2^width."""
    full = mask(width)
    value &= full
    found = Term._table.get(("const", width, (), value))
    if found is not None:
        return found
    return intern("const", width, (), value, value, value, full & ~value, value)


def var(name: str, width: int, lo: int = 0, hi: int | None = None) -> Term:
    """The free variable `name`. `lo` and `hi` (inclusive, unsigned) are part of what it means: it has no other values.

    Variables of one name but other bounds are other variables; do not mix them.
    """
    hi = mask(width) if hi is None else hi
    return intern("var", width, (), (name, lo, hi), lo, hi, 0, 0)


def select(array: str, index: Term, width: int = 8) -> Term:
    """Element `index` of the uninterpreted array `array`, `width` bits. Equal indices give equal elements."""
    return intern("select", width, (index,), array, 0, mask(width), 0, 0)


TRUE = const(1, 1)
FALSE = const(0, 1)

_NO_LEAVES: frozenset[Term] = frozenset()


def in_order(terms: Iterable[Term]) -> list[Term]:
    """The terms in the order in which they were first made, which is the same in every run.

    Sets of terms come in the order of addresses; what solvers are told must not, or each run finds another model.
    """
    return sorted(terms, key=attrgetter("id"))


def leaves(term: Term) -> frozenset[Term]:
    """Every `var` and `select` inside `term`, those inside a select's index too."""
    if term._leaves is not None:
        return term._leaves
    stack = [term]
    while stack:
        node = stack[-1]
        pending = [arg for arg in node.args if arg._leaves is None]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        if node._leaves is None:
            inner = _NO_LEAVES.union(*(arg._leaves or _NO_LEAVES for arg in node.args)) if node.args else _NO_LEAVES
            node._leaves = inner | {node} if node.op in ("var", "select") else inner
    assert term._leaves is not None
    return term._leaves
