"""CO-RE relocations: what an instruction says of a type, adjusted to the types that the program meets (D100).

A relocation names a type of the object, an access into it (`0:1:2`, member numbers and array indices) and what it wants
to know of the place reached: an offset, a size, whether it is there. Kinds and rules are libbpf's (relo_core.c;
`enum bpf_core_relo_kind` of include/uapi/linux/bpf.h).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from equiv.bpf import insn as isa
from equiv.bpf.btf import Btf, BtfType, Kind, essential_name, read_btf
from equiv.bpf.core_match import ENUMS, Spot, Unmatched, candidates, compatible, matching, own_place, place
from equiv.bpf.elf import read_elf
from equiv.bpf.program import ByteOrder, Insn
from equiv.errors import InputError, Place
from equiv.inputs import begins_with, read_input

LARGEST_TYPES: Final = 64 << 20
"""Bytes of the largest file of types; a distribution kernel's has some six million."""


class Relocation(enum.IntEnum):
    """`enum bpf_core_relo_kind`."""

    FIELD_BYTE_OFFSET = 0
    FIELD_BYTE_SIZE = 1
    FIELD_EXISTS = 2
    FIELD_SIGNED = 3
    FIELD_LSHIFT_U64 = 4
    FIELD_RSHIFT_U64 = 5
    TYPE_ID_LOCAL = 6
    TYPE_ID_TARGET = 7
    TYPE_EXISTS = 8
    TYPE_SIZE = 9
    ENUMVAL_EXISTS = 10
    ENUMVAL_VALUE = 11
    TYPE_MATCHES = 12


_OF_TYPES: Final = frozenset(
    {Relocation.TYPE_ID_TARGET, Relocation.TYPE_EXISTS, Relocation.TYPE_SIZE, Relocation.TYPE_MATCHES}
)
_OF_ENUMS: Final = frozenset({Relocation.ENUMVAL_EXISTS, Relocation.ENUMVAL_VALUE})
_EXISTENCE: Final = frozenset({Relocation.FIELD_EXISTS, Relocation.ENUMVAL_EXISTS})
_SIZES: Final = {1: isa.B, 2: isa.H, 4: isa.W, 8: isa.DW}


@dataclass(frozen=True, slots=True)
class Types:
    """The types of what the program meets, and how a report calls the file that they are from."""

    btf: Btf
    name: str


@dataclass(frozen=True, slots=True)
class _Value:
    """What a relocation asks for. `size` of what is loaded or stored there in bytes, 0 where that does not matter."""

    value: int
    bits: int = 0
    size: int = 0
    resizable: bool = False
    """An unsigned integer or a pointer, of which a shorter or longer one may be loaded."""


def read_types(path: str, byte_order: ByteOrder) -> Types:
    """Types from a file of BTF (`/sys/kernel/btf/vmlinux`), or from an object's `.BTF`. Raises InputError."""
    where = Place(path)
    if begins_with(path, b"\x7fELF"):
        section = read_elf(path).section(".BTF")
        if section is None or not section.data:
            raise InputError("holds no types (.BTF)", where)
        return Types(read_btf(section.data, byte_order, where), path)
    return Types(read_btf(read_input(path, LARGEST_TYPES), byte_order, where), path)


def relocated(
    insn: Insn, words: tuple[int, ...], own: Btf, types: Types | None, byte_order: ByteOrder = "little"
) -> Insn | str:
    """The instruction with the relocation made; where it cannot be made, in words what it needs.

    `words` are type, access string and kind (`.BTF.ext`). Without `types` the program meets the object's own: then what
    the compiler wrote stands, but for numbers of types, which only a kernel gives.
    """
    type_id, offset, number = words
    try:
        kind = Relocation(number)
    except ValueError:
        return f"has a CO-RE relocation of unknown kind {number}"
    root, access = own.type(type_id), own.string(offset)
    if kind is Relocation.TYPE_ID_LOCAL:
        return insn
    what = f"{root.kind.name.lower()} {root.name or 'without a name'}"
    if kind not in _OF_TYPES:
        what += f" at {access}"
    if types is None:
        return f"needs the number that a kernel gives to {what}" if kind is Relocation.TYPE_ID_TARGET else insn
    if not root.name:
        return f"has a CO-RE relocation against {what}"
    try:
        numbers = _numbers(access)
        old = _own_value(kind, numbers, root, own, byte_order)
        new = _new_value(kind, numbers, root, own, types, byte_order)
        if new is None:
            return f"needs {what}, which {types.name} does not have"
        return _patched(insn, old, new, what, types)
    except Unmatched as reason:
        return f"{reason}: {what}"


