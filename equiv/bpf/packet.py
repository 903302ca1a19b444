"""The packet as a program left it: layers of what was done to it, over the bytes that came in (D61).

A layer is never changed once it is shared; `State.packet` holds them, oldest first. Offsets in a layer count from the
packet's first byte (`data`) as it was when the layer was made; `Moved` says how that place changed since. Reading goes
from the newest layer down. What is not decided about two offsets becomes a choice within the term, never a guess.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from equiv.bpf import cells
from equiv.bpf.cells import Cells
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD, ZERO, Value
from equiv.machine.inputs import packet_byte
from equiv.term import (
    Term,
    bvadd,
    bvsub,
    concat,
    const,
    eq,
    extract,
    from_linear,
    ite,
    select,
    signed,
    substitute,
    to_linear,
    ult,
)

NO_BYTE = const(0, 8)
HEADROOM = "headroom"
"""The oracle that says what memory in front of the packet holds."""


class Written(NamedTuple):
    """Bytes that were stored, in cells at offsets from `base` (64 bits, its constant part is in the cells' offsets)."""

    base: Term
    cells: Cells


class Moved(NamedTuple):
    """What was at offset `at` or after it is now `by` bytes (64 bits, two's complement) further on.

    Where that inserts bytes, they are zero, or hold what nobody knows (`zero` false), or what memory in front of the
    packet held when it came in (`headroom`). Where it removes bytes, those before `at - by` from `at` on are gone.
    Only bytes at the very start are removed by an amount that is not constant.
    """

    at: int
    by: Term
    zero: bool
    headroom: bool = False


class Cleared(NamedTuple):
    """All bytes at offset `start` (64 bits) or after it are zero."""

    start: Term


Layer = Written | Moved | Cleared
Layers = tuple[Layer, ...]

Knows = Callable[[Term], bool | None]
"""Whether a width-1 term is known to hold or not to hold."""


def split(offset: Term) -> tuple[Term, int]:
    """The offset as a sum without constant, and a signed constant."""
    if offset.is_const:
        return ZERO, signed(offset.value, WORD)
    atoms, constant = to_linear(offset)
    return from_linear((atoms, 0), offset.width), signed(constant % (1 << WORD), WORD)


# --- writing ----------------------------------------------------------------------------------------------------


def store(state: State, offset: Term, size: int, value: Value, little: bool) -> None:
    """Store a number of `size` bytes (at most 8) at `offset`, which is known to be inside."""
    base, at = split(offset)
    layers: Layers = state.packet
    for number in range(len(layers) - 1, -1, -1):
        layer = layers[number]
        if not isinstance(layer, Written):
            break
        if layer.base is base:
            fresh = layer.cells.copy()
            cells.store(fresh, at, size, value, little)
            state.packet = (*layers[:number], Written(base, fresh), *layers[number + 1 :])
            return
        if any(
            _overlap(state.knows, offset, size, layer.base, start, cell[0]) is not False
            for start, cell in layer.cells.items()
        ):
            break
    state.packet = (*layers, Written(base, {at: (size, value)}))


def store_bytes(state: State, offset: Term, content: list[Term], little: bool) -> None:
    """Store bytes, in memory order, from `offset` on."""
    for start in range(0, len(content), 8):
        piece = content[start : start + 8]
        store(state, bvadd(offset, const(start, WORD)), len(piece), cells.join(piece, little), little)


def move(state: State, at: int, by: Term, zero: bool, *, headroom: bool = False) -> None:
    """Insert or remove bytes at offset `at`."""
    state.packet = (*state.packet, Moved(at, by, zero, headroom))


def is_where_it_came(state: State) -> bool:
    """Whether the packet's start has never been moved."""
    return not any(isinstance(layer, Moved) for layer in state.packet)


def headroom_byte(distance: Term) -> Term:
    """The byte so far (64 bits) in front of the packet as it came in: unknown, and the same on both sides (D334)."""
    return select(f"oracle.{HEADROOM}", concat(const(1, 8), extract(15, 0, distance)), 8)


def clear_from(state: State, start: Term) -> None:
    """Make everything from `start` on zero."""
    state.packet = (*state.packet, Cleared(start))


def _overlap(knows: Knows, offset: Term, size: int, base: Term, start: int, length: int) -> bool | None:
    """Whether `size` bytes at `offset` and `length` bytes at `base + start` share one."""
    distance = bvsub(bvadd(offset, const(size - 1, WORD)), bvadd(base, const(start, WORD)))
    return knows(ult(distance, const(size - 1 + length, WORD)))


# --- reading ----------------------------------------------------------------------------------------------------


def load(state: State, offset: Term, size: int, little: bool) -> Term:
    """`size` bytes from `offset`, which are known to be inside, as a number in the machine's byte order."""
    return cells.join(_bytes(state.packet, offset, size, state.knows, little), little)


def _bytes(layers: Layers, offset: Term, size: int, knows: Knows, little: bool) -> list[Term]:
    """The bytes in memory order."""
    if not layers:
        return [packet_byte(bvadd(offset, const(i, WORD))) for i in range(size)]
    *rest, layer = layers
    below = tuple(rest)
    match layer:
        case Written(base, held):
            return _under_written(below, base, held, offset, size, knows, little)
        case Moved():
            return _under_moved(below, layer, offset, size, knows, little)
        case Cleared(start):
            end = bvadd(offset, const(size, WORD))
            if knows(ult(start, end)) is False:
                return _bytes(below, offset, size, knows, little)
            if knows(ult(offset, start)) is False:
                return [NO_BYTE] * size
            found = _bytes(below, offset, size, knows, little)
            return [ite(ult(_plus(offset, i), start), byte, NO_BYTE) for i, byte in enumerate(found)]


def _plus(offset: Term, more: int) -> Term:
    return bvadd(offset, const(more, WORD)) if more else offset


def _under_written(
    below: Layers,
    base: Term,
    held: Cells,
    offset: Term,
    size: int,
    knows: Knows,
    little: bool,
    around: list[Term] | None = None,
) -> list[Term]:
    own_base, at = split(offset)
    if own_base is base and around is None:
        found: list[Term] = []
        for start, length in cells.spans(held, at, size):
            if length:
                value = cells.load(held, start, length, little, _no_gap)
                assert isinstance(value, Term)
                whole = cells.in_memory_order(value, little)
                found += [extract(8 * i + 7, 8 * i, whole) for i in reversed(range(length))]
            else:
                found += _bytes(below, _plus(offset, start - at), 1, knows, little)
        return found
    result = _bytes(below, offset, size, knows, little) if around is None else around
    for start, (length, value) in held.items():
        assert isinstance(value, Term)
        if _overlap(knows, offset, size, base, start, length) is False:
            continue
        whole = cells.in_memory_order(value, little)
        for i in range(size):
            for j in range(length):
                same = eq(_plus(offset, i), bvadd(base, const(start + j, WORD)))
                if same.is_const and not same.value:
                    continue
                stored = extract(8 * (length - j) - 1, 8 * (length - j) - 8, whole)
                result[i] = ite(same, stored, result[i])
    return result


def _no_gap(offset: int) -> Term:
    raise AssertionError("a span has all its bytes")


def _under_moved(below: Layers, layer: Moved, offset: Term, size: int, knows: Knows, little: bool) -> list[Term]:
    at, by = layer.at, layer.by
    if not by.is_const:
        return _bytes(below, bvsub(offset, by), size, knows, little)  # removes bytes at the start
    inserted = by if signed(by.value, WORD) > 0 else ZERO
    first = bvadd(const(at, WORD), inserted)
    if knows(ult(offset, first)) is False:
        return _bytes(below, bvsub(offset, by), size, knows, little)
    if knows(ult(const(at, WORD), _plus(offset, size))) is False:
        return _bytes(below, offset, size, knows, little)
    found = []
    for i in range(size):
        here = _plus(offset, i)
        before, new = knows(ult(here, const(at, WORD))), knows(ult(here, first))
        if before is True:
            found += _bytes(below, here, 1, knows, little)
        elif before is False and new is True:
            found.append(_inserted(layer, here))
        elif new is False:
            found += _bytes(below, bvsub(here, by), 1, knows, little)
        else:
            (old,) = _bytes(below, here, 1, knows, little) if at else (NO_BYTE,)
            (shifted,) = _bytes(below, bvsub(here, by), 1, knows, little)
            fresh = _inserted(layer, here) if inserted is not ZERO else NO_BYTE
            found.append(ite(ult(here, const(at, WORD)), old, ite(ult(here, first), fresh, shifted)))
    return found


def _inserted(layer: Moved, here: Term) -> Term:
    if layer.headroom:
        return headroom_byte(bvsub(layer.by, here))
    if not layer.zero:
        raise stuck("reads packet bytes that nobody has written since the packet's start was moved forward")
    return NO_BYTE


# --- at the end -------------------------------------------------------------------------------------------------


def content_at(state: State, probe: Term, little: bool) -> Term:
    """The byte at offset `probe`, a variable of which nothing is known: all of the packet in one term.

    Bytes at constant offsets that differ from what is there anyway come first, in order; so two programs that stored
    the same bytes at the same places, in whatever order, get the same term.
    """
    layers = state.packet
    fixed = max(
        (i + 1 for i, layer in enumerate(layers) if isinstance(layer, Moved) and not layer.by.is_const), default=0
    )
    places = _places(layers[fixed:])
    value = _elsewhere(layers, fixed, probe, little)
    for place in sorted(places, reverse=True):
        (byte,) = _bytes(layers, const(place, WORD), 1, state.knows, little)
        if not _same(state.knows, byte, substitute(value, {probe: const(place, WORD)})):
            value = ite(eq(probe, const(place, WORD)), byte, value)
    return value


def _same(knows: Knows, byte: Term, there: Term) -> bool:
    """Whether two bytes are known to be equal; only asked where that is cheap."""
    return byte is there or (byte.op in ("const", "select") and there.op == "select" and knows(eq(byte, there)) is True)


def _places(layers: Layers) -> set[int]:
    """Constant offsets at which a byte was stored, or that lie before or in what was inserted or removed."""
    places: set[int] = set()
    for layer in layers:
        match layer:
            case Written(base, held) if base is ZERO:
                places.update(start + i for start, (length, _) in held.items() for i in range(length))
            case Moved(at, by):
                distance = signed(by.value, WORD)
                kept = {p for p in places if p < at}
                shifted = {p + distance for p in places if p >= at - min(distance, 0)}
                places = kept | shifted | set(range(at + max(distance, 0)))
    return places


def _elsewhere(layers: Layers, fixed: int, probe: Term, little: bool) -> Term:
    """The byte at `probe`, which is none of the places that `_places` gives for the layers from `fixed` on."""
    if not layers:
        return packet_byte(probe)
    if len(layers) == fixed:
        return _bytes(layers, probe, 1, _only_constants, little)[0]
    *rest, layer = layers
    below = tuple(rest)
    match layer:
        case Written(base, held):
            value = _elsewhere(below, fixed, probe, little)
            if base is ZERO:
                return value
            return _under_written((), base, held, probe, 1, _only_constants, little, [value])[0]
        case Moved(_, by):
            return _elsewhere(below, fixed, bvsub(probe, by), little)
        case Cleared(start):
            return ite(ult(probe, start), _elsewhere(below, fixed, probe, little), NO_BYTE)


def _only_constants(guard: Term) -> bool | None:
    return bool(guard.value) if guard.is_const else None
