"""Long sums with their common part named: what follows from the abstraction follows from the original (D64)."""

from __future__ import annotations

import random

import pytest

from equiv.bpf import checksum
from equiv.solve.backend import make_backend
from equiv.solve.sums import abstracted
from equiv.term import Assignment, Term, bvadd, bvmul, bvnot, bvsub, const, distinct, eq, evaluate, extract, resize, var

BYTES = [var(f"b{i}", 8) for i in range(20)]


def checksum_of(content: list[Term]) -> Term:
    words = [
        bvadd(resize(low, 32), bvmul(resize(high, 32), const(256, 32)))
        for low, high in zip(content[::2], content[1::2])
    ]
    total = bvadd(*words)
    once = bvadd(resize(extract(31, 16, total), 32), resize(extract(15, 0, total), 32))
    return bvnot(bvadd(extract(15, 0, once), extract(31, 16, once)))


@pytest.mark.parametrize("seed", range(200))
def test_whatever_satisfies_the_terms_satisfies_the_abstraction(seed: int) -> None:
    chance = random.Random(seed)
    changed = BYTES.copy()
    for _ in range(chance.randrange(4)):
        changed[chance.randrange(20)] = chance.choice([const(chance.randrange(256), 8), bvadd(BYTES[0], const(3, 8))])
    one, other = checksum_of(BYTES), checksum_of(changed)
    width = chance.choice((8, 16))
    terms = [
        distinct(extract(width - 1, 0, one), extract(width - 1, 0, other)),
        eq(bvsub(const(5, 16), one), bvadd(other, const(chance.randrange(70000), 16))),
    ]
    simpler = abstracted(terms)
    assert simpler is not None
    for _ in range(20):
        values = {leaf.data[0]: chance.choice((0, 255, chance.randrange(256))) for leaf in BYTES}
        given = Assignment(values, {})
        totals = {name.data[0]: evaluate(total, given) for name, total in simpler.sums.items()}
        there = Assignment({**values, **totals}, {})
        assert [evaluate(term, given) for term in terms] == [evaluate(term, there) for term in simpler.terms]
        for name in simpler.sums:
            assert name.lo <= totals[name.data[0]] <= name.hi


def test_short_sums_are_left_alone() -> None:
    assert abstracted([eq(bvadd(*(resize(b, 32) for b in BYTES[:3])), const(7, 32))]) is None


def test_an_adjusted_checksum_is_proved_equal_to_one_computed_anew() -> None:
    old = checksum_of(BYTES)
    exchanged = [var("n0", 8), var("n1", 8), *BYTES[2:]]
    before = checksum.cells.join([BYTES[0], BYTES[1]], True)
    after = checksum.cells.join([exchanged[0], exchanged[1]], True)
    adjusted = checksum.replaced(old, before, after)
    anew = checksum_of(exchanged)
    nonzero = distinct(after, const(0, 16))
    simpler = abstracted([nonzero, distinct(adjusted, anew)])
    assert simpler is not None
    assert make_backend("z3").check(simpler.terms, timeout=60).status == "unsat"
