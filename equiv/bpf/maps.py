"""Maps as an object declares them: BTF-defined (`.maps`), legacy (`maps`), and the data sections.

In: the ELF object and its BTF. Out: `MapTable`, which says which map an address in a section belongs to. The meaning of
each form is that of libbpf 1.x; legacy definitions are read as libbpf 0.8 and iproute2 do.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_left
from dataclasses import dataclass, field, replace

from equiv.bpf.btf import Btf, BtfType, Kind
from equiv.bpf.btf_shape import Shapes
from equiv.bpf.elf import STT_FUNC, STT_NOTYPE, STT_OBJECT, STT_SECTION, ElfObject, Relocation, Section, Symbol
from equiv.bpf.program import ByteOrder, MapSpec
from equiv.bpf.shape import Shape
from equiv.errors import InputError, Place

# enum bpf_map_type (include/uapi/linux/bpf.h)
MAP_TYPE_ARRAY = 2
MAP_TYPE_PROG_ARRAY = 3
MAP_TYPE_ARRAY_OF_MAPS = 12
MAP_TYPE_HASH_OF_MAPS = 13

F_RDONLY_PROG = 1 << 7
F_MMAPABLE = 1 << 10

_POINTER_SIZE = 8
_BPF_ELF_MAP_SIZE = 36
_NUMBER = "(0x[0-9a-fA-F]+|0|[1-9][0-9]*)"
_TAIL_SECTION = re.compile(f"{_NUMBER}/{_NUMBER}")
_DATA_SECTIONS = (".rodata", ".data", ".bss")


@dataclass(frozen=True, slots=True)
class MapTable:
    """The maps of an object, by name and by where they are.

    `definitions` maps (section index, byte offset) to the name of the map defined there; `data` maps the index of
    a data section to the name of its map.
    """

    maps: dict[str, MapSpec] = field(default_factory=dict)
    definitions: dict[tuple[int, int], str] = field(default_factory=dict)
    data: dict[int, str] = field(default_factory=dict)
    sections: set[int] = field(default_factory=set)

    def add(self, spec: MapSpec, section: Section, offset: int | None, place: Place) -> None:
        if spec.name in self.maps:
            raise InputError(f"two maps are called {spec.name}", place)
        self.maps[spec.name] = spec
        if offset is None:
            self.data[section.index] = spec.name
        else:
            self.sections.add(section.index)
            self.definitions[section.index, offset] = spec.name


def read_maps(elf: ElfObject, btf: Btf | None, place: Place) -> MapTable:
    """All maps of the object. Raises InputError for definitions that mean nothing."""
    table = MapTable()
    for section in elf.sections:
        if section.name == ".maps":
            _btf_maps(elf, section, btf, table, place)
        elif section.name == "maps" or section.name.startswith("maps/"):
            _legacy_maps(elf, section, btf, table, place)
        elif section.data and _is_data(section.name) and not section.executable:
            table.add(_data_map(section), section, None, place)
    return table


def _is_data(name: str) -> bool:
    return any(name == kind or name.startswith(kind + ".") for kind in _DATA_SECTIONS)


def _data_map(section: Section) -> MapSpec:
    """libbpf makes each data section an array of one value, freezes `.rodata`, and applies no relocations to it."""
    frozen = section.name.startswith(".rodata")
    flags = F_MMAPABLE | (F_RDONLY_PROG if frozen else 0)
    size = len(section.data)
    return MapSpec(section.name, MAP_TYPE_ARRAY, 4, size, 1, flags, initial=section.data, frozen=frozen)


def _map_symbols(elf: ElfObject, section: Section) -> list[Symbol]:
    kinds = (STT_OBJECT, STT_NOTYPE)
    return [s for s in elf.symbols if s.section == section.index and s.type in kinds and s.name]


def _legacy_maps(elf: ElfObject, section: Section, btf: Btf | None, table: MapTable, place: Place) -> None:
    """`struct bpf_map_def`: type, key size, value size, entries, flags; 32 bits each, then what a loader cares for.

    iproute2's `struct bpf_elf_map` has nine such words. The sixth is an id, by which a section called `ID/INDEX` says
    that its program belongs into that map (iproute2, lib/bpf_legacy.c).
    """
    symbols = _map_symbols(elf, section)
    if not symbols:
        return
    entry_size = len(section.data) // len(symbols)
    if entry_size < 16 or entry_size % 4 or entry_size * len(symbols) != len(section.data):
        raise InputError(
            f"section {section.name} has {len(section.data)} bytes for {len(symbols)} map definitions", place
        )
    layout = struct.Struct("<5I" if elf.byte_order == "little" else ">5I")
    for symbol in symbols:
        if symbol.value % entry_size or symbol.value >= len(section.data):
            raise InputError(f"map {symbol.name} is not at the start of a definition in {section.name}", place)
        definition = section.data[symbol.value : symbol.value + min(entry_size, layout.size)].ljust(layout.size, b"\0")
        kind, key_size, value_size, entries, flags = layout.unpack(definition)
        slots: dict[int, str] = {}
        if kind == MAP_TYPE_PROG_ARRAY and entry_size == _BPF_ELF_MAP_SIZE:
            at = symbol.value + layout.size
            slots = _program_sections(elf, int.from_bytes(section.data[at : at + 4], elf.byte_order))
            if any(index >= entries for index in slots):
                raise InputError(f"map {symbol.name} has {entries} entries: there is no index {max(slots)}", place)
        value = _annotated(btf, symbol.name, value_size, elf.byte_order)
        spec = MapSpec(symbol.name, kind, key_size, value_size, entries, flags, slots=slots, value=value)
        table.add(spec, section, symbol.value, place)


def _annotated(btf: Btf | None, name: str, size: int, order: ByteOrder) -> Shape | None:
    """What `struct ____btf_map_NAME { key; value; }` says of a legacy map's values, if such a struct is there.

    That is how iproute2 and the kernel's samples annotate them (`BPF_ANNOTATE_KV_PAIR`).
    """
    found = btf.named(f"____btf_map_{name}", Kind.STRUCT) if btf else None
    member = next((each for each in found.members if each.name == "value"), None) if found else None
    if btf is None or member is None or btf.size_of(member.type_id) != size:
        return None
    return Shapes(btf, order).of(member.type_id)


def _program_sections(elf: ElfObject, wanted: int) -> dict[int, str]:
    """Of the sections `ID/INDEX` those with this id, by index."""
    found = {}
    for section in elf.sections:
        match = _TAIL_SECTION.fullmatch(section.name)
        if match and section.executable and int(match[1], 0) == wanted:
            found[int(match[2], 0)] = section.name
    return found


def _btf_maps(elf: ElfObject, section: Section, btf: Btf | None, table: MapTable, place: Place) -> None:
    if btf is None:
        raise InputError("maps in section .maps, but no BTF that describes them", place, "compile with -g")
    by_name = {symbol.name: symbol for symbol in _map_symbols(elf, section)}
    shapes = Shapes(btf, elf.byte_order)
    data = btf.named(section.name, Kind.DATASEC)
    slots = elf.relocations.get(section.index, {})
    offsets = sorted(slots)
    names = _names(elf) if slots else {}
    used = 0
    for member in data.members if data else ():
        # The variable's offset is for a linker to fill in; the symbol of its name has it.
        variable = btf.type(member.type_id)
        symbol = by_name.pop(variable.name, None)
        if variable.kind is not Kind.VAR or symbol is None:
            raise InputError(f"BTF names a map {variable.name or member.type_id} for which there is no symbol", place)
        where = f"map {variable.name}"
        definition = btf.resolve(variable.target)
        spec, values_offset = _definition(btf, variable.name, definition, shapes, where, place)
        end = symbol.value + max(symbol.size, definition.size)  # initial values make the former larger
        if end > len(section.data):
            raise InputError(f"{where} lies outside section {section.name}", place)
        if values_offset is not None:
            start = symbol.value + values_offset
            entries = [slots[o] for o in offsets[bisect_left(offsets, start) : bisect_left(offsets, end)]]
            used += len(entries)
            if any((entry.offset - start) % _POINTER_SIZE for entry in entries):
                raise InputError(f"{where}: an initial value is not at the start of a slot", place)
            targets = {
                (entry.offset - start) // _POINTER_SIZE: _slot_name(elf, section, entry, names, where, place)
                for entry in entries
            }
            spec = replace(spec, slots=targets)
        table.add(spec, section, symbol.value, place)
    if used != len(slots):
        raise InputError(f"a relocation in section {section.name} is not an initial value of any map", place)
    if by_name:
        raise InputError(f"BTF does not describe map {min(by_name)}", place)


def _definition(
    btf: Btf, name: str, definition: BtfType, shapes: Shapes, where: str, place: Place
) -> tuple[MapSpec, int | None]:
    """The map that a struct of `__uint`, `__type` and `__array` members declares, and where its `values` start."""
    if definition.kind is not Kind.STRUCT:
        raise InputError(f"{where} is not declared as a struct", place)
    numbers = dict.fromkeys(("type", "key_size", "value_size", "max_entries", "map_flags"), 0)
    inner: MapSpec | None = None
    values_offset: int | None = None
    kernel_pointers = False
    value: Shape | None = None
    for member in definition.members:
        kind = btf.resolve(member.type_id)
        if member.name in numbers:
            numbers[member.name] = _number(btf, kind, f"{where}, {member.name}", place)
        elif member.name in ("key", "value"):
            if kind.kind is not Kind.PTR:
                raise InputError(f"{where}, {member.name}: not declared with __type", place)
            numbers[f"{member.name}_size"] = btf.size_of(kind.target)
            if member.name == "value":
                kernel_pointers |= _has_kernel_pointers(btf, btf.resolve(kind.target))
                value = shapes.of(kind.target)
        elif member.name == "values":
            values_offset = member.offset // 8
            inner = _inner_map(btf, kind, name, shapes, where, place)
    if values_offset is not None and not numbers["value_size"]:
        numbers["value_size"] = 4
    spec = MapSpec(
        name,
        numbers["type"],
        numbers["key_size"],
        numbers["value_size"],
        numbers["max_entries"],
        numbers["map_flags"],
        inner=inner,
        kernel_pointers=kernel_pointers,
        value=value,
    )
    return spec, values_offset


def _has_kernel_pointers(btf: Btf, value: BtfType) -> bool:
    """Whether a field is a pointer with a tag `kptr…` (`btf_find_kptr` in kernel/bpf/btf.c)."""
    if value.kind not in (Kind.STRUCT, Kind.UNION):
        return False
    pointers = (btf.resolve(field.type_id) for field in btf.fields(value))
    targets = (btf.type(found.target) for found in pointers if found.kind is Kind.PTR)
    return any(target.kind is Kind.TYPE_TAG and target.name.startswith("kptr") for target in targets)


def _number(btf: Btf, kind: BtfType, where: str, place: Place) -> int:
    """`__uint(name, n)` declares a pointer to an array of n elements."""
    array = btf.resolve(kind.target) if kind.kind is Kind.PTR else None
    if array is None or array.kind is not Kind.ARRAY:
        raise InputError(f"{where}: not declared with __uint", place)
    return array.count


def _inner_map(btf: Btf, values: BtfType, name: str, shapes: Shapes, where: str, place: Place) -> MapSpec | None:
    """`__array(values, T)` declares an array of pointers to T: an inner map's struct, or programs (None)."""
    pointer = btf.resolve(values.target) if values.kind is Kind.ARRAY else None
    if pointer is None or pointer.kind is not Kind.PTR:
        raise InputError(f"{where}, values: not declared with __array", place)
    target = btf.resolve(pointer.target)
    if target.kind is Kind.FUNC_PROTO:
        return None
    if any(member.name == "values" for member in target.members):
        raise InputError(f"{where}: maps are nested more than two deep", place)
    return _definition(btf, f"{name}.inner", target, shapes, f"{where}, inner map", place)[0]


def _names(elf: ElfObject) -> dict[tuple[int, int], str]:
    """Functions and objects by section and byte offset."""
    return {(s.section, s.value): s.name for s in elf.symbols if s.type in (STT_FUNC, STT_OBJECT)}


def _slot_name(
    elf: ElfObject, section: Section, entry: Relocation, names: dict[tuple[int, int], str], where: str, place: Place
) -> str:
    """The program or map whose address an initial value is. Static ones are given as their section and an addend."""
    if entry.symbol.type != STT_SECTION:
        return entry.symbol.name
    addend = int.from_bytes(section.data[entry.offset : entry.offset + _POINTER_SIZE], elf.byte_order)
    name = names.get((entry.symbol.section, addend))
    if name is None:
        raise InputError(f"{where}: an initial value refers to nothing", place)
    return name
