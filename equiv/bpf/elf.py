"""The ELF container of a BPF object: sections, symbols, relocations. Nothing here knows instructions or maps.

Invariant: whatever bytes come in, either an `ElfObject` comes out whose every section lies in the file, or InputError.
"""

from __future__ import annotations

import hashlib
import itertools
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from equiv.bpf.program import ByteOrder
from equiv.errors import InputError, Place
from equiv.inputs import read_input

MAX_FILE_SIZE = 64 << 20
"""Largest object read, in bytes; also the largest `.bss`."""

SHF_ALLOC = 0x2
SHF_EXECINSTR = 0x4
SHF_COMPRESSED = 0x800

SHN_UNDEF = 0
SHN_LORESERVE = 0xFF00

STB_LOCAL = 0

STT_NOTYPE = 0
STT_OBJECT = 1
STT_FUNC = 2
STT_SECTION = 3

SHT_NULL = 0
SHT_PROGBITS = 1
SHT_SYMTAB = 2
SHT_RELA = 4
SHT_NOBITS = 8
SHT_REL = 9

ELFCLASS64 = 2
ET_REL = 1
EM_NONE, EM_BPF = 0, 247  # LLVM before 4 wrote EM_NONE

_KINDS = {2: "an executable", 3: "a shared object", 4: "a core dump"}
_MACHINES = {2: "SPARC", 3: "x86", 8: "MIPS", 20: "PowerPC", 21: "PowerPC64", 22: "S390", 40: "Arm", 62: "x86-64",
             183: "AArch64", 243: "RISC-V", 258: "LoongArch"}  # fmt: skip
_BYTE_ORDERS: dict[int, ByteOrder] = {1: "little", 2: "big"}
# Behind the 16 bytes of e_ident: type, machine, version, entry, phoff, shoff, flags, ehsize, phentsize, phnum,
# shentsize, shnum, shstrndx.
_FILE_HEADER = {"little": struct.Struct("<16xHHIQQQIHHHHHH"), "big": struct.Struct(">16xHHIQQQIHHHHHH")}
# name, type, flags, addr, offset, size, link, info, addralign, entsize
_SECTION_HEADER = {"little": struct.Struct("<IIQQQQIIQQ"), "big": struct.Struct(">IIQQQQIIQQ")}
_SYMBOL = {"little": struct.Struct("<IBBHQQ"), "big": struct.Struct(">IBBHQQ")}
_RELOCATION = {"little": struct.Struct("<QQ"), "big": struct.Struct(">QQ")}


@dataclass(frozen=True, slots=True)
class Section:
    """A section. `data` is all its bytes (zeros for SHT_NOBITS); `kind` is SHT_*, `flags` SHF_*."""

    index: int
    name: str
    kind: int
    flags: int
    data: bytes
    link: int
    info: int
    entry_size: int

    @property
    def executable(self) -> bool:
        return bool(self.flags & SHF_EXECINSTR)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A symbol. `value` is a byte offset in section `section` (SHN_UNDEF: defined elsewhere); `size` in bytes."""

    index: int
    name: str
    value: int
    size: int
    type: int
    bind: int
    section: int


@dataclass(frozen=True, slots=True)
class Relocation:
    """A REL entry: the place at byte `offset` of its section refers to `symbol`; the addend is in the place."""

    offset: int
    type: int
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class ElfObject:
    """A relocatable object. `relocations` maps a section's index to what is relocated in it, by offset."""

    path: str
    sha256: str
    byte_order: ByteOrder
    sections: tuple[Section, ...]
    symbols: tuple[Symbol, ...]
    relocations: dict[int, dict[int, Relocation]]

    def section(self, name: str) -> Section | None:
        """The first section of that name."""
        return next((section for section in self.sections if section.name == name), None)


def read_elf(path: str) -> ElfObject:
    """Read the BPF object at `path`. Raises InputError, with the file, for everything that is none."""
    place = Place(path)
    data = read_input(path, MAX_FILE_SIZE)
    if not data.startswith(b"\x7fELF"):
        raise InputError("not an ELF object" if data else "empty file", place)
    byte_order, headers = _section_headers(data, place)
    sections = tuple(_sections(data, headers, place))
    symbols = _symbols(sections, byte_order, place)
    relocations = _relocations(sections, symbols, byte_order, place)
    return ElfObject(path, hashlib.sha256(data).hexdigest(), byte_order, sections, symbols, relocations)


@dataclass(frozen=True, slots=True)
class _Header:
    name: str
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    entry_size: int


def _section_headers(data: bytes, place: Place) -> tuple[ByteOrder, list[_Header]]:
    byte_order = _byte_order(data, place)
    kind, machine, _, _, _, start, _, _, _, _, entry_size, count, names_index = _FILE_HEADER[byte_order].unpack_from(
        data
    )
    if machine not in (EM_NONE, EM_BPF):
        raise InputError(f"an object for {_MACHINES.get(machine, f'machine {machine}')}, not for BPF", place)
    if kind != ET_REL:
        raise InputError(f"not a relocatable object but {_KINDS.get(kind, f'of type {kind}')}", place)
    layout = _SECTION_HEADER[byte_order]
    # 0 stands for "see section 0's size" in files of 65,280 sections and more, which no compiler writes here.
    if not start or not count or entry_size != layout.size:
        raise InputError("no usable section table", place)
    if start + count * layout.size > len(data):
        raise InputError(f"its {count} section headers lie beyond the file's end", place)
    if not 0 < names_index < count:
        raise InputError("the section that holds section names does not exist", place)
    raw = list(layout.iter_unpack(data[start : start + count * layout.size]))
    strings = data[raw[names_index][4] :][: raw[names_index][5]]
    headers = [
        _Header(
            string_at(strings, name, f"name of section {index}", place), kind, flags, offset, size, link, info, entry
        )
        for index, (name, kind, flags, _, offset, size, link, info, _, entry) in enumerate(raw)
    ]
    return byte_order, headers


