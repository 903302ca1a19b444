"""From syntax to expressions: names resolved, widths and kinds checked, constants folded."""

from __future__ import annotations

from lark import Token, Tree

from equiv.errors import InputError, Place
from equiv.table import ranges
from equiv.table.model import (
    COMPARISONS,
    CONNECTIVES,
    Anything,
    Binary,
    Conditional,
    Cursor,
    Expr,
    KeySet,
    Length,
    Lookup,
    Masked,
    Number,
    Range,
    Slice,
    Unary,
    Variable,
    is_condition,
)
from equiv.table.scope import Scope
from equiv.table.syntax import Syntax

MAX_FIELD_WIDTH = 2048
MAX_LOOKUP_END = 65535
LOOKUPS = {"u8": 8, "u16": 16, "u24": 24, "u32": 32, "u48": 48, "u64": 64}
_BASES = {"0x": 16, "0b": 2, "0o": 8}


def number(scope: Scope, node: Syntax) -> Expr:
    """An expression that is a number."""
    expr = _build(scope, node)
    if is_condition(expr):
        raise InputError("a condition stands where a number is needed", expr.place)
    return expr


def condition(scope: Scope, node: Syntax) -> Expr:
    """An expression that is true or false."""
    expr = _build(scope, node)
    if not is_condition(expr):
        raise InputError("a number stands where a condition is needed", expr.place, "compare it, e.g. with `!= 0`")
    return expr


def constant(scope: Scope, node: Syntax, lo: int | None = None, hi: int | None = None, what: str = "value") -> Number:
    """An expression whose value is known beforehand, from `lo` to `hi` where those are given."""
    expr = number(scope, node)
    if not isinstance(expr, Number):
        raise InputError(f"the {what} must be a constant", expr.place)
    if (lo is not None and expr.value < lo) or (hi is not None and expr.value > hi):
        bounds = f"from {lo} to {hi}" if lo is not None and hi is not None else f"{lo} or more"
        raise InputError(f"the {what} is {shown(expr.value)} but must be {bounds}", expr.place)
    return expr


def literal(text: str, place: Place) -> Number:
    """A number as written: `10`, `0x0a`, `8w10`."""
    width_text, _, digits = text.rpartition("w")
    digits = digits.replace("_", "")
    base = _BASES.get(digits[:2].lower(), 10)
    try:
        value = int(digits[2:] if base != 10 else digits, base)
    except ValueError:
        raise InputError(f"`{text}` is not a number", place) from None
    width = int(width_text) if width_text else None
    if width is not None and not 1 <= width <= MAX_FIELD_WIDTH:
        raise InputError(f"a width of {shown(width)} bits; it must be from 1 to {MAX_FIELD_WIDTH}", place)
    if value.bit_length() > (width or MAX_FIELD_WIDTH):
        raise InputError(f"{shown(value)} does not fit in {width or MAX_FIELD_WIDTH} bits", place)
    return Number(value, width, place=place)


def size(scope: Scope, node: Syntax, most: int, what: str = "width") -> int:
    """The N of `bit<N>`."""
    token = node.children[0]
    assert isinstance(token, Token)
    place = scope.source.at(token)
    if token.type == "NUMBER":
        value = literal(token, place).value
    elif token in scope.constants:
        value = scope.constants[token].value
    else:
        raise scope.unknown("constant", token, place, scope.constants)
    if not 1 <= value <= most:
        raise InputError(f"the {what} is {shown(value)} bits but must be from 1 to {most}", place)
    return value


def keyset(scope: Scope, node: Syntax, operand: Expr) -> KeySet:
    """What a select case or row compares `operand` with; every constant must fit it."""
    parts = [child for child in node.children if isinstance(child, Tree)]
    match node.data:
        case "anything":
            return Anything()
        case "exact":
            value = _fitting(constant(scope, parts[0]), operand)
            return Masked(value)
        case "masked":
            if operand.lo < 0:
                raise InputError("a mask needs an operand that is never negative", scope.source.at(node))
            value, mask = (_fitting(constant(scope, part), operand, bits=True) for part in parts)
            return Masked(value, mask)
        case _:
            low, high = (_fitting(constant(scope, part), operand) for part in parts)
            if low > high:
                raise InputError(f"the range is empty: {low} is more than {high}", scope.source.at(node))
            return Range(low, high)


def _fitting(value: Number, operand: Expr, bits: bool = False) -> int:
    """`value`, if `operand` can have it (`bits`: if it has no bit that `operand` lacks)."""
    hi = (1 << operand.hi.bit_length()) - 1 if bits else operand.hi
    if operand.lo <= value.value <= hi or (bits and 0 <= value.value <= hi):
        return value.value
    what = f"{operand.width} bits" if operand.width else f"{shown(operand.lo)} to {shown(operand.hi)}"
    raise InputError(f"{shown(value.value)} does not fit what it is compared with: {what}", value.place)


def shown(value: int) -> str:
    """A number for messages; very long ones are cut."""
    return str(value) if value.bit_length() <= 128 else f"a number of {value.bit_length()} bits"


def _build(scope: Scope, node: Syntax) -> Expr:
    place = scope.source.at(node)
    trees = [child for child in node.children if isinstance(child, Tree)]
    tokens = [child for child in node.children if isinstance(child, Token)]
    match node.data:
        case "number":
            return literal(tokens[0], place)
        case "name":
            return _name(scope, tokens[0], place)
        case "member":
            return _member(scope, tokens[0], tokens[1], place)
        case "lookahead":
            width = size(scope, trees[0], MAX_FIELD_WIDTH)
            return _lookup(scope, width, trees[1] if len(trees) > 1 else None, place)
        case "index":
            return _index(scope, trees[0], trees[1], place)
        case "slice":
            return _slice(scope, trees, place)
        case "unary":
            return _unary(scope, tokens[0], trees[0], place)
        case "conditional":
            return Conditional(condition(scope, trees[0]), number(scope, trees[1]), number(scope, trees[2]), place)
        case _:
            return _binary(scope, tokens[0], trees[0], trees[1], place)


