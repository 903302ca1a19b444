"""Ranks: which cycles of stored entries are shown to end, and which are not (D3)."""

from __future__ import annotations

from equiv.proof.entry import Arrival, Entry
from equiv.proof.facts import Facts
from equiv.proof.termination import termination
from equiv.solve.backend import make_backend
from equiv.term import Term, bvadd, bvand, bvmul, const, negate, ult, var


def entry(number: int, cells: dict[str, Term], facts: Facts | None = None) -> Entry:
    return Entry(number, ((), (), tuple(cells)), (), (), cells, facts or Facts(), (0, 0))


def arrive(source: Entry, target: Entry, cells: dict[str, Term], *added: Term) -> None:
    facts = source.facts.assume(*added)
    target.arrivals[source.id, (len(target.arrivals),)] = Arrival(source, 0, cells, facts, added)


def entails(facts: Facts, condition: Term) -> bool:
    return make_backend("z3").check([*facts.terms(), negate(condition)], timeout=10).status == "unsat"


COUNT = var("~n", 32, 0, 9)
ONE = const(1, 32)


def test_a_number_is_followed_through_cells_of_other_names() -> None:
    """Programs keep a counter in a register here, on the stack there, wider or narrower."""
    head, body = entry(0, {"L.r5": COUNT}), entry(1, {"L.s0.-8": COUNT, "L.r5": const(7, 32)})
    arrive(head, body, {"L.s0.-8": COUNT, "L.r5": const(7, 32)})
    arrive(body, head, {"L.r5": bvadd(COUNT, ONE)})
    assert not termination([head, body]).endless


def test_a_number_that_is_put_back_on_some_way_is_no_rank() -> None:
    head, body = entry(0, {"L.r5": COUNT}), entry(1, {"L.s0.-8": COUNT})
    arrive(head, body, {"L.s0.-8": COUNT})
    arrive(body, head, {"L.r5": bvadd(COUNT, ONE)})
    arrive(body, head, {"L.r5": const(0, 32)})
    assert termination([head, body]).endless and termination([head, body], entails).endless


def test_a_number_that_may_wrap_is_no_rank() -> None:
    wide = var("~w", 32)
    head = entry(0, {"L.r5": wide})
    arrive(head, head, {"L.r5": bvadd(wide, ONE)})
    assert termination([head]).endless and termination([head], entails).endless


def test_what_bounds_do_not_show_a_solver_does() -> None:
    """A header's length in words, of which only what is left out says that it is not 0."""
    field = var("field", 32)
    low = bvand(field, const(15, 32))
    facts = Facts().assume(negate(ult(bvadd(low, const(0xFFFFFFF0, 32)), const(0xFFFFFFF5, 32))))
    head = entry(0, {"L.cursor": COUNT}, facts)
    arrive(head, head, {"L.cursor": bvadd(COUNT, bvmul(low, const(4, 32)))})
    assert not termination([head], entails).endless
