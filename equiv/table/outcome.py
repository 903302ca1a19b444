"""Outputs as terms: what their places hold at the start, and what is observed at the end (D10)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

from equiv.machine.inputs import (
    ADDRESS_WIDTH,
    context_field,
    linear_length,
    map_value_byte,
    packet_byte,
    packet_length,
    unchanged_packet,
)
from equiv.machine.interface import Interface, Observable
from equiv.machine.protocol import Outcome
from equiv.table import layout
from equiv.table.code import RETURNED
from equiv.table.layout import Segment
from equiv.table.model import Table, Target
from equiv.table.observe import NETWORK_OFFSET
from equiv.table.verdicts import code_of
from equiv.term import Term, concat, const, disj, eq, extract, ite, resize, ult

CellReader = Callable[[str, int], Term]
"""The term that a cell of that name and width holds."""


class Outcomes:
    """The observables of one table under one interface. Inert after construction."""

    def __init__(self, table: Table, interface: Interface) -> None:
        self.interface = interface
        self.metadata = table.metadata
        self.observables = layout.observables(table, interface)
        self.segments: dict[str, Segment] = {
            piece.cell: piece for piece in chain.from_iterable(layout.segments(table).values())
        }
        self._return = next((s for s in self.segments.values() if s.observable == layout.RETURN), None)

    def initial(self, segment: Segment) -> Term:
        """What a segment's place holds before the parser runs, as the number that the segment's order makes of it."""
        if segment.observable == layout.RETURN:
            return const(0, segment.width)
        observable = self.observables[segment.observable]
        if observable.kind == "int":
            return self._initial_number(observable)
        return in_order(self._initial_bytes(observable, segment.offset, segment.width // 8), segment.order)

    def cells_read(self, verdict: Target) -> frozenset[str]:
        """The cells that `outcome` looks at for this verdict."""
        if verdict.name == "punt":
            return frozenset()
        counting = set(self._counting(verdict))
        found = {cell for cell, segment in self.segments.items() if segment.observable in counting}
        if self._return is not None and verdict.name == "accept":
            found |= {self._return.cell, RETURNED}
        return frozenset(found)

    def outcome(self, verdict: Target, cell: CellReader) -> Outcome:
        """What is seen when `verdict` is reached; observables that cannot count with its code are left out."""
        if verdict.name == "punt":
            return Outcome(const(0, self.interface.code_width), {}, punt=True)
        code = self._code(verdict, cell)
        values: dict[str, Term] = {}
        for name in self._counting(verdict):
            observable = self.observables[name]
            if name == layout.METADATA_SIZE:
                values[name] = const(self.metadata, observable.width)
            elif observable.kind == "int":
                values[name] = self._number(observable, cell)
            elif observable.width:
                values[name] = self._bytes(observable, cell)
        for observable in self._untouched(verdict):
            is_packet = observable.kind == "packet"
            values[observable.name] = unchanged_packet() if is_packet else const(0, observable.width)
        if "keys.nhoff" in values and "keys.thoff" in values:
            linear = self.interface.split == "linear"
            length = extract(15, 0, packet_length() if linear else linear_length())  # D192
            nhoff = _clamp(values["keys.nhoff"], const(NETWORK_OFFSET, 16), length)
            values["keys.thoff"] = _clamp(values["keys.thoff"], nhoff, length)
            values["keys.nhoff"] = nhoff
        return Outcome(code, values)

    def _code(self, verdict: Target, cell: CellReader) -> Term:
        width = self.interface.code_width
        code = const(code_of(self.interface, verdict), width)
        if self._return is not None and verdict.name == "accept":
            code = ite(cell(RETURNED, 1), resize(cell(self._return.cell, 32), width), code)
        if self.interface.clamp_to_length:
            length = extract(31, 0, packet_length())
            return ite(ult(code, length), code, length)
        if self.interface.other_code is not None:
            known = disj(*(eq(code, const(label, 32)) for label in self.interface.verdicts.values()))
            return ite(known, code, const(self.interface.other_code, 32))
        return code

    def _counting(self, verdict: Target) -> list[str]:
        """Names of the observables that are compared at `verdict`; all of them if its code is not known beforehand."""
        if self._return is not None and verdict.name == "accept":
            return list(self.observables)
        code = self.interface.normalise(code_of(self.interface, verdict), self.interface.max_length)
        return [name for name, observable in self.observables.items() if self.interface.counts(observable, code)]

    def _untouched(self, verdict: Target) -> list[Observable]:
        """Observables that count at `verdict` and that no table changes: the packet, what helpers do (D61, D62)."""
        found = [o for o in self.interface.observables if o.kind in layout.DONE_BY_PROGRAMS]
        if self._return is not None and verdict.name == "accept":
            return found
        code = self.interface.normalise(code_of(self.interface, verdict), self.interface.max_length)
        return [o for o in found if self.interface.counts(o, code)]

    def _number(self, observable: Observable, cell: CellReader) -> Term:
        for segment in self.segments.values():
            if segment.observable == observable.name:
                return cell(segment.cell, segment.width)
        return self._initial_number(observable)

    def _bytes(self, observable: Observable, cell: CellReader) -> Term:
        """The observable's bytes in memory order: what was assigned, and between that what was there before."""
        parts: list[Term] = []
        position = 0
        own = [s for s in self.segments.values() if s.observable == observable.name]
        for segment in sorted(own, key=lambda s: s.offset):
            parts += self._initial_bytes(observable, position, segment.offset - position)
            parts.append(concat(*in_memory(cell(segment.cell, segment.width), segment.order)))
            position = segment.offset + segment.width // 8
        parts += self._initial_bytes(observable, position, observable.width // 8 - position)
        return concat(*parts)

    def _initial_number(self, observable: Observable) -> Term:
        match observable.name:
            case "keys.nhoff" | "keys.thoff":
                return const(NETWORK_OFFSET, 16)
            case "keys.flags":
                return context_field("flags", 32)
        if observable.name.startswith("keys."):
            return const(0, observable.width)
        return context_field(observable.name, observable.width)

    def _initial_bytes(self, observable: Observable, start: int, size: int) -> list[Term]:
        """`size` bytes from `start`, in memory order, as they are before the parser runs."""
        positions = range(start, start + size)
        if observable.map_name:
            assert observable.map_key is not None  # hashes are not observed where a side is a table
            key = const(observable.map_key, 32)
            return [map_value_byte(observable.map_name, key, const(i, 32)) for i in positions]
        if observable.name == "keys.n_proto":
            return [packet_byte(const(12 + i, ADDRESS_WIDTH)) for i in positions]
        if observable.name == "cb":
            whole = context_field("cb", observable.width)
            return [extract(observable.width - 8 * i - 1, observable.width - 8 * i - 8, whole) for i in positions]
        return [const(0, 8) for _ in positions]


def in_memory(number: Term, order: str) -> list[Term]:
    """The bytes of `number` as they stand in memory, lowest address first."""
    low_first = [extract(8 * i + 7, 8 * i, number) for i in range(number.width // 8)]
    return low_first if order == "little" else low_first[::-1]


def in_order(memory: list[Term], order: str) -> Term:
    """The number that bytes in memory order stand for."""
    return concat(*(memory[::-1] if order == "little" else memory))


def _clamp(value: Term, low: Term, high: Term) -> Term:
    """As the kernel's `clamp_t`, for `low <= high`."""
    return ite(ult(value, high), ite(ult(value, low), low, value), high)
