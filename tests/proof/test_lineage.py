"""Where a loop is seen: by any way that leads back, not only by the one on which an entry was first reached."""

from __future__ import annotations

from equiv.proof.entry import Arrival, Entry, Key
from equiv.proof.facts import Facts
from equiv.proof.lineage import Lineage, entries_before, rounds_of, went_back


def entry(number: int, key: Key, rounds: tuple[int, int] = (0, 0)) -> Entry:
    return Entry(number, key, (), (), {}, Facts(), (0, 0), rounds=rounds)


def arrival(source: Entry | None, rounds: tuple[int, int] = (0, 0)) -> Arrival:
    return Arrival(source, source.version if source else 0, {}, Facts(), (), rounds=rounds)


HEAD: Key = ("head", "head", ())
BODY: Key = ("body", "body", ())


def test_a_body_that_was_first_reached_from_outside_is_in_the_loop_all_the_same() -> None:
    outside, head, body = entry(0, ("start", "start", ())), entry(1, HEAD), entry(2, BODY)
    head.arrivals[0, (0,)] = arrival(outside)
    body.arrivals[0, (1,)] = arrival(outside)
    body.parent = outside
    back = arrival(body, (1, 1))
    assert Lineage().visits(HEAD, back, False) == (False, set())
    body.arrivals[1, (0,)] = arrival(head)
    assert Lineage().visits(HEAD, back, False) == (True, set())


def test_ways_that_are_taken_back_do_not_count() -> None:
    head, body = entry(1, HEAD), entry(2, BODY)
    body.arrivals[1, (0,)] = arrival(head)
    head.version += 1
    assert Lineage().visits(HEAD, arrival(body, (1, 1)), False) == (False, set())


def test_an_entry_from_which_one_side_went_round_alone_is_waited_for() -> None:
    head, body = entry(1, HEAD), entry(2, BODY)
    body.arrivals[1, (0,)] = arrival(head)
    assert Lineage().visits(HEAD, arrival(body, (1, 0)), False) == (False, {1})
    assert Lineage().visits(HEAD, arrival(body, (1, 0)), True) == (True, set())


def test_the_way_back_through_a_cycle_ends() -> None:
    one, other = entry(1, BODY), entry(2, BODY)
    one.arrivals[2, (0,)] = arrival(other)
    other.arrivals[1, (0,)] = arrival(one)
    assert Lineage().visits(HEAD, arrival(one), False) == (False, set())


def test_what_comes_before_an_entry_is_on_ways_that_still_hold_and_on_the_one_that_arrives() -> None:
    outside, head, body = entry(0, ("start", "start", ())), entry(1, HEAD), entry(2, BODY)
    head.arrivals[0, (0,)] = arrival(outside)
    body.arrivals[1, (0,)] = arrival(head)
    assert entries_before(body, None) == {0, 1}
    assert entries_before(head, arrival(body)) == {0, 1, 2}
    head.version += 1
    assert entries_before(body, None) == set()


def test_a_side_that_goes_back_in_its_order_starts_another_round() -> None:
    source = Entry(1, BODY, (), (), {}, Facts(), (5, 5), rounds=(1, 2))
    assert rounds_of(source, (3, 7)) == (2, 2)
    assert rounds_of(None, (3, 7)) == (0, 0)
    assert went_back(arrival(source), (3, 7))
    assert not went_back(arrival(source), (6, 7))
    assert not went_back(arrival(None), (0, 0))
