"""How what was done to the packet is frozen (D30, D61): the kinds of layers are discrete, what they hold are cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from equiv.bpf.cells import Cells
from equiv.bpf.packet import Cleared, Layer, Layers, Moved, Written, split
from equiv.bpf.values import WORD, ZERO
from equiv.term import Term, const


class LayerShape(NamedTuple):
    """One layer. `sizes` are its cells' offsets and sizes; `base` None and `by` None: a term, kept in a cell."""

    kind: str
    base: int | None = None
    sizes: tuple[tuple[int, int], ...] = ()
    at: int = 0
    by: int | None = None
    zero: bool = False
    headroom: bool = False


def freeze(layers: Layers, found: dict[str, Term]) -> tuple[LayerShape, ...]:
    """The layers' shapes; their terms go to `found`, as `p0.base`, `p0.12`, `p1.by`, …"""
    return tuple(_frozen(f"p{number}.", layer, found) for number, layer in enumerate(layers))


def _frozen(store: str, layer: Layer, found: dict[str, Term]) -> LayerShape:
    match layer:
        case Written(base, held):
            if base is not ZERO:
                found[f"{store}base"] = base
            for offset in sorted(held):
                value = held[offset][1]
                assert isinstance(value, Term)
                found[f"{store}{offset}"] = value
            sizes = tuple((offset, held[offset][0]) for offset in sorted(held))
            return LayerShape("written", 0 if base is ZERO else None, sizes)
        case Moved(at, by, zero, headroom):
            if not by.is_const:
                found[f"{store}by"] = by
            return LayerShape("moved", at=at, by=by.value if by.is_const else None, zero=zero, headroom=headroom)
        case Cleared(start):
            found[f"{store}start"] = start
            return LayerShape("cleared")


def offsets(layers: tuple[LayerShape, ...]) -> Iterator[str]:
    """Names of the cells that hold packet offsets."""
    for number, layer in enumerate(layers):
        if layer.kind == "written" and layer.base is None:
            yield f"p{number}.base"


def thaw(shapes: tuple[LayerShape, ...], found: Mapping[str, Term]) -> Layers:
    """The layers that were frozen, with the terms that the cells now hold."""
    return tuple(_THAW[shape.kind](f"p{number}.", shape, found) for number, shape in enumerate(shapes))


def _thawed_written(store: str, shape: LayerShape, found: Mapping[str, Term]) -> Layer:
    base, extra = (ZERO, 0) if shape.base is not None else split(found[f"{store}base"])
    held: Cells = {offset + extra: (size, found[f"{store}{offset}"]) for offset, size in shape.sizes}
    return Written(base, held)


def _thawed_moved(store: str, shape: LayerShape, found: Mapping[str, Term]) -> Layer:
    by = const(shape.by, WORD) if shape.by is not None else found[f"{store}by"]
    return Moved(shape.at, by, shape.zero, shape.headroom)


def _thawed_cleared(store: str, shape: LayerShape, found: Mapping[str, Term]) -> Layer:
    return Cleared(found[f"{store}start"])


_THAW: dict[str, Callable[[str, LayerShape, Mapping[str, Term]], Layer]] = {
    "written": _thawed_written,
    "moved": _thawed_moved,
    "cleared": _thawed_cleared,
}
