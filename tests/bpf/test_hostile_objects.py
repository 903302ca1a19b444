"""Object files that mean harm: each is refused in one line, and nothing but InputError or Unsupported comes out."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from equiv.bpf.btf import Kind
from equiv.bpf.cfg import control_flow
from equiv.bpf.liveness import liveness
from equiv.bpf.load import load_object
from equiv.bpf.program import Insn, Object
from equiv.errors import InputError, Unsupported
from tests.bpf.objects import (
    ALLOC,
    EXECUTE,
    LOCAL,
    NOTYPE,
    R_BPF_64_32,
    R_BPF_64_64,
    SHT_NOBITS,
    BtfBuilder,
    ObjectBuilder,
    add,
    call_distance,
    call_helper,
    call_symbol,
    exit_,
    goto,
    insn,
    jump_if_equal,
    load,
    load_imm64,
    load_symbol,
    map_definition,
    mov,
    mov_register,
    store,
)


def valid() -> ObjectBuilder:
    """An object that uses everything the loader knows."""
    builder, btf = ObjectBuilder(), BtfBuilder()
    u32 = btf.integer("u32", 4)
    btf.struct("pair", 8, [("a", u32, 0), ("b", btf.array(u32, 1), 32)])
    btf.data_section(".maps", [(map_definition(btf, "typed", 1, u32, u32, 7), 0, 32)])
    builder.data(".maps", bytes(32), "typed")
    builder.legacy_map("legacy", 2, 4, 8, 1)
    builder.data(".rodata", b"abcdefgh", "text")
    builder.section(".bss", kind=SHT_NOBITS).size = 16
    builder.section_symbol(".bss")
    builder.section_symbol(".text")
    builder.license()
    builder.function("leaf", ".text", [load(0, 1, 0), exit_()], bind=LOCAL)
    builder.function("middle", ".text", [call_distance(-3), exit_()])
    builder.function(
        "prog",
        "xdp",
        [
            *(load_symbol(1, "typed"), load_symbol(2, "legacy"), load_symbol(3, "text", 2), load_symbol(4, ".bss", 8)),
            *(store(10, -8, 1), mov_register(2, 10), add(2, -8), call_helper(1)),
            *(jump_if_equal(0, 0, 1), goto(0), mov_register(1, 10), call_symbol("middle"), call_symbol(".text", -1)),
            *(load_imm64(5, 1 << 40), mov(0, 2), exit_()),
        ],
    )
    ext = btf.build_ext([("xdp", 0, "p.c", "int x;", 3, 4), (".text", 16, "p.c", "", 9, 1)], [("xdp", 64)])
    builder.plain(".BTF", btf.build())
    builder.plain(".BTF.ext", ext)
    return builder


VALID = valid().build()


def load_bytes(data: bytes, tmp_path: Path) -> Object:
    path = tmp_path / "hostile.o"
    path.write_bytes(data)
    return load_object(str(path))


def analyse(loaded: Object) -> None:
    for program in loaded.programs.values():
        liveness(program, control_flow(program))


def refusal(data: bytes, tmp_path: Path) -> str:
    """The one line that says why `data` is refused."""
    with pytest.raises((InputError, Unsupported)) as caught:
        load_bytes(data, tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400 + len(str(tmp_path))
    assert "hostile.o" in text
    return text


def test_what_everything_here_starts_from_is_accepted(tmp_path: Path) -> None:
    loaded = load_bytes(VALID, tmp_path)
    assert set(loaded.programs) == {"prog"}
    assert set(loaded.programs["prog"].functions.values()) == {"prog", "middle", "leaf"}
    analyse(loaded)


def test_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    # The last thing in the file is the header of the last section: every byte is needed.
    for size in range(0, len(VALID), 7):
        refusal(VALID[:size], tmp_path)


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_are_refused_or_harmless(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        data = bytearray(VALID)
        for _ in range(chance.choice([1, 1, 1, 2, 8])):
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        try:
            loaded = load_bytes(bytes(data), tmp_path)
        except (InputError, Unsupported) as error:
            assert "\n" not in str(error)
        else:
            analyse(loaded)


@pytest.mark.parametrize("seed", range(4))
def test_overwritten_words_are_refused_or_harmless(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        data = bytearray(VALID)
        size = chance.choice([2, 4, 8])
        at = chance.randrange(0, len(data) - 8, 2)
        value = chance.choice([0, 1, (1 << 8 * size) - 1, 1 << 8 * size - 1, (1 << 8 * size - 1) - 1, 0x100])
        data[at : at + size] = value.to_bytes(size, "little")
        try:
            loaded = load_bytes(bytes(data), tmp_path)
        except (InputError, Unsupported) as error:
            assert "\n" not in str(error)
        else:
            analyse(loaded)


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF" + bytes(60), bytes(4096)])
def test_what_is_no_object_is_refused(tmp_path: Path, content: bytes) -> None:
    refusal(content, tmp_path)


def test_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a regular file but a directory"):
        load_object(str(tmp_path))


def test_name_with_a_nul_is_refused() -> None:
    with pytest.raises(InputError, match="cannot read"):
        load_object("a\0b.o")


def test_endless_file_is_refused() -> None:
    with pytest.raises(InputError, match="not a regular file but a character device"):
        load_object("/dev/zero")


def patched(offset: int, layout: str, value: int) -> bytes:
    data = bytearray(VALID)
    struct.pack_into(layout, data, offset, value)
    return bytes(data)


def header_of(name: str) -> int:
    """Where the header of one of the valid file's sections is."""
    builder = valid()
    names = ["", *builder.sections, *(f".rel{target}" for target in builder.relocations), ".symtab", ".strtab"]
    start: int = struct.unpack_from("<Q", VALID, 40)[0]
    return start + 64 * names.index(name)


