"""Objects from before BTF: the `maps` section as samples and iproute2 wrote it, no machine in the header, no types."""

from __future__ import annotations

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from equiv.bpf.interpret import run
from equiv.bpf.load import load_object, load_program
from equiv.bpf.program import MapSpec
from equiv.errors import InputError
from equiv.machine.concrete import Input
from tests.bpf.objects import ObjectBuilder, call_helper, exit_, load_symbol, mov
from tests.bpf.programs import TC


def map_section(builder: ObjectBuilder, name: str, *words: int) -> None:
    """A definition of as many words in the section `maps`."""
    content = builder.section("maps").content
    builder.symbol(name, "maps", len(content), 4 * len(words))
    content += struct.pack(f"{builder.prefix}{len(words)}I", *words)


@pytest.mark.parametrize("more", [(), (9,), (9, 8), (9, 8, 7, 6)])
def test_definitions_may_be_longer_than_the_kernel_needs(tmp_path: Path, more: tuple[int, ...]) -> None:
    """`struct bpf_map_def` has 5 words, samples/bpf added the inner map and the NUMA node, iproute2 has nine."""
    builder = ObjectBuilder(machine=0)
    map_section(builder, "first", 1, 4, 8, 16, 1, *more)
    map_section(builder, "second", 2, 4, 4, 2, 0, *more)
    builder.function("prog", "classifier", [load_symbol(1, "second"), mov(0, 0), exit_()])
    program = load_program(builder.write(tmp_path / "p.o"))
    assert program.maps == {"first": MapSpec("first", 1, 4, 8, 16, 1), "second": MapSpec("second", 2, 4, 4, 2)}


def iproute2(tmp_path: Path, *, index: int = 1, identity: int = 5) -> str:
    builder = ObjectBuilder(machine=0)
    map_section(builder, "jumps", 3, 4, 4, 2, 0, identity, 0, 0, 0)
    tail = [load_symbol(2, "jumps"), mov(3, index), call_helper(12), mov(0, 9), exit_()]
    builder.function("entry", "classifier", tail)
    builder.function("zero", "5/0", [mov(0, 0), exit_()])
    builder.function("one", "0x5/0x1", [mov(0, 7), exit_()])
    builder.function("of_another_map", "6/0", [mov(0, 3), exit_()])
    builder.write(tmp_path / "p.o")
    return str(tmp_path / "p.o")


def test_sections_of_iproute2_say_where_their_programs_belong(tmp_path: Path) -> None:
    path = iproute2(tmp_path)
    program = load_program(path, "entry")
    assert program.maps["jumps"].slots == {0: "5/0", 1: "0x5/0x1"}
    assert set(program.entries.values()) == {"entry", "zero", "one"}
    assert run(program, TC, Input(bytes(64))).code == 7
    assert set(load_object(path).programs) == {"entry", "zero", "one", "of_another_map"}


def test_an_index_past_the_array_is_refused(tmp_path: Path) -> None:
    builder = ObjectBuilder()
    map_section(builder, "jumps", 3, 4, 4, 1, 0, 5, 0, 0, 0)
    builder.function("entry", "classifier", [load_symbol(2, "jumps"), exit_()])
    builder.function("one", "5/1", [mov(0, 7), exit_()])
    with pytest.raises(InputError, match="no index 1"):
        load_program(builder.write(tmp_path / "p.o"), "entry")


SOURCE = """
#define SEC(name) __attribute__((section(name), used))
struct elf_map { unsigned type, key, value, entries, flags, id, pinning, inner_id, inner_index; };
struct elf_map SEC("maps") jumps = { 3, 4, 4, 2, 0, 1 };
struct elf_map SEC("maps") counts = { 2, 4, 8, 4, 0, 2 };
static void *(*lookup)(void *, void *) = (void *)1;
static void (*tail_call)(void *, void *, unsigned) = (void *)12;
__attribute__((noinline)) int shared(int x) { unsigned key = x; return lookup(&counts, &key) ? 5 : 6; }
SEC("1/0") int parse(void *ctx) { return shared(3); }
SEC("classifier") int entry(void *ctx) { tail_call(ctx, &jumps, 0); return shared(9); }
"""


@pytest.mark.parametrize("clang", ["clang-14", "clang-16", "clang-19"])
@pytest.mark.parametrize("types", ["-g0", "-g"])
def test_what_clang_writes_without_types_is_loaded(tmp_path: Path, clang: str, types: str) -> None:
    """Global functions that several programs call, tail calls by section, maps without BTF."""
    if shutil.which(clang) is None:
        pytest.skip(f"{clang} is not installed")
    (tmp_path / "p.c").write_text(SOURCE)
    subprocess.run([clang, "-target", "bpf", "-O2", types, "-w", "-c", "p.c", "-o", "p.o"], cwd=tmp_path, check=True)
    program = load_program(str(tmp_path / "p.o"))
    assert program.name == "entry"
    assert sorted(program.functions.values()) == ["entry", "parse", "shared"]
    assert run(program, TC, Input(bytes(64))).code == 5
