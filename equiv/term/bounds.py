"""What is known of a sum from its summands: between which integers it lies, and its lowest bits."""

from __future__ import annotations

from equiv.term.node import Term, mask


def bounds(atoms: list[Term], coefficients: tuple[int, ...], constant: int) -> tuple[int, int]:
    """Bounds of the sum over the integers, before any wrap."""
    low = high = constant
    for atom, coefficient in zip(atoms, coefficients):
        if coefficient > 0:
            low, high = low + coefficient * atom.lo, high + coefficient * atom.hi
        else:
            low, high = low + coefficient * atom.hi, high + coefficient * atom.lo
    return low, high


def is_exact(x: Term) -> bool:
    """Whether sum `x` never wraps: its value is the integer sum of its signed summands."""
    low, high = bounds(list(x.args), *x.data)
    return low >= 0 and high <= mask(x.width)


def low_bits(atoms: list[Term], coefficients: tuple[int, ...], constant: int, width: int) -> tuple[int, int]:
    """Known zeros and ones among the lowest bits, up to the first bit that any summand leaves open."""
    known, value = width, constant
    for atom, coefficient in zip(atoms, coefficients):
        open_bits = mask(width) & ~(atom.zeros | atom.ones)
        shift = (coefficient & -coefficient).bit_length() - 1
        first = (open_bits & -open_bits).bit_length() - 1 if open_bits else width
        known = min(known, first + shift)
        value += coefficient * atom.ones
    low = mask(max(known, 0))
    return low & ~value, low & value
