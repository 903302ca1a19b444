"""An object file as read, not yet linked: functions found, relocations in place, maps and entry programs known.

Which functions are programs follows libbpf: `prog_is_subprog` in its libbpf.c.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from equiv.bpf import insn as isa
from equiv.bpf.btf import Btf, BtfExt, Record, read_btf, read_btf_ext
from equiv.bpf.elf import (
    STB_LOCAL,
    STT_FUNC,
    STT_NOTYPE,
    ElfObject,
    Relocation,
    Section,
    Symbol,
    read_elf,
)
from equiv.bpf.maps import MapTable, read_maps
from equiv.bpf.program import Insn
from equiv.errors import InputError, Place

# Relocation types (llvm/BinaryFormat/ELFRelocs/BPF.def) and the instructions that they may stand at.
_R_BPF_64_64 = 1
_R_BPF_64_32 = 10
_RELOCATION_FOR = {isa.LD_IMM64: _R_BPF_64_64, isa.JMP | isa.CALL: _R_BPF_64_32}


@dataclass(frozen=True, slots=True)
class Function:
    """A function of the object: slots `start` to `end` (exclusive) of its section."""

    name: str
    section: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Code:
    """An executable section. `functions` are by first slot, `symbols` are theirs, `relocations` are by slot."""

    section: Section
    slots: list[Insn]
    functions: dict[int, Function]
    symbols: list[Symbol]
    relocations: dict[int, Relocation]


@dataclass(frozen=True, slots=True)
class Source:
    """A whole object file, read but not yet linked."""

    elf: ElfObject
    maps: MapTable
    code: dict[int, Code]
    entries: dict[str, Function]
    lines: Mapping[str, list[Record]]
    core: Mapping[str, list[Record]]
    btf: Btf | None
    license: str


def read_source(path: str) -> Source:
    elf = read_elf(path)
    place = Place(path)
    btf, ext = _read_types(elf, place)
    maps = read_maps(elf, btf, place)
    by_section: dict[int, list[Symbol]] = {}
    for symbol in elf.symbols:
        if symbol.name:
            by_section.setdefault(symbol.section, []).append(symbol)
    code = {
        s.index: _read_code(elf, s, _function_symbols(by_section.get(s.index, [])), place)
        for s in elf.sections
        if s.executable and s.data
    }
    sizes = {unit.section.name: len(unit.section.data) for unit in code.values()}
    return Source(
        elf=elf,
        maps=maps,
        code=code,
        entries=_entries(code, place),
        lines=_by_section(ext.lines, sizes, "a source line", place) if ext else {},
        core=_by_section(ext.core, sizes, "a CO-RE relocation", place) if ext else {},
        btf=btf,
        license=_license(elf),
    )


def _read_types(elf: ElfObject, place: Place) -> tuple[Btf | None, BtfExt | None]:
    section, extension = elf.section(".BTF"), elf.section(".BTF.ext")
    if section is None or not section.data:
        return None, None
    btf = read_btf(section.data, elf.byte_order, place)
    if extension is None or not extension.data:
        return btf, None
    return btf, read_btf_ext(extension.data, elf.byte_order, btf, place)


def _by_section(
    records: Iterable[Record], sizes: Mapping[str, int], what: str, place: Place
) -> dict[str, list[Record]]:
    """Records by section, in order of offset; those of sections that hold no code are dropped."""
    found: dict[str, list[Record]] = {}
    for record in records:
        if record.section not in sizes:
            continue
        if record.offset % isa.SLOT_SIZE or record.offset >= sizes[record.section]:
            raise InputError(f"{what} is given for byte {record.offset} of section {record.section}", place)
        found.setdefault(record.section, []).append(record)
    for items in found.values():
        items.sort(key=lambda record: record.offset)
    return found


def _license(elf: ElfObject) -> str:
    section = elf.section("license")
    return section.data.partition(b"\0")[0].decode("utf-8", "replace") if section else ""


def _read_code(elf: ElfObject, section: Section, symbols: list[Symbol], place: Place) -> Code:
    if len(section.data) % isa.SLOT_SIZE:
        raise InputError(f"section {section.name} has {len(section.data)} bytes, not whole instructions", place)
    slots = isa.decode_slots(section.data, elf.byte_order)
    relocations = {}
    for offset, relocation in elf.relocations.get(section.index, {}).items():
        slot, rest = divmod(offset, isa.SLOT_SIZE)
        if rest or _RELOCATION_FOR.get(slots[slot].opcode) != relocation.type:
            where = f"relocation at byte {offset} of section {section.name}"
            raise InputError(f"{where} (type {relocation.type}) is not at an instruction that it fits", place)
        relocations[slot] = relocation
    return Code(section, slots, _functions(section, symbols, place), symbols, relocations)


def _functions(section: Section, symbols: list[Symbol], place: Place) -> dict[int, Function]:
    """The section's functions by first slot.

    LLVM before 6 left function symbols without type and size; a section without any symbol is one function.
    """
    if not symbols:
        return {0: Function(section.name, section.index, 0, len(section.data) // isa.SLOT_SIZE)}
    starts = sorted({symbol.value for symbol in symbols})
    found: dict[int, Function] = {}
    for symbol in symbols:
        following = bisect_left(starts, symbol.value + 1)
        limit = starts[following] if following < len(starts) else len(section.data)
        end = symbol.value + symbol.size if symbol.size else limit
        if symbol.value % isa.SLOT_SIZE or end % isa.SLOT_SIZE or not symbol.value < end <= len(section.data):
            raise InputError(f"function {symbol.name} lies outside the instructions of section {section.name}", place)
        if end > limit:
            raise InputError(f"function {symbol.name} overlaps the next one in section {section.name}", place)
        start = symbol.value // isa.SLOT_SIZE
        found.setdefault(start, Function(symbol.name, section.index, start, end // isa.SLOT_SIZE))
    return found


def _function_symbols(here: list[Symbol]) -> list[Symbol]:
    return [s for s in here if s.type == STT_FUNC] or [s for s in here if s.type == STT_NOTYPE and s.bind != STB_LOCAL]


def _entries(code: dict[int, Code], place: Place) -> dict[str, Function]:
    """The entry programs: what libbpf would load (libbpf, prog_is_subprog).

    Global functions outside `.text`, else the only function of `.text`.
    """
    found: dict[str, Function] = {}
    in_text: list[Function] = []
    for unit in code.values():
        named = [(symbol.name, symbol.value) for symbol in unit.symbols if symbol.bind != STB_LOCAL]
        if not unit.symbols:
            named = [(unit.section.name, 0)]
        for name, value in named:
            function = unit.functions[value // isa.SLOT_SIZE]
            if unit.section.name == ".text" or unit.section.name.startswith(".text."):
                in_text.append(replace(function, name=name))
            elif name in found:
                raise InputError(f"two programs are called {name}", place)
            else:
                found[name] = function
    if not found and len(in_text) == 1:
        found[in_text[0].name] = in_text[0]
    if not found:
        raise InputError("holds no program", place, "a program is a global function in a section other than .text")
    return found
