"""From a BTF type to what lies where in a value of it. Nothing behind a pointer is looked at."""

from __future__ import annotations

from equiv.bpf.btf import MAX_DEPTH, Btf, BtfType, Kind
from equiv.bpf.program import ByteOrder
from equiv.bpf.shape import Array, Member, Number, Opaque, Record, Shape
from equiv.errors import InputError


class Shapes:
    """The shapes of one object's types. A type that is used many times is read once, so work is linear in the BTF."""

    def __init__(self, btf: Btf, order: ByteOrder) -> None:
        self._btf = btf
        self._order = order
        self._known: dict[int, Shape] = {}

    def of(self, type_id: int, depth: int = 0) -> Shape:
        """The shape of a type that has a size. Raises InputError for malformed BTF."""
        if depth > MAX_DEPTH:
            raise InputError(f"malformed BTF: type {type_id} is nested more than {MAX_DEPTH} deep")
        found = self._btf.resolve(type_id)
        shape = self._known.get(found.type_id)
        if shape is None:
            shape = self._known[found.type_id] = self._shape(found, depth)
        return shape

    def _shape(self, found: BtfType, depth: int) -> Shape:
        match found.kind:
            case Kind.INT | Kind.ENUM | Kind.ENUM64:
                return Number(found.size, 0, 8 * found.size)
            case Kind.ARRAY:
                return Array(self.of(found.target, depth + 1), self._btf.size_of(found.target), found.count)
            case Kind.STRUCT | Kind.UNION:
                return Record(found.name, found.size, self._members(found, depth))
        return Opaque(self._btf.size_of(found.type_id), found.kind.name.lower())

    def _members(self, found: BtfType, depth: int) -> tuple[Member, ...]:
        members = []
        for field in self._btf.fields(found):
            if not field.width:
                members.append(Member(field.name, field.offset, self.of(field.type_id, depth + 1)))
            elif self._order == "little":
                low = field.bit_offset % 8
                size = (low + field.width + 7) // 8
                members.append(Member(field.name, field.bit_offset // 8, Number(size, low, field.width)))
            else:  # bits are counted from the other end, which nothing here relies on
                members.append(Member(field.name, field.offset, Opaque(field.size, "bit-field")))
        return tuple(members)
