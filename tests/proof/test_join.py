"""What merging stores covers what it was made of, checked input by input (D1)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "term"))
from literals import CURSOR, LENGTH, OFFSET, Literals, byte
from reference import Values
from strategies import Chooser, Drawn, seeds

from equiv.proof.entry import Arrival, Cells, Definition, Entry, Hints, covers, match
from equiv.proof.facts import Facts
from equiv.proof.join import join
from equiv.proof.merge import Joined
from equiv.proof.narrowing import narrow
from equiv.term import (
    Term,
    bvadd,
    bvand,
    bvmul,
    bvsub,
    concat,
    const,
    eq,
    evaluate,
    extract,
    resize,
    ule,
    ult,
    var,
    zero_extend,
)

NAMES = ("L.cursor", "R.cursor", "L.left", "L.byte", "R.byte", "R.field", "L.count", "R.flag", "L.other")
HINTS = Hints(frozenset({"L.cursor", "R.cursor"}), frozenset({"L.count"}))


def number(value: int, width: int = 64) -> Term:
    return const(value, width)


def hints(cells: Cells) -> Hints:
    """`HINTS` about those cells that there are."""
    return Hints(HINTS.offsets & cells.keys(), HINTS.steering & cells.keys())


def new_entry(cells: Cells, facts: Facts, symbols: Mapping[Term, Definition] | None = None, joins: int = 0) -> Entry:
    made = Entry(id=0, key="here", left="l", right="r", cells=cells, facts=facts, orders=(0, 0))
    made.symbols, made.joins = dict(symbols or {}), joins
    return made


def check_covered(cells: Cells, symbols: Mapping[Term, Definition], facts: Facts, there: Cells, values: Values) -> None:
    """Under `values`, what `there` stands for is among what `cells` under `facts` stands for."""
    assignment = values.assignment(*there.values(), *cells.values(), *facts.terms())
    memo: dict[Term, int] = {}
    for symbol, definition in symbols.items():
        memo[symbol] = evaluate(definition.read(there), assignment)
        assert symbol.lo <= memo[symbol] <= symbol.hi, symbol
    for name, term in cells.items():
        assert evaluate(term, assignment, memo) == evaluate(there[name], assignment), name
    for fact in facts.terms():
        assert evaluate(fact, assignment, memo) == 1, fact


# --- random pairs -----------------------------------------------------------------------------------------------


def base(maker: Literals) -> Term:
    """Where a cursor may be."""
    quad = bvmul(bvand(resize(byte(CURSOR), 64), number(15)), number(4))
    ways = [CURSOR, CURSOR, number(14), bvadd(CURSOR, OFFSET), bvadd(CURSOR, quad), bvadd(OFFSET, number(14))]
    step = maker.chooser.choice((0, 0, 8, 14, 20))
    return bvadd(maker.chooser.choice((*ways, *maker.extra, *maker.extra)), number(step))


def state(maker: Literals) -> tuple[dict[str, Term], Facts]:
    """Cells and facts as two sides have them in the middle of a packet; now and then something else."""
    choose = maker.chooser
    at = base(maker)
    near = bvadd(at, number(choose.choice((0, 0, 4, -2))))
    cells = {
        "L.cursor": at,
        "R.cursor": near,
        "L.left": bvsub(LENGTH, at),
        "L.byte": zero_extend(24, byte(bvadd(at, number(choose.integer(0, 1))))),
        "R.byte": byte(near),
        "R.field": concat(byte(at), byte(bvadd(at, number(1)))),
        "L.count": number(choose.integer(0, 2), 32),
        "R.flag": choose.choice((const(0, 1), const(1, 1), maker.slice())),
        "L.other": maker.term(),
    }
    cells["R.flag"] = resize(cells["R.flag"], 1)
    cells["L.other"] = resize(cells["L.other"], 64)
    for name in NAMES:
        if choose.integer(0, 7) == 0:
            cells[name] = resize(choose.choice((maker.term(), maker.near(cells[name]))), cells[name].width)
    literals = [maker.true() for _ in range(choose.integer(0, 3))]
    for end in (bvadd(at, number(choose.choice((0, 8, 20)))), number(14)):
        within = ule(end, LENGTH)
        literals += [within] if maker.value(within) else []
    if choose.integer(0, 1):
        known = eq(byte(at), maker.near(byte(at)))
        literals += [known] if maker.value(known) else []
    facts = Facts().assume(*literals)
    return {name: facts.simplify(cells[name]) if choose.integer(0, 1) else cells[name] for name in NAMES}, facts


def check_joins(chooser: Chooser, seed: int) -> int:
    """Join a few arrivals, some in the words of the entry itself, into one entry; count the joins."""
    first = Values(seed)
    cells, facts = state(Literals(chooser, first))
    entry = new_entry(cells, facts)
    done = 0
    for number_ in range(3):
        wide = [symbol for symbol in entry.symbols if symbol.width == 64]
        values = Values(seed + 1 + number_)
        arrived, known = state(Literals(chooser, values, extra=wide))
        if covers(entry, arrived, known):
            check_covered(entry.cells, entry.symbols, entry.facts, arrived, values)
        joined = join(entry, arrived, known, HINTS, chooser.choice((-1, -1, -1, 0, 1)))
        if joined is None:
            continue
        done += 1
        check_covered(joined.cells, joined.symbols, joined.facts, arrived, values)
        if not entry.symbols:
            check_covered(joined.cells, joined.symbols, joined.facts, entry.cells, first)
        else:
            check_covered_from_before(joined, entry, Values(seed + 90 + number_))
        for symbol, definition in joined.symbols.items():
            assert definition.read(joined.cells) is symbol
        entry = new_entry(joined.cells, joined.facts, joined.symbols, joins=entry.joins + chooser.integer(1, 3))
    return done


def check_covered_from_before(joined: Joined, entry: Entry, values: Values) -> None:
    """The entry's own states are still covered; an input that breaks its facts is none of its states."""
    assignment = values.assignment(*entry.cells.values(), *entry.facts.terms())
    if all(evaluate(fact, assignment) for fact in entry.facts.terms()):
        check_covered(joined.cells, joined.symbols, joined.facts, entry.cells, values)


