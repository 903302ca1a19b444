"""Bounds of what a loop merges are tried where decisions stop a counter, and steps of widening are those (D300)."""

from __future__ import annotations

from equiv.proof.entry import Arrival, Definition, Entry
from equiv.proof.facts import Facts
from equiv.proof.narrowing import MOST_LIMIT, WIDENING_STEPS, narrow_early, widening_steps
from equiv.proof.symbols import fresh
from equiv.term import Term, bvadd, const, ult

COUNT = fresh(32, 0, 255)


def loop(count: Term = COUNT) -> Entry:
    """A loop's entry with its counter merged; it was reached with the counter at 1."""
    cells = {"L.count": count}
    entry = Entry(0, ("", "", ("L.count",)), "", "", cells, Facts(), (0, 0), {count: Definition("L.count", 0, 32)})
    entry.arrivals[-1, ()] = Arrival(None, 0, {"L.count": const(1, 32)}, Facts(), ())
    return entry


def once_more(count: Term = COUNT) -> tuple[dict[str, Term], Facts]:
    return {"L.count": bvadd(count, const(1, 32))}, Facts()


def test_a_counter_that_goes_on_is_bounded_by_where_a_decision_stops_it() -> None:
    entry = loop()
    narrower = narrow_early(entry, *once_more(), {COUNT: {3, 200}})
    assert narrower is not None
    (symbol,) = narrower.symbols
    assert (symbol.lo, symbol.hi) == (0, 3) and narrower.cells["L.count"] is symbol


def test_no_bound_is_tried_twice() -> None:
    entry = loop()
    assert narrow_early(entry, *once_more(), {COUNT: {3}}) is not None
    assert narrow_early(entry, *once_more(), {COUNT: {3}}) is None


def test_what_stays_within_its_bounds_is_left_alone() -> None:
    cells, _ = once_more()
    assert narrow_early(loop(), cells, Facts().assume(ult(COUNT, const(255, 32))), {COUNT: {3}}) is None
    assert narrow_early(loop(), *once_more(), {}) is None


def test_a_bound_below_what_is_known_to_arrive_is_not_tried() -> None:
    entry = loop()
    entry.arrivals[-1, ()] = Arrival(None, 0, {"L.count": const(7, 32)}, Facts(), ())
    assert narrow_early(entry, *once_more(), {COUNT: {3}}) is None


def test_widening_goes_through_limits_of_loops_first() -> None:
    other = fresh(8, 0, 255)
    assert widening_steps({COUNT: {3}, other: {5, MOST_LIMIT + 1}}) == (3, 4, 5, 6, *WIDENING_STEPS)
    assert widening_steps({}) == WIDENING_STEPS
