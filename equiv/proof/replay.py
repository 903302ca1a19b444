"""From a solver's model to a concrete input, and from two concrete runs to what differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from equiv.errors import InternalError
from equiv.machine.concrete import Input, Observation
from equiv.machine.inputs import CONTEXT_PREFIX, unwritten_at
from equiv.machine.interface import Interface
from equiv.solve.backend import Model

Executor = Callable[[Input], Observation]
"""Runs one side on one input."""

MAX_PAIRED = 24
"""Of a packet with more bytes that are not zero, the first so many are made smaller in pairs."""


@dataclass(frozen=True, slots=True)
class MapLayout:
    """How a map's keys and values look in memory, to turn a model's array elements into contents."""

    key_size: int
    value_size: int
    is_array: bool
    order: str


def input_from_model(model: Model, interface: Interface, maps: Mapping[str, MapLayout]) -> Input:
    """The input that a model stands for; what the model leaves free is 0."""
    length = max(model.variables.get("len", interface.min_length), interface.min_length)
    content = model.arrays.get("pkt", {})
    packet = bytes(content.get(i, 0) & 0xFF for i in range(length))
    linear = model.variables.get("linear") if interface.split == "any" else None
    inputs = (name for name in model.variables if name.startswith(CONTEXT_PREFIX) and unwritten_at(name) is None)
    context = {name[len(CONTEXT_PREFIX) :]: model.variables[name] for name in inputs}
    for name, members in model.arrays.items():
        if name.startswith("set."):  # a value set of a P4 parser
            context |= {f"{name}[{value}]": 1 for value, inside in members.items() if inside & 1}
    contents = {name: _map_contents(name, layout, model) for name, layout in maps.items()}
    oracles = {name[7:]: dict(found) for name, found in model.arrays.items() if name.startswith("oracle.")}
    return Input(packet, linear, context, {name: entries for name, entries in contents.items() if entries}, oracles)


def _map_contents(name: str, layout: MapLayout, model: Model) -> dict[bytes, bytes]:
    entries: dict[bytes, bytearray] = {}
    present = model.arrays.get(f"map.{name}.has", {})
    for key, is_there in present.items():
        if is_there:
            entries[_key_bytes(key, layout)] = bytearray(layout.value_size)
    for index, value in model.arrays.get(f"map.{name}", {}).items():
        key, offset = index >> 32, index & 0xFFFFFFFF
        raw = _key_bytes(key, layout)
        if not layout.is_array and raw not in entries:
            continue
        if offset < layout.value_size:
            entries.setdefault(raw, bytearray(layout.value_size))[offset] = value
    return {key: bytes(value) for key, value in entries.items()}


def _key_bytes(key: int, layout: MapLayout) -> bytes:
    order = layout.order if layout.is_array else "big"
    return key.to_bytes(layout.key_size, "little" if order == "little" else "big")


def differing(interface: Interface, left: Observation, right: Observation, given: Input) -> tuple[str, ...]:
    """Names of the observables that differ, `verdict` first; none where a side punts or `given` does not count."""
    if "punt" in (left.verdict, right.verdict):
        return ()
    if not all(assumed.holds(given, left, right) for assumed in interface.assumed):
        return ()
    if interface.relation is not None:
        return interface.relation.differing(left, right, given)
    if left.code != right.code:
        return ("verdict",)
    names = []
    counting = {o.name for o in interface.observables if interface.counts(o, left.code)}
    for name in dict.fromkeys((*left.values, *right.values)):
        if name in counting and left.values.get(name) != right.values.get(name):
            names.append(name)
    return tuple(names)


def shrink(given: Input, still_differs: Callable[[Input], bool], minimum: int) -> Input:
    """A smaller input on which the two sides still differ: shorter first, then zero bytes, then small ones.

    Smaller values may allow for a shorter packet (a length in it, a count), so all is tried again until nothing helps.
    """
    best = given
    if best.linear is not None and best.linear != len(best.packet):
        candidate = replace(best, linear=len(best.packet))
        if still_differs(candidate):
            best = candidate
    before = None
    while best != before:
        before = best
        best = _shorter(best, still_differs, minimum)
        for less in (_without, _smaller_bytes, _smaller_pairs):
            best = less(best, still_differs)
    return best


def _shorter(best: Input, still_differs: Callable[[Input], bool], minimum: int) -> Input:
    for length in _lengths(len(best.packet), minimum):
        candidate = replace(best, packet=best.packet[:length], linear=_clip(best.linear, length))
        if still_differs(candidate):
            return candidate
    return best


def _smaller_bytes(best: Input, still_differs: Callable[[Input], bool]) -> Input:
    for index in range(len(best.packet)):
        for value in _smaller(best.packet[index]):
            candidate = _with_bytes(best, {index: value})
            if still_differs(candidate):
                best = candidate
                break
    return best


def _without(best: Input, still_differs: Callable[[Input], bool]) -> Input:
    """Leave out what is not needed: fields of the context, entries of maps; values of entries become zeros."""
    for name in list(best.context):
        candidate = replace(best, context={k: v for k, v in best.context.items() if k != name})
        if still_differs(candidate):
            best = candidate
    for name, key in [(name, key) for name, entries in best.maps.items() for key in entries]:
        value = best.maps[name][key]
        for fewer in (None, bytes(len(value))):
            entries = {k: v for k, v in best.maps[name].items() if k != key}
            if fewer is not None:
                entries[key] = fewer
            candidate = replace(best, maps={**best.maps, name: entries})
            if fewer != value and still_differs(candidate):
                best = candidate
                break
    return replace(best, maps={name: entries for name, entries in best.maps.items() if entries})


def _smaller_pairs(best: Input, still_differs: Callable[[Input], bool]) -> Input:
    """Two bytes less by one: the length of a list, say, and that of one of its elements."""
    places = [index for index, value in enumerate(best.packet) if value][:MAX_PAIRED]
    for first, second in combinations(places, 2):
        while best.packet[first] and best.packet[second]:
            candidate = _with_bytes(best, {index: best.packet[index] - 1 for index in (first, second)})
            if not still_differs(candidate):
                break
            best = candidate
    return best


def _with_bytes(given: Input, values: Mapping[int, int]) -> Input:
    packet = bytearray(given.packet)
    for index, value in values.items():
        packet[index] = value
    return replace(given, packet=bytes(packet))


MANY_LENGTHS = 256
"""Of a long packet, so many lengths above the least and below its own are tried."""


def _lengths(length: int, minimum: int) -> Iterable[int]:
    """Shorter lengths worth trying, the shortest first."""
    if length - minimum <= 2 * MANY_LENGTHS:
        return range(minimum, length)
    return [*range(minimum, minimum + MANY_LENGTHS), *range(length - MANY_LENGTHS, length)]


def _clip(linear: int | None, length: int) -> int | None:
    return None if linear is None else min(linear, length)


def _smaller(value: int) -> Iterable[int]:
    """Smaller bytes worth trying, the smallest first: those that matter most, and those that keep one half."""
    low, high = value & 0x0F, value & 0xF0
    return sorted({v for v in (0, 1, 2, *range(low, 256, 16), *range(high, high + 16)) if v < value})


def relevant_bytes(given: Input, offsets: Iterable[int], still_differs: Callable[[Input], bool]) -> frozenset[int]:
    """Those of `offsets` whose value matters: some other value there makes the difference go away."""
    left = [index for index in dict.fromkeys(offsets) if 0 <= index < len(given.packet)]
    found = {i for i in left if not still_differs(_with_bytes(given, {i: 0 if given.packet[i] else 1}))}
    for flip in (0x01, 0xFF, 0x80, 0x10):
        found |= _mattering(given, [index for index in left if index not in found], flip, still_differs)
    return frozenset(found)


def _mattering(given: Input, indices: list[int], flip: int, still_differs: Callable[[Input], bool]) -> set[int]:
    """Those of `indices` at which flipping those bits matters. Mostly none does, as one run for all of them shows."""
    if not indices or still_differs(_with_bytes(given, {index: given.packet[index] ^ flip for index in indices})):
        return set()
    if len(indices) == 1:
        return set(indices)
    half = len(indices) // 2
    return {i for part in (indices[:half], indices[half:]) for i in _mattering(given, part, flip, still_differs)}


def confirm(interface: Interface, given: Input, left: Executor, right: Executor) -> tuple[str, ...]:
    """What differs when both sides really run `given`. Raises InternalError if nothing does: equiv was wrong."""
    a, b = left(given), right(given)
    names = differing(interface, a, b, given)
    if not names:
        raise InternalError(
            f"a predicted difference did not replay on packet {given.packet.hex()}",
            hint="this is a defect in equiv; please report it with both inputs",
        )
    return names