@settings(max_examples=80)
@given(st.data(), seeds)
def test_a_joined_entry_covers_what_it_was_made_of(data: st.DataObject, seed: int) -> None:
    check_joins(Drawn(data.draw), seed)


# --- examples ---------------------------------------------------------------------------------------------------


def merged(stored: Cells, arrived: Cells, known: tuple[Facts, Facts] = (Facts(), Facts()), level: int = 0) -> Joined:
    joined = join(new_entry(stored, known[0]), arrived, known[1], hints(stored), level)
    assert joined is not None
    return joined


def test_cells_that_agree_stay() -> None:
    joined = merged({"L.byte": byte(CURSOR)}, {"L.byte": byte(CURSOR)})
    assert joined.cells == {"L.byte": byte(CURSOR)}
    assert joined.symbols == {}


def test_pointers_that_move_together_keep_their_distance() -> None:
    stored = {"L.cursor": CURSOR, "R.cursor": bvadd(CURSOR, number(14))}
    there = bvadd(CURSOR, OFFSET, number(20))
    joined = merged(stored, {"L.cursor": there, "R.cursor": bvadd(there, number(14))})
    (symbol,) = joined.symbols
    assert joined.cells["R.cursor"] is bvadd(joined.cells["L.cursor"], number(14))
    assert joined.cells["L.cursor"] is symbol or joined.cells["R.cursor"] is symbol


def test_what_falls_as_a_cursor_rises_is_kept_as_such() -> None:
    stored = {"L.cursor": CURSOR, "R.left": bvsub(LENGTH, CURSOR)}
    there = bvadd(CURSOR, number(4), OFFSET)
    joined = merged(stored, {"L.cursor": there, "R.left": bvsub(LENGTH, there)})
    assert joined.cells["R.left"] is bvsub(LENGTH, joined.cells["L.cursor"])


def test_what_one_side_alone_would_forget_keeps_states_apart_but_where_a_loop_is_cut() -> None:
    stored, arrived = {"L.cursor": CURSOR, "R.cursor": CURSOR}, {"L.cursor": OFFSET, "R.cursor": CURSOR}
    assert join(new_entry(stored, Facts()), arrived, Facts(), hints(stored), 0) is None
    assert join(new_entry(stored, Facts()), arrived, Facts(), hints(stored), -1) is not None


