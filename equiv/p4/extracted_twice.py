"""Two programs that leave what they parsed in a struct: what a later control could tell apart (D200)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from equiv.bpf.program import Program
from equiv.bpf.shape import Array, Number, Opaque, Record, Shape
from equiv.condition import model as m
from equiv.condition.relation import Conditions, Part
from equiv.errors import InputError, Place
from equiv.machine.interface import Interface, map_observable
from equiv.p4.convention import Convention, NoErrorYet
from equiv.p4.extracted import struct_of

SIDES: tuple[m.Which, m.Which] = ("left", "right")


def programs_interface(interface: Interface, left: Program, right: Program) -> Interface:
    """The interface of a check of two programs of this kind. Raises InputError where their structs are not alike."""
    how = interface.extracted
    assert how is not None
    structs = struct_of(how, left), struct_of(how, right)
    if structs[0].size != structs[1].size:
        sizes = f"{structs[0].size} bytes in {left.path}, {structs[1].size} in {right.path}"
        raise InputError(f"values of map {how.map_name!r} have {sizes}")
    accept = m.Verdict("left", interface.verdicts["accept"], interface.code_width)
    pair = _Pair(map_observable(how.map_name, how.key), how.valid, (left, right))
    both = (_Spot(0, structs[0]), _Spot(0, structs[1]))
    named = [name for name in (how.headers, how.metadata, how.consumed) if name]
    parts = tuple(part for name in named for part in pair.member(name, name, both, accept))
    text = (
        f"one verdict, and where it is accept, what {how.map_name}[{how.key}] holds: whether each header is valid, the "
        "fields of valid headers, metadata, bits consumed; nothing else is told apart (D200)"
    )
    relation = Convention(text, Conditions(text, parts, m.Always(True), interface.element_width), interface.observables)
    observing = interface.observing_map(how.map_name, how.key, structs[0].size)
    return replace(observing, relation=relation, assumed=(NoErrorYet(*how.error),) if how.error else ())


@dataclass(frozen=True, slots=True)
class _Spot:
    offset: int
    shape: Shape


Both = tuple[_Spot, _Spot]


@dataclass(frozen=True, slots=True)
class _Pair:
    observable: str
    valid: str
    programs: tuple[Program, Program]

    def member(self, name: str, title: str, at: Both, given: m.Boolean) -> Iterator[Part]:
        found = [spot.shape.member(name) if isinstance(spot.shape, Record) else None for spot in at]
        if found[0] is None or found[1] is None:
            missing = self.programs[found[0] is not None]
            raise InputError(f"no member `{title}` of what both programs leave behind", Place(missing.path))
        inner = (
            _Spot(at[0].offset + found[0].offset, found[0].shape),
            _Spot(at[1].offset + found[1].offset, found[1].shape),
        )
        yield from self.whole(title, inner, given)

    def whole(self, title: str, at: Both, given: m.Boolean) -> Iterator[Part]:
        """What is asked of everything within one part of the struct."""
        match at[0].shape, at[1].shape:
            case Record() as one, Record() as other:
                if {each.name for each in one.members} != {each.name for each in other.members}:
                    raise InputError(
                        f"`{title}` has not the same members in both programs", Place(self.programs[1].path)
                    )
                if one.member(self.valid) is not None:
                    flags = [self._flag(side, spot) for side, spot in zip(SIDES, at, strict=True)]
                    yield Part(f"{title}.{self.valid}", given, m.Connective("==", flags[0], flags[1]))
                    given = m.Connective("&&", given, flags[0])
                for each in one.members:
                    if each.name != self.valid:
                        yield from self.member(each.name, f"{title}.{each.name}", at, given)
            case Array() as one, Array() as other if one.count == other.count:
                if isinstance(one.element, Number) and one.stride == other.stride:
                    yield self._same(title, at, one.stride * one.count, given)
                    return
                for i in range(one.count):
                    inner = (
                        _Spot(at[0].offset + i * one.stride, one.element),
                        _Spot(at[1].offset + i * other.stride, other.element),
                    )
                    yield from self.whole(f"{title}[{i}]", inner, given)
            case Number() as one, Number() as other if (one.low, one.width) == (other.low, other.width):
                numbers = [self._number(side, spot) for side, spot in zip(SIDES, at, strict=True)]
                yield Part(title, given, m.Compare("==", numbers[0], numbers[1]))
            case Opaque(size=size), Opaque(size=other_size) if size == other_size:
                yield self._same(title, at, size, given)
            case _:
                raise InputError(f"`{title}` is not of one type in both programs", Place(self.programs[1].path))

    def _same(self, title: str, at: Both, size: int, given: m.Boolean) -> Part:
        both = [m.Bytes(side, self.observable, spot.offset, size) for side, spot in zip(SIDES, at, strict=True)]
        return Part(title, given, m.Compare("==", both[0], both[1]))

    def _number(self, side: m.Which, spot: _Spot) -> m.Numeric:
        assert isinstance(spot.shape, Number)
        little = self.programs[side == "right"].byte_order == "little"
        whole = m.Bytes(side, self.observable, spot.offset, spot.shape.size, little)
        if spot.shape.width == 8 * spot.shape.size:
            return whole
        return m.Slice(whole, spot.shape.low + spot.shape.width - 1, spot.shape.low)

    def _flag(self, side: m.Which, spot: _Spot) -> m.Boolean:
        assert isinstance(spot.shape, Record)
        found = spot.shape.member(self.valid)
        assert found is not None
        if not isinstance(found.shape, Number):
            raise InputError(f"`{self.valid}` is no number", Place(self.programs[side == "right"].path))
        return m.Compare("!=", self._number(side, _Spot(spot.offset + found.offset, found.shape)), m.Number(0))
