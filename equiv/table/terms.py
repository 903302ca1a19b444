"""Expressions, which are exact integers, as bit-vector terms that hold them without loss (D11).

A value of bounds `lo`, `hi` is a term that, read as unsigned where `lo >= 0` and as two's complement otherwise, is the
exact integer. Fields, lookups and slices keep their own width; sums and products take 64 bits, as a program's
registers do, and more only where 64 could not hold them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from equiv.machine.inputs import ADDRESS_WIDTH, packet_bytes, packet_length
from equiv.machine.watch import Edges
from equiv.table.code import CURSOR
from equiv.table.layout import Segment
from equiv.table.model import (
    Binary,
    Conditional,
    Cursor,
    Expr,
    Length,
    Lookup,
    Number,
    Slice,
    Unary,
    Variable,
)
from equiv.term import (
    Term,
    bvadd,
    bvand,
    bvashr,
    bvlshr,
    bvmul,
    bvneg,
    bvor,
    bvshl,
    bvsub,
    bvudiv,
    bvurem,
    bvxor,
    concat,
    conj,
    const,
    disj,
    distinct,
    eq,
    extract,
    ite,
    negate,
    sge,
    sgt,
    sign_extend,
    sle,
    slt,
    uge,
    ugt,
    ule,
    ult,
    zero_extend,
)

ORDERED: Final = ("<", "<=", ">", ">=")
UNSIGNED: Mapping[str, Callable[[Term, Term], Term]] = {
    "==": eq, "!=": distinct, "<": ult, "<=": ule, ">": ugt, ">=": uge,
}  # fmt: skip
SIGNED: Mapping[str, Callable[[Term, Term], Term]] = {
    "==": eq, "!=": distinct, "<": slt, "<=": sle, ">": sgt, ">=": sge,
}  # fmt: skip


BITWISE: Mapping[str, Callable[[Term, Term], Term]] = {"&": bvand, "|": bvor, "^": bvxor}


@dataclass(frozen=True, slots=True)
class Value:
    """An exact integer: see the module."""

    term: Term
    lo: int
    hi: int

    @property
    def width(self) -> int:
        """How many bits it takes next to other operands; constants take as few as they need."""
        return max(self.hi.bit_length(), 1) if self.term.is_const and self.lo >= 0 else self.term.width

    @property
    def signed_width(self) -> int:
        """How many bits it takes as two's complement."""
        return self.width + 1 if self.lo >= 0 else self.term.width

    def at(self, width: int) -> Term:
        """Its low `width` bits, extended if it has fewer."""
        extra = width - self.term.width
        if extra <= 0:
            return extract(width - 1, 0, self.term)
        return zero_extend(extra, self.term) if self.lo >= 0 else sign_extend(extra, self.term)


def _register_width(lo: int, hi: int) -> int:
    """64, or more if values from `lo` to `hi` do not fit 64 bits as two's complement."""
    return max(ADDRESS_WIDTH, lo.bit_length() + 1, hi.bit_length() + 1)