def _name(scope: Scope, name: Token, place: Place) -> Expr:
    match str(name):
        case "offset":
            return Cursor(place)
        case "length":
            return Length(place=place)
        case "linear_length":
            return Length(linear=True, place=place)
    if found := scope.constants.get(name):
        return Number(found.value, found.width, found.name, place)
    if register := scope.registers.get(name):
        return Variable("register", register.name, register.width, place)
    if output := scope.outputs.get(name):
        return Variable("output", output.name, output.width, place)
    if name in scope.instances:
        raise InputError(f"`{name}` is a header; name one of its fields, as `{name}.FIELD`", place)
    if name in LOOKUPS:
        raise InputError(f"`{name}` needs an offset, as `{name}[0]`", place)
    known = [*scope.registers, *scope.outputs, *scope.constants, "offset", "length", "linear_length"]
    raise scope.unknown("name", name, place, known, ("default", "lookahead"))


def _member(scope: Scope, instance: Token, field: Token, place: Place) -> Expr:
    header = scope.instances.get(instance)
    if header is None:
        raise scope.unknown("header instance", instance, scope.source.at(instance), scope.instances)
    for candidate in header.fields:
        if candidate.name == field:
            return Variable("field", f"{instance}.{field}", candidate.width, place)
    raise scope.unknown(f"field of {header.name}", field, scope.source.at(field), [f.name for f in header.fields])


def _lookup(scope: Scope, width: int, offset: Syntax | None, place: Place) -> Lookup:
    if width % 8:
        raise InputError(f"a lookahead of {width} bits; it must be whole bytes", place)
    at = constant(scope, offset, 0, MAX_LOOKUP_END, "offset").value if offset else 0
    return Lookup(at, width, place)


def _index(scope: Scope, base: Syntax, offset: Syntax, place: Place) -> Expr:
    name = base.children[0]
    if base.data == "name" and name in LOOKUPS:
        return _lookup(scope, LOOKUPS[str(name)], offset, place)
    if base.data == "name" and str(name)[:1] == "u" and str(name)[1:].isdigit():
        raise InputError(f"no lookup `{name}`", scope.source.at(base), "known: " + ", ".join(LOOKUPS))
    number(scope, base)
    raise InputError("only lookups take one index", place, "a slice is `x[7:4]`, a single bit `x[4:4]`")


def _slice(scope: Scope, trees: list[Syntax], place: Place) -> Expr:
    operand = number(scope, trees[0])
    if operand.width is None:
        raise InputError("a slice needs an operand with a width: a field, register, lookup, slice or `8w10`", place)
    high = constant(scope, trees[1], 0, operand.width - 1, "slice's first bit").value
    low = constant(scope, trees[2], 0, operand.width - 1, "slice's last bit").value
    if low > high:
        raise InputError(f"the slice's first bit {high} is less than its last bit {low}", place)
    if isinstance(operand, Number):
        return Number(operand.value >> low & (1 << high - low + 1) - 1, high - low + 1, place=place)
    return Slice(operand, high, low, place)


def _unary(scope: Scope, op: Token, operand: Syntax, place: Place) -> Expr:
    if op == "!":
        return Unary("!", condition(scope, operand), 0, 1, place)
    value = number(scope, operand)
    if isinstance(value, Number):
        return Number(-value.value, place=place)
    return Unary("-", value, -value.hi, -value.lo, place)


def _binary(scope: Scope, op: Token, left: Syntax, right: Syntax, place: Place) -> Expr:
    if op in CONNECTIVES:
        return Binary(str(op), condition(scope, left), condition(scope, right), 0, 1, place=place)
    a, b = number(scope, left), number(scope, right)
    if op in COMPARISONS:
        for value, other in ((a, b), (b, a)):
            if isinstance(value, Number) and not isinstance(other, Number):
                _fitting(value, other)
        return Binary(str(op), a, b, 0, 1, place=place)
    if op == "++":
        return _concat(a, b, place)
    if op in ("/", "%", "<<", ">>") and not isinstance(b, Number):
        raise InputError(f"the right operand of `{op}` must be a constant", b.place)
    if op in ("/", "%") and b.lo <= 0:
        raise InputError(f"the right operand of `{op}` must be more than 0", b.place)
    if op in ("<<", ">>") and not 0 <= b.lo <= ranges.MAX_BITS:
        raise InputError(f"a shift by {shown(b.lo)}; it must be from 0 to {ranges.MAX_BITS}", b.place)
    try:
        lo, hi = ranges.binary(op, (a.lo, a.hi), (b.lo, b.hi))
    except ranges.TooWide:
        raise InputError(f"the value could need more than {ranges.MAX_BITS} bits", place) from None
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(lo, place=place)
    return Binary(str(op), a, b, lo, hi, place=place)


def _concat(a: Expr, b: Expr, place: Place) -> Expr:
    for operand in (a, b):
        if operand.width is None:
            raise InputError(
                "an operand of `++` needs a width: a field, register, lookup, slice or `8w10`", operand.place
            )
    width = (a.width or 0) + (b.width or 0)
    if width > ranges.MAX_BITS:
        raise InputError(f"the value would have {width} bits; at most {ranges.MAX_BITS} are allowed", place)
    if isinstance(a, Number) and isinstance(b, Number):
        return Number(a.value << (b.width or 0) | b.value, width, place=place)
    return Binary("++", a, b, 0, (1 << width) - 1, width, place)
