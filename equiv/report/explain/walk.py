"""The headers of a packet one behind the other, whatever lengths in them say: parsers seldom look at those.

Scapy reads each header and says what follows. In difference to `equiv.report.packet` nothing is taken for padding, a
header of which only a part is there is told, and only headers that sentences have words for are looked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from equiv.report.explain.headers import HEADERS
from equiv.report.fields import Layer, one_layer
from equiv.report.packet import load_dissectors, quiet_scapy

MAX_LAYERS = 128


@dataclass(frozen=True, slots=True)
class Cut:
    """A header that would come next, by scapy's name: so many bytes of it are `there`, not enough."""

    kind: str
    there: int


@dataclass(frozen=True, slots=True)
class Walked:
    """Headers in order; `cut` where the packet ends before the next one does; `end` of the last whole header."""

    layers: tuple[Layer, ...]
    cut: Cut | None
    end: int

    def at(self, first: int, end: int) -> str:
        """What lies in just these bytes: `KIND.FIELD`, '' where no field does."""
        for layer in self.layers:
            for field in layer.fields:
                if field.bits == (8 * first, 8 * end):
                    return f"{layer.kind}.{field.name}"
        return ""


@lru_cache(maxsize=64)
def walk(packet: bytes) -> Walked:
    """The headers of an Ethernet frame."""
    with quiet_scapy():
        load_dissectors()
        from scapy.layers.l2 import Ether

        return _walk(packet, Ether)


def _walk(packet: bytes, kind: Any) -> Walked:
    layers: list[Layer] = []
    at, below = 0, None
    while kind is not None and kind.__name__ in HEADERS and len(layers) < MAX_LAYERS:
        data, name = packet[at:], kind.__name__
        if len(data) < HEADERS[name].size:
            return Walked(tuple(layers), Cut(name, len(data)), at)
        try:
            if "dispatch_hook" in kind.__dict__ and kind.dispatch_hook(data) is not kind:
                break
            header = kind(_underlayer=below) if below is not None else kind()
            rest = header.do_dissect(header.pre_dissect(data))
        except Exception:  # dissectors meet packets made to surprise parsers
            break
        found = one_layer(header, data, at)
        if found.end != len(packet) - len(rest) or found.end <= at:
            break
        layers.append(found)
        at, below, kind = found.end, header, _following(header, rest)
    return Walked(tuple(layers), None, at)


def _following(header: Any, rest: bytes) -> Any:
    """The class of the header that scapy expects next; None where it cannot tell."""
    try:
        return header.guess_payload_class(rest)
    except Exception:
        return None
