"""Code, symbols and relocations that mean harm: each is refused in one line."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from equiv.bpf.program import Insn
from tests.bpf.hostile import VALID, refusal
from tests.bpf.objects import (
    ALLOC,
    EXECUTE,
    LOCAL,
    NOTYPE,
    R_BPF_64_32,
    R_BPF_64_64,
    ObjectBuilder,
    call_distance,
    call_symbol,
    exit_,
    goto,
    insn,
    jump_if_equal,
    load_imm64,
    load_symbol,
    mov,
)


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


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    assert "not UTF-8" in refusal(VALID.replace(b"\0prog\0", b"\0\xff\xfe\xfdg\0"), tmp_path)


def test_garbage_for_a_string_table_is_refused(tmp_path: Path) -> None:
    start = VALID.index(b"\0.maps\0", 64)
    size = VALID.index(b".strtab\0", start) + 8 - start
    data = bytearray(VALID)
    data[start : start + size] = random.Random(1).randbytes(size)
    refusal(bytes(data), tmp_path)
