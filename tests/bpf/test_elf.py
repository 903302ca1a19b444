"""The ELF container."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from equiv.bpf.elf import STT_FUNC, read_elf
from equiv.bpf.program import ByteOrder
from equiv.errors import InputError
from tests.bpf.objects import SHT_NOBITS, ObjectBuilder, exit_, load_symbol, mov


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_sections_symbols_and_relocations_are_read(tmp_path: Path, byte_order: ByteOrder) -> None:
    builder = ObjectBuilder(byte_order)
    builder.data(".rodata", b"abcd", "greeting")
    builder.function("prog", "xdp", [mov(0, 0), load_symbol(1, "greeting"), exit_()])
    path = builder.write(tmp_path / "p.o")
    elf = read_elf(path)
    assert elf.byte_order == byte_order
    assert elf.sha256 == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    code, data = elf.section("xdp"), elf.section(".rodata")
    assert code is not None and code.executable and len(code.data) == 32
    assert data is not None and data.data == b"abcd" and not data.executable
    function = next(symbol for symbol in elf.symbols if symbol.name == "prog")
    assert (function.type, function.section, function.size) == (STT_FUNC, code.index, 32)
    assert {offset: r.symbol.name for offset, r in elf.relocations[code.index].items()} == {8: "greeting"}


def test_bss_is_zeros_that_the_file_does_not_hold(tmp_path: Path) -> None:
    builder = ObjectBuilder()
    builder.function("prog", "xdp", [exit_()])
    builder.section(".bss", kind=SHT_NOBITS).size = 4096
    section = read_elf(builder.write(tmp_path / "p.o")).section(".bss")
    assert section is not None and section.data == bytes(4096)


def test_object_of_an_old_compiler_without_machine_is_read(tmp_path: Path) -> None:
    builder = ObjectBuilder(machine=0)
    builder.function("prog", "xdp", [exit_()])
    assert read_elf(builder.write(tmp_path / "p.o")).section("xdp")


def test_object_for_another_machine_is_refused(tmp_path: Path) -> None:
    builder = ObjectBuilder(machine=62)
    builder.function("prog", "xdp", [exit_()])
    with pytest.raises(InputError, match="x86-64, not for BPF"):
        read_elf(builder.write(tmp_path / "p.o"))


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.o: cannot read: No such file"):
        read_elf(str(tmp_path / "none.o"))
