"""What is impossible for whole numbers is impossible for bit vectors; sums and comparisons need no more than that."""

from __future__ import annotations

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Z3Form, build, z3_status
from strategies import Drawn, Generator

from equiv.solve.backend import make_backend
from equiv.solve.integers import Integers
from equiv.term import Term, bvadd, bvmul, concat, const, eq, extract, ite, negate, select, ult, var, zero_extend

EFFORT = 3_000_000

START = var("start", 64, 43, 1 << 17)
AT = var("at", 64, 0, 600)
ROOM = var("room", 64, 0, 600)
X = var("x", 8, 0, 255)


def impossible(*conjuncts: Term) -> bool:
    integers = Integers(z3.Context())
    integers.add(conjuncts)
    integers.solver.set("rlimit", EFFORT)
    return bool(integers.solver.check() == z3.unsat)


@settings(max_examples=150)
@given(st.data())
def test_what_is_impossible_here_is_so_to_bit_vectors(data: st.DataObject) -> None:
    generator = Generator(Drawn(data.draw))
    conjuncts = [build(generator.expression(1, 3)) for _ in range(generator.chooser.integer(1, 3))]
    if impossible(*conjuncts):
        form = Z3Form()
        held = [form.holds(term) for term in conjuncts]
        assert z3_status(*held, ranges=form.ranges, milliseconds=2000) != z3.sat


def test_sums_that_cannot_wrap_are_compared() -> None:
    ahead = [ult(bvadd(START, AT), bvadd(START, ROOM)), negate(ult(AT, ROOM))]
    assert impossible(*ahead)
    assert not impossible(ahead[0])


def test_sums_that_may_wrap_may_come_out_smaller() -> None:
    assert not impossible(ult(bvadd(X, const(16, 8)), const(4, 8)))
    assert impossible(ult(bvadd(X, const(16, 8)), const(4, 8)), ult(X, const(240, 8)))


def test_slices_and_concatenations_are_sums() -> None:
    low, high = extract(3, 0, X), extract(7, 4, X)
    assert impossible(eq(high, const(3, 4)), ult(X, const(48, 8)))
    assert impossible(eq(low, const(5, 4)), eq(concat(low, high), const(0x60, 8)))
    assert not impossible(eq(low, const(5, 4)), eq(concat(low, high), const(0x50, 8)))


def test_choices_are_followed_and_other_operations_may_be_anything() -> None:
    chosen = ite(ult(X, const(10, 8)), const(1, 8), const(2, 8))
    assert impossible(eq(chosen, const(3, 8)))
    product = bvmul(X, extract(7, 0, AT))
    assert not impossible(eq(product, const(3, 8)), eq(X, const(2, 8)))


def test_long_relations_between_cursors_are_decided_within_little_work() -> None:
    """A loop over varints (three numbers move at once); as bit vectors this took seconds."""
    cursor, offset, base, shift = (var(name, 64, 0, 1 << 17) for name in ("cursor", "offset", "base", "shift"))
    size = zero_extend(48, concat(select("pkt", const(38, 64), 8), select("pkt", const(39, 64), 8)))
    known = [
        negate(ult(bvadd(base, cursor), bvadd(offset, const(1, 64)))),
        negate(ult(bvadd(shift, bvmul(cursor, const(7, 64))), bvmul(offset, const(7, 64)))),
        ult(bvadd(base, cursor, const(1, 64)), bvadd(size, offset)),
        negate(ult(var("len", 64, 0, 65535), bvadd(size, const(42, 64)))),
        ult(size, const(0x201, 64)),
        ult(bvadd(var("len", 64, 0, 65535), offset), bvadd(base, cursor, const(43, 64))),
    ]
    assert impossible(*known)
    assert make_backend("z3").check(known, timeout=20).status == "unsat"


def test_terms_nested_deeper_than_can_be_followed_are_left_to_the_solver_of_bits() -> None:
    x = var("deep", 32)
    nested = x
    for step in range(1500):
        turned = concat(extract(30, 0, nested), const(step & 1, 1))
        nested = ite(ult(nested, const(7 + step, 32)), bvmul(nested, x), turned)
    with pytest.raises(RecursionError):
        Integers(z3.Context()).add([eq(nested, const(1, 32))])
    assert make_backend("z3").check([eq(nested, const(1, 32))], timeout=0.2).status in ("sat", "unknown")
