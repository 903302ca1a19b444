"""Facts against concrete inputs and against z3: what they say follows from the literals (D2)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import z3
from hypothesis import example, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "term"))
from literals import CURSOR, FLAG, LENGTH, OFFSET, PORT, Literals, byte
from properties import nodes_of
from reference import Values, Z3Form, plain_of, z3_status
from strategies import Chooser, Drawn, seeds

from equiv.proof.facts import Contradiction, Facts
from equiv.term import (
    FALSE,
    TRUE,
    Assignment,
    Term,
    bvadd,
    bvmul,
    bvsub,
    concat,
    conj,
    const,
    disj,
    distinct,
    eq,
    evaluate,
    extract,
    integer_form,
    leaves,
    mask,
    negate,
    resize,
    to_linear,
    uge,
    ugt,
    ule,
    ult,
    var,
    zero_extend,
)


def number(value: int, width: int = 64) -> Term:
    return const(value, width)


# --- against one input ------------------------------------------------------------------------------------------


def check_against_an_input(chooser: Chooser, seed: int) -> None:
    """Facts gathered from conditions that an input satisfies say nothing that is wrong for that input."""
    values = Values(seed)
    maker = Literals(chooser, values)
    literals = [maker.true() for _ in range(chooser.integer(1, 6))]
    facts = Facts()
    for literal in literals:  # raising Contradiction would be wrong: the input satisfies all of them
        facts = facts.assume(literal)
    for _ in range(4):
        condition = maker.condition()
        decided = facts.decide(condition)
        assert decided is None or decided == bool(maker.value(condition)), (literals, condition)
    for literal in literals:
        assert facts.decide(literal) is not False
        assert facts.decide(negate(literal)) is not True
    for term in (maker.term(), maker.leaf(), maker.slice(), maker.sum(), *maker.pool):
        check_bounds(facts, term, maker)
        assert maker.value(facts.simplify(term)) == maker.value(term)
        assert maker.value(facts.widened(term, 80)) == maker.value(term)
        assert maker.value(facts.reduced(term)) == maker.value(term)
        if (exact := facts.exact_form(term)) is not None:
            assert sum(c * maker.value(atom) for atom, c in exact[0].items()) + exact[1] == maker.value(term)
    for known in facts.terms():
        assert maker.value(known) == 1, known
        assert all(a.width == node.width for node in nodes_of(known) if node.op == "add" for a in node.args), known
    for leaf, (zeros, ones) in facts.fixed.items():
        assert maker.value(leaf) & zeros == 0 and maker.value(leaf) & ones == ones
    for key, (low, high) in facts.bounds.items():
        total = sum(c * maker.value(atom) for atom, c in key)
        assert (low is None or low <= total) and (high is None or total <= high)


def check_bounds(facts: Facts, term: Term, maker: Literals) -> None:
    value = maker.value(term)
    for low, high in (facts.term_bound(term), facts.atom_bound(term)):
        assert low <= value <= high, term
    form = integer_form(term) or (dict(to_linear(term)[0]), 0)
    total = sum(c * maker.value(atom) for atom, c in form[0].items()) + form[1]
    low_, high_ = facts.bound(*form)
    assert (low_ is None or low_ <= total) and (high_ is None or total <= high_), term
    negated = {atom: -c for atom, c in form[0].items()}
    low_, high_ = facts.bound(negated, -form[1])
    assert (low_ is None or low_ <= -total) and (high_ is None or -total <= high_), term


@settings(max_examples=120)
@given(st.data(), seeds)
def test_facts_that_hold_for_an_input_say_nothing_wrong_about_it(data: st.DataObject, seed: int) -> None:
    check_against_an_input(Drawn(data.draw), seed)


# --- against every input ----------------------------------------------------------------------------------------


def check_against_z3(chooser: Chooser, seed: int) -> str:
    """Contradictions are unsatisfiable, decisions valid, bounds true of every input: z3 agrees."""
    maker = Literals(chooser, Values(seed))
    form = Z3Form()
    literals = [maker.condition() if chooser.integer(0, 2) else maker.true() for _ in range(chooser.integer(1, 4))]
    held = [form.holds(literal) for literal in literals]

    def refuted(condition: Any) -> bool:
        return z3_status(*held, condition, ranges=form.ranges, milliseconds=1000) != z3.sat

    try:
        facts = Facts().assume(*literals)
    except Contradiction:
        assert refuted(z3.BoolVal(True)), literals
        return "contradiction"
    outcome = "open"
    for condition in (maker.condition(), maker.condition()):
        decided = facts.decide(condition)
        if decided is not None and not condition.is_const:
            outcome = "decided"
            claim = form.holds(condition)
            assert refuted(z3.Not(claim) if decided else claim), (literals, condition)
    term = maker.chooser.choice(maker.pool) if maker.pool else maker.leaf()
    low, high = facts.term_bound(term)
    if (low, high) != (term.lo, term.hi):
        vector = form.of(plain_of(term))
        assert refuted(z3.Not(z3.And(z3.UGE(vector, low), z3.ULE(vector, high)))), (literals, term)
    return outcome


@settings(max_examples=60)
@given(st.data(), seeds)
def test_contradictions_and_decisions_are_consequences_to_z3(data: st.DataObject, seed: int) -> None:
    check_against_z3(Drawn(data.draw), seed)


# --- examples ---------------------------------------------------------------------------------------------------


def test_a_condition_and_its_negation_contradict_each_other() -> None:
    with pytest.raises(Contradiction):
        Facts().assume(FLAG, negate(FLAG))
    with pytest.raises(Contradiction):
        Facts().assume(FALSE)


def test_a_field_with_two_values_is_a_contradiction() -> None:
    with pytest.raises(Contradiction):
        Facts().assume(eq(byte(CURSOR), number(6, 8))).assume(eq(byte(CURSOR), number(17, 8)))


def test_bounds_that_leave_nothing_are_a_contradiction() -> None:
    with pytest.raises(Contradiction):
        Facts().assume(ult(LENGTH, number(20)), uge(LENGTH, number(20)))
    with pytest.raises(Contradiction):
        Facts().assume(ult(LENGTH, CURSOR), ult(CURSOR, LENGTH))


def test_bounds_that_leave_one_value_fix_it() -> None:
    facts = Facts().assume(ult(LENGTH, number(21)), uge(LENGTH, number(20)))
    assert facts.simplify(bvadd(LENGTH, number(1))) is number(21)
    assert facts.term_bound(LENGTH) == (20, 20)


def test_bytes_ahead_of_a_cursor_settle_shorter_needs() -> None:
    facts = Facts().assume(ule(bvadd(CURSOR, number(20)), LENGTH))
    assert facts.decide(ule(bvadd(CURSOR, number(20)), LENGTH)) is True
    assert facts.decide(ult(LENGTH, bvadd(CURSOR, number(14)))) is False
    assert facts.decide(ule(bvadd(CURSOR, number(21)), LENGTH)) is None


def test_equivalent_ways_of_bounding_settle_each_other() -> None:
    facts = Facts().assume(ugt(bvadd(CURSOR, number(14)), LENGTH))
    assert facts.decide(uge(bvadd(CURSOR, number(14)), bvadd(LENGTH, number(1)))) is True
    assert facts.decide(uge(LENGTH, bvadd(CURSOR, number(14)))) is False


def test_two_needs_in_a_row_settle_the_first() -> None:
    facts = Facts().assume(ule(bvadd(CURSOR, OFFSET, number(8)), LENGTH))
    assert facts.decide(ule(bvadd(CURSOR, number(8)), LENGTH)) is True


def test_fixed_bits_settle_other_slices_of_the_field() -> None:
    facts = Facts().assume(eq(extract(7, 4, byte(CURSOR)), number(4, 4)))
    assert facts.decide(extract(6, 6, byte(CURSOR))) is True
    assert facts.decide(eq(byte(CURSOR), number(0x65, 8))) is False
    assert facts.decide(eq(byte(CURSOR), number(0x45, 8))) is None
    assert facts.term_bound(byte(CURSOR)) == (0x40, 0x4F)


@pytest.mark.parametrize("value", (5, 2**63 + 5))
def test_bounds_against_a_value_that_is_known_are_unsigned(value: int) -> None:
    x, y = var("full", 64), var("other", 64)
    for conditions in ((eq(x, number(value)), ult(y, x)), (ult(y, x), eq(x, number(value)))):
        facts = Facts().assume(*conditions)
        assert facts.decide(ult(y, number(value))) is True
        assert facts.decide(ult(y, number(value - 1))) is None


def test_slices_of_one_quantity_are_counted_together() -> None:
    x = var("full", 64)
    total = bvadd(x, bvmul(x, number(4)), number(20))  # the second is a slice of x, shifted
    facts = Facts().assume(uge(total, number(20)), ult(x, number(1 << 32)))
    assert facts.term_bound(total) == (20, 5 * (2**32 - 1) + 20)


def test_a_quantity_and_its_low_bits_are_counted_together_when_widened() -> None:
    x = var("half", 32)
    total = bvadd(zero_extend(32, x), zero_extend(56, extract(7, 0, x)), const(-1, 64))
    facts = Facts().assume(ult(x, number(200, 32)), ugt(x, number(0, 32)))
    assert evaluate(facts.widened(total, 80), Assignment({"half": 7})) == 13
    assert facts.decide(ult(total, number(13))) is None


def test_narrow_sums_of_wide_quantities_are_stated_at_one_width() -> None:
    x, y = var("full", 64), var("other", 64)
    condition = ult(bvadd(resize(x, 32), number(14, 32)), bvadd(resize(y, 32), number(2, 32)))
    facts = Facts().assume(ult(x, number(1000)), ult(y, number(1000)), condition)
    for term in facts.terms():
        for node in nodes_of(term):
            assert node.op != "add" or all(arg.width == node.width for arg in node.args)
    assert facts.decide(ult(bvadd(x, number(12)), y)) is True


@given(st.integers(0, 0xFFFF), st.integers(1, 0xFFFF), st.integers(0, 0xFFFF), st.booleans())
@example(0xFFF9, 8, 3, True)
@example(0xFFF9, 7, 0xFFF8, False)
def test_narrow_sums_count_as_integers_where_they_do_not_wrap(bound: int, more: int, value: int, turned: bool) -> None:
    """The same place, counted in 16 bits by one side and in 64 by the other, whichever it is written in terms of."""
    x = var("narrow", 16)
    inside, outside = zero_extend(48, bvadd(x, const(more, 16))), bvadd(zero_extend(48, x), number(more))
    facts = Facts().assume(ult(x, const(bound, 16))) if bound else Facts()
    question = eq(bvadd(inside, number(-more % 2**64)), zero_extend(48, x)) if turned else eq(inside, outside)
    never_wraps = bool(bound) and bound - 1 + more <= 0xFFFF
    if never_wraps and more < 0x8000:  # a constant of which the highest bit is set counts down
        assert facts.decide(question) is True
    assert never_wraps or facts.decide(question) is None
    if value < bound or not bound:
        is_so = bool(evaluate(question, Assignment({"narrow": value})))
        assert facts.decide(question) in (None, is_so)


def test_equations_with_wider_quantities_do_not_disturb_reduction() -> None:
    a, b, c = var("full", 64), var("wide", 128), var("sum", 64)
    facts = Facts().assume(ult(b, number(1 << 100, 128)), eq(bvadd(b, zero_extend(64, a)), zero_extend(64, c)))
    reduced = facts.reduced(bvadd(c, number(1)))
    assert evaluate(reduced, Assignment({"full": 2, "wide": 3, "sum": 5})) == 6


def test_an_excluded_bound_moves_it() -> None:
    facts = Facts().assume(distinct(OFFSET, number(60)), distinct(OFFSET, number(0)), distinct(OFFSET, number(1)))
    assert facts.term_bound(OFFSET) == (2, 59)


def test_conjunctions_are_taken_apart_and_disjunctions_kept() -> None:
    either = disj(FLAG, eq(PORT, number(53, 16)))
    facts = Facts().assume(conj(eq(byte(CURSOR), number(6, 8)), either))
    assert facts.decide(either) is True
    assert facts.decide(FLAG) is None
    assert facts.decide(eq(byte(CURSOR), number(6, 8))) is True
    assert list(facts.terms()) == [*dict.fromkeys(facts.terms())]


def test_facts_do_not_change_when_more_is_assumed() -> None:
    before = Facts().assume(FLAG)
    after = before.assume(eq(PORT, number(53, 16)))
    assert before.decide(eq(PORT, number(53, 16))) is None
    assert after.decide(eq(PORT, number(53, 16))) is True
    assert after.decide(FLAG) is True


def test_facts_about_a_condition_are_those_connected_with_it() -> None:
    near, far = ule(bvadd(CURSOR, OFFSET), LENGTH), eq(PORT, number(53, 16))
    linked = ult(OFFSET, number(40))
    facts = Facts().assume(near, far, linked)
    assert set(facts.about(ult(LENGTH, number(100)))) == {near, linked}
    assert facts.about(FLAG) == []


@settings(max_examples=60)
@given(st.data(), seeds)
def test_facts_about_a_condition_leave_out_only_what_shares_nothing_with_it(data: st.DataObject, seed: int) -> None:
    maker = Literals(Drawn(data.draw), Values(seed))
    facts = Facts().assume(*(maker.true() for _ in range(5)))
    condition = maker.condition()
    kept = facts.about(condition)
    left_out = [term for term in facts.terms() if term not in kept]
    spoken_of = leaves(condition).union(*(leaves(term) for term in kept))
    assert not any(leaves(term) & spoken_of for term in left_out)


def test_sums_that_may_wrap_are_not_bounded_as_integers() -> None:
    x = var("full", 64)
    facts = Facts().assume(ult(bvadd(x, number(14)), number(20)))
    assert facts.decide(ult(x, number(6))) is None
    assert facts.term_bound(x) == (0, 2**64 - 1)


def test_a_value_spread_over_two_bytes_is_known_bytewise() -> None:
    field = concat(byte(CURSOR), byte(bvadd(CURSOR, number(1))))
    facts = Facts().assume(eq(field, number(0x0800, 16)))
    assert facts.simplify(field) is number(0x0800, 16)
    assert facts.decide(TRUE) is True
    assert evaluate(facts.simplify(byte(CURSOR)), Values().assignment()) == 8


# --- numbers of several parts that are not small ----------------------------------------------------------------


def test_a_length_in_two_bytes_that_is_not_small_bounds_sums_of_its_bytes() -> None:
    """`length >= 8` is simplified to bits of which one is set; what is subtracted from the length needs the bound."""
    high, low = byte(number(38)), byte(number(39))
    length = concat(const(0, 16), high, low)
    facts = Facts().assume(uge(concat(high, low), number(8, 16)))
    rest = bvadd(length, number(-8 & 0xFFFF_FFFF, 32))
    assert facts.exact_form(rest) is not None
    assert facts.term_bound(rest) == (0, 0xFFFF - 8)
    assert Facts().exact_form(rest) is None


def test_two_such_bounds_do_not_add_up() -> None:
    high, low = byte(number(0)), byte(number(1))
    facts = Facts().assume(uge(concat(high, low), number(2, 16))).assume(uge(concat(high, low), number(4, 16)))
    assert facts.bound({high: 256, low: 1}) == (4, 0xFFFF)


def test_a_part_that_counts_against_the_sum_bounds_nothing() -> None:
    high, low = byte(number(0)), byte(number(1))
    facts = Facts().assume(uge(concat(high, low), number(8, 16)))
    assert facts.bound({high: 256, low: -1}) == (-255, 255 * 256)
    assert facts.bound({low: 1}) == (0, 255)


@settings(max_examples=80)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 7)), min_size=1, max_size=5), st.binary(min_size=4, max_size=4)
)
def test_bounds_of_parts_hold_for_every_packet(alternatives: list[tuple[int, int]], packet: bytes) -> None:
    """Any set of parts, overlapping or not, and a packet in which one of each set is as large as is said."""
    facts = Facts()
    for first, shift in alternatives:
        parts = [(first, shift), ((first + 1) % 4, 0)]
        if any(packet[at] >> low for at, low in parts):
            facts = facts.assume(
                disj(*(distinct(extract(7, low, byte(number(at))), number(0, 8 - low)) for at, low in parts))
            )
    for weights in ((1, 1, 1, 1), (256, 1, 0, 0), (1, 256, 3, 7), (1, -1, 2, 0)):
        form = {byte(number(at)): weight for at, weight in enumerate(weights) if weight}
        low_, high_ = facts.bound(form)
        total = sum(weight * packet[at] for at, weight in enumerate(weights))
        assert low_ is not None and high_ is not None and low_ <= total <= high_


@settings(max_examples=200)
@given(st.integers(0, 63), st.integers(0, 600), st.integers(-300, 300), st.booleans())
def test_what_is_left_in_few_bits_is_what_the_whole_numbers_leave(
    words: int, place: int, start: int, is_within: bool
) -> None:
    """D392: 4 * words + start - cursor in 8 bits, whatever the cursor is, where it is known to be from 0 to 255."""
    field, cursor = byte(number(3)), var("here", 64)
    count = concat(const(0, 2), extract(5, 0, field))
    left = bvadd(bvmul(const(4, 8), count), bvsub(number(start & 0xFF, 8), extract(7, 0, cursor)))
    wide = bvadd(bvmul(number(4), concat(const(0, 58), extract(5, 0, field))), number(start & mask(64)))
    facts = Facts().assume(ule(cursor, number(1000)), uge(cursor, number(max(start, 0))))
    if is_within and start >= 0:
        facts = facts.assume(ule(cursor, wide))
    form = facts.exact_form(left)
    assert form is not None or not is_within or not 0 <= start <= 3
    real = 4 * words + start - place
    meets = max(start, 0) <= place and (not (is_within and start >= 0) or real >= 0)
    if form is not None and meets:
        given_ = Assignment({"here": place}, {"bytes": lambda offset: words})
        total = form[1] + sum(c * evaluate(atom, given_) for atom, c in form[0].items())
        assert total == real & 0xFF
