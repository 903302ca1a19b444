"""A packet on a page: its fields in words, its bytes in rows of eight, and which belong together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from equiv.report.fields import Field, Layer
from equiv.report.packet import BARE, dissect
from equiv.report.style import shorten

ROW = 8
MAX_ROWS = 64
"""Of a longer packet rows in which nothing mattered are left out."""
MAX_LAYERS, MAX_FIELDS, MAX_FIELD_TEXT = 40, 60, 160


@dataclass(frozen=True, slots=True)
class ShownField:
    """A field in words; `first` to `last` (inclusive) are its bytes, None where they are not known."""

    name: str
    text: str
    first: int | None
    last: int | None
    mattered: bool

    @property
    def where(self) -> str:
        """In words: `byte 12`, `bytes 12 to 13`."""
        if self.first is None:
            return ""
        return f"byte {self.first}" if self.first == self.last else f"bytes {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class ShownLayer:
    title: str
    fields: tuple[ShownField, ...]


@dataclass(frozen=True, slots=True)
class Byte:
    """One byte: its offset, two digits, whether it mattered."""

    at: int
    digits: str
    mattered: bool


@dataclass(frozen=True, slots=True)
class Row:
    """Eight bytes behind their offset; or, without bytes, how many are `skipped`."""

    offset: str
    octets: tuple[Byte, ...]
    characters: str = ""
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class ShownPacket:
    """`size` in words: bytes, or elements of some bits. `marked`: whether any mattered."""

    size: str
    layers: tuple[ShownLayer, ...]
    rows: tuple[Row, ...]
    marked: bool


def show_packet(packet: bytes, mattered: frozenset[int], element_width: int, decoded: bool) -> ShownPacket:
    """What a page shows of a packet; `decoded` says whether it is an Ethernet frame."""
    layers = dissect(packet) if decoded and element_width == 8 else []
    shown = tuple(_layer(layer, mattered) for layer in layers[:MAX_LAYERS])
    marked = any(at < len(packet) for at in mattered)
    return ShownPacket(_size(len(packet), element_width), shown, tuple(_rows(packet, mattered)), marked)


def _size(count: int, element_width: int) -> str:
    many = "" if count == 1 else "s"
    if element_width == 8:
        return f"{count} byte{many}"
    return f"{count} element{many} of {element_width} bit{'' if element_width == 1 else 's'}"


def _layer(layer: Layer, mattered: frozenset[int]) -> ShownLayer:
    fields = tuple(_field(layer, field, mattered) for field in layer.fields[:MAX_FIELDS])
    return ShownLayer(layer.title, fields)


def _field(layer: Layer, field: Field, mattered: frozenset[int]) -> ShownField:
    octets = field.octets
    known = len(octets) > 0
    return ShownField(
        name="" if layer.kind in BARE else field.name,
        text=shorten(field.text, MAX_FIELD_TEXT),
        first=octets[0] if known else None,
        last=octets[-1] if known else None,
        mattered=any(at in mattered for at in octets),
    )


def _rows(packet: bytes, mattered: frozenset[int]) -> Iterable[Row]:
    count = (len(packet) + ROW - 1) // ROW
    near = {at // ROW for at in mattered if at < len(packet)}
    shown = set(range(count))
    if count > MAX_ROWS:
        around = sorted(near)[:MAX_ROWS]
        shown = {0, 1, count - 1, *(row + more for row in around for more in (-1, 0, 1))}
    skipped = 0
    for row in range(count):
        start = row * ROW
        if row not in shown:
            skipped += min(ROW, len(packet) - start)
            continue
        if skipped:
            yield Row("", (), skipped=skipped)
            skipped = 0
        data = packet[start : start + ROW]
        octets = tuple(Byte(start + i, f"{value:02x}", start + i in mattered) for i, value in enumerate(data))
        yield Row(f"{start:04x}", octets, "".join(chr(b) if 0x20 <= b < 0x7F else "·" for b in data))
