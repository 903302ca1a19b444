"""Of which bytes of a packet each side makes what differs: found by trying other values there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from equiv.errors import EquivError
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.proof.replay import Executor
from equiv.result import Dependence, OutputField, field_value

MOST = 256
"""Where a side reads more bytes than this of a packet, nothing is told: trying them all would take long."""

FLIPS = (0x01, 0x80, 0xFF, 0x10)
"""Bits that are changed, one try after the other."""

Values = Mapping[str, int | bytes]


def dependence(
    given: Input,
    sides: Mapping[str, tuple[Executor, Observation]],
    differs: Sequence[str],
    fields: Sequence[OutputField],
) -> dict[str, dict[str, Dependence]]:
    """By side, and by the name of a value that differs (an observable, or an output inside of one).

    Nothing is said where the verdicts differ.
    """
    if "verdict" in differs or any(len(seen.read) > MOST for _, seen in sides.values()):
        return {}
    inside = [each for each in fields if each.observable in differs]
    values = {side: _values(seen, differs, inside) for side, (_, seen) in sides.items()}
    left, right = values.values()
    names = [name for name in dict.fromkeys((*left, *right)) if left.get(name) != right.get(name)]
    found: dict[str, dict[str, Dependence]] = {}
    for side, (run, seen) in sides.items():
        watched = {name: _Watched(values[side][name]) for name in names if name in values[side]}

        def shown(changed: Input, run: Executor = run, seen: Observation = seen) -> Values:
            """What that side gives on another input; nothing where it ends otherwise."""
            try:
                again = run(changed)
            except (NotRunnable, EquivError):
                return {}
            same = (again.code, again.verdict) == (seen.code, seen.verdict)
            return _values(again, differs, inside) if same else {}

        offsets = [offset for offset in sorted(seen.read) if 0 <= offset < len(given.packet)]
        for offset, flip in product(offsets, FLIPS):
            after = shown(_flipped(given, offset, flip))
            for name, each in watched.items():
                if name in after:
                    each.note(offset, flip, after[name])
        found[side] = {name: _without_mixtures(name, each.told(), given, shown) for name, each in watched.items()}
    return found


def _without_mixtures(name: str, told: Dependence, given: Input, shown: Callable[[Input], Values]) -> Dependence:
    """No copy of what is mixed with something else, as in a sum where the other summand happens to be 0.

    Where a byte that is not copied changes the value, the copied ones must have no say in it any more.
    """
    before = shown(given).get(name)
    if before is None or before != _written(told.copied, given, before):
        return Dependence(told.on)
    for offset, flip in product(sorted(told.on.difference(told.copied)) if told.copied else (), FLIPS):
        other = _flipped(given, offset, flip)
        value = shown(other).get(name)
        if value is None:
            continue
        for place, bits in product(told.copied, FLIPS[:2]):
            again = shown(_flipped(other, place, bits)).get(name)
            if again not in (None, value) and value != _written(told.copied, other, value):
                return Dependence(told.on)
    return told


def _written(places: Sequence[int], given: Input, like: int | bytes) -> int | bytes:
    """The bytes of the packet at `places`, as a number or as bytes."""
    octets = bytes(given.packet[place] for place in places)
    return octets if isinstance(like, bytes) else int.from_bytes(octets, "big")


def _flipped(given: Input, offset: int, flip: int) -> Input:
    packet = bytearray(given.packet)
    packet[offset] ^= flip
    return replace(given, packet=bytes(packet))


@dataclass(slots=True)
class _Watched:
    """What became of one value: offsets that `changed` it, and where a flipped bit came out as just that bit.

    `copied` maps an offset to the place of a byte in the value (from the least significant one), None where it is none.
    """

    before: int | bytes
    changed: set[int] = field(default_factory=set)
    copied: dict[int, int | None] = field(default_factory=dict)

    def note(self, offset: int, flip: int, after: int | bytes) -> None:
        """What the value is after bits at `offset` were flipped."""
        place = None if after == self.before else self._place(flip, after)
        if after != self.before:
            self.changed.add(offset)
        self.copied[offset] = place if self.copied.get(offset, place) == place else None

    def _place(self, flip: int, after: int | bytes) -> int | None:
        """The byte of the value in which just `flip` was flipped."""
        if isinstance(self.before, bytes) and isinstance(after, bytes) and len(self.before) != len(after):
            return None
        unlike = _number(self.before) ^ _number(after)
        place = (unlike.bit_length() - 1) // 8
        return place if unlike == flip << 8 * place else None

    def told(self) -> Dependence:
        """What is known in the end; a copy only if each byte of the value comes from an offset of its own."""
        places: dict[int, int] = {}
        for offset, place in self.copied.items():
            if place is None:
                continue
            if place in places:
                return Dependence(frozenset(self.changed))
            places[place] = offset
        size = len(self.before) if isinstance(self.before, bytes) else max(places, default=-1) + 1
        copied = tuple(places[place] for place in range(size - 1, -1, -1)) if len(places) == size else ()
        fits = isinstance(self.before, bytes) or self.before < 1 << 8 * size
        return Dependence(frozenset(self.changed), copied if fits else ())


def _number(value: int | bytes) -> int:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def _values(seen: Observation, differs: Sequence[str], fields: Sequence[OutputField]) -> dict[str, int | bytes]:
    """Observables that differ, and the outputs inside of them, as bytes where they lie."""
    found: dict[str, int | bytes] = {name: seen.values[name] for name in differs if name in seen.values}
    for each in fields:
        value = seen.values.get(each.observable)
        if field_value(seen, each) is not None and isinstance(value, bytes):
            found[each.name] = value[each.offset : each.offset + each.size]
    return found
