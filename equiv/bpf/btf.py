"""BPF Type Format: the types of an object's source, and what `.BTF.ext` says of its instructions.

Layout: Documentation/bpf/btf.rst and include/uapi/linux/btf.h. A type is a 12-byte record, then what its kind adds:

    +-----------------+---------------------------------------------+------------------+
    |    name_off     | kflag (1) | 0 (2) | kind (5) | 0 (8) | vlen (16) |  size or type    |
    |     32 bits     |                  info, 32 bits              |     32 bits      |
    +-----------------+---------------------------------------------+------------------+

Invariant: every length is checked against what is there before it is used, and every chain of types that is followed
is cut off at `MAX_DEPTH`; bad input is InputError.
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from equiv.bpf.program import ByteOrder
from equiv.errors import InputError, Place

MAGIC = 0xEB9F
MAX_DEPTH = 32
"""Longest chain of types followed; the kernel's own limit (kernel/bpf/btf.c, MAX_RESOLVE_DEPTH)."""

MAX_FIELDS = 1 << 17
"""Most members of one struct, nested ones included."""

MAX_SIZE = 1 << 29
"""Largest type in bytes; bit offsets are 32 bits wide."""


class Kind(enum.IntEnum):
    """`BTF_KIND_*`."""

    VOID = 0
    INT = 1
    PTR = 2
    ARRAY = 3
    STRUCT = 4
    UNION = 5
    ENUM = 6
    FWD = 7
    TYPEDEF = 8
    VOLATILE = 9
    CONST = 10
    RESTRICT = 11
    FUNC = 12
    FUNC_PROTO = 13
    VAR = 14
    DATASEC = 15
    FLOAT = 16
    DECL_TAG = 17
    TYPE_TAG = 18
    ENUM64 = 19