@dataclass(frozen=True, slots=True)
class Reader:
    """Works out expressions over one state's cells; `pieces` says which cells make up an output."""

    cell: Callable[[str, int], Term]
    pieces: Mapping[str, tuple[Segment, ...]]
    linear: Term
    """How many bytes of the packet are in an skb's linear part."""

    def condition(self, expr: Expr) -> Term:
        """A condition as a term of width 1."""
        match expr:
            case Unary(operand=operand):
                return negate(self.condition(operand))
            case Binary(op="&&", left=left, right=right):
                return conj(self.condition(left), self.condition(right))
            case Binary(op="||", left=left, right=right):
                return disj(self.condition(left), self.condition(right))
            case Binary(op=op, left=left, right=right):
                return compare(op, self.value(left), self.value(right))
        raise AssertionError(f"not a condition: {expr}")

    def low_bits(self, expr: Expr, width: int, low: int = 0) -> Term:
        """Bits `low` to `low + width - 1` of the value."""
        term = self.value(expr).at(low + width)
        return extract(low + width - 1, low, term)

    def value(self, expr: Expr) -> Value:
        """A number."""
        match expr:
            case Number(value=value):
                width = max(value.bit_length(), 1) if value >= 0 else _register_width(value, value)
                return Value(const(value, width), value, value)
            case Slice(operand=operand, high=high, low=low):
                term = self.value(operand).at(high + 1)
                return Value(extract(high, low, term), expr.lo, expr.hi)
            case Conditional(condition=condition, yes=yes, no=no):
                a, b = self.value(yes), self.value(no)
                width = max(a.width, b.width) if expr.lo >= 0 else max(a.signed_width, b.signed_width, ADDRESS_WIDTH)
                return Value(ite(self.condition(condition), a.at(width), b.at(width)), expr.lo, expr.hi)
            case Unary(operand=operand):
                width = _register_width(expr.lo, expr.hi)
                return Value(bvneg(self.value(operand).at(width)), expr.lo, expr.hi)
            case Binary(op="++", left=left, right=right):
                term = concat(self.value(left).at(left.width or 0), self.value(right).at(right.width or 0))
                return Value(term, expr.lo, expr.hi)
            case Binary(op=op, left=left, right=right):
                return Value(_operate(op, self.value(left), self.value(right), expr.lo, expr.hi), expr.lo, expr.hi)
        return Value(self._leaf(expr), expr.lo, expr.hi)

    def _leaf(self, expr: Expr) -> Term:
        match expr:
            case Variable(kind="output", name=name):
                return concat(*(self.cell(piece.cell, piece.width) for piece in self.pieces[name]))
            case Variable(name=name, width=width):
                return self.cell(name, width)
            case Lookup(offset=offset, width=width):
                return packet_bytes(bvadd(self.cell(CURSOR, ADDRESS_WIDTH), const(offset, ADDRESS_WIDTH)), width // 8)
            case Cursor():
                return self.cell(CURSOR, ADDRESS_WIDTH)
            case Length(linear=linear):
                return self.linear if linear else packet_length()
        raise AssertionError(f"not a number: {expr}")


def compare(op: str, a: Value, b: Value) -> Term:
    """`a op b` on exact integers, width 1."""
    kinds = UNSIGNED if a.lo >= 0 and b.lo >= 0 else SIGNED
    return kinds[op](*aligned(a, b))


def aligned(a: Value, b: Value) -> tuple[Term, Term]:
    """The two as terms of one width, unsigned where neither can be negative."""
    both = a.lo >= 0 and b.lo >= 0
    width = max(a.width, b.width) if both else max(a.signed_width, b.signed_width, ADDRESS_WIDTH)
    return a.at(width), b.at(width)


def edges(op: str, a: Value, b: Value) -> Edges:
    """Of `a op b`, a comparison by order, whether it is met at its edges: as x < y, or its opposite."""
    x, y = (b, a) if op in (">", "<=") else (a, b)
    less = compare("<", x, y)
    lower, upper = aligned(x, y)
    return Edges(conj(less, eq(bvadd(lower, const(1, lower.width)), upper)), eq(lower, upper))


def _operate(op: str, a: Value, b: Value, lo: int, hi: int) -> Term:
    """`a op b`, whose exact value is from `lo` to `hi`."""
    unsigned = a.lo >= 0 and b.lo >= 0
    if op in BITWISE and unsigned:
        varying = [x.term.width for x in (a, b) if not x.term.is_const]
        width = max(a.width, b.width) if op != "&" or not varying else min(varying)
        return BITWISE[op](a.at(width), b.at(width))
    if op == ">>" and unsigned:
        return bvlshr(a.term, const(min(b.lo, a.term.width), a.term.width)) if b.lo < a.term.width else const(0, 1)
    width = _register_width(lo, hi)
    match op:
        case "+":
            return bvadd(a.at(width), b.at(width))
        case "-":
            return bvsub(a.at(width), b.at(width))
        case "*":
            return bvmul(a.at(width), b.at(width))
        case "&" | "|" | "^":
            return BITWISE[op](a.at(width), b.at(width))
        case "<<":
            return bvshl(a.at(width), const(b.lo, width)) if b.lo < width else const(0, width)
    # Division, modulo and right shift need every bit of the dividend, not just the result's.
    width = max(width, a.signed_width, b.signed_width)
    if op == ">>":
        return bvashr(a.at(width), const(min(b.lo, width - 1), width))
    return _divide(op, a, b.lo, width)


def _divide(op: str, a: Value, divisor: int, width: int) -> Term:
    """`a / divisor` or `a % divisor`, rounding down (D11): a negative dividend is first lifted by a multiple."""
    lift = -(a.lo // divisor) if a.lo < 0 else 0
    width = max(width, (a.hi + lift * divisor).bit_length() + 1, divisor.bit_length() + 1)
    lifted = bvadd(a.at(width), const(lift * divisor, width))
    if op == "%":
        return bvurem(lifted, const(divisor, width))
    return bvsub(bvudiv(lifted, const(divisor, width)), const(lift, width))
