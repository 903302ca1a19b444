"""A packet for people: its headers as scapy decodes them, and a hex dump that marks the bytes that mattered."""

from __future__ import annotations

import logging
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from equiv.report.fields import Layer, layers_of
from equiv.report.style import PLAIN, Style, clean, shorten

ROW = 16
MAX_ROWS = 24
"""Longer dumps leave out rows in which nothing mattered."""
LAYER_COLUMNS = 12
BARE = frozenset({"Raw", "Padding"})
"""Layers without fields of their own."""


@contextmanager
def quiet_scapy() -> Iterator[None]:
    """Scapy warns about routes, missing libraries and odd packets on stderr; none of that concerns a reader here."""
    logger = logging.getLogger("scapy")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


@lru_cache(maxsize=1)
def load_dissectors() -> None:
    """Import the protocols that bind themselves to Ethernet's payloads; imported late because scapy starts slowly."""
    import scapy.contrib.geneve
    import scapy.contrib.mpls
    import scapy.layers.inet
    import scapy.layers.inet6
    import scapy.layers.l2
    import scapy.layers.vxlan  # noqa: F401


def dissect(packet: bytes) -> list[Layer]:
    """The packet's layers from Ethernet on, with the place of each field. Empty where scapy makes nothing of it."""
    if not packet:  # scapy would make up a frame
        return []
    try:
        with quiet_scapy():
            load_dissectors()
            from scapy.layers.l2 import Ether

            return list(layers_of(Ether(packet), packet))
    except Exception:  # dissectors meet packets made to surprise parsers; the hex dump tells all there is anyway
        return []


def decode(packet: bytes) -> list[tuple[str, list[str]]]:
    """The packet's layers: name and `field value` texts."""
    return [
        (layer.title, [field.text if layer.kind in BARE else f"{field.name} {field.text}" for field in layer.fields])
        for layer in dissect(packet)
    ]


def render_layers(packet: bytes, style: Style = PLAIN) -> list[str]:
    """One paragraph a layer: its name, then its fields, wrapped to the terminal's width."""
    lines = []
    for name, fields in decode(packet):
        indent = " " * (LAYER_COLUMNS + 1)
        # A field is kept on one line: its inner spaces must not be break points.
        text = "  ".join(field.replace(" ", "\u00a0") for field in fields)
        wrapped = textwrap.wrap(text, max(style.columns - len(indent) - 2, 40), break_long_words=True) or [""]
        wrapped = [line.replace("\u00a0", " ") for line in wrapped]
        heading = clean(name) if len(name) <= LAYER_COLUMNS else shorten(clean(name), LAYER_COLUMNS)
        lines.append(f"{style.bold(heading.ljust(LAYER_COLUMNS))} {wrapped[0]}".rstrip())
        lines += [indent + line for line in wrapped[1:]]
    return lines


def hex_dump(packet: bytes, marked: frozenset[int] = frozenset(), style: Style = PLAIN) -> list[str]:
    """Rows of 16 bytes after their offset (hexadecimal); marked bytes stand in brackets.

    Of a long packet only the rows around marked bytes, the first and the last are shown.
    """
    count = (len(packet) + ROW - 1) // ROW
    shown = _rows_shown(count, {offset // ROW for offset in marked if offset < len(packet)})
    lines = []
    skipped = 0
    for row in range(count):
        if row not in shown:
            skipped += min(ROW, len(packet) - row * ROW)
            continue
        if skipped:
            lines.append(style.faint(f"      … {skipped} bytes that did not matter …"))
            skipped = 0
        lines.append(f"{row * ROW:04x} {_row(packet, row * ROW, marked, style)}")
    return lines


def _rows_shown(count: int, marked: set[int]) -> set[int]:
    if count <= MAX_ROWS:
        return set(range(count))
    ends = {0, 1, count - 1}
    return ends | {near for row in marked for near in (row - 1, row, row + 1)}


def _row(packet: bytes, start: int, marked: frozenset[int], style: Style) -> str:
    """One row: `[` before each run of marked bytes, `]` behind it, a space elsewhere."""
    text = ""
    before = False
    for offset in range(start, start + ROW):
        inside = offset in marked and offset < len(packet)
        mark = "[" if inside and not before else "]" if before and not inside else " "
        if offset == start + ROW // 2:  # a gap in the middle, outside of the brackets
            mark = f" {mark}" if mark == "[" else f"{mark} "
        byte = f"{packet[offset]:02x}" if offset < len(packet) else "  "
        text += mark + (style.reverse(byte) if inside else byte)
        before = inside
    text += "]" if before else " "
    characters = "".join(chr(b) if 0x20 <= b < 0x7F else "." for b in packet[start : start + ROW])
    return f"{text}  {characters}".rstrip()
