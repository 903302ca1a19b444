"""Terms as clauses mean what terms mean, and SMT-LIB scripts say the same."""

from __future__ import annotations

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Plain, Values, build
from strategies import BINARY, COMPARISONS, Drawn, Generator, expressions, seeds

from equiv.refutation.circuit import TooManyClauses, clauses_of
from equiv.refutation.lrat_check import check
from equiv.refutation.proof import NoRefutation, refuted
from equiv.term import Term, bvmul, const, distinct, eq, evaluate, leaves, select, ult, var
from equiv.term.smtlib import script

pytest.importorskip("pysat", reason="python-sat is not installed")


def can_hold(conditions: list[Term]) -> bool:
    """Whether the clauses can be satisfied; a refutation is checked."""
    clauses = clauses_of(conditions)
    try:
        steps = refuted(clauses, 60)
    except NoRefutation as error:
        assert "satisfied" in str(error)
        return True
    assert check(clauses, steps)
    return False


def assert_value(plain: Plain, seed: int) -> None:
    """Where inputs have given values, the circuit gives the term's value and no other."""
    term = build(plain)
    values = Values(seed).assignment(term)
    inputs = [eq(leaf, const(evaluate(leaf, values), leaf.width)) for leaf in leaves(term)]
    result = const(evaluate(term, values), term.width)
    assert can_hold([*inputs, eq(term, result)])
    assert not can_hold([*inputs, distinct(term, result)])


@settings(max_examples=150)
@given(expressions(depth=3, widths=(1, 2, 4, 8, 12, 16)), seeds)
def test_circuits_give_the_values_of_terms(plain: Plain, seed: int) -> None:
    assert_value(plain, seed)


@settings(max_examples=12)
@given(st.data(), st.sampled_from((1, 2, 3, 7, 8, 13)), seeds)
@pytest.mark.parametrize("op", (*BINARY, *COMPARISONS[1:]))
def test_each_operator_has_its_circuit(op: str, data: st.DataObject, width: int, seed: int) -> None:
    generator = Generator(Drawn(data.draw))
    args = generator.expression(width, 1), generator.expression(width, 1)
    assert_value(Plain(op, 1 if op in COMPARISONS else width, args), seed)


def test_what_takes_too_many_clauses_is_given_up_before_they_are_made() -> None:
    x, y = var("x", 4000), var("y", 4000)
    with pytest.raises(TooManyClauses):
        clauses_of([eq(bvmul(x, y), const(5, 4000))], 10_000)
    assert len(clauses_of([eq(var("x", 8), const(5, 8))], 10_000)) < 100


def test_bounds_of_variables_hold() -> None:
    x = var("x", 8, 3, 200)
    free = var("y", 8)
    assert can_hold([eq(x, free), eq(free, const(200, 8))])
    assert not can_hold([eq(x, free), eq(free, const(201, 8))])
    assert not can_hold([eq(x, free), eq(free, const(2, 8))])


def test_elements_of_an_array_are_equal_at_equal_indices_only() -> None:
    i, j = var("i", 8), var("j", 8)
    a, b = select("pkt", i), select("pkt", j)
    assert can_hold([distinct(a, b)])
    assert not can_hold([distinct(a, b), eq(i, j)])
    assert can_hold([distinct(a, select("map", j)), eq(i, j)])
    inner = select("pkt", a)
    assert not can_hold([eq(i, j), distinct(inner, select("pkt", b))])


@settings(max_examples=60)
@given(expressions(depth=3, widths=(1, 4, 8, 16, 33)), seeds)
def test_scripts_say_the_same(plain: Plain, seed: int) -> None:
    term = build(plain)
    values = Values(seed).assignment(term)
    inputs = [eq(leaf, const(evaluate(leaf, values), leaf.width)) for leaf in leaves(term)]
    result = const(evaluate(term, values), term.width)
    for condition, wanted in ((eq(term, result), z3.sat), (distinct(term, result), z3.unsat)):
        solver = z3.SolverFor("QF_ABV")
        solver.from_string(script([*inputs, condition], "a\nb"))
        assert solver.check() == wanted


def test_arrays_in_scripts_are_told_apart() -> None:
    i = var("i", 8)
    alike = [select("a|", i), select("a_", i), select("a_", i, 16), select("a_", var("j", 16))]
    values = [eq(element, const(number, element.width)) for number, element in enumerate(alike)]
    named_so = var("a_[8.8]", 8)
    solver = z3.SolverFor("QF_ABV")
    solver.from_string(script([eq(named_so, const(9, 8)), *values]))
    assert solver.check() == z3.sat


def test_names_in_scripts_are_quoted_and_told_apart() -> None:
    hostile, narrow, wide = var("a|)(assert false", 8), var("n", 8), var("n", 8, 0, 5)
    text = script([ult(hostile, narrow), ult(wide, hostile)])
    assert "|a_)(assert false|" in text and "|n|" in text and "|n'1|" in text
    solver = z3.SolverFor("QF_ABV")
    solver.from_string(text)
    assert solver.check() == z3.sat
