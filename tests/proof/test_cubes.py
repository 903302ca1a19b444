"""A decision called plainly open is open: both its ways are possible, to z3 too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "term"))
from reference import Z3Form, z3_status
from strategies import Chooser, Drawn

from equiv.machine.inputs import packet_length
from equiv.proof.cubes import cube_of, excluded_by, is_plainly_excluded, is_plainly_open
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.room import is_room_open
from equiv.term import FALSE, TRUE, Term, bvadd, conj, const, disj, distinct, eq, extract, negate, select, ult, var

KIND = var("kind", 8)
PROTOCOL = var("protocol", 8)
FLAG = var("flag", 1)
LIMITED = var("limited", 8, 0, 200)
FIRST, SECOND = (select("bytes", const(offset, 64), 8) for offset in range(2))
LEAVES = (KIND, PROTOCOL, FLAG, LIMITED, FIRST, SECOND)


def is_(leaf: Term, value: int) -> Term:
    return eq(leaf, const(value, leaf.width))


def literal(chooser: Chooser, leaves: tuple[Term, ...]) -> Term:
    """A slice of a leaf that has, or has not, some value; small slices, so that a few of them cover everything."""
    leaf = chooser.choice(leaves)
    low = min(chooser.choice((0, 0, 4, 6)), leaf.width - 1)
    width = min(chooser.choice((1, 2, 4, 8)), leaf.width - low)
    piece = extract(low + width - 1, low, leaf)
    return is_(piece, chooser.choice((0, 1, 2, 3, 6)))


def check_openness(chooser: Chooser) -> bool:
    """Where facts leave a decision plainly open, an input goes either way. Facts fix no bit but by whole literals."""
    leaves = tuple(chooser.choice(LEAVES) for _ in range(2))
    cubes = [
        conj(*(literal(chooser, leaves) for _ in range(chooser.integer(1, 2)))) for _ in range(chooser.integer(1, 2))
    ]
    wanted = disj(*cubes)
    excluded = []
    for _ in range(chooser.integer(0, 5)):
        parts = [literal(chooser, leaves) for _ in range(chooser.integer(1, 2))]
        excluded.append(negate(conj(*parts)))
    try:
        facts = Facts().assume(*excluded)
    except Contradiction:
        return False
    guard = facts.simplify(wanted if chooser.integer(0, 1) else negate(wanted))
    form = Z3Form()
    held = [form.holds(term) for term in facts.terms()]
    if is_plainly_excluded(guard, facts.terms()):
        assert z3_status(*held, form.holds(guard), ranges=form.ranges) == z3.unsat, (guard, excluded)
    if facts.fixed or guard.is_const or not is_plainly_open(guard, facts.terms()):
        return False
    for way in (guard, negate(guard)):
        assert z3_status(*held, form.holds(way), ranges=form.ranges) == z3.sat, (guard, excluded)
    return True


@settings(max_examples=150)
@given(st.data())
def test_both_ways_of_a_plainly_open_decision_are_possible(data: st.DataObject) -> None:
    check_openness(Drawn(data.draw))


@pytest.mark.parametrize(
    ("guard", "facts"),
    [
        (is_(KIND, 6), []),
        (is_(KIND, 6), [distinct(KIND, const(17, 8)), distinct(KIND, const(1, 8))]),
        (conj(is_(KIND, 6), is_(PROTOCOL, 1)), [negate(conj(is_(KIND, 6), is_(PROTOCOL, 2)))]),
        (negate(is_(KIND, 6)), [distinct(KIND, const(17, 8))]),
        (is_(extract(7, 6, KIND), 1), [distinct(extract(7, 6, KIND), const(2, 2))]),
    ],
    ids=str,
)
def test_decisions_that_few_values_are_excluded_from_are_plainly_open(guard: Term, facts: list[Term]) -> None:
    assert is_plainly_open(guard, facts)


@pytest.mark.parametrize(
    ("guard", "facts"),
    [
        (is_(KIND, 6), [distinct(KIND, const(6, 8))]),
        (is_(extract(7, 6, KIND), 1), [distinct(extract(7, 6, KIND), const(n, 2)) for n in (0, 2, 3)]),
        (is_(KIND, 6), [distinct(PROTOCOL, const(1, 8))]),
        (is_(KIND, 6), [ult(KIND, const(100, 8))]),
        (ult(KIND, const(100, 8)), []),
        (is_(LIMITED, 201 - 1), []),
        (is_(KIND, 6), [disj(is_(KIND, 1), is_(KIND, 2))]),
    ],
    ids=str,
)
def test_decisions_that_may_be_settled_are_not_called_open(guard: Term, facts: list[Term]) -> None:
    assert not is_plainly_open(guard, facts)


@pytest.mark.parametrize(
    ("guard", "facts", "answer"),
    [
        (is_(KIND, 6), [distinct(KIND, const(6, 8))], True),
        (is_(KIND, 6), [distinct(KIND, const(7, 8))], False),
        (is_(KIND, 6), [distinct(extract(7, 6, KIND), const(0, 2))], True),
        (is_(extract(7, 6, KIND), 0), [distinct(KIND, const(6, 8))], False),
        (conj(is_(KIND, 6), is_(PROTOCOL, 1)), [distinct(PROTOCOL, const(1, 8))], True),
        (is_(KIND, 6), [negate(conj(is_(KIND, 6), is_(PROTOCOL, 1)))], False),
        (distinct(KIND, const(6, 8)), [distinct(KIND, const(6, 8))], False),
    ],
    ids=str,
)
def test_a_cube_within_an_excluded_one_is_excluded(guard: Term, facts: list[Term], answer: bool) -> None:
    assert is_plainly_excluded(guard, facts) is answer


LENGTH, PLACE = packet_length(), var("~@1", 64, 14, 60)


def reaches(end: Term) -> Term:
    return negate(ult(LENGTH, end))


def past(place: Term, distance: int) -> Term:
    return bvadd(place, const(distance, 64))


@pytest.mark.parametrize(
    ("end", "known", "answer"),
    [
        (past(PLACE, 20), [reaches(PLACE)], True),
        (past(PLACE, 20), [reaches(PLACE), reaches(const(14, 64)), is_(select("pkt", PLACE, 8), 6)], True),
        (past(PLACE, 20), [reaches(past(PLACE, 20))], False),
        (past(PLACE, 20), [reaches(past(PLACE, 24))], False),
        (past(PLACE, 20), [reaches(const(80, 64))], False),
        (past(PLACE, 20), [ult(LENGTH, const(90, 64))], False),
        (past(PLACE, 20), [ult(PLACE, const(20, 64))], False),
        (past(PLACE, 65530), [reaches(PLACE)], False),
        (const(40, 64), [reaches(const(14, 64))], True),
        (const(40, 64), [reaches(PLACE)], False),
        (past(bvadd(PLACE, PLACE), 1), [reaches(PLACE)], False),
    ],
    ids=str,
)
def test_whether_a_packet_reaches_further_is_open(end: Term, known: list[Term], answer: bool) -> None:
    for guard in (reaches(end), negate(reaches(end))):
        assert is_room_open(guard, known) is answer
        if answer:
            form = Z3Form()
            held = [form.holds(term) for term in (*known, guard)]
            assert z3_status(*held, ranges=form.ranges) == z3.sat


def test_cubes_fix_the_bits_of_slices() -> None:
    assert cube_of(conj(is_(extract(7, 4, KIND), 4), FLAG)) == {KIND: (0xF0, 0x40), FLAG: (1, 1)}
    assert cube_of(negate(FLAG)) == {FLAG: (1, 0)}
    assert cube_of(negate(is_(KIND, 6))) is None
    assert cube_of(ult(KIND, const(9, 8))) is None
    assert cube_of(is_(LIMITED, 9)) is None
    assert cube_of(conj(is_(KIND, 6), disj(FLAG, is_(PROTOCOL, 1)))) is None


def test_a_negated_cube_says_what_it_excludes() -> None:
    cube = conj(is_(KIND, 6), is_(PROTOCOL, 1))
    assert excluded_by(negate(cube)) == cube_of(cube)
    assert excluded_by(distinct(KIND, const(6, 8))) == cube_of(is_(KIND, 6))
    assert excluded_by(cube) is None
    assert excluded_by(disj(is_(KIND, 6), FLAG)) is None


def test_constants_are_no_cubes() -> None:
    for constant in (TRUE, FALSE):
        assert cube_of(constant) is None
        assert not is_plainly_open(constant, [])
