"""CO-RE relocations: what they make of instructions, and when they are not made (D100)."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.bpf.btf import Btf, BtfType, Kind, Member, essential_name
from equiv.bpf.core import Relocation, Types, relocated
from equiv.bpf.program import Insn
from equiv.errors import Place
from tests.bpf.programs import EXIT, copy, ldx, load64, mov

INT = BtfType(1, Kind.INT, "unsigned int", size=4)
SIGNED = BtfType(2, Kind.INT, "int", size=4, signed=True)
BYTE = BtfType(3, Kind.INT, "unsigned char", size=1)
VOID = BtfType(0, Kind.VOID, "")


def types(*more: BtfType, strings: bytes = b"\x000:1\x000\x000:2:0:1\x00") -> Btf:
    return Btf((VOID, INT, SIGNED, BYTE, *more), strings, Place("t.o"))


def struct(*members: Member, name: str = "packet", number: int = 4, size: int = 16) -> BtfType:
    return BtfType(number, Kind.STRUCT, name, size=size, members=members)


FIRST, SECOND = Member("first", 1), Member("second", 1, offset=32)
OWN = types(struct(FIRST, SECOND))
ACCESS, WHOLE = 1, 5
"""Where in the strings "0:1" (the second member) and "0" are."""


def moved(insn: Insn, kind: Relocation, target: Btf, own: Btf = OWN, access: int = ACCESS) -> Insn | str:
    return relocated(insn, (4, access, kind), own, Types(target, "the kernel"))


def test_field_that_moved_is_loaded_from_where_it_is_now() -> None:
    target = types(struct(Member("new", 1), FIRST, Member("second", 1, offset=64)))
    assert moved(ldx(op.W, 1, 1, 4), Relocation.FIELD_BYTE_OFFSET, target) == ldx(op.W, 1, 1, 8)
    assert moved(mov(1, 4), Relocation.FIELD_BYTE_OFFSET, target) == mov(1, 8)


def test_load_of_an_unsigned_field_takes_its_new_width_and_of_a_signed_one_is_not_made() -> None:
    narrow = types(struct(FIRST, Member("second", 3, offset=48)))
    assert moved(ldx(op.W, 1, 1, 4), Relocation.FIELD_BYTE_OFFSET, narrow) == ldx(op.B, 1, 1, 6)
    signed = types(struct(FIRST, Member("second", 2, offset=32)))
    made = moved(ldx(op.W, 1, 1, 4), Relocation.FIELD_BYTE_OFFSET, narrow, own=signed)
    assert isinstance(made, str)
    assert "another size" in made


def test_field_that_is_not_there_is_named() -> None:
    target = types(struct(FIRST))
    made = moved(ldx(op.W, 1, 1, 4), Relocation.FIELD_BYTE_OFFSET, target)
    assert made == "needs struct packet at 0:1, which the kernel does not have"
    assert moved(mov(0, 1), Relocation.FIELD_EXISTS, target) == mov(0, 0)


def test_member_of_another_kind_is_not_the_field() -> None:
    target = types(struct(FIRST, Member("second", 5, offset=32)), BtfType(5, Kind.PTR, "", target=1))
    assert moved(mov(0, 1), Relocation.FIELD_EXISTS, target) == mov(0, 0)


def test_types_that_disagree_leave_the_relocation_open() -> None:
    target = types(struct(FIRST, SECOND), struct(FIRST, Member("second", 1, offset=64), number=5))
    made = moved(mov(0, 4), Relocation.FIELD_BYTE_OFFSET, target)
    assert isinstance(made, str)
    assert "more than one way" in made


def test_instruction_that_does_not_hold_what_the_compiler_should_have_written_is_not_changed() -> None:
    made = moved(mov(0, 5), Relocation.FIELD_BYTE_OFFSET, OWN)
    assert isinstance(made, str)
    assert "expects 4" in made


@pytest.mark.parametrize("insn", [EXIT, copy(0, 1), ldx(op.W, 0, 1, 0x7FF0)])
def test_instruction_that_cannot_hold_the_value_is_refused(insn: Insn) -> None:
    assert isinstance(moved(insn, Relocation.FIELD_BYTE_OFFSET, OWN), str)


def test_size_of_a_type_and_zero_where_there_is_none() -> None:
    target = types(struct(FIRST, SECOND, size=24))
    made = moved(load64(0, 16), Relocation.TYPE_SIZE, target, access=WHOLE)
    assert isinstance(made, Insn)
    assert made.imm64 == 24
    assert moved(mov(0, 16), Relocation.TYPE_SIZE, types(), access=WHOLE) == mov(0, 0)
    assert moved(mov(0, 1), Relocation.TYPE_EXISTS, types(), access=WHOLE) == mov(0, 0)


def test_without_other_types_all_stands_but_the_numbers_of_types() -> None:
    assert relocated(mov(0, 9), (4, ACCESS, Relocation.FIELD_BYTE_OFFSET), OWN, None) == mov(0, 9)
    made = relocated(mov(0, 9), (4, WHOLE, Relocation.TYPE_ID_TARGET), OWN, None)
    assert made == "needs the number that a kernel gives to struct packet"
    assert relocated(mov(0, 9), (4, WHOLE, Relocation.TYPE_ID_LOCAL), OWN, None) == mov(0, 9)
    assert relocated(mov(0, 9), (4, WHOLE, 99), OWN, None) == "has a CO-RE relocation of unknown kind 99"


def test_flavour_is_what_follows_the_last_three_underscores() -> None:
    assert essential_name("packet___old") == "packet"
    assert essential_name("a___b___c") == "a___b"
    assert [essential_name(name) for name in ("___a", "a___", "a____b")] == ["___a", "a___", "a____b"]
