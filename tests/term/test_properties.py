"""Every constructor against Python integers and, sampled, against z3."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import check_everything
from reference import Plain, Values, Z3Form, build, plain_of, value_of, z3_status
from strategies import BINARY, COMPARISONS, Drawn, Generator, comparisons_of_sums, expressions, seeds

from equiv import term as t


@settings(max_examples=400)
@given(expressions(), seeds)
def test_built_terms_keep_every_promise(plain: Plain, seed: int) -> None:
    check_everything(plain, seed)


@settings(max_examples=400)
@given(comparisons_of_sums(), seeds)
def test_comparisons_of_sums_near_their_limits_keep_every_promise(plain: Plain, seed: int) -> None:
    check_everything(plain, seed)


@settings(max_examples=40)
@given(st.data(), st.sampled_from((1, 2, 3, 7, 8, 13, 16, 31, 32, 33, 48, 63, 64, 128, 160)), seeds)
@pytest.mark.parametrize("op", (*BINARY, *COMPARISONS[1:]))
def test_each_operator_at_many_widths_keeps_every_promise(op: str, data: st.DataObject, width: int, seed: int) -> None:
    generator = Generator(Drawn(data.draw))
    left = generator.expression(width, 2)
    right = generator.constant(width) if generator.chooser.integer(0, 1) else generator.expression(width, 2)
    check_everything(Plain(op, 1 if op in COMPARISONS else width, (left, right)), seed)


@settings(max_examples=80)
@given(expressions(depth=3, widths=(1, 1, 4, 8, 16, 32, 64)))
def test_built_terms_are_valid_equalities_to_z3(plain: Plain) -> None:
    form = Z3Form()
    as_written, as_built = form.of(plain), form.of(plain_of(build(plain)))
    status = z3_status(as_written != as_built, ranges=form.ranges, milliseconds=500)
    assert status != z3.sat


@settings(max_examples=120)
@given(comparisons_of_sums())
def test_normalised_comparisons_are_valid_equalities_to_z3(plain: Plain) -> None:
    form = Z3Form()
    as_written, as_built = form.of(plain), form.of(plain_of(build(plain)))
    status = z3_status(as_written != as_built, ranges=form.ranges, milliseconds=500)
    assert status != z3.sat


@settings(max_examples=200)
@given(expressions(widths=(4, 8, 16, 32)), seeds)
def test_the_same_expression_builds_the_same_term(plain: Plain, seed: int) -> None:
    first = build(plain)
    assert build(plain) is first
    values = Values(seed)
    memo: dict[t.Term, int] = {}
    assignment = values.assignment(first)
    assert t.evaluate(first, assignment, memo) == value_of(plain, values)
    assert t.evaluate(first, assignment, memo) == memo[first]


@settings(max_examples=300)
@given(st.data(), seeds)
def test_a_slice_of_a_term_is_that_slice_of_its_value(data: st.DataObject, seed: int) -> None:
    plain = Generator(Drawn(data.draw)).expression(data.draw(st.integers(2, 80)), 3)
    hi = data.draw(st.integers(0, plain.width - 1))
    lo = data.draw(st.integers(0, hi))
    check_everything(Plain("extract", hi - lo + 1, (plain,), (hi, lo)), seed)


@settings(max_examples=300)
@given(st.data(), seeds)
def test_slices_put_together_again_are_the_whole(data: st.DataObject, seed: int) -> None:
    plain = Generator(Drawn(data.draw)).expression(data.draw(st.sampled_from((8, 16, 32, 64, 160))), 3)
    whole = build(plain)
    cut = data.draw(st.integers(1, plain.width - 1))
    joined = t.concat(t.extract(plain.width - 1, cut, whole), t.extract(cut - 1, 0, whole))
    values = Values(seed)
    assert t.evaluate(joined, values.assignment(whole)) == value_of(plain, values)


@pytest.mark.parametrize("width", (1, 2, 3))
def test_every_operator_agrees_on_all_values_of_small_widths(width: int) -> None:
    x, y = (Plain("var", width, (), (name, 0, (1 << width) - 1)) for name in ("x", "y"))
    for op in (*BINARY, *COMPARISONS):
        plain = Plain(op, 1 if op in COMPARISONS else width, (x, y))
        term = build(plain)
        for a in range(1 << width):
            for b in range(1 << width):
                expected = value_of(plain, Values(given={"x": a, "y": b}))
                folded = build(Plain(op, plain.width, (Plain("const", width, (), a), Plain("const", width, (), b))))
                half = build(Plain(op, plain.width, (x, Plain("const", width, (), b))))
                assert t.evaluate(term, t.Assignment({"x": a, "y": b})) == expected
                assert t.evaluate(half, t.Assignment({"x": a})) == expected
                assert t.evaluate(folded, t.Assignment()) == expected
                assert folded.is_const or op in ("udiv", "urem", "sdiv", "srem", "shl", "lshr", "ashr", "mul")


@pytest.mark.parametrize("width", (1, 2, 3))
def test_comparisons_of_bounded_sums_agree_for_all_bounds_and_constants(width: int) -> None:
    full = (1 << width) - 1
    for lo in range(full):
        for hi in range(lo + 1, full + 1):
            name = f"x{lo}-{hi}"
            x = Plain("var", width, (), (name, lo, hi))
            double = Plain("add", width, (x, x))
            for number in range(full + 1):
                constant = Plain("const", width, (), number)
                shifted, doubled = (Plain("add", width, (term, constant)) for term in (x, double))
                one = Plain("const", width, (), 1 & full)
                for op in ("eq", "ult", "slt"):
                    for args in ((x, constant), (constant, x), (shifted, x), (doubled, one), (one, doubled)):
                        plain = Plain(op, 1, args)
                        term = build(plain)
                        for value in range(lo, hi + 1):
                            expected = value_of(plain, Values(given={name: value}))
                            assert t.evaluate(term, t.Assignment({name: value})) == expected, (plain, value)


def test_products_of_bounded_variables_lie_within_their_bounds_for_all_bounds() -> None:
    ranges = [(lo, hi) for lo in range(8) for hi in range(lo + 1, 8)]
    for lo, hi in ranges:
        for other_lo, other_hi in ranges:
            product = t.bvmul(t.var(f"x{lo}-{hi}", 3, lo, hi), t.var(f"y{other_lo}-{other_hi}", 3, other_lo, other_hi))
            values = {a * b % 8 for a in range(lo, hi + 1) for b in range(other_lo, other_hi + 1)}
            assert product.lo <= min(values) and max(values) <= product.hi


@pytest.mark.parametrize("wrap", (t.bvnot, t.bvneg, lambda x: t.sign_extend(2, x), lambda x: t.extract(1, 0, x)))
def test_known_bits_of_choices_between_constants_are_those_of_both(wrap: Callable[[t.Term], t.Term]) -> None:
    condition = t.var("c", 1)
    for a in range(8):
        for b in range(8):
            term = wrap(t.ite(condition, t.const(a, 3), t.const(b, 3)))
            for chosen, value in ((1, a), (0, b)):
                expected = wrap(t.const(value, 3)).value
                assert t.evaluate(term, t.Assignment({"c": chosen})) == expected
                assert term.lo <= expected <= term.hi
                assert not expected & term.zeros and expected & term.ones == term.ones