def section_header(name: str, at: int, layout: str, value: int) -> bytes:
    """The valid file with one field of a section's header changed; `at` is its offset in the header."""
    return patched(header_of(name) + at, layout, value)


FLAGS, OFFSET, SIZE, LINK, INFO, ENTRY_SIZE = 8, 24, 32, 40, 44, 56

HEADERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "32-bit": (lambda: patched(4, "<B", 1), "."),
    "executable": (lambda: patched(16, "<H", 2), "relocatable"),
    "unknown machine": (lambda: patched(18, "<H", 0xFFFF), "not for BPF"),
    "no section table": (lambda: patched(40, "<Q", 0), "section table"),
    "section table far away": (lambda: patched(40, "<Q", 1 << 60), "."),
    "section headers of 0 bytes": (lambda: patched(58, "<H", 0), "section table"),
    "65535 sections": (lambda: patched(60, "<H", 0xFFFF), "."),
    "count of sections elsewhere": (lambda: patched(60, "<H", 0), "section table"),
    "names in no section": (lambda: patched(62, "<H", 0xFFFF), "."),
    "names in the first section": (lambda: patched(62, "<H", 0), "."),
    "huge section": (lambda: section_header("xdp", SIZE, "<Q", 1 << 50), "ends at byte"),
    "negative section": (lambda: section_header("xdp", SIZE, "<Q", (1 << 64) - 8), "ends at byte"),
    "section far away": (lambda: section_header("xdp", OFFSET, "<Q", 1 << 62), "ends at byte"),
    "sections that overlap": (lambda: section_header("xdp", OFFSET, "<Q", 80), "overlap"),
    "huge zeros": (lambda: section_header(".bss", SIZE, "<Q", 1 << 40), "claims"),
    "code of odd size": (lambda: section_header(".text", SIZE, "<Q", 27), "whole instructions"),
    "compressed code": (lambda: section_header("xdp", FLAGS, "<Q", 0x806), "compressed"),
    "name outside the table": (lambda: section_header("xdp", 0, "<I", 1 << 30), "."),
    "symbols without strings": (lambda: section_header(".symtab", LINK, "<I", 0xFFFF), "string table"),
    "symbols of odd size": (lambda: section_header(".symtab", ENTRY_SIZE, "<Q", 7), "24-byte"),
    "symbols cut short": (lambda: section_header(".symtab", SIZE, "<Q", 25), "24-byte"),
    "no symbols": (lambda: section_header(".symtab", 4, "<I", 1), "symbol table"),
    "relocations of odd size": (lambda: section_header(".relxdp", ENTRY_SIZE, "<Q", 24), "16-byte"),
    "relocations of no section": (lambda: section_header(".relxdp", INFO, "<I", 999), "section 999"),
    "relocations with addends": (lambda: section_header(".relxdp", 4, "<I", 4), "addends"),
    "two BTF lengths": (lambda: section_header(".BTF", SIZE, "<Q", 20), "BTF"),
}


@pytest.mark.parametrize("name", HEADERS)
def test_hostile_header_is_refused(tmp_path: Path, name: str) -> None:
    make, words = HEADERS[name]
    text = refusal(make(), tmp_path)
    assert words == "." or words in text