def _byte_order(data: bytes, place: Place) -> ByteOrder:
    """From e_ident, which says how all that follows is to be read."""
    if len(data) < 64:
        raise InputError(f"malformed ELF file: {len(data)} bytes cannot hold its header", place)
    if data[4] != ELFCLASS64:
        raise InputError("a 32-bit ELF file; BPF objects are 64-bit" if data[4] == 1 else "malformed ELF file", place)
    if data[5] not in _BYTE_ORDERS:
        raise InputError(f"malformed ELF file: unknown byte order {data[5]}", place)
    return _BYTE_ORDERS[data[5]]


def string_at(table: bytes, offset: int, what: str, place: Place) -> str:
    """The NUL-terminated UTF-8 string at `offset` of a string table. InputError, naming `what`, if there is none."""
    end = table.find(b"\0", offset) if 0 <= offset <= len(table) else -1
    if end < 0:
        if offset == 0 and not table:
            return ""
        raise InputError(f"{what} lies outside its string table", place)
    try:
        return table[offset:end].decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{what} is not UTF-8: {table[offset:end][:40]!r}", place) from error


def _sections(data: bytes, headers: list[_Header], place: Place) -> Iterator[Section]:
    used: list[tuple[int, int, str]] = []
    zeros = 0
    for index, header in enumerate(headers):
        content = b""
        if header.kind == SHT_NOBITS:
            zeros += header.size
            if zeros > MAX_FILE_SIZE:
                raise InputError(f"section {header.name} claims {header.size} bytes", place)
            content = bytes(header.size)
        elif header.kind != SHT_NULL and header.size:
            end = header.offset + header.size
            if end > len(data):
                raise InputError(f"section {header.name or index} ends at byte {end} of a {len(data)}-byte file", place)
            used.append((header.offset, end, header.name))
            content = data[header.offset : end]
        if header.flags & SHF_COMPRESSED and header.flags & SHF_ALLOC:
            raise InputError(f"section {header.name} is compressed", place)
        yield Section(
            index, header.name, header.kind, header.flags, content, header.link, header.info, header.entry_size
        )
    used.sort()
    for (_, end, name), (start, _, following) in itertools.pairwise(used):
        if start < end:
            raise InputError(f"sections {name} and {following} overlap in the file", place)


def _records(section: Section, layout: struct.Struct, place: Place) -> Iterator[tuple[int, ...]]:
    if section.entry_size not in (0, layout.size) or len(section.data) % layout.size:
        raise InputError(f"section {section.name} does not hold {layout.size}-byte entries", place)
    return layout.iter_unpack(section.data)


def _symbols(sections: tuple[Section, ...], byte_order: ByteOrder, place: Place) -> tuple[Symbol, ...]:
    tables = [section for section in sections if section.kind == SHT_SYMTAB]
    if len(tables) != 1:
        raise InputError("no symbol table" if not tables else "several symbol tables", place)
    table = tables[0]
    if table.link >= len(sections):
        raise InputError("the symbol table's string table does not exist", place)
    strings = sections[table.link].data
    found: list[Symbol] = []
    for index, (name, info, _, section, value, size) in enumerate(_records(table, _SYMBOL[byte_order], place)):
        text = string_at(strings, name, f"name of symbol {index}", place)
        if len(sections) <= section < SHN_LORESERVE:
            raise InputError(f"symbol {text or index} is in section {section}, which does not exist", place)
        found.append(Symbol(index, text, value, size, info & 15, info >> 4, section))
    return tuple(found)


def _relocations(
    sections: tuple[Section, ...], symbols: tuple[Symbol, ...], byte_order: ByteOrder, place: Place
) -> dict[int, dict[int, Relocation]]:
    found: dict[int, dict[int, Relocation]] = {}
    for section in sections:
        if section.kind not in (SHT_REL, SHT_RELA):
            continue
        if not 0 < section.info < len(sections):
            raise InputError(f"section {section.name} relocates section {section.info}, which does not exist", place)
        target = sections[section.info]
        if not target.flags & SHF_ALLOC:
            continue  # debugging information and BTF: their in-place values are right as they stand
        if section.kind == SHT_RELA:
            raise InputError(f"section {section.name}: relocations with explicit addends are not BPF's", place)
        entries = found.setdefault(target.index, {})
        for offset, info in _records(section, _RELOCATION[byte_order], place):
            where = f"relocation at byte {offset} of section {target.name}"
            if offset >= len(target.data):
                raise InputError(f"{where} lies outside it", place)
            if info >> 32 >= len(symbols):
                raise InputError(f"{where} refers to symbol {info >> 32} of {len(symbols)}", place)
            if offset in entries:
                raise InputError(f"{where} is there twice", place)
            entries[offset] = Relocation(offset, info & 0xFFFFFFFF, symbols[info >> 32])
    return found
