"""A packet in words: its headers, what is unusual in fields that mattered, where it ends early."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from equiv.machine.concrete import Input
from equiv.report.explain.headers import FOLLOWS, HEADERS, in_words, is_usual
from equiv.report.explain.walk import Walked, walk
from equiv.report.fields import Field, Layer
from equiv.report.style import shorten
from equiv.result import Counterexample, Result

MAX_DETAILS, MAX_DETAIL = 3, 60
NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
TAGS = frozenset({"Dot1Q", "Dot1AD"})
ETHERTYPES = range(12, 14)


def headers_of(found: Counterexample, result: Result) -> Walked | None:
    """The packet's headers; None where it need not be an Ethernet frame.

    A P4 parser may begin with any header: it counts as a frame where the type mattered and is one that is known.
    """
    if result.interface == "buffer" or result.element_width != 8:
        return None
    walked = walk(found.input.packet)
    if result.interface == "p4":
        type_ = walked.layers[0].field("type") if walked.layers else None
        known = type_ is not None and "(" in type_.text  # it has a name
        if not known or not found.relevant.intersection(ETHERTYPES):
            return None
    return walked


def packet_in_words(found: Counterexample, result: Result) -> str:
    """The packet with an article: `a packet with an IPv4 header (a header length of 0 words)`."""
    packet, walked = found.input.packet, headers_of(found, result)
    if walked is None or not walked.layers:
        what = "bytes" if result.interface == "buffer" else "a packet"
        unit = "byte" if result.element_width == 8 else "element"
        told = _brackets(_octets(packet, found.relevant, range(len(packet)), unit))
        return f"{_size(len(packet), result.element_width, what)}{told}"
    parts = list(_headers(walked, found.relevant, packet))
    cut = walked.cut
    if cut is not None and (cut.there or _decided(walked.layers[-1], found.relevant)):
        name = "802.1ad VLAN tag" if cut.kind == "Dot1AD" else HEADERS[cut.kind].one.partition(" ")[2]
        size = HEADERS[cut.kind].size
        there = f"only {cut.there} of the {size} bytes" if cut.there else "not one byte"
        return f"a packet with {', '.join(parts)} and {there} of the {name} that should follow"
    behind = _behind(packet, walked, found.relevant)
    return f"a packet with {_listed([*parts, *([behind] if behind else [])])}"


def _size(count: int, width: int, what: str) -> str:
    """`a packet of 9 bytes`, `a packet of 9 elements of 4 bits`, `9 bytes`."""
    unit = f"byte{'' if count == 1 else 's'}"
    if width != 8:
        unit = f"element{'' if count == 1 else 's'} of {width} bit{'' if width == 1 else 's'}"
    return f"{count} {unit}" if what == "bytes" else f"{what} of {count} {unit}"


def given_in_words(given: Input) -> str:
    """What else the run was given, as a clause with a comma before it; '' where there is nothing."""
    told = []
    if given.linear is not None and given.linear != len(given.packet):
        told.append(f"{given.linear} bytes of it in the linear part")
    told += [f"{name} = {value}" for name, value in sorted(given.context.items())]
    for name, entries in sorted(given.maps.items()):
        told += [f"{name}[{key.hex()}] = {value.hex()}" for key, value in sorted(entries.items())]
    if not told:
        return ""
    shown = [shorten(text, MAX_DETAIL) for text in told[:2]]
    more = f" and {len(told) - 2} more inputs" if len(told) > 2 else ""
    return f", given {', '.join(shown)}{more}"


def _headers(walked: Walked, relevant: frozenset[int], packet: bytes) -> Iterable[str]:
    """The headers behind Ethernet's, those alike in a row together; Ethernet's if there are no others."""
    layers = walked.layers[1:] or walked.layers
    begun = len(walked.layers) - len(layers)
    ends = walked.cut is None
    for one, group in groupby(enumerate(layers, begun), key=lambda item: HEADERS[item[1].kind].one):
        members = list(group)
        last = members[-1][0] == len(walked.layers) - 1
        details = _details(members[-1][1], relevant, last and ends, packet)
        if members[0][1].kind in TAGS:
            one += _brackets(_tag_types(walked.layers, [at for at, _ in members]))
        if len(members) == 1:
            yield one + _brackets(details)
        else:
            _, bracket, types = one.partition(" (")
            many = HEADERS[members[0][1].kind].many
            yield f"{number(len(members))} {many}{bracket}{types}" + _brackets(details, "the last: ")


def _details(layer: Layer, relevant: frozenset[int], last: bool, packet: bytes) -> list[str]:
    """Fields that mattered and hold something unusual; what follows is told by the next header, if there is one."""
    told = []
    for field in layer.fields:
        if not relevant.intersection(field.octets) or (field.name in FOLLOWS | {"s"} and not last):
            continue
        if is_usual(layer, field) and (field.name not in FOLLOWS or field.number == 0):
            continue
        if layer.kind == "IP" and field.name == "len" and field.number == layer.end - layer.first:
            continue
        told.append(shorten(in_words(layer, field, packet) + _not_all(layer, field), MAX_DETAIL))
    return told


def _not_all(layer: Layer, field: Field) -> str:
    """Behind a header's length, where not all of it is there."""
    declared = 4 * (field.number or 0)
    if (layer.kind, field.name) not in (("IP", "ihl"), ("TCP", "dataofs")) or declared <= layer.end - layer.first:
        return ""
    return f" of which {layer.end - layer.first} bytes are there"


def _tag_types(layers: Sequence[Layer], places: Sequence[int]) -> list[str]:
    """Ethernet types that announce VLAN tags, where they are not all the usual one."""
    types = [field.number for at in places if (field := layers[at - 1].field("type")) is not None]
    told = [f"{value:#x}" for value in types if value is not None]
    return [] if set(types) == {0x8100} else [f"type{'' if len(told) == 1 else 's'} {_listed(told)}"]


def _decided(layer: Layer, relevant: frozenset[int]) -> bool:
    """Whether the field that says what follows mattered."""
    return any(relevant.intersection(field.octets) for field in layer.fields if field.name in FOLLOWS | {"s"})


def _behind(packet: bytes, walked: Walked, relevant: frozenset[int]) -> str:
    """What comes after the last header."""
    size = len(packet) - walked.end
    if size <= 0:
        return ""
    told = _octets(packet, relevant, range(walked.end, len(packet)))
    return f"{number(size)} more byte{'' if size == 1 else 's'}" + _brackets(told)


def _octets(packet: bytes, relevant: frozenset[int], where: range, unit: str = "byte") -> list[str]:
    """Bytes that mattered and are not 0."""
    return [f"{unit} {at} is {packet[at]:#04x}" for at in where if at in relevant and packet[at]]


def _brackets(details: Sequence[str], before: str = "") -> str:
    if not details:
        return ""
    more = [f"{len(details) - MAX_DETAILS} more"] if len(details) > MAX_DETAILS else []
    return f" ({before}{', '.join([*details[:MAX_DETAILS], *more])})"


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def number(count: int) -> str:
    """A small number in words."""
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