def code(*insns: Insn) -> Callable[[], ObjectBuilder]:
    def make() -> ObjectBuilder:
        builder = ObjectBuilder()
        builder.function("prog", "xdp", insns)
        return builder

    return make


def relocated(offset: int, kind: int, symbol: str = "text") -> Callable[[], ObjectBuilder]:
    """A program with one data section and a relocation of ours."""

    def make() -> ObjectBuilder:
        builder = ObjectBuilder()
        builder.data(".rodata", b"abcd", "text")
        builder.data("license", b"GPL\0", "LICENSE")
        builder.symbol("absolute", "", type=NOTYPE)
        builder.function("prog", "xdp", [load_imm64(1, 0), call_distance(1), mov(0, 0), exit_()])
        builder.function("sub", "xdp", [mov(0, 0), exit_()], bind=LOCAL)
        builder.relocate("xdp", offset, kind, symbol)
        return builder

    return make


def both(first: Callable[[], ObjectBuilder], offset: int, kind: int, symbol: str) -> Callable[[], ObjectBuilder]:
    def make() -> ObjectBuilder:
        builder = first()
        builder.relocate("xdp", offset, kind, symbol)
        return builder

    return make


def raw(*slots: str) -> Callable[[], ObjectBuilder]:
    """A program of slots given in hex."""

    def make() -> ObjectBuilder:
        builder = ObjectBuilder()
        content = bytes.fromhex("".join(slots))
        builder.section("xdp", ALLOC | EXECUTE).content += content
        builder.symbol("prog", "xdp", 0, len(content), type=2)
        return builder

    return make


def recursion() -> ObjectBuilder:
    builder = ObjectBuilder()
    builder.function("even", ".text", [call_symbol("odd"), exit_()])
    builder.function("odd", ".text", [call_symbol("even"), exit_()])
    builder.function("prog", "xdp", [call_symbol("even"), exit_()])
    return builder


def overlapping_functions() -> ObjectBuilder:
    builder = code(mov(0, 0), mov(0, 1), exit_())()
    builder.symbol("inside", "xdp", 8, 16, type=2)
    return builder


def function_outside() -> ObjectBuilder:
    builder = code(mov(0, 0), exit_())()
    builder.symbol("outside", "xdp", 16, 80, type=2)
    return builder


def crooked_function() -> ObjectBuilder:
    builder = ObjectBuilder()
    builder.section("xdp", ALLOC | EXECUTE).content += bytes(16)
    builder.symbol("crooked", "xdp", 4, 12, type=2)
    return builder


def two_of_a_name() -> ObjectBuilder:
    builder = ObjectBuilder()
    builder.function("prog", "xdp", [mov(0, 0), exit_()])
    builder.function("prog", "tc", [mov(0, 0), exit_()])
    return builder


def maps_of_odd_size() -> ObjectBuilder:
    builder = code(mov(0, 0), exit_())()
    builder.legacy_map("m", 1, 4, 4, 4)
    builder.section("maps").content.extend(b"xyz")
    return builder


def address_between_maps() -> ObjectBuilder:
    builder = ObjectBuilder()
    builder.legacy_map("m", 1, 4, 4, 4)
    builder.function("prog", "xdp", [load_symbol(1, "m", 4), exit_()])
    return builder


def data_beyond(addend: int) -> Callable[[], ObjectBuilder]:
    def make() -> ObjectBuilder:
        builder = ObjectBuilder()
        builder.data(".rodata", b"abcd", "text")
        builder.function("prog", "xdp", [load_symbol(1, "text", addend), exit_()])
        return builder

    return make


def call_into(target: str) -> Callable[[], ObjectBuilder]:
    def make() -> ObjectBuilder:
        builder = ObjectBuilder()
        builder.data(".rodata", b"abcdefgh", "text")
        builder.function("sub", ".text", [mov(0, 0), mov(0, 0), exit_()])
        builder.function("prog", "xdp", [call_symbol(target, 0), exit_()])
        return builder

    return make


def no_program() -> ObjectBuilder:
    builder = ObjectBuilder()
    builder.data(".rodata", b"abcd", "text")
    return builder


def large_jump_table() -> ObjectBuilder:
    builder = ObjectBuilder()
    builder.function("prog", "xdp", [goto(0x7FFF), exit_()])
    return builder