def test_a_cursor_that_moves_by_four_for_each_label_stays_a_multiple_of_their_count() -> None:
    stored = {"L.count": number(1), "R.cursor": number(18)}
    joined = merged(stored, {"L.count": number(2), "R.cursor": number(22)}, level=-1)
    assert joined.cells["R.cursor"] is bvadd(bvmul(number(4), joined.cells["L.count"]), number(14))
    assert len(joined.symbols) == 1


def test_reads_at_a_cursor_stay_reads_at_its_symbol() -> None:
    there = bvadd(CURSOR, OFFSET)
    stored = {"L.cursor": CURSOR, "R.byte": byte(CURSOR)}
    joined = merged(stored, {"L.cursor": there, "R.byte": byte(there)})
    assert joined.cells["R.byte"] is byte(joined.cells["L.cursor"])


def test_what_one_side_keeps_in_fewer_bits_stays_the_low_bits_of_what_the_other_keeps() -> None:
    """Where an option ends, as a pointer and as an offset from the first option; that begins at byte 50 (D410)."""

    def cells(cursor: Term) -> Cells:
        length = bvmul(number(4), zero_extend(59, extract(4, 0, byte(bvadd(cursor, number(3))))))
        end = bvadd(cursor, length, number(4 - 50))
        return {"L.cursor": cursor, "R.other": end, "L.other": extract(31, 0, end)}

    first = number(50)
    second = bvadd(cells(first)["R.other"], first)
    joined = merged(cells(first), cells(second), level=-1)
    assert joined.cells == cells(joined.cells["L.cursor"])


def test_cells_that_are_equal_on_both_sides_share_a_symbol() -> None:
    stored = {"L.byte": byte(CURSOR), "R.byte": byte(CURSOR)}
    port = resize(var("port", 16), 8)
    joined = merged(stored, {"L.byte": port, "R.byte": port})
    assert joined.cells["L.byte"] is joined.cells["R.byte"]
    assert len(joined.symbols) == 1


def test_cells_that_differ_between_the_sides_share_none() -> None:
    stored = {"L.byte": byte(CURSOR), "R.byte": byte(CURSOR)}
    arrived = {"L.byte": byte(number(0)), "R.byte": byte(number(1))}
    joined = join(new_entry(stored, Facts()), arrived, Facts(), hints(stored), -1)
    assert joined is not None
    assert joined.cells["L.byte"] is not joined.cells["R.byte"]


def test_facts_of_one_side_only_are_forgotten() -> None:
    here = Facts().assume(ule(bvadd(CURSOR, number(20)), LENGTH), ult(OFFSET, number(40)))
    there = Facts().assume(ule(bvadd(CURSOR, number(20)), LENGTH))
    joined = merged({"L.cursor": CURSOR}, {"L.cursor": CURSOR}, (here, there))
    assert joined.facts.decide(ule(bvadd(CURSOR, number(20)), LENGTH)) is True
    assert joined.facts.decide(ult(OFFSET, number(40))) is None


def test_room_ahead_is_the_lesser_of_both() -> None:
    after = bvadd(CURSOR, OFFSET)
    known = (
        Facts().assume(ule(bvadd(CURSOR, number(20)), LENGTH)),
        Facts().assume(ule(bvadd(after, number(8)), LENGTH)),
    )
    joined = merged({"L.cursor": CURSOR, "R.cursor": CURSOR}, {"L.cursor": after, "R.cursor": after}, known)
    (symbol,) = joined.symbols
    assert joined.facts.decide(ule(bvadd(symbol, number(8)), LENGTH)) is True
    assert joined.facts.decide(ule(bvadd(symbol, number(9)), LENGTH)) is None


def test_counters_that_differ_keep_states_apart_until_widening() -> None:
    stored, arrived = {"L.count": number(1, 32)}, {"L.count": number(2, 32)}
    assert join(new_entry(stored, Facts()), arrived, Facts(), hints(stored), 0) is None
    widened = join(new_entry(stored, Facts()), arrived, Facts(), hints(stored), -1)
    assert widened is not None
    assert (widened.cells["L.count"].lo, widened.cells["L.count"].hi) == (1, 255)


