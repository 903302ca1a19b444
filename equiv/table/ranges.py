"""Which values an operation on exact integers can have, given bounds of its operands. Sound, not always tight."""

from __future__ import annotations

Interval = tuple[int, int]
"""Least and greatest value, both inclusive."""

MAX_BITS = 4096
"""No value of an expression needs more bits than this; it bounds what one line of a table can cost."""


class TooWide(Exception):
    """A value could need more than `MAX_BITS` bits."""


def _bounded(lo: int, hi: int) -> Interval:
    if max(lo.bit_length(), hi.bit_length()) > MAX_BITS:
        raise TooWide
    return lo, hi


def _bits(*values: int) -> int:
    return max(value.bit_length() for value in values)


def unary(op: str, x: Interval) -> Interval:
    """Bounds of `-x` or `!x`."""
    return (-x[1], -x[0]) if op == "-" else (0, 1)


def binary(op: str, a: Interval, b: Interval) -> Interval:
    """Bounds of `a op b`; raises TooWide. `/`, `%` (rounding down, D11) and shifts have a constant right operand."""
    match op:
        case "+":
            return _bounded(a[0] + b[0], a[1] + b[1])
        case "-":
            return _bounded(a[0] - b[1], a[1] - b[0])
        case "*":
            products = [x * y for x in a for y in b]
            return _bounded(min(products), max(products))
        case "/":
            return a[0] // b[0], a[1] // b[0]
        case "%":
            if a[0] // b[0] == a[1] // b[0]:
                return a[0] % b[0], a[1] % b[0]
            return 0, b[0] - 1
        case "<<":
            if b[0] > MAX_BITS:
                raise TooWide
            return _bounded(a[0] << b[0], a[1] << b[0])
        case ">>":
            return a[0] >> b[0], a[1] >> b[0]
        case "&" | "|" | "^":
            return _bitwise(op, a, b)
    return 0, 1


def _bitwise(op: str, a: Interval, b: Interval) -> Interval:
    if a[0] == a[1] and b[0] == b[1]:
        value = a[0] & b[0] if op == "&" else a[0] | b[0] if op == "|" else a[0] ^ b[0]
        return value, value
    if a[0] >= 0 and b[0] >= 0:
        if op == "&":
            return 0, min(a[1], b[1])
        return (max(a[0], b[0]) if op == "|" else 0), (1 << _bits(a[1], b[1])) - 1
    if op == "&" and a[0] >= 0:
        return 0, a[1]
    if op == "&" and b[0] >= 0:
        return 0, b[1]
    bits = _bits(*a, *b)
    return -(1 << bits), (1 << bits) - 1