LINKS: dict[str, tuple[Callable[[], ObjectBuilder], str]] = {
    "no program": (no_program, "no program"),
    "unknown opcode": (code(mov(0, 0), insn(0xE7), exit_()), "instruction 1): unknown opcode 0xe7"),
    "no such register": (code(mov(12, 0), exit_()), "instruction 0): no register r12"),
    "reserved field": (code(insn(0x95, imm=3)), "reserved"),
    "runs off its end": (code(mov(0, 0)), "runs off its end"),
    "ends with a branch": (code(mov(0, 0), jump_if_equal(0, 0, -1)), "runs off its end"),
    "ends with a 64-bit load": (code(load_imm64(0, 1)), "runs off its end"),
    "half a 64-bit load": (raw("b700000000000000", "1800000000000000"), "second half of a 64-bit load is missing"),
    "64-bit load with another instruction inside": (raw("1800000000000000", "9500000000000000"), "second half"),
    "jump behind the end": (code(goto(1), exit_()), "jumps to instruction 2, outside"),
    "jump before the start": (code(goto(-2), exit_()), "jumps to instruction -1, outside"),
    "jump far away": (large_jump_table, "outside"),
    "jump into a 64-bit load": (code(jump_if_equal(0, 0, 1), load_imm64(0, 1), exit_()), "middle of a 64-bit load"),
    "call into nowhere": (code(call_distance(77), exit_()), "no function starts"),
    "call into a function": (call_into("sub"), "no function starts"),
    "call into data": (call_into("text"), "no function starts"),
    "call of itself": (code(call_distance(-1), exit_()), "recursion: prog -> prog"),
    "recursion": (recursion, "recursion: even -> odd -> even"),
    "functions that overlap": (overlapping_functions, "overlaps"),
    "function outside its section": (function_outside, "outside"),
    "function between instructions": (crooked_function, "outside the instructions"),
    "two programs of one name": (two_of_a_name, "two programs are called prog"),
    "relocation behind the end": (relocated(4096, R_BPF_64_64), "outside"),
    "relocation between instructions": (relocated(4, R_BPF_64_64), "not at an instruction that it fits"),
    "relocation in the second half": (relocated(8, R_BPF_64_64), "not at an instruction that it fits"),
    "relocation at a move": (relocated(24, R_BPF_64_64), "not at an instruction that it fits"),
    "relocation of another type": (relocated(0, 99), "not at an instruction that it fits"),
    "call relocation at a load": (relocated(0, R_BPF_64_32), "not at an instruction that it fits"),
    "call relocation against data": (relocated(16, R_BPF_64_32), "no function starts"),
    "relocation against the license": (relocated(0, R_BPF_64_64, "LICENSE"), "no map, data or function"),
    "two relocations in one place": (
        both(relocated(0, R_BPF_64_64), 0, R_BPF_64_64, "LICENSE"),
        "there twice",
    ),
    "map definitions of odd size": (maps_of_odd_size, "map definitions"),
    "address between maps": (address_between_maps, "no map, data or function"),
    "data before its section": (data_beyond(-1), "no map, data or function"),
    "data behind its section": (data_beyond(4), "no map, data or function"),
}


@pytest.mark.parametrize("name", LINKS)
def test_hostile_program_is_refused(tmp_path: Path, name: str) -> None:
    make, words = LINKS[name]
    assert words in refusal(make().build(), tmp_path)


def test_relocation_against_a_symbol_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    entries = struct.unpack_from("<Q", VALID, header_of(".relxdp") + OFFSET)[0]
    assert "refers to symbol 16777215" in refusal(patched(entries + 12, "<I", 0xFFFFFF), tmp_path)


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refusal(VALID.replace(b"\0prog\0", b"\0\xff\xfe\xfdg\0"), tmp_path)


def test_garbage_for_a_string_table_is_refused(tmp_path: Path) -> None:
    start = VALID.index(b"\0.maps\0", 64)
    size = VALID.index(b".strtab\0", start) + 8 - start
    data = bytearray(VALID)
    data[start : start + size] = random.Random(1).randbytes(size)
    refusal(bytes(data), tmp_path)


def with_types(change: Callable[[BtfBuilder], int | None]) -> ObjectBuilder:
    """A program with one BTF-defined map `m`; `change` adds its variable, or gives None to leave the section out."""
    builder, btf = ObjectBuilder(), BtfBuilder()
    builder.function("prog", "xdp", [load_symbol(1, "m"), exit_()])
    builder.data(".maps", bytes(32), "m")
    variable = change(btf)
    if variable is not None:
        btf.data_section(".maps", [(variable, 0, 32)])
    builder.plain(".BTF", btf.build())
    return builder


def _structure(btf: BtfBuilder, size: int, *members: tuple[str, int, int]) -> int:
    return btf.variable("m", btf.struct("", size, list(members)))


