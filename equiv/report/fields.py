"""Where the fields of a packet lie: scapy's decoding with the bits that each field was read from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from equiv.report.style import clean, shorten

NAMES = {"n_802_1Q": "802.1Q", "802_1Q": "802.1Q", "802_1AD": "802.1ad"}
"""What scapy calls Ethernet types, and what the standards do."""


@dataclass(frozen=True, slots=True)
class Field:
    """`name` and what it holds, in words. `bits`: first and end (exclusive) of the packet; None: not known.

    `number` is the value where it is one.
    """

    name: str
    text: str
    bits: tuple[int, int] | None
    number: int | None = None

    @property
    def octets(self) -> range:
        """Offsets of the bytes that it lies in."""
        if self.bits is None:
            return range(0)
        first, end = self.bits
        return range(first // 8, (end + 7) // 8)


@dataclass(frozen=True, slots=True)
class Layer:
    """One header, or what follows the last one. `kind` is scapy's name of the class; `first` and `end` in bytes.

    `fits` says that the fields were read from these bytes and all of them were there.
    """

    kind: str
    title: str
    first: int
    end: int
    fields: tuple[Field, ...]

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)


def layers_of(frame: Any, packet: bytes) -> Iterator[Layer]:
    """The layers of what scapy decoded `packet` as."""
    from scapy.packet import NoPayload, Padding, Raw

    layer, at = frame, 0
    while not isinstance(layer, NoPayload):
        if isinstance(layer, Raw):
            data = bytes(layer.load)
            first = len(packet) - len(data) if isinstance(layer, Padding) else at
            known = packet[first : first + len(data)] == data
            text = f"{len(data)} bytes {shorten(data.hex(' ', -4), 72)}"
            bits = (8 * first, 8 * (first + len(data))) if known else None
            title = "padding" if isinstance(layer, Padding) else "data"
            yield Layer(type(layer).__name__, title, first, first + len(data), (Field("bytes", text, bits),))
            at = first + len(data)
        else:
            found = one_layer(layer, packet[at:], at)
            yield found
            at = found.end
        layer = layer.payload


def one_layer(layer: Any, data: bytes, at: int) -> Layer:
    """A header that scapy read from the beginning of `data`, which begins at byte `at` of the packet."""
    where, size = _places(layer, data)
    fields = tuple(
        _field(layer, field, where.get(field.name), data, at)
        for field in layer.fields_desc
        if field.name in layer.fields
    )
    title = str(layer.name)
    return Layer(type(layer).__name__, NAMES.get(title, title), at, at + size, fields)


def _places(layer: Any, data: bytes) -> tuple[dict[str, tuple[int, int]], int]:
    """Bits of `data` that each field was read from, found by reading it again; and how many bytes that takes.

    Where reading again gives other values, nothing is said of any field.
    """
    whole = layer.raw_packet_cache
    size = len(whole) if whole is not None and data.startswith(whole) else 0
    places: dict[str, tuple[int, int]] = {}
    rest: Any = data
    try:
        for field in layer.fields_desc:
            if not rest and field.name not in layer.fields:
                break
            before = _position(rest, data)
            rest, value = field.getfield(layer, rest)
            if field.name not in layer.fields:
                continue
            if value != layer.fields[field.name]:
                return {}, size
            places[field.name] = (before, _position(rest, data))
    except Exception:  # dissectors meet packets made to surprise parsers
        return {}, size
    if size != (_position(rest, data) + 7) // 8:
        return {}, size
    return places, size


def _position(rest: Any, data: bytes) -> int:
    """How many bits of `data` lie before `rest`: bytes, or bytes and the number of bits of the first that are gone."""
    remaining, gone = rest if isinstance(rest, tuple) else (rest, 0)
    return int(8 * (len(data) - len(remaining)) + gone)


def _field(layer: Any, field: Any, bits: tuple[int, int] | None, data: bytes, at: int) -> Field:
    name: str = field.name
    value = layer.fields[name]
    shown = str(field.i2repr(layer, value)).strip("'\"")
    if shown.startswith("[<") and bits is not None:  # a list of scapy's objects says more of scapy than of the packet
        shown = data[bits[0] // 8 : (bits[1] + 7) // 8].hex(" ", -4)
    number = value if isinstance(value, int) and not isinstance(value, bool) else None
    if number is not None and not shown.isdigit() and not shown.startswith("0x"):
        shown = f"{NAMES.get(shown, shown)} ({number:#x})"
    if number is None and hasattr(value, "flagrepr"):  # scapy's FlagValue
        number = int(value)
    place = None if bits is None else (bits[0] + 8 * at, bits[1] + 8 * at)
    return Field(clean(name), clean(shown) or "none", place, int(number) if number is not None else None)
