"""A table's expressions, exact integers, as native integers that are wide enough for every value (D11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from equiv.compiled.native import NotCompiled
from equiv.compiled.text import Code
from equiv.table.model import (
    COMPARISONS,
    CONNECTIVES,
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

WIDEST: Final = 1024
"""Bits of the widest number that is compiled."""
_BITWISE: Final = {"+": "add", "-": "sub", "*": "mul", "&": "and", "|": "or", "^": "xor"}
_RELATIONS: Final = {"==": "eq", "!=": "ne", "<": "slt", "<=": "sle", ">": "sgt", ">=": "sge"}


@dataclass(frozen=True, slots=True)
class Value:
    """A native integer, two's complement of `width` bits."""

    name: str
    width: int

    @property
    def kind(self) -> str:
        return f"i{self.width}"


@dataclass(frozen=True, slots=True)
class Reader:
    """How expressions get at what changes: cells (unsigned, of their own width), packet bytes, where the cursor is."""

    code: Code
    variable: Callable[[Variable], Value]
    base: Callable[[], str]
    given: str
    length: str
    linear: str
    """How many of the packet's bytes are in an skb's linear part."""


def width_of(lo: int, hi: int) -> int:
    """Bits that hold every number from `lo` to `hi`, with a sign."""
    width = max(lo.bit_length(), hi.bit_length()) + 1
    if width > WIDEST:
        raise NotCompiled(f"numbers of {width} bits")
    return width


def extended(code: Code, value: Value, width: int) -> str:
    """The value in `width` bits, which are enough."""
    return code.resized(value.name, value.width, width, signed=True)


def truth(reader: Reader, expr: Expr) -> str:
    """A condition as an i1."""
    code = reader.code
    match expr:
        case Binary(op=op, left=left, right=right) if op in COMPARISONS:
            a, b = number(reader, left), number(reader, right)
            width = max(a.width, b.width)
            relation = _RELATIONS[op]
            return code.op(f"icmp {relation}", f"i{width}", extended(code, a, width), extended(code, b, width))
        case Binary(op=op, left=left, right=right) if op in CONNECTIVES:
            return code.op("and" if op == "&&" else "or", "i1", truth(reader, left), truth(reader, right))
        case Unary(op="!", operand=operand):
            return code.op("xor", "i1", truth(reader, operand), "true")
    value = number(reader, expr)
    return code.op("icmp ne", value.kind, value.name, 0)


def number(reader: Reader, expr: Expr) -> Value:
    """The value of an expression, in as many bits as its bounds ask for."""
    code = reader.code
    match expr:
        case Number(value=value):
            width = width_of(value, value)
            return Value(str(value), width)
        case Variable():
            plain = reader.variable(expr)
            return Value(code.resized(plain.name, plain.width, plain.width + 1), plain.width + 1)
        case Lookup(offset=offset, width=width):
            where = code.at(reader.given, code.op("add", "i64", reader.base(), offset))
            return Value(code.resized(code.big_endian(where, width // 8), width, width + 1), width + 1)
        case Cursor():
            return Value(reader.base(), 64)
        case Length(linear=linear):
            return Value(code.resized(reader.linear if linear else reader.length, 64, 17), 17)
        case Slice(operand=operand, low=low):
            whole = number(reader, operand)
            width = max(whole.width, expr.width + low + 1)
            shifted = (
                code.op("ashr", f"i{width}", extended(code, whole, width), low) if low else extended(code, whole, width)
            )
            bits = code.resized(shifted, width, expr.width)
            return Value(code.resized(bits, expr.width, expr.width + 1), expr.width + 1)
        case Conditional(condition=condition, yes=yes, no=no):
            width = width_of(expr.lo, expr.hi)
            one, two = number(reader, yes), number(reader, no)
            width = max(width, one.width, two.width)
            a, b = extended(code, one, width), extended(code, two, width)
            return Value(code.select(truth(reader, condition), f"i{width}", a, b), width)
        case Unary(op="-", operand=operand):
            inner = number(reader, operand)
            width = max(width_of(expr.lo, expr.hi), inner.width)
            return Value(code.op("sub", f"i{width}", 0, extended(code, inner, width)), width)
        case Unary() | Binary(op="&&" | "||" | "==" | "!=" | "<" | "<=" | ">" | ">="):
            return Value(code.resized(truth(reader, expr), 1, 2), 2)
        case Binary(op=op, left=left, right=right):
            return _binary(reader, expr, op, number(reader, left), number(reader, right), right)
    raise NotCompiled(f"an expression {expr!r}")


def _binary(reader: Reader, expr: Binary, op: str, a: Value, b: Value, right: Expr) -> Value:
    code = reader.code
    own = width_of(expr.lo, expr.hi)
    if op == "++":
        below = right.width or 0
        width = max(own, a.width + below, b.width)
        high = code.op("shl", f"i{width}", extended(code, a, width), below)
        return Value(code.op("or", f"i{width}", high, extended(code, b, width)), width)
    if op in _BITWISE:
        width = max(own, a.width, b.width)
        wide = code.op(_BITWISE[op], f"i{width}", extended(code, a, width), extended(code, b, width))
        return Value(code.resized(wide, width, own), own)
    if not isinstance(right, Number) or right.value < 0:
        raise NotCompiled(f"`{op}` by something that is not a constant")
    amount = right.value
    if op == "<<":
        width = max(own, a.width + amount)
        if width > WIDEST:
            raise NotCompiled(f"numbers of {width} bits")
        return Value(code.op("shl", f"i{width}", extended(code, a, width), amount), width)
    if op == ">>":
        return Value(code.op("ashr", a.kind, a.name, min(amount, a.width - 1)), a.width)
    width = max(own, a.width, b.width)
    if width > 64 or amount == 0:
        raise NotCompiled(f"`{op}` of numbers of {width} bits")
    kind = f"i{width}"
    dividend = extended(code, a, width)
    remainder = code.op("srem", kind, dividend, amount)
    negative = code.op("icmp slt", kind, remainder, 0)  # both round down
    if op == "%":
        return Value(code.select(negative, kind, code.op("add", kind, remainder, amount), remainder), width)
    quotient = code.op("sdiv", kind, dividend, amount)
    return Value(code.select(negative, kind, code.op("sub", kind, quotient, 1), quotient), width)
