"""What is known when compiling: operators on constants, as the specification has them."""

from __future__ import annotations

from equiv.errors import InputError
from equiv.p4.model import (
    Binary,
    Bits,
    Bool,
    Cast,
    Choice,
    Const,
    Enum,
    Expr,
    Integer,
    NewType,
    Slice,
    Type,
    Unary,
    is_signed,
    scalar_width,
)

MAX_SHIFT = 1 << 16


def wrapped(value: int, type_: Type) -> int:
    """`value` as a value of `type_`: modulo its width, signed if the type is."""
    if isinstance(type_, Integer):
        return value
    width = scalar_width(type_)
    value &= (1 << width) - 1
    return value - (1 << width) if is_signed(type_) and value >> (width - 1) else value


def fold(expr: Expr) -> Expr:
    """`expr`, or its value where its operands are constants. Raises InputError for a division by zero and the like."""
    match expr:
        case Unary(op=op, operand=Const(value=a), type=type_):
            value = {"-": -a, "+": a, "~": ~a, "!": 1 - a if op == "!" else 0}[op]
            return Const(wrapped(value, type_), type_, expr.place)
        case Binary(left=Const(), right=Const()):
            return _fold_binary(expr)
        case Slice(operand=Const(value=a), high=high, low=low, type=type_):
            return Const(a >> low & (1 << high - low + 1) - 1, type_, expr.place)
        case Cast(operand=Const(value=a, type=from_), type=type_):
            del from_
            return Const(wrapped(a, type_), type_, expr.place)
        case Choice(condition=Const(value=a), yes=yes, no=no):
            return yes if a else no
    return expr


def _fold_binary(expr: Binary) -> Expr:
    assert isinstance(expr.left, Const) and isinstance(expr.right, Const)
    a, b, type_ = expr.left.value, expr.right.value, expr.type
    if (expr.op in ("/", "%") and b <= 0) or (expr.op in ("/", "%") and a < 0):
        raise InputError(f"`{expr.op}` needs numbers that are not negative, and a divisor above 0", expr.place)
    if expr.op in ("<<", ">>") and not 0 <= b <= MAX_SHIFT:
        raise InputError(f"a shift by {b}", expr.place)
    match expr.op:
        case "+":
            value = a + b
        case "-":
            value = a - b
        case "*":
            value = a * b
        case "/":
            value = a // b
        case "%":
            value = a % b
        case "&":
            value = a & b
        case "|":
            value = a | b
        case "^":
            value = a ^ b
        case "<<":
            value = a << b
        case ">>":
            value = a >> b
        case "|+|" | "|-|":
            value = saturated(a + b if expr.op == "|+|" else a - b, type_)
        case "++":
            width = scalar_width(expr.right.type)
            value = a << width | b & (1 << width) - 1
        case "==":
            value = int(a == b)
        case "!=":
            value = int(a != b)
        case "<":
            value = int(a < b)
        case "<=":
            value = int(a <= b)
        case ">":
            value = int(a > b)
        case ">=":
            value = int(a >= b)
        case "&&":
            value = a & b
        case _:
            value = a | b
    return Const(wrapped(value, type_), type_, expr.place)


def saturated(value: int, type_: Type) -> int:
    """`value` cut off at the type's least and greatest values."""
    width = scalar_width(type_)
    low, high = (-(1 << width - 1), (1 << width - 1) - 1) if is_signed(type_) else (0, (1 << width) - 1)
    return min(max(value, low), high)


def castable(from_: Type, to: Type) -> bool:
    """Whether an explicit cast is allowed (P4_16 specification, section "Casts")."""
    match from_, to:
        case (Integer(), Bits() | Integer()):
            return True
        case (Bits(signed=False), Bits(signed=False)) | (Bits(signed=True), Bits(signed=True)):
            return True
        case (Bits(width=a), Bits(width=b)):
            return a == b
        case (Bits(width=1, signed=False), Bool()) | (Bool(), Bits(width=1, signed=False)):
            return True
        case (Integer(), Bool()):
            return False
        case (Enum(base=Bits() as base), other):
            return castable(base, other) or from_ == to
        case (other, Enum(base=Bits() as base)):
            return other == base or isinstance(other, Integer)
        case (NewType(base=base), other) if other == base or from_ == to:
            return True
        case (other, NewType(base=base)):
            return other == base or (isinstance(other, Integer) and isinstance(base, Bits))
        case (NewType(base=base), other):
            return castable(base, other)
    return from_ == to