def test_a_loop_that_comes_back_again_only_loses_facts() -> None:
    """What was said of the first two rounds may be weakened for ever; it is given up instead."""
    symbol = var("~i", 64, 1, 255)
    stored = {"L.count": symbol, "R.count": symbol}
    entry = new_entry(stored, Facts().assume(ult(symbol, OFFSET)), {symbol: Definition("L.count", 0, 64)}, joins=1)
    more = bvadd(symbol, number(1))
    joined = join(entry, {"L.count": more, "R.count": more}, Facts().assume(ult(symbol, OFFSET)), hints(stored), -1)
    assert joined is not None
    assert not list(joined.facts.terms())


def test_an_entry_that_nothing_leads_to_any_more_is_not_narrowed() -> None:
    symbol = var("~n", 64, 0, 255)
    entry = new_entry({"L.count": symbol}, Facts(), {symbol: Definition("L.count", 0, 64)})
    assert narrow(entry, {symbol: {4}}) is None


def test_narrowing_takes_the_value_that_a_counter_is_compared_with() -> None:
    symbol = var("~n", 64, 0, 255)
    entry = new_entry({"L.count": symbol}, Facts(), {symbol: Definition("L.count", 0, 64)})
    for label, count in ((0, number(0)), (1, bvadd(symbol, number(1)))):
        entry.arrivals[-1, (label,)] = Arrival(None, 0, {"L.count": count}, Facts(), ())
    narrower = narrow(entry, {symbol: {4, 9}})
    assert narrower is not None
    assert (narrower.cells["L.count"].lo, narrower.cells["L.count"].hi) == (0, 4)
    assert narrow(entry, {symbol: {4, 9}}) is None  # not twice
    assert narrow(entry, {}) is None


def test_at_the_finest_level_nothing_is_merged() -> None:
    stored = {"L.cursor": CURSOR}
    for arrived in (stored, {"L.cursor": OFFSET}):
        assert join(new_entry(stored, Facts()), arrived, Facts(), hints(stored), 2) is None


def test_an_entry_covers_an_arrival_only_if_its_facts_follow() -> None:
    need = ule(bvadd(CURSOR, number(20)), LENGTH)
    entry = new_entry({"L.cursor": CURSOR}, Facts().assume(need))
    assert covers(entry, {"L.cursor": CURSOR}, Facts().assume(need))
    assert covers(entry, {"L.cursor": CURSOR}, Facts().assume(ule(bvadd(CURSOR, number(24)), LENGTH)))
    assert not covers(entry, {"L.cursor": CURSOR}, Facts().assume(ule(bvadd(CURSOR, number(14)), LENGTH)))
    assert not covers(entry, {"L.cursor": CURSOR}, Facts())


def test_a_symbol_matches_only_what_is_within_its_bounds() -> None:
    symbol = var("~within", 64, 14, 60)
    entry = new_entry({"L.cursor": symbol}, Facts(), {symbol: Definition("L.cursor", 0, 64)})
    assert match(entry, {"L.cursor": bvadd(number(14), OFFSET)}, Facts()) is None
    short = Facts().assume(ult(OFFSET, number(40)))
    assert match(entry, {"L.cursor": bvadd(number(14), OFFSET)}, short) == {symbol: bvadd(number(14), OFFSET)}
    assert match(entry, {"L.cursor": OFFSET}, short) is None


def test_a_cell_that_a_symbol_ties_to_another_must_agree() -> None:
    symbol = var("~tied", 64, 0, 65535)
    cells = {"L.cursor": symbol, "R.cursor": bvadd(symbol, number(14))}
    entry = new_entry(cells, Facts(), {symbol: Definition("L.cursor", 0, 64)})
    assert match(entry, {"L.cursor": CURSOR, "R.cursor": bvadd(CURSOR, number(14))}, Facts()) is not None
    assert match(entry, {"L.cursor": CURSOR, "R.cursor": bvadd(CURSOR, number(15))}, Facts()) is None


def test_a_cut_learns_nothing_after_its_first_join_or_it_would_never_settle() -> None:
    """One of two facts may hold, then one of three, and so on: that weakens for ever."""
    cells = {"L.cursor": CURSOR}
    first, second = (Facts().assume(eq(byte(number(offset)), number(8, 8))) for offset in (12, 23))
    kept = {joins: join(new_entry(cells, first, joins=joins), cells, second, hints(cells), -1) for joins in (0, 1)}
    assert all(joined is not None for joined in kept.values())
    assert [len(list(joined.facts.terms())) for joined in kept.values() if joined] == [1, 0]


