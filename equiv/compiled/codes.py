"""What a return code counts as, in native code."""

from __future__ import annotations

from equiv.compiled.shape import Place, Shape
from equiv.compiled.text import Code


def normalised(code: Code, shape: Shape, raw: str) -> str:
    """`Interface.normalise`, for a packet of `%length` bytes."""
    interface = shape.interface
    if interface.clamp_to_length:
        return code.select(code.op("icmp ult", "i64", raw, "%length"), "i64", raw, "%length")
    if interface.other_code is None:
        return raw
    known = code.either(*(code.op("icmp eq", "i64", raw, value) for value in interface.verdicts.values()))
    return code.select(known, "i64", raw, interface.other_code)


def counts(code: Code, place: Place, final: str) -> str:
    """Whether an observable is compared at this code."""
    if not place.when:
        return "true"
    return code.either(*(code.op("icmp eq", "i64", final, value) for value in sorted(place.when)))