_MODIFIERS = frozenset({Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_SIZED = frozenset({Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT, Kind.DATASEC})

# 32-bit words after the common record: fixed ones, and ones for each of `vlen` members.
_FIXED_WORDS = {Kind.INT: 1, Kind.ARRAY: 3, Kind.VAR: 1, Kind.DECL_TAG: 1}
_MEMBER_WORDS = {
    Kind.STRUCT: 3,
    Kind.UNION: 3,
    Kind.ENUM: 2,
    Kind.FUNC_PROTO: 2,
    Kind.DATASEC: 3,
    Kind.ENUM64: 3,
}


_FLAVOURED = re.compile(r"(.*[^_])___[^_]", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a struct, union, function prototype or data section.

    `offset` in bits for a struct or union (bytes for a data section), `width` in bits of a bit-field, else 0;
    `size` in bytes, of a data section's variables only.
    """

    name: str
    type_id: int
    offset: int = 0
    width: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class BtfType:
    """A type. `size` in bytes where the kind has one; `target` the type it refers to; `count` an array's elements.

    `flag`: a signed enum, or a forward declaration of a union. `signed` and `bit_offset` are of integers. `values` are
    an enum's, in order.
    """

    type_id: int
    kind: Kind
    name: str
    size: int = 0
    target: int = 0
    count: int = 0
    members: tuple[Member, ...] = ()
    flag: bool = False
    signed: bool = False
    bit_offset: int = 0
    values: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a struct as memory holds it: `offset` and `size` in bytes.

    A bit-field has `width` > 0: that many bits from bit `bit_offset` of the struct on.
    """

    name: str
    offset: int
    size: int
    type_id: int
    bit_offset: int = 0
    width: int = 0


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct or union: `size` in bytes, `fields` by name, those of anonymous members included."""

    name: str
    size: int
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class Record:
    """One `.BTF.ext` entry: `offset` is the instruction's byte offset in section `section`, `words` what follows."""

    section: str
    offset: int
    words: tuple[int, ...]


class Btf:
    """The types of one object. Type 0 is void."""

    def __init__(self, types: tuple[BtfType, ...], strings: bytes, place: Place) -> None:
        self.types = types
        self._strings = strings
        self._place = place

    def type(self, type_id: int) -> BtfType:
        """The type of that number; InputError if there is none."""
        if not 0 <= type_id < len(self.types):
            raise self._error(f"type {type_id} of {len(self.types)}")
        return self.types[type_id]

    def resolve(self, type_id: int) -> BtfType:
        """The type behind typedefs, qualifiers and type tags."""
        for _ in range(MAX_DEPTH):
            found = self.type(type_id)
            if found.kind not in _MODIFIERS:
                return found
            type_id = found.target
        raise self._error(f"type {type_id} refers to itself or is nested more than {MAX_DEPTH} deep")

    def size_of(self, type_id: int) -> int:
        """Bytes that a value of the type takes. Raises InputError for types without a size."""
        count = 1
        start = type_id
        for _ in range(MAX_DEPTH):
            found = self.resolve(type_id)
            size = 8 if found.kind is Kind.PTR else found.size
            if found.kind is Kind.ARRAY:
                count *= found.count
            elif found.kind is not Kind.VAR and found.kind not in _SIZED and found.kind is not Kind.PTR:
                raise self._error(f"type {start} ({found.kind.name}) has no size")
            if found.kind not in (Kind.ARRAY, Kind.VAR):
                count *= size
            if count > MAX_SIZE:
                raise self._error(f"type {start} is larger than {MAX_SIZE} bytes")
            if found.kind not in (Kind.ARRAY, Kind.VAR):
                return count
            type_id = found.target
        raise self._error(f"type {start} is nested more than {MAX_DEPTH} deep")

    def named(self, name: str, *kinds: Kind) -> BtfType | None:
        """The first type of that name and one of those kinds."""
        return next((found for found in self._by_name.get(name, ()) if not kinds or found.kind in kinds), None)

    def all_named(self, name: str) -> list[BtfType]:
        """All types whose essential name that is."""
        return self._by_essential_name.get(name, [])

    def struct(self, name: str) -> Struct | None:
        """The struct or union of that name (behind a typedef of that name, too); None if there is none."""
        found = self.named(name, Kind.STRUCT, Kind.UNION)
        if found is None:
            alias = self.named(name, Kind.TYPEDEF)
            found = self.resolve(alias.type_id) if alias else None
        if found is None or found.kind not in (Kind.STRUCT, Kind.UNION):
            return None
        return Struct(name, found.size, {field.name: field for field in self.fields(found)})

    def fields(self, composite: BtfType) -> Iterator[Field]:
        """The fields of a struct or union in order; those of anonymous structs and unions in place of these."""
        pending = [(member, 0, 0) for member in reversed(composite.members)]
        count = 0
        while pending:
            member, base, depth = pending.pop()
            count += 1
            if count > MAX_FIELDS:
                raise self._error(f"type {composite.type_id} has more than {MAX_FIELDS} members")
            bits = base + member.offset
            inner = self.resolve(member.type_id)
            if not member.name and inner.kind in (Kind.STRUCT, Kind.UNION):
                if depth == MAX_DEPTH:
                    raise self._error(f"type {composite.type_id} is nested more than {MAX_DEPTH} deep")
                pending += [(nested, bits, depth + 1) for nested in reversed(inner.members)]
            elif member.name:
                yield Field(member.name, bits // 8, self.size_of(member.type_id), member.type_id, bits, member.width)

    def string(self, offset: int) -> str:
        """The string at `offset` of the string section; bytes that are not UTF-8 are replaced (source text)."""
        end = self._strings.find(b"\0", offset)
        if end < 0:
            raise self._error(f"string at {offset} lies outside the {len(self._strings)} bytes of strings")
        return self._strings[offset:end].decode("utf-8", "replace")

    @cached_property
    def _by_name(self) -> dict[str, list[BtfType]]:
        found: dict[str, list[BtfType]] = {}
        for item in self.types:
            if item.name:
                found.setdefault(item.name, []).append(item)
        return found

    @cached_property
    def _by_essential_name(self) -> dict[str, list[BtfType]]:
        found: dict[str, list[BtfType]] = {}
        for name, items in self._by_name.items():
            found.setdefault(essential_name(name), []).extend(items)
        return found

    def _error(self, message: str) -> InputError:
        return InputError(f"malformed BTF: {message}", self._place)


def essential_name(name: str) -> str:
    """A name without its flavour: `iphdr` of `iphdr___old` (libbpf, `bpf_core_essential_name_len`)."""
    match = _FLAVOURED.match(name)
    return match[1] if match else name


def read_btf(data: bytes, byte_order: ByteOrder, place: Place) -> Btf:
    """Read a `.BTF` section. Raises InputError at `place`."""
    header_size, (type_offset, type_size, string_offset, string_size) = _header(data, byte_order, 4, ".BTF", place)
    for what, offset, size in (("types", type_offset, type_size), ("strings", string_offset, string_size)):
        if header_size + offset + size > len(data):
            raise InputError(f"malformed BTF: its {size} bytes of {what} lie beyond the section's end", place)
    strings = data[header_size + string_offset :][:string_size]
    if not strings or strings[0] or strings[-1]:
        raise InputError("malformed BTF: strings do not start and end with NUL", place)
    content = data[header_size + type_offset :][:type_size]
    if len(content) % 4:
        raise InputError(f"malformed BTF: {type_size} bytes of types", place)
    words = struct.unpack(f"{_prefix(byte_order)}{len(content) // 4}I", content)
    names = Btf((), strings, place)
    types = [BtfType(0, Kind.VOID, "")]
    at = 0
    while at < len(words):
        item, at = _type(words, at, len(types), names, place)
        types.append(item)
    return Btf(tuple(types), strings, place)


def _type(words: tuple[int, ...], at: int, type_id: int, names: Btf, place: Place) -> tuple[BtfType, int]:
    """The type whose record starts at word `at`, and the word after it."""
    if at + 3 > len(words):
        raise InputError(f"malformed BTF: type {type_id} is cut short", place)
    name_offset, info, size_or_type = words[at : at + 3]
    if info >> 24 & 31 > max(Kind) or not info >> 24 & 31:
        raise InputError(f"malformed BTF: type {type_id} is of unknown kind {info >> 24 & 31}", place)
    kind, count, kind_flag = Kind(info >> 24 & 31), info & 0xFFFF, info >> 31
    start = at + 3 + _FIXED_WORDS.get(kind, 0)
    stride = _MEMBER_WORDS.get(kind, 0)
    end = start + stride * count
    if end > len(words):
        raise InputError(f"malformed BTF: type {type_id} is cut short", place)
    name = names.string(name_offset)
    members: tuple[Member, ...] = ()
    entries = [words[i : i + stride] for i in range(start, end, stride)] if stride else []
    match kind:
        case Kind.STRUCT | Kind.UNION:
            # With kflag set, a member's offset holds the bit-field's width in its high 8 bits.
            members = tuple(
                Member(names.string(n), t, o & 0xFFFFFF if kind_flag else o, o >> 24 if kind_flag else 0)
                for n, t, o in entries
            )
        case Kind.FUNC_PROTO:
            members = tuple(Member(names.string(n), t) for n, t in entries)
        case Kind.DATASEC:
            members = tuple(Member("", t, o, size=s) for t, o, s in entries)
        case Kind.ARRAY:
            element, _, elements = words[at + 3 : at + 6]
            return BtfType(type_id, kind, name, target=element, count=elements), end
        case Kind.INT:
            encoding = words[at + 3]
            signed, bit_offset = bool(encoding >> 24 & 1), encoding >> 16 & 0xFF
            return BtfType(type_id, kind, name, size=size_or_type, signed=signed, bit_offset=bit_offset), end
        case Kind.ENUM | Kind.ENUM64:
            values = tuple((names.string(entry[0]), _value(entry[1:], bool(kind_flag))) for entry in entries)
            return BtfType(type_id, kind, name, size=size_or_type, flag=bool(kind_flag), values=values), end
        case Kind.FWD:
            return BtfType(type_id, kind, name, flag=bool(kind_flag)), end
    if kind in _SIZED:
        return BtfType(type_id, kind, name, size=size_or_type, members=members), end
    return BtfType(type_id, kind, name, target=size_or_type, members=members), end


def _value(words: tuple[int, ...], signed: bool) -> int:
    """An enumerator's value, from one word or two, the low one first."""
    value = sum(word << 32 * i for i, word in enumerate(words))
    return value - (1 << 32 * len(words)) if signed and words[-1] >> 31 else value


@dataclass(frozen=True, slots=True)
class BtfExt:
    """What `.BTF.ext` says of instructions. Strings are offsets into the BTF's.

    `functions`: the word is a FUNC type. `lines`: file name, source text, line << 10 | column. `core` (CO-RE
    relocations): type, access string, kind.
    """

    functions: tuple[Record, ...]
    lines: tuple[Record, ...]
    core: tuple[Record, ...]


def read_btf_ext(data: bytes, byte_order: ByteOrder, btf: Btf, place: Place) -> BtfExt:
    """Read a `.BTF.ext` section. Raises InputError at `place`."""
    header_size, header = _header(data, byte_order, 6, ".BTF.ext", place)
    tables: list[tuple[Record, ...]] = []
    for words, offset, size in zip((2, 4, 4), header[::2], header[1::2], strict=True):
        start = header_size + offset
        if start + size > len(data) or size % 4:
            raise InputError(f"malformed BTF: {size} bytes at {start} of .BTF.ext lie beyond its end", place)
        tables.append(tuple(_records(data[start : start + size], byte_order, words, btf, place)))
    return BtfExt(*tables)


def _records(data: bytes, byte_order: ByteOrder, words: int, btf: Btf, place: Place) -> Iterator[Record]:
    """Entries of one table: a record size, then for each section its name, a count and the records."""
    values = struct.unpack(f"{_prefix(byte_order)}{len(data) // 4}I", data)
    if not values:
        return
    stride, at = values[0] // 4, 1
    if values[0] % 4 or stride < words:
        raise InputError(f"malformed BTF: records of {values[0]} bytes in .BTF.ext", place)
    while at < len(values):
        count = values[at + 1] if at + 1 < len(values) else 0
        if at + 2 + count * stride > len(values) or not count:
            raise InputError("malformed BTF: a table of .BTF.ext is cut short", place)
        section = btf.string(values[at])
        for start in range(at + 2, at + 2 + count * stride, stride):
            yield Record(section, values[start], values[start + 1 : start + words])
        at += 2 + count * stride


def _header(data: bytes, byte_order: ByteOrder, words: int, what: str, place: Place) -> tuple[int, tuple[int, ...]]:
    """Header length in bytes and the first `words` words behind it; words that an older header lacks are 0."""
    prefix = _prefix(byte_order)
    if len(data) < 8:
        raise InputError(f"malformed BTF: {what} is cut short", place)
    magic, version, _, size = struct.unpack_from(f"{prefix}HBBI", data)
    if magic != MAGIC or version != 1:
        raise InputError(f"malformed BTF: {what} has magic {magic:#06x}, version {version}", place)
    if size > len(data) or size < 8 or size % 4:
        raise InputError(f"malformed BTF: {what} has a header of {size} bytes", place)
    present = min(words, (size - 8) // 4)
    found = struct.unpack_from(f"{prefix}{present}I", data, 8)
    return size, found + (0,) * (words - present)


def _prefix(byte_order: ByteOrder) -> str:
    return "<" if byte_order == "little" else ">"
