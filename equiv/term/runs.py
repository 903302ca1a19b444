"""Where a word is cut, so that every piece is of one kind: at the edges of masks, or between parts of a `concat`."""

from __future__ import annotations

from collections.abc import Iterator

from equiv.term.node import Term, mask


def runs(masks: tuple[int, ...], width: int) -> Iterator[tuple[int, int, int]]:
    """Cut `width` bits where membership in any of `masks` changes: (hi, lo, index of the mask or -1), top first."""
    edges = 0
    for m in masks:
        edges |= m ^ (m << 1)
    edges = (edges | 1) & mask(width)
    top = width
    while top > 0:
        low = (edges & mask(top)).bit_length() - 1
        kind = next((i for i, m in enumerate(masks) if m >> low & 1), -1)
        yield top - 1, low, kind
        top = low


def cuts_of(x: Term) -> set[int]:
    """Bit positions at which concatenation `x` has a boundary, 0 and the width included."""
    cuts, at = {0, x.width}, x.width
    if x.op == "concat":
        for piece in x.args:
            at -= piece.width
            cuts.add(at)
    return cuts
