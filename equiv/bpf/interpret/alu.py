"""Arithmetic, comparisons and atomic updates on unsigned 64-bit and 32-bit integers (RFC 9669, sections 4 and 5.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

Binary = Callable[[int, int], int]
Compare = Callable[[int, int], bool]

M64: Final = (1 << 64) - 1
M32: Final = (1 << 32) - 1


def signed(value: int, width: int) -> int:
    """The two's complement reading of the low `width` bits of `value`."""
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def sign_extend(value: int, width: int) -> int:
    """The low `width` bits of `value`, sign-extended to unsigned 64 bits."""
    return signed(value, width) & M64


def _sdiv(width: int) -> Binary:
    mask = (1 << width) - 1

    def sdiv(a: int, b: int) -> int:
        if b == 0:
            return 0
        dividend, divisor = signed(a, width), signed(b, width)
        quotient = abs(dividend) // abs(divisor)  # truncates towards zero; the smallest number / -1 wraps to itself
        return (quotient if (dividend < 0) == (divisor < 0) else -quotient) & mask

    return sdiv


def _smod(width: int) -> Binary:
    mask = (1 << width) - 1

    def smod(a: int, b: int) -> int:
        if b == 0:
            return a
        dividend, divisor = signed(a, width), signed(b, width)
        remainder = abs(dividend) % abs(divisor)  # takes the dividend's sign
        return (remainder if dividend >= 0 else -remainder) & mask

    return smod


def _operations(width: int) -> dict[int, Binary]:
    """Operations by the opcode's four high bits. Operands and results are unsigned numbers of `width` bits."""
    mask, amount = (1 << width) - 1, width - 1
    return {
        0x0: lambda a, b: (a + b) & mask,
        0x1: lambda a, b: (a - b) & mask,
        0x2: lambda a, b: (a * b) & mask,
        0x3: lambda a, b: a // b if b else 0,
        0x4: lambda a, b: a | b,
        0x5: lambda a, b: a & b,
        0x6: lambda a, b: (a << (b & amount)) & mask,
        0x7: lambda a, b: a >> (b & amount),
        0x9: lambda a, b: a % b if b else a,
        0xA: lambda a, b: a ^ b,
        0xB: lambda a, b: b,
        0xC: lambda a, b: (signed(a, width) >> (b & amount)) & mask,
    }


def _comparisons(width: int) -> dict[int, Compare]:
    """Conditions of jumps by the opcode's four high bits; operands are unsigned numbers of `width` bits."""
    flip = 1 << (width - 1)  # signed order is unsigned order with the sign bit flipped
    return {
        0x1: lambda a, b: a == b,
        0x2: lambda a, b: a > b,
        0x3: lambda a, b: a >= b,
        0x4: lambda a, b: a & b != 0,
        0x5: lambda a, b: a != b,
        0x6: lambda a, b: a ^ flip > b ^ flip,
        0x7: lambda a, b: a ^ flip >= b ^ flip,
        0xA: lambda a, b: a < b,
        0xB: lambda a, b: a <= b,
        0xC: lambda a, b: a ^ flip < b ^ flip,
        0xD: lambda a, b: a ^ flip <= b ^ flip,
    }


OPERATIONS: Final = {64: _operations(64), 32: _operations(32)}
SIGNED_OPERATIONS: Final[dict[int, dict[int, Binary]]] = {
    width: {0x3: _sdiv(width), 0x9: _smod(width)} for width in (64, 32)
}
COMPARISONS: Final = {64: _comparisons(64), 32: _comparisons(32)}

ATOMIC_UPDATES: Final[dict[int, Binary]] = {
    0x00: lambda a, b: a + b,
    0x40: lambda a, b: a | b,
    0x50: lambda a, b: a & b,
    0xA0: lambda a, b: a ^ b,
}
"""Atomic operations by `imm` without BPF_FETCH; the result is truncated when it is stored."""


def swap_bytes(value: int, width: int) -> int:
    """The low `width` bits of `value` with their bytes in reverse order."""
    return int.from_bytes((value & ((1 << width) - 1)).to_bytes(width // 8, "big"), "little")
