"""Byte-addressed memory as cells: offset to (size, value), where a value is kept as it was stored.

Cells never overlap. A multi-byte scalar is the number that the machine's byte order makes of the bytes, so a load of
what was stored gives the stored term back; other loads are put together from pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from equiv.bpf.values import Pointer, Unusable, Value
from equiv.term import Term, concat, extract

Cells = dict[int, tuple[int, Value]]
"""Offset to size in bytes (at most 8) and value; pointers and unusable values are 8 bytes."""

Missing = Callable[[int], Term]
"""Gives the byte at an offset where no cell is, or raises."""

WIDEST_CELL = 8


def store(cells: Cells, offset: int, size: int, value: Value, little: bool) -> None:
    """Write `value` of `size` bytes. Scalars it partly overwrites keep their other bytes, pointers lose them."""
    found = cells.get(offset)
    if found is None or found[0] != size:
        forget(cells, offset, size, little)
    cells[offset] = (size, value)


def forget(cells: Cells, offset: int, size: int, little: bool) -> None:
    """Leave no cell on the `size` bytes from `offset`; what lies around them stays."""
    end = offset + size
    for start in range(offset - WIDEST_CELL + 1, end):
        found = cells.get(start)
        if found is None or start + found[0] <= offset:
            continue
        length, value = cells.pop(start)
        if isinstance(value, Term):
            if start < offset:
                cells[start] = (offset - start, part(value, length, 0, offset - start, little))
            if start + length > end:
                cells[end] = (start + length - end, part(value, length, end - start, start + length - end, little))


def load(cells: Cells, offset: int, size: int, little: bool, missing: Missing) -> Value | None:
    """The `size` bytes from `offset` as a number, or the 8-byte pointer that lies there.

    None: the bytes are part of a pointer. `missing` supplies bytes that no cell holds.
    """
    found = cells.get(offset)
    if found is not None and found[0] == size:
        return found[1]
    pieces = []
    for start, length in spans(cells, offset, size):
        if length == 0:
            pieces.append(missing(start))
            continue
        base = covering(cells, start)
        assert base is not None
        whole, value = cells[base]
        if isinstance(value, Pointer | Unusable):
            return None
        pieces.append(part(value, whole, start - base, length, little))
    return join(pieces, little)


def spans(cells: Cells, offset: int, size: int) -> Iterator[tuple[int, int]]:
    """The bytes from `offset` cut where cells begin and end: start and length; length 0 for one byte without a cell."""
    position, end = offset, offset + size
    while position < end:
        base = covering(cells, position)
        if base is None:
            yield position, 0
            position += 1
        else:
            stop = min(base + cells[base][0], end)
            yield position, stop - position
            position = stop


def covering(cells: Cells, offset: int) -> int | None:
    """Where the cell begins that holds the byte at `offset`."""
    for start in range(offset, offset - WIDEST_CELL, -1):
        found = cells.get(start)
        if found is not None:
            return start if start + found[0] > offset else None
    return None


def part(value: Term, whole: int, first: int, size: int, little: bool) -> Term:
    """Bytes `first` to `first + size` (in memory order) of a scalar of `whole` bytes."""
    low = first if little else whole - first - size
    return extract(8 * (low + size) - 1, 8 * low, value)


def join(pieces: list[Term], little: bool) -> Term:
    """Pieces in memory order as one number."""
    return concat(*reversed(pieces)) if little else concat(*pieces)


def in_memory_order(value: Term, little: bool) -> Term:
    """A number's bytes as they lie in memory, lowest address most significant; and back."""
    if not little or value.width == 8:
        return value
    return concat(*(extract(low + 7, low, value) for low in range(0, value.width, 8)))
