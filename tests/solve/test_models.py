"""Remembered models answer only what is so."""

from __future__ import annotations

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Z3Form, build, z3_status
from strategies import Drawn, Generator

from equiv.solve.backend import Model
from equiv.solve.models import MOST_CHANGES, REMEMBERED, Models
from equiv.term import (
    FALSE,
    TRUE,
    Term,
    bvadd,
    const,
    distinct,
    eq,
    evaluate,
    extract,
    negate,
    select,
    uge,
    ugt,
    ult,
    var,
)

X = var("x", 16, 20, 60)
CURSOR = var("cursor", 64, 0, 65535)


def byte(offset: int) -> Term:
    return select("p", bvadd(CURSOR, const(offset, 64)), 8)


@settings(max_examples=80)
@given(st.data())
def test_what_a_candidate_satisfies_is_satisfiable_to_z3(data: st.DataObject) -> None:
    models = Models()
    generator = Generator(Drawn(data.draw))
    for _ in range(3):
        condition = build(generator.expression(1, 3))
        facts = [build(generator.expression(1, 2)) for _ in range(generator.chooser.integer(0, 2))]
        if models.satisfy(facts, condition):
            form = Z3Form()
            held = [form.holds(term) for term in (*facts, condition)]
            assert z3_status(*held, ranges=form.ranges, milliseconds=1000) != z3.unsat


def test_the_empty_model_gives_variables_values_within_their_bounds() -> None:
    models = Models()
    assert models.satisfy([], ult(X, const(21, 16)))
    assert not models.satisfy([], ult(X, const(20, 16)))
    assert not models.satisfy([], FALSE)


@pytest.mark.parametrize(
    "condition",
    [
        eq(byte(0), const(6, 8)),
        distinct(byte(0), const(0, 8)),
        eq(extract(7, 4, byte(1)), const(4, 4)),
        ugt(bvadd(CURSOR, const(14, 64)), const(100, 64)),
        eq(X, const(44, 16)),
        uge(X, const(60, 16)),
        negate(eq(extract(3, 3, byte(0)), const(0, 1))),
    ],
    ids=str,
)
def test_one_changed_value_is_tried(condition: Term) -> None:
    models = Models()
    assert models.satisfy([], condition)
    assert evaluate(condition, models.latest[0].assignment()) == 1


def test_a_few_changed_values_are_tried_together() -> None:
    length = var("len", 64, 0, 65535)
    end = bvadd(CURSOR, const(2, 64))
    option = [uge(length, CURSOR), uge(length, end), eq(byte(1), const(6, 8)), distinct(byte(0), const(0x44, 8))]
    models = Models()
    assert models.satisfy(option, ugt(CURSOR, const(14, 64)))
    assert all(evaluate(each, models.latest[0].assignment()) for each in option)
    assert models.satisfy([*option[:2], eq(byte(0), const(1, 8))], eq(length, end))
    assert not models.satisfy([*option, eq(byte(1), const(7, 8))], eq(length, end))


def test_only_so_many_values_are_changed() -> None:
    x, y = var("x", 8), var("y", 8)
    assert not Models().satisfy([ult(x, y), ult(y, const(9, 8)), ult(y, x)], eq(y, const(3, 8)))
    bytes_ = [eq(byte(number), const(9, 8)) for number in range(MOST_CHANGES + 1)]
    assert Models().satisfy(bytes_[1:], TRUE)
    assert not Models().satisfy(bytes_, TRUE)


def test_a_model_that_breaks_a_fact_is_no_answer() -> None:
    models = Models()
    facts = [eq(byte(0), const(17, 8))]
    assert not models.satisfy(facts, eq(byte(0), const(6, 8)))
    models.remember(Model({"cursor": 3}, {"p": {3: 17}}))
    assert models.satisfy(facts, ult(CURSOR, const(9, 64)))


def test_a_value_outside_its_bounds_is_no_answer() -> None:
    models = Models()
    models.remember(Model({"x": 7}))
    assert not models.satisfy([ult(X, bvadd(X, const(65530, 16)))], FALSE)
    assert models.satisfy([], ult(X, const(30, 16)))
    assert models.latest[0].variables.get("x") != 7 or X.lo <= 7


def test_only_the_latest_models_are_kept() -> None:
    models = Models()
    for number in range(3 * REMEMBERED):
        models.remember(Model({"x": number}))
    assert len(models.latest) == REMEMBERED
    assert models.latest[0].variables == {"x": 3 * REMEMBERED - 1}
