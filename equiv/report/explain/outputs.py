"""What two sides give where it is not the same, and which bytes of the packet each makes it of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from equiv.report.explain.headers import FOLLOWS, HEADERS, title
from equiv.report.explain.walk import Walked
from equiv.report.observables import ERROR, error_text, part_value
from equiv.report.style import shorten
from equiv.result import Counterexample, Dependence, Result, field_value

MAX_NAMES, MAX_VALUE, MAX_PLACES = 3, 16, 4
SHORT = 8
"""Longer byte strings are compared byte by byte."""

PACKET = "packet"
"""Name of the observable for the packet as it is handed on."""

UNKNOWN = Dependence(frozenset())

Held = int | bytes | None


@dataclass(frozen=True, slots=True)
class Unlike:
    """A value that is not the same on both sides: an observable, or an output inside of one (`inside`)."""

    name: str
    left: Held
    right: Held
    is_little: bool = False
    """Whether the bytes are a number with its least significant byte first."""


def unlike(found: Counterexample, result: Result) -> list[Unlike]:
    """What differs: outputs by their names where a table gives names, else observables."""
    told: list[Unlike] = []
    named = {field.name: field for field in result.fields}
    for name in found.differs:
        if name in named:
            told.append(Unlike(name, part_value(named[name], found.left), part_value(named[name], found.right)))
            continue
        one, other = found.left.values.get(name), found.right.values.get(name)
        inside = []
        for field in sorted((f for f in result.fields if f.observable == name), key=lambda f: f.offset):
            if field_value(found.left, field) != field_value(found.right, field):
                ends = slice(field.offset, field.offset + field.size)
                parts = [value[ends] if isinstance(value, bytes) else None for value in (one, other)]
                inside.append(Unlike(field.name, parts[0], parts[1], field.order == "little" and field.size > 1))
        told += inside or [Unlike(name, one, other)]
    return told


def in_words(found: Counterexample, result: Result, walked: Walked | None, sides: tuple[str, str]) -> str:
    """`sport is 0001 for the program and 0100 for the table`; of many the first."""
    values = unlike(found, result)
    told = [_one(value, found, walked, sides, result.errors) for value in values[:MAX_NAMES]]
    more = f", and {len(values) - MAX_NAMES} more differ" if len(values) > MAX_NAMES else ""
    return "; ".join(told) + more


def _one(
    value: Unlike, found: Counterexample, walked: Walked | None, sides: tuple[str, str], errors: Sequence[str]
) -> str:
    left, right = value.left, value.right
    if isinstance(left, bytes) and isinstance(right, bytes) and max(len(left), len(right)) > SHORT:
        return _long(value.name, left, right, sides)
    if value.name == ERROR:
        shown = [error_text(each, errors) for each in (left, right)]
    elif value.is_little and not _are_reversed(left, right):
        shown = [_number(each) for each in (left, right)]
    else:
        shown = [text(each) for each in (left, right)]
    told = f"{value.name} is {shown[0]} for {sides[0]} and {shown[1]} for {sides[1]}"
    return told + _made_of(value, found, walked, sides)


def _number(held: Held) -> str:
    """Bytes of a number as one reads it: what is 00400000 in memory is 0x4000."""
    return hex(int.from_bytes(held, "little")) if isinstance(held, bytes) else text(held)


def _are_reversed(left: Held, right: Held) -> bool:
    """Whether these are the same bytes the other way round: then bytes say more than numbers."""
    return isinstance(left, bytes) and isinstance(right, bytes) and left == right[::-1] and len(set(left)) > 1


def text(held: Held) -> str:
    """A number, bytes in hexadecimal, or that there is nothing."""
    match held:
        case None:
            return "absent"
        case bytes():
            return shorten(held.hex(), 2 * MAX_VALUE) or "empty"
        case _:
            return shorten(str(held) if held < 1 << 32 else hex(held), 2 * MAX_VALUE)


def _long(name: str, left: bytes, right: bytes, sides: tuple[str, str]) -> str:
    """Of long byte strings: how many bytes differ, and the first that do."""
    name = "the packet handed on" if name == PACKET else name
    if len(left) != len(right):
        return f"{name} has {len(left)} bytes for {sides[0]} and {len(right)} for {sides[1]}"
    places = [at for at, (one, other) in enumerate(zip(left, right, strict=True)) if one != other]
    first = places[0]
    run = first
    while run + 1 in places:
        run += 1
    where = f"byte {first}" if run == first else f"bytes {first} to {run}"
    ends = slice(first, run + 1)
    shown = f"{text(left[ends])} for {sides[0]} and {text(right[ends])} for {sides[1]}"
    rest = len(places) - (run + 1 - first)
    more = f", and {rest} more byte{'' if rest == 1 else 's'} differ{'s' if rest == 1 else ''}" if rest else ""
    verb = "is" if run == first else "are"
    return f"{where} of {name} {verb} {shown}{more}"


def _made_of(value: Unlike, found: Counterexample, walked: Walked | None, sides: tuple[str, str]) -> str:
    """Which bytes of the packet each side makes the value of, as far as trying other bytes there has shown."""
    one, other = (found.depends.get(side, {}).get(value.name, UNKNOWN) for side in ("left", "right"))
    if one.copied and other.copied and sorted(one.copied) != sorted(other.copied):
        told = [f"{_bytes(sorted(each.copied))}{_called(each.copied, walked)}" for each in (one, other)]
        return f": {sides[0]} takes {told[0]}, {sides[1]} {told[1]}"
    if _are_reversed(value.left, value.right):
        return ", the same bytes in reverse order"
    mine = [_telling(sorted(a.on - b.on), walked) for a, b in ((one, other), (other, one))]
    told = [
        f"{_bytes(places)}{_called(places, walked)} changes it for {side}"
        for places, side in zip(mine, sides, strict=True)
        if 0 < len(places) <= MAX_PLACES
    ]
    return f": changing {' and changing '.join(told)}" if told else ""


def _telling(places: Sequence[int], walked: Walked | None) -> list[int]:
    """Without bytes of fields that say which header follows: another one there makes another packet of it."""
    if walked is None:
        return list(places)
    follows = {at for layer in walked.layers for field in layer.fields if field.name in FOLLOWS for at in field.octets}
    return [at for at in places if at not in follows]


def _bytes(places: Sequence[int]) -> str:
    if len(places) == 1:
        return f"byte {places[0]}"
    if list(places) == list(range(places[0], places[-1] + 1)):
        return f"bytes {places[0]} to {places[-1]}"
    return f"bytes {', '.join(map(str, places))}"


def _called(places: Sequence[int], walked: Walked | None) -> str:
    """The fields that lie in these bytes, in brackets."""
    if walked is None:
        return ""
    names = list(dict.fromkeys(_names(places, walked)))
    return f" ({', '.join(names)})" if 0 < len(names) <= 2 else ""


def _names(places: Sequence[int], walked: Walked) -> Iterable[str]:
    for layer in walked.layers:
        for field in layer.fields:
            if layer.kind in HEADERS and set(places).intersection(field.octets):
                yield title(layer, field)