def spelled(words: tuple[int, ...], own: Btf, known: dict[int, str]) -> str:
    """A relocation in words: two that ask for the same read alike, however their objects number types.

    Where it is about a whole type, a hash of the type's members and theirs is part of it, since libbpf compares them;
    `known` keeps those hashes, by type, for the next relocation of the same object.
    """
    type_id, offset, number = words
    kind = Relocation(number).name if number in Relocation._value2member_map_ else str(number)
    access = own.string(offset)
    what = [kind, _titled(own, type_id), access]
    if number in _OF_TYPES:
        if type_id not in known:
            known[type_id] = sha256("".join(_members(own, type_id)).encode()).hexdigest()
        return " ".join([*what, known[type_id]])
    here = type_id
    for each in access.split(":")[int(number not in _OF_ENUMS) :]:
        found, at = own.resolve(here), int(each) if each.isascii() and each.isdecimal() else -1
        if found.kind in ENUMS and 0 <= at < len(found.values):
            what.append(f"{found.values[at][0]}={found.values[at][1]}")
            break
        if 0 <= at < len(found.members):
            here = found.members[at].type_id
            what.append(f".{found.members[at].name} {_titled(own, here)}")
        elif found.kind is Kind.ARRAY:
            here = found.target
            what.append(f"[{each}] {_titled(own, here)}")
        else:
            what.append("?")
            break
    return " ".join(what)


def _titled(own: Btf, type_id: int) -> str:
    found = own.resolve(type_id)
    return f"{found.kind.name} {found.name} {found.size}" + (" signed" if found.signed or found.flag else "")


def _members(own: Btf, root: int) -> list[str]:
    """Every type that `root` is made of, numbered by when it is first met."""
    numbers, met = {root: 0}, [root]
    shown: list[str] = []
    while len(shown) < len(met):
        found = own.type(met[len(shown)])
        parts = [
            f"{found.kind.name} {found.name} {found.size} {found.count} {found.signed} {found.flag} {found.values}"
        ]
        for name, offset, width, type_id in [
            *((each.name, each.offset, each.width, each.type_id) for each in found.members),
            *([("", 0, 0, found.target)] if found.target else []),
        ]:
            if type_id not in numbers:
                numbers[type_id] = len(met)
                met.append(type_id)
            parts.append(f"{name}@{offset}+{width}:{numbers[type_id]}")
        shown.append(f"({' '.join(parts)})")
    return shown


def _numbers(access: str) -> list[int]:
    parts = access.split(":")
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise Unmatched(f"has a CO-RE relocation with access {access!r}")
    return [int(part) for part in parts]


def _own_value(kind: Relocation, numbers: list[int], root: BtfType, own: Btf, order: ByteOrder) -> _Value | None:
    """What the compiler should have written; None where that is not settled (bit-fields, numbers of types)."""
    if kind is Relocation.TYPE_SIZE:
        return _Value(own.size_of(root.type_id))
    if kind in _OF_TYPES:
        return None if kind is Relocation.TYPE_ID_TARGET else _Value(1)
    if kind in _OF_ENUMS:
        _, value = _enumerator(root, numbers, own)
        return _Value(1 if kind is Relocation.ENUMVAL_EXISTS else value)
    spot = own_place(numbers, root.type_id, own)
    value_here = _Value(1) if kind is Relocation.FIELD_EXISTS else _of_field(kind, spot, own, order)
    ambiguous = spot.width and kind not in (Relocation.FIELD_SIGNED, Relocation.FIELD_RSHIFT_U64)
    return None if ambiguous and kind is not Relocation.FIELD_EXISTS else value_here


def _new_value(
    kind: Relocation, numbers: list[int], root: BtfType, own: Btf, types: Types, order: ByteOrder
) -> _Value | None:
    """What the target's types say; None where they have nothing to say it of. Raises Unmatched where they disagree."""
    found: set[_Value] = set()
    for each in candidates(root, types.btf):
        if kind in _OF_TYPES:
            compare = matching if kind is Relocation.TYPE_MATCHES else compatible
            if compare(own, root.type_id, types.btf, each.type_id):
                found.add(_of_type(kind, each, types.btf))
        elif kind in _OF_ENUMS:
            name, _ = _enumerator(root, numbers, own)
            values = types.btf.resolve(each.type_id).values
            match = next((value for other, value in values if essential_name(other) == name), None)
            if match is not None:
                found.add(_Value(1 if kind is Relocation.ENUMVAL_EXISTS else match))
        elif (spot := place(numbers, root.type_id, own, each, types.btf)) is not None:
            value = _Value(1) if kind is Relocation.FIELD_EXISTS else _of_field(kind, spot, types.btf, order)
            found.add(replace(value, bits=spot.bits))
    if len(found) > 1:
        raise Unmatched(f"has a CO-RE relocation that {types.name} answers in more than one way")
    if found:
        return found.pop()
    return _Value(0) if kind in _OF_TYPES or kind in _EXISTENCE else None


