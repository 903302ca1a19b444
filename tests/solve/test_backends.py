"""Both solvers against each other, against all values of small inputs, and against the array axiom (D2)."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Values, Z3Form, build, z3_status
from strategies import Chooser, Drawn, Generator, seeds

from equiv.errors import InputError
from equiv.solve.arrays import index_value, selects_of, violated
from equiv.solve.backend import Backend, Model, make_backend
from equiv.term import (
    FALSE,
    TRUE,
    Assignment,
    Term,
    bvadd,
    bvmul,
    const,
    distinct,
    eq,
    evaluate,
    leaves,
    select,
    ugt,
    ult,
    var,
    zero_extend,
)

SOLVERS = ("z3", "bitwuzla")


@pytest.fixture(params=SOLVERS)
def backend(request: pytest.FixtureRequest) -> Backend:
    return make_backend(request.param)


def element(index: Term, array: str = "p", width: int = 8) -> Term:
    return select(array, index, width)


# --- models -----------------------------------------------------------------------------------------------------


def check_model(model: Model, conjuncts: list[Term]) -> None:
    """Every conjunct holds in the model, and every variable keeps to its bounds.

    A model has one value per array and index, so that `evaluate` agrees on all conjuncts is the array axiom.
    """
    assignment = model.assignment()
    for term in conjuncts:
        assert evaluate(term, assignment) == 1, term
        for leaf in leaves(term):
            assert leaf.lo <= evaluate(leaf, assignment) <= leaf.hi
            if leaf.op == "var":
                assert leaf.data[0] in model.variables


def conjunction(chooser: Chooser) -> list[Term]:
    """Conditions that speak of the same few variables and elements."""
    generator = Generator(chooser)
    return [build(generator.expression(1, chooser.integer(1, 4))) for _ in range(chooser.integer(1, 3))]


def about_elements(chooser: Chooser) -> list[Term]:
    """Conditions on elements whose indices may coincide."""
    bases = [var("i", 16, 0, 3), var("j", 16, 0, 3), var("k", 16), const(0, 16), const(2, 16)]
    cells = [element(bvadd(chooser.choice(bases), const(chooser.integer(0, 1), 16))) for _ in range(4)]
    cells.append(element(zero_extend(8, chooser.choice(cells))))
    conditions = []
    for _ in range(chooser.integer(1, 5)):
        left = chooser.choice(cells)
        right = chooser.choice((*cells, const(chooser.integer(0, 3), 8)))
        conditions.append(chooser.choice((eq, distinct, distinct, ult))(left, right))
    index, other = chooser.choice(bases), chooser.choice(bases)
    conditions.append(chooser.choice((eq, distinct, ult))(index, other))
    return conditions


@settings(max_examples=100)
@given(st.data(), st.sampled_from((conjunction, about_elements)))
def test_solvers_agree_with_each_other_and_with_plain_z3(data: st.DataObject, make: object) -> None:
    assert callable(make)
    conjuncts = make(Drawn(data.draw))
    answers = [make_backend(name).check(conjuncts, timeout=0.5, model=True) for name in SOLVERS]
    form = Z3Form()
    held = [form.holds(term) for term in conjuncts]
    statuses = {str(z3_status(*held, ranges=form.ranges, milliseconds=500)), *(answer.status for answer in answers)}
    assert not {"sat", "unsat"} <= statuses
    for answer in answers:
        assert (answer.model is not None) == (answer.status == "sat")
        if answer.model is not None:
            check_model(answer.model, conjuncts)


@settings(max_examples=60)
@given(st.data(), seeds)
def test_what_an_input_satisfies_is_satisfiable(data: st.DataObject, seed: int) -> None:
    values = Values(seed)
    conjuncts = conjunction(Drawn(data.draw))
    assignment = values.assignment(*conjuncts)
    conjuncts = [term if evaluate(term, assignment) else eq(term, FALSE) for term in conjuncts]
    for name in SOLVERS:
        assert make_backend(name).check(conjuncts, timeout=0.5).status != "unsat"


@settings(max_examples=60)
@given(st.data())
def test_solvers_agree_with_trying_everything(data: st.DataObject) -> None:
    x, y = var("x", 2), var("y", 2, 1, 3)
    cells = [element(x, "q", 2), element(y, "q", 2), element(const(2, 2), "q", 2)]
    terms = [x, y, *cells, bvadd(x, y), bvadd(cells[0], const(1, 2))]
    chooser = Drawn(data.draw)
    conjuncts = []
    for _ in range(chooser.integer(2, 6)):
        pair = chooser.choice(terms), chooser.choice((*terms, const(chooser.integer(0, 3), 2)))
        conjuncts.append(chooser.choice((eq, distinct, ult))(*pair))
    expected = any(
        all(evaluate(t, Assignment({"x": a, "y": b}, {"q": table.__getitem__})) for t in conjuncts)
        for a, b, *table in product(range(4), range(1, 4), *[range(4)] * 4)
    )
    for name in SOLVERS:
        answer = make_backend(name).check(conjuncts, model=True)
        assert answer.status == ("sat" if expected else "unsat")
        if answer.model is not None:
            check_model(answer.model, conjuncts)


# --- arrays -----------------------------------------------------------------------------------------------------


def test_elements_at_equal_indices_are_equal(backend: Backend) -> None:
    i, j = var("i", 16), var("j", 16)
    different = distinct(element(i), element(j))
    assert backend.check([different, eq(i, j)]).status == "unsat"
    assert backend.check([different, ult(i, const(1, 16)), ult(j, const(1, 16))]).status == "unsat"
    assert backend.check([different]).status == "sat"


def test_elements_of_other_arrays_are_not_tied(backend: Backend) -> None:
    i = var("i", 16)
    assert backend.check([distinct(element(i, "p"), element(i, "q"))]).status == "sat"


def test_elements_of_other_widths_are_of_other_arrays(backend: Backend) -> None:
    i = var("i", 16)
    byte, word, narrow = select("pkt", i, 8), select("pkt", i, 16), select("pkt", const(3, 4), 8)
    told_apart = [eq(byte, const(1, 8)), eq(word, const(2, 16)), eq(narrow, const(4, 8)), eq(i, const(3, 16))]
    assert backend.check(told_apart).status == "sat"
    again = select("pkt", const(3, 16), 16)
    assert backend.check([*told_apart, distinct(word, again)]).status == "unsat"


def test_an_index_that_is_itself_an_element_ties_too(backend: Backend) -> None:
    first, second = element(const(0, 16)), element(const(1, 16))
    inner = [element(zero_extend(8, first)), element(zero_extend(8, second))]
    assert backend.check([eq(first, second), distinct(*inner)]).status == "unsat"
    assert backend.check([eq(first, const(1, 8)), eq(inner[0], const(5, 8)), eq(second, const(6, 8))]).status == "unsat"


def test_a_chain_of_equal_indices_needs_several_rounds(backend: Backend) -> None:
    cells = [element(const(0, 8), "r")]
    for _ in range(5):
        cells.append(element(cells[-1], "r"))
    conjuncts = [eq(cells[0], const(0, 8)), distinct(cells[5], const(0, 8))]
    assert backend.check(conjuncts).status == "unsat"


def test_violated_instances_name_exactly_the_broken_ties() -> None:
    i, j = var("i", 8), var("j", 8)
    cells = selects_of([eq(element(i), element(j))])
    value = {i: 3, j: 3, cells[0]: 1, cells[1]: 2}
    (lemma,) = violated(cells, value.__getitem__)
    assert evaluate(lemma, Assignment(), dict(value)) == 0
    assert violated(cells, {**value, j: 4}.__getitem__) == []
    assert violated(cells, {**value, cells[1]: 1}.__getitem__) == []
    assert index_value(bvadd(i, const(2, 8)), value.__getitem__) == 5


# --- the interface ----------------------------------------------------------------------------------------------


def test_nothing_asked_is_satisfiable_and_false_is_not(backend: Backend) -> None:
    assert backend.check([]).status == "sat"
    assert backend.check([TRUE]).status == "sat"
    assert backend.check([TRUE, FALSE]).status == "unsat"


def test_bounds_of_variables_are_part_of_the_question(backend: Backend) -> None:
    x = var("x", 16, 20, 60)
    assert backend.check([distinct(bvadd(x, x), bvmul(x, const(2, 16)))]).status == "unsat"
    wide = zero_extend(16, x)
    product_ = bvmul(wide, var("y", 32, 1, 3))
    assert backend.check([ugt(product_, const(180, 32))]).status == "unsat"
    assert backend.check([ult(product_, const(20, 32))]).status == "unsat"
    answer = backend.check([eq(product_, const(177, 32))], model=True)
    assert answer.model is not None
    assert answer.model.variables == {"x": 59, "y": 3}


def test_bounds_of_a_variable_that_is_only_an_index_are_part_of_the_question(backend: Backend) -> None:
    i = var("only-an-index", 16, 1, 2)
    settled = [eq(element(const(number, 16)), const(number, 8)) for number in (1, 2)]
    assert backend.check([*settled, eq(element(i), const(5, 8))]).status == "unsat"


def test_a_model_is_only_made_when_asked_for(backend: Backend) -> None:
    question = [ugt(var("x", 8), const(3, 8))]
    assert backend.check(question).model is None
    assert backend.check(question, model=True).model is not None


def test_queries_and_their_time_are_counted(backend: Backend) -> None:
    backend.check([ugt(var("x", 8), const(3, 8))])
    backend.check([FALSE])
    assert backend.queries == 2
    assert backend.seconds > 0


def test_a_question_answered_before_is_answered_alike(backend: Backend) -> None:
    x = var("x", 8, 3, 9)
    impossible = [ult(bvadd(x, const(1, 8)), const(4, 8))]
    assert [backend.check(impossible).status for _ in range(3)] == ["unsat"] * 3
    assert backend.check([ult(x, const(5, 8))]).status == "sat"


def test_out_of_time_is_unknown_not_an_answer(backend: Backend) -> None:
    a, b = var("a", 128, 2, 2**61), var("b", 128, 2, 2**61)
    semiprime = const(1823456789012345699 * 1234567890123456811, 128)  # minutes away for either solver
    answer = backend.check([eq(bvmul(a, b), semiprime), ult(a, b)], timeout=0.05, model=True)
    assert answer.status == "unknown"
    assert answer.model is None
    assert backend.check([ugt(a, b)], timeout=0.0).status == "unknown"


def test_a_name_that_is_no_solver_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no solver 'cvc9'"):
        make_backend("cvc9")


def test_a_solver_that_is_not_installed_is_an_input_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitwuzla", None)
    monkeypatch.delitem(sys.modules, "equiv.solve.bitwuzla_backend", raising=False)
    with pytest.raises(InputError, match="'bitwuzla' is not installed"):
        make_backend("bitwuzla")


FACTORS = """
import os, signal, threading
from equiv.solve.backend import make_backend
from equiv.term import bvmul, const, eq, ult, var

