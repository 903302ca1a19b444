"""Containers that mean harm: each is refused in one line, and nothing but InputError or Unsupported comes out."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from equiv.bpf.interpret import run
from equiv.bpf.load import load_object
from equiv.errors import InputError, Unsupported
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import interface_for_section, load_interface
from tests.bpf.hostile import VALID, analyse, load_bytes, refusal, valid
from tests.bpf.objects import (
    ALLOC,
    EXECUTE,
    ObjectBuilder,
    exit_,
    mov,
)


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


def test_many_sections_and_symbols_take_no_time_that_matters(tmp_path: Path) -> None:
    builder = ObjectBuilder()
    for number in range(3000):
        builder.section(f"s{number}", ALLOC | EXECUTE)
        builder.function(f"f{number}", f"s{number}", [mov(0, 0), exit_()])
    assert len(load_bytes(builder.build(), tmp_path).programs) == 3000


def test_relocation_against_a_symbol_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    entries = struct.unpack_from("<Q", VALID, header_of(".relxdp") + OFFSET)[0]
    assert "refers to symbol 16777215" in refusal(patched(entries + 12, "<I", 0xFFFFFF), tmp_path)


REAL = sorted((Path(__file__).resolve().parents[2] / "corpora").glob("*/*.bpf.o"))


def spoilt(chance: random.Random, data: bytearray) -> bytearray:
    """`data` after one change: a bit, a byte, a word, bytes cut out or put in twice."""
    at = chance.randrange(len(data))
    match chance.randrange(5):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at] = chance.choice([0, 0x7F, 0x80, 0xFF])
        case 2:
            size = chance.choice([2, 4, 8])
            data[at : at + size] = chance.choice([0, 1, (1 << 8 * size) - 1, 1 << 8 * size - 1]).to_bytes(
                size, "little"
            )
        case 3:
            del data[at : at + chance.choice([1, 8, 64])]
        case _:
            other = chance.randrange(len(data))
            data[at:at] = data[other : other + chance.choice([1, 8, 64])]
    return data


@pytest.mark.parametrize("seed", range(6))
def test_what_compilers_wrote_and_something_spoilt_is_refused_or_runs(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    accepted = 0
    for _ in range(60):
        data = bytearray(chance.choice(REAL).read_bytes())
        for _ in range(chance.choice([1, 1, 2, 8])):
            data = spoilt(chance, data)
        try:
            loaded = load_bytes(bytes(data), tmp_path)
            analyse(loaded)
            for program in loaded.programs.values():
                interface = load_interface(interface_for_section(program.section) or "xdp")
                run(program, interface, Input(chance.randbytes(12) + b"\x08\0\x45" + chance.randbytes(60)))
            accepted += 1
        except (InputError, Unsupported, NotRunnable) as error:
            assert "\n" not in str(error)
    assert accepted