# --- cells that are only carried on -----------------------------------------------------------------------------


def test_cells_carried_alike_by_both_sides_share_one_symbol() -> None:
    def field(at: int) -> Term:
        return concat(*(byte(number(at + i)) for i in range(4)))

    old, new = ({"L.field": field(at), "R.field": field(at)} for at in (14, 30))
    merged = join(new_entry(old, Facts()), new, Facts(), Hints(), 0)
    assert merged is not None
    assert merged.cells["L.field"] is merged.cells["R.field"]
    assert list(merged.symbols) == [merged.cells["L.field"]]


def _read_at_cursor(name: str) -> dict[str, Term]:
    """Both sides have taken a field from where a cursor was, and stand behind it."""
    cursor = var(name, 64, 0, 1000)
    field = concat(*(byte(bvadd(cursor, number(i))) for i in range(4)))
    behind = bvadd(cursor, number(4))
    return {"L.cursor": behind, "L.field": field, "R.cursor": behind, "R.field": field}


def test_fields_behind_two_parsers_that_only_carry_them_on_are_one_symbol() -> None:
    old, new = _read_at_cursor("~old"), _read_at_cursor("~new")
    about = Hints(frozenset({"L.cursor", "R.cursor"}), forward=True)
    merged = join(new_entry(old, Facts()), new, Facts(), about, 0)
    assert merged is not None
    assert merged.cells["L.field"] is merged.cells["R.field"]
    assert {merged.cells["L.field"], merged.cells["L.cursor"]} == set(merged.symbols)


def test_fields_behind_programs_stay_reads_relative_to_the_cursor() -> None:
    """Which may read them again."""
    old, new = _read_at_cursor("~old"), _read_at_cursor("~new")
    merged = join(new_entry(old, Facts()), new, Facts(), Hints(frozenset({"L.cursor", "R.cursor"})), 0)
    assert merged is not None
    assert merged.cells["L.field"] is concat(*(byte(bvsub(merged.cells["L.cursor"], number(4 - i))) for i in range(4)))


def test_what_a_decision_looks_at_yet_is_not_only_carried_on() -> None:
    old, new = _read_at_cursor("~old"), _read_at_cursor("~new")
    about = Hints(frozenset({"L.cursor", "R.cursor"}), frozenset({"L.field", "R.field"}), forward=True)
    merged = join(new_entry(old, Facts()), new, Facts(), about, 0)
    assert merged is not None
    assert list(merged.symbols) == [merged.cells["L.cursor"]]


def test_a_byte_that_another_cell_has_too_stays_related_to_it() -> None:
    def cells(at: int) -> dict[str, Term]:
        field = concat(*(byte(number(at + i)) for i in range(4)))
        return {"L.field": field, "R.byte": byte(number(at + 2)), "R.field": field}

    merged = join(new_entry(cells(14), Facts()), cells(30), Facts(), Hints(), 0)
    assert merged is not None
    assert extract(15, 8, merged.cells["L.field"]) is merged.cells["R.byte"]


def test_a_cell_is_the_sum_of_what_two_others_moved_by() -> None:
    """As is seen by marks first: sums that are equal have equal ones, at any width and whatever wraps."""
    for width in (8, 32, 64):
        a, b, c, d = (var(f"in{i}", width) for i in range(4))
        old = {"L.x": a, "L.y": b, "L.z": bvadd(a, b), "R.x": a, "R.y": b, "R.z": bvadd(a, b)}
        new = {"L.x": c, "L.y": d, "L.z": bvadd(c, d), "R.x": c, "R.y": d, "R.z": bvadd(c, d)}
        merged = join(new_entry(old, Facts()), new, Facts(), Hints(), 0)
        assert merged is not None
        assert merged.cells["L.z"] is bvadd(merged.cells["L.x"], merged.cells["L.y"])


def test_constants_wider_than_an_address_are_no_counters() -> None:
    """One apart, as a counter's values are; a table may give out such numbers for an IPv6 address."""
    before, here = {"R.field": number(1, 128)}, {"R.field": number(2, 128)}
    joined = join(new_entry(before, Facts()), here, Facts(), hints(before), level=-1)
    assert joined is not None
    for cells in (before, here):
        check_covered(joined.cells, joined.symbols, joined.facts, cells, Values(1))