def _cycle(btf: BtfBuilder) -> int:
    return btf.variable("m", btf.raw(Kind.CONST, "", btf.count + 1))


def _huge_value(btf: BtfBuilder) -> int:
    value = btf.array(btf.array(btf.integer("int", 4), 0xFFFFFFFF), 0xFFFFFFFF)
    return _structure(btf, 8, ("value", btf.pointer(value), 0))


def _nested(btf: BtfBuilder) -> int:
    innermost = btf.struct("", 8, [("values", btf.array(btf.pointer(1), 0), 0)])
    return _structure(btf, 8, ("values", btf.array(btf.pointer(innermost), 0), 0))


TYPES: dict[str, tuple[Callable[[BtfBuilder], int | None], str]] = {
    "no map section": (lambda btf: None, "does not describe map m"),
    "map without symbol": (lambda btf: btf.variable("other", btf.struct("", 8, [])), "no symbol"),
    "map that is a number": (lambda btf: btf.variable("m", btf.integer("int", 4)), "not declared as a struct"),
    "map that is its own type": (_cycle, "refers to itself"),
    "map that refers to no type": (lambda btf: btf.variable("m", 999), "type 999"),
    "map section that holds no variables": (lambda btf: btf.integer("m", 4), "no symbol"),
    "map larger than its section": (lambda btf: _structure(btf, 64), "outside section .maps"),
    "number that is none": (lambda btf: _structure(btf, 8, ("type", btf.integer("int", 4), 0)), "__uint"),
    "key that is no pointer": (lambda btf: _structure(btf, 8, ("key", btf.integer("int", 4), 0)), "__type"),
    "key without a size": (lambda btf: _structure(btf, 8, ("key", btf.pointer(0), 0)), "no size"),
    "values that are no array": (lambda btf: _structure(btf, 8, ("values", btf.integer("int", 4), 0)), "__array"),
    "huge value": (_huge_value, "larger than"),
    "maps in maps in maps": (_nested, "two deep"),
}


@pytest.mark.parametrize("name", TYPES)
def test_hostile_map_type_is_refused(tmp_path: Path, name: str) -> None:
    change, words = TYPES[name]
    assert words in refusal(with_types(change).build(), tmp_path)


def extension(content: bytes) -> bytes:
    builder, btf = ObjectBuilder(), BtfBuilder()
    btf.strings.add("xdp")
    builder.function("prog", "xdp", [mov(0, 0), exit_()])
    builder.plain(".BTF", btf.build())
    builder.plain(".BTF.ext", content)
    return builder.build()


def ext_header(*lengths: int) -> bytes:
    return struct.pack("<HBBI6I", 0xEB9F, 1, 0, 32, *lengths)


XDP_NAME = 1
EXTENSIONS = {
    "empty header": b"\x9f\xeb",
    "lengths beyond the end": ext_header(0, 0, 0, 0xFFFFFFFC, 0, 0),
    "offset beyond the end": ext_header(0, 0, 0xFFFFFFF0, 4, 0, 0),
    "records of 0 bytes": ext_header(0, 0, 0, 16, 0, 0) + struct.pack("<4I", 0, XDP_NAME, 1, 0),
    "records without end": ext_header(0, 0, 0, 16, 0, 0) + struct.pack("<4I", 16, XDP_NAME, 0xFFFFFFFF, 0),
    "no records": ext_header(0, 0, 0, 12, 0, 0) + struct.pack("<3I", 16, XDP_NAME, 0),
    "line outside the code": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, XDP_NAME, 1, 800, 0, 0, 0),
    "line between instructions": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, XDP_NAME, 1, 4, 0, 0, 0),
    "line of a file without name": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, XDP_NAME, 1, 0, 999, 0, 0),
    "line of a section without name": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, 999, 1, 0, 0, 0, 0),
    "CO-RE relocation outside": ext_header(0, 0, 0, 0, 0, 28) + struct.pack("<7I", 16, XDP_NAME, 1, 80, 0, 0, 0),
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_hostile_btf_extension_is_refused(tmp_path: Path, name: str) -> None:
    refusal(extension(EXTENSIONS[name]), tmp_path)


def test_many_sections_and_symbols_take_no_time_that_matters(tmp_path: Path) -> None:
    builder = ObjectBuilder()
    for number in range(3000):
        builder.section(f"s{number}", ALLOC | EXECUTE)
        builder.function(f"f{number}", f"s{number}", [mov(0, 0), exit_()])
    assert len(load_bytes(builder.build(), tmp_path).programs) == 3000
