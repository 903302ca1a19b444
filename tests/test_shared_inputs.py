"""What both sides are given alike: maps by name, global variables by section."""

from __future__ import annotations

from pathlib import Path

import pytest

import equiv
from equiv.bpf import insn as isa
from equiv.errors import InputError
from tests.bpf.objects import (
    ObjectBuilder,
    add,
    call_helper,
    exit_,
    insn,
    jump_if_equal,
    load,
    load_symbol,
    mov,
    mov_register,
    store_imm,
)

ONE_BIT = insn(isa.ALU64 | isa.AND, 0, imm=1)


def counting(tmp_path: Path, name: str) -> str:
    """A program that returns a bit of what an array of that name holds."""
    builder = ObjectBuilder()
    builder.legacy_map(name, 2, 4, 8, 1)
    found = [jump_if_equal(0, 0, 1), load(0, 0, 0), ONE_BIT, exit_()]
    key = [store_imm(10, -4, 0, isa.W), load_symbol(1, name), mov_register(2, 10), add(2, -4), call_helper(1)]
    builder.function("prog", "xdp", [*key, *found])
    return builder.write(tmp_path / f"{name}.o")


def configured(tmp_path: Path, file: str, content: bytes, *, read: bool = True, section: str = ".data") -> str:
    """A program that returns a bit of the first global variable."""
    builder = ObjectBuilder()
    builder.data(section, content, "limit")
    reading = [load_symbol(1, "limit"), load(0, 1, 0, isa.B), ONE_BIT] if read else [mov(0, 1)]
    builder.function("prog", "xdp", [*reading, exit_()])
    return builder.write(tmp_path / file)


def test_maps_that_only_one_side_has_are_inputs_of_that_side(tmp_path: Path) -> None:
    result = equiv.check(counting(tmp_path, "ours"), counting(tmp_path, "theirs"), kernel=False)
    assert result.verdict == "different"
    assert result.counterexamples[0].differs == ("verdict",)


def test_global_variables_that_begin_with_other_values_are_not_taken_to_hold_the_same(tmp_path: Path) -> None:
    one, other = configured(tmp_path, "one.o", b"\1\2\3\4"), configured(tmp_path, "other.o", b"\1\2\5\4")
    with pytest.raises(InputError, match=r"in \.data do not begin as the same on both sides: byte 2 is 3 and 5"):
        equiv.check(one, other)
    assert equiv.check(one, one).verdict == "equivalent"


def test_global_variables_of_which_one_side_knows_nothing_may_begin_with_anything(tmp_path: Path) -> None:
    one = configured(tmp_path, "one.o", b"\1\2\3\4", read=False)
    assert equiv.check(one, configured(tmp_path, "other.o", b"\2\2\3\4", read=False)).verdict == "equivalent"


def test_constants_are_what_either_object_says(tmp_path: Path) -> None:
    one = configured(tmp_path, "one.o", b"\1\2\3\4", section=".rodata")
    assert equiv.check(one, configured(tmp_path, "other.o", b"\3\2\3\4", section=".rodata")).verdict == "equivalent"
    result = equiv.check(one, configured(tmp_path, "different.o", b"\2\2\3\4", section=".rodata"), kernel=False)
    assert result.verdict == "different"
