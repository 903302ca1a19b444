"""Which of two waiting decisions is taken: the earlier one, and before that the one that makes the other's choice."""

from __future__ import annotations

from equiv.machine.inputs import packet_byte, packet_length
from equiv.machine.protocol import Branch, Fork
from equiv.proof.facts import Facts
from equiv.proof.pace import earlier
from equiv.proof.symbols import fresh
from equiv.term import Term, bvadd, bvmul, bvxor, concat, const, eq, extract, ite, negate, uge, ult

LEFT, ROOM = fresh(16, 0, 0xFFFF), fresh(16, 0, 0xFFFF)


def decision(guard: Term) -> Fork:
    return Fork(None, (Branch(guard, None), Branch(negate(guard), None)))


def is_set(byte: int) -> Fork:
    return decision(eq(packet_byte(const(byte, 64)), const(1, 8)))


def test_the_decision_about_the_earlier_byte_is_taken() -> None:
    assert earlier(Facts(), is_set(3), is_set(5), (0, 0)) == "L"
    assert earlier(Facts(), is_set(5), is_set(3), (0, 0)) == "R"


def test_a_decision_that_makes_the_choice_of_the_other_is_taken_first() -> None:
    inside = eq(LEFT, const(0, 16))
    hangs = decision(ult(const(0, 16), ite(inside, ROOM, LEFT)))
    late = decision(negate(inside))
    assert earlier(Facts(), hangs, late, (0, 0)) == "R"
    assert earlier(Facts(), late, hangs, (9, 0)) == "L"


def test_a_decision_that_leaves_the_choice_open_is_taken_in_its_turn() -> None:
    hangs = decision(ult(const(0, 16), ite(eq(LEFT, const(0, 16)), ROOM, LEFT)))
    assert earlier(Facts(), hangs, is_set(3), (0, 0)) == "L"
    assert earlier(Facts(), is_set(3), hangs, (0, 0)) == "R"


def test_parts_that_a_decision_shares_are_looked_at_once() -> None:
    number = packet_byte(const(0, 64))
    for _ in range(200):  # as a hash mixes what it has
        number = bvxor(bvmul(number, number), number)
    mixed = decision(eq(number, const(1, 8)))
    assert earlier(Facts(), mixed, is_set(3), (0, 0)) == "L"


def test_what_was_found_to_be_there_comes_before_what_was_not_where_offsets_wrap() -> None:
    """One side counts past an options header, maybe around to the front; the other still looks at a bit of it."""
    place = fresh(64, 14, 0xFFFF)
    behind = concat(const(0, 48), bvadd(extract(15, 0, place), const(8, 16)))
    facts = Facts().assume(uge(packet_length(), bvadd(place, const(4, 64))))
    bit = decision(eq(packet_byte(bvadd(place, const(3, 64))), const(1, 8)))
    room = decision(ult(packet_length(), bvadd(behind, const(14, 64))))
    assert earlier(facts, bit, room, (9, 0)) == "L"
    assert earlier(facts, room, bit, (0, 9)) == "R"


def test_mirrored_the_right_side_is_what_the_left_one_was() -> None:
    assert earlier(Facts(), is_set(3), is_set(3), (1, 1)) == "L"
    assert earlier(Facts(), is_set(3), is_set(3), (1, 1), mirrored=True) == "R"
    assert earlier(Facts(), is_set(5), is_set(3), (0, 0), mirrored=True) == "R"
    assert earlier(Facts(), is_set(3), is_set(3), (0, 1), mirrored=True) == "L"