def _of_type(kind: Relocation, found: BtfType, target: Btf) -> _Value:
    """`bpf_core_calc_type_relo`."""
    if kind is Relocation.TYPE_ID_TARGET:
        return _Value(found.type_id)
    return _Value(target.size_of(found.type_id) if kind is Relocation.TYPE_SIZE else 1)


def _enumerator(root: BtfType, numbers: list[int], own: Btf) -> tuple[str, int]:
    """Essential name and value."""
    declared = own.resolve(root.type_id)
    if declared.kind not in ENUMS or len(numbers) != 1 or numbers[0] >= len(declared.values):
        raise Unmatched("has a CO-RE relocation whose access its own type does not allow")
    name, value = declared.values[numbers[0]]
    return essential_name(name), value


def _of_field(kind: Relocation, spot: Spot, btf: Btf, order: ByteOrder) -> _Value:
    """`bpf_core_calc_field_relo`."""
    there = btf.resolve(spot.type_id)
    if not spot.named and kind not in (Relocation.FIELD_BYTE_OFFSET, Relocation.FIELD_BYTE_SIZE):
        raise Unmatched("has a CO-RE relocation that does not apply to an array's element")
    size = there.size if spot.width else btf.size_of(spot.type_id)
    width = spot.width or 8 * size
    offset = spot.bits // 8
    if spot.width:  # the smallest integer that holds the bit-field, at a multiple of its size
        size = size or 1
        offset = spot.bits // 8 // size * size
        while spot.bits + width - 8 * offset > 8 * size:
            if size >= 8:
                raise Unmatched("has a CO-RE relocation of a bit-field that no load holds")
            size *= 2
            offset = spot.bits // 8 // size * size
    inside = spot.bits - 8 * offset
    match kind:
        case Relocation.FIELD_BYTE_OFFSET:
            unsigned = there.kind is Kind.PTR or (there.kind is Kind.INT and not there.signed)
            return _Value(offset, size=0 if spot.width else size, resizable=unsigned)
        case Relocation.FIELD_BYTE_SIZE:
            return _Value(size)
        case Relocation.FIELD_SIGNED:
            return _Value(int(there.signed or (there.kind in ENUMS and there.flag)))
        case Relocation.FIELD_LSHIFT_U64:
            shift = 64 - (inside + width) if order == "little" else 8 * (8 - size) + inside
            return _Value(shift & (1 << 64) - 1)
        case _:
            return _Value(64 - width & (1 << 64) - 1)


def _patched(insn: Insn, old: _Value | None, new: _Value, what: str, types: Types) -> Insn:
    """`bpf_core_patch_insn`. Raises Unmatched where libbpf refuses or makes the instruction invalid."""
    kind = insn.opcode & isa.CLASS_MASK
    value = new.value
    if kind in (isa.ALU, isa.ALU64) and not insn.opcode & isa.SOURCE_MASK:
        _expect(old, insn.imm)
        return replace(insn, imm=_signed(value & 0xFFFFFFFF))
    if kind in (isa.LDX, isa.ST, isa.STX):
        _expect(old, insn.off)
        if value >= 1 << 15:
            raise Unmatched(f"has a CO-RE relocation whose offset {value} is too large")
        insn = replace(insn, off=value)
        size = old.size if old is not None else 0
        if size == new.size:
            return insn
        fits = old is not None and old.resizable and new.resizable
        if not fits or isa.access_size(insn) != size or new.size not in _SIZES:
            raise Unmatched(f"accesses what has another size in {types.name}")
        return replace(insn, opcode=insn.opcode & ~isa.SIZE_MASK | _SIZES[new.size])
    if isa.is_wide(insn) and insn.ref is None:
        _expect(old, insn.imm64)
        value &= (1 << 64) - 1
        return replace(insn, imm64=value, imm=_signed(value & 0xFFFFFFFF))
    raise Unmatched("has a CO-RE relocation at an instruction that cannot have one")


def _expect(old: _Value | None, held: int) -> None:
    if old is not None and (old.value ^ held) & 0xFFFFFFFF:
        raise Unmatched(f"holds {held} where its CO-RE relocation expects {old.value}")


def _signed(value: int) -> int:
    return value - ((value & 0x80000000) << 1)
