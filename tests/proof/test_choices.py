"""Numbers that choose (D300, D5): choices that are known are made, others name the cell to keep apart."""

from __future__ import annotations

import pytest

from equiv.machine.inputs import packet_byte
from equiv.proof.choices import Choices, Split, are_apart, split_for
from equiv.proof.entry import Entry
from equiv.proof.facts import Facts
from equiv.proof.symbols import fresh
from equiv.term import Term, bvadd, bvneg, const, eq, ite, negate, ult, var

COUNT = fresh(8, 0, 255)
LEFT = fresh(16, 0, 0xFFFF)
OTHER = fresh(16, 0, 0xFFFF)
A, B = var("a", 32), var("b", 32)


def entry(**cells: Term) -> Entry:
    named = {f"R.{name}": term for name, term in cells.items()}
    return Entry(0, ("", "", tuple(named)), "", "", named, Facts(), (0, 0), steering=frozenset(named))


def chosen(count: Term, number: int) -> Term:
    return ite(eq(count, const(number, 8)), A, B)


def test_a_choice_that_is_known_is_made() -> None:
    facts = Facts().assume(eq(COUNT, const(2, 8)))
    assert Choices().made(facts.decide, None, bvadd(chosen(COUNT, 2), const(1, 32)), True) is bvadd(A, const(1, 32))
    assert Choices().made(facts.decide, None, chosen(COUNT, 3), False) is B


def test_a_flag_that_is_known_is_written_only_where_it_steers() -> None:
    facts = Facts().assume(ult(LEFT, const(9, 16)))
    flag = ult(LEFT, const(10, 16))
    assert Choices().made(facts.decide, None, flag, True) is const(1, 1)
    assert Choices().made(facts.decide, None, flag, False) is flag


@pytest.mark.parametrize(("number", "expected"), [(0, ("R.count", False)), (3, ("R.count", True))])
def test_a_choice_that_is_open_names_its_counter(number: int, expected: Split) -> None:
    choices = Choices()
    term = chosen(COUNT, number)
    assert choices.made(Facts().decide, entry(count=COUNT, left=LEFT), term, True) is term
    assert choices.splits == {expected}


def test_a_choice_is_nobodys_fault_without_an_entry() -> None:
    choices = Choices()
    choices.made(Facts().decide, None, chosen(COUNT, 1), True)
    assert not choices.splits


def test_sums_that_choose_are_found_by_what_they_are() -> None:
    """What is left of an inner message is where it ends less where the cursor is; the condition compares these two."""
    condition = eq(bvadd(LEFT, bvneg(OTHER)), const(0, 16))
    assert split_for(condition, entry(left=bvadd(LEFT, bvneg(OTHER))).cells, ["R.left"]) == ("R.left", False)
    assert split_for(negate(condition), entry(left=LEFT).cells, ["R.left"]) is None


def test_what_the_packet_chooses_is_not_kept_apart() -> None:
    byte = packet_byte(const(3, 64))
    assert split_for(eq(byte, const(2, 8)), entry(kind=byte).cells, ["R.kind"]) is None


def test_large_numbers_are_codes_and_no_counters() -> None:
    assert split_for(eq(COUNT, const(0x45, 8)), entry(count=COUNT).cells, ["R.count"]) is None


def test_zero_is_apart_from_anything_else() -> None:
    split = frozenset({("R.left", False)})
    none, some, open_ = entry(left=const(0, 16)).cells, entry(left=const(7, 16)).cells, entry(left=LEFT).cells
    assert are_apart(none, some, split) and are_apart(open_, none, split)
    assert not are_apart(some, open_, split) and not are_apart(none, none, split)


def test_every_value_of_a_counter_is_apart() -> None:
    split = frozenset({("R.count", True)})
    one, two, open_ = entry(count=const(1, 8)).cells, entry(count=const(2, 8)).cells, entry(count=COUNT).cells
    assert are_apart(one, two, split) and are_apart(one, open_, split)
    assert not are_apart(one, one, split) and not are_apart(open_, entry(count=fresh(8, 0, 9)).cells, split)
    assert not are_apart(one, entry(left=LEFT).cells, split)