signal.signal(signal.SIGINT, signal.default_int_handler)
a, b = var("a", 128), var("b", 128)
bounds = [ult(const(1, 128), a), ult(a, const(1 << 61, 128)), ult(const(1, 128), b), ult(b, const(1 << 61, 128))]
product = eq(bvmul(a, b), const(1823456789012345699 * 1234567890123456811, 128))  # nothing special for a solver to see
threading.Timer(1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    print(make_backend("z3").check([*bounds, product], timeout=100).status)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_keyboard_interrupt_during_a_long_query_is_no_unknown() -> None:
    shown = subprocess.run([sys.executable, "-c", FACTORS], capture_output=True, text=True, check=True)
    assert shown.stdout == "interrupted\n"


def test_a_query_stops_at_the_deadline_whatever_time_it_was_given(backend: Backend) -> None:
    a, b = var("a", 64), var("b", 64)
    hard = [eq(bvmul(a, b), const(0x8000_0000_0000_0B4F, 64)), ugt(a, const(1, 64)), ugt(b, const(1, 64))]
    hard += [ult(a, const(1 << 32, 64)), ult(b, const(1 << 32, 64))]
    started = time.monotonic()
    backend.deadline = started + 0.3
    assert backend.check(hard, timeout=1200).status == "unknown"
    assert time.monotonic() - started < 600, "it took the time that it was given"
