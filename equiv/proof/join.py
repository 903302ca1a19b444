"""Merging: the least general joint state that covers both a stored entry and a new arrival.

Cells on which the two agree stay. The others become expressions over new *symbols*, each of which stands for a pair of
terms (what it is in the entry, what it is in the arrival). Three kinds of relation survive:

- sums: cells whose difference between entry and arrival is the same, or the opposite, share a symbol and differ by
  what they differed by before (pointer 14 bytes past the cursor; remaining length falls as the cursor rises);
- places: a value read at an offset from a cursor stays a read at that offset from the cursor's symbol;
- equality, byte for byte: whatever order and width a side keeps a value in.

Facts survive where both sides imply them, said in the new symbols. Everything forgotten adds behaviours, so an
equivalence shown on the merged state holds for both; see the decision record on merging (D1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import count

from equiv.machine.inputs import ADDRESS_WIDTH, packet_length
from equiv.proof.entry import Cells, Definition, Entry, Hints, symbol_values
from equiv.proof.facts import SYMBOL_PREFIX, Contradiction, Facts, is_symbol
from equiv.term import (
    Term,
    bvadd,
    bvneg,
    bvsub,
    concat,
    conj,
    const,
    disj,
    eq,
    extract,
    integer_form,
    leaves,
    negate,
    resize,
    select,
    substitute,
    to_linear,
    ult,
    var,
    zero_extend,
)

WIDENING_STEPS = (0xFF, 1514, 0xFFFF, 1 << 17, 1 << 20, 1 << 32)
"""Upper bounds that a symbol which keeps growing is widened to, in turn."""

LONG_SUM = 2
"""Offsets that are sums of this many terms are named by a symbol when a loop comes round."""

MAX_ALONE = 4
"""Up to so many literals that only one of the two knows are kept as one disjunction."""

PATIENCE = 2
"""After this many joins at one entry, bounds that still move are widened."""

LONG_PATIENCE = 8
"""Lower bounds, which rarely fall for long, are given up only after this many."""

_numbers = count()


@dataclass(frozen=True, slots=True)
class Symbol:
    """A merged quantity: `term` stands for `entry` in the entry and for `arrival` in the arrival."""

    term: Term
    entry: Term
    arrival: Term
    definition: Definition
    is_new: bool = True
    wide_entry: Term | None = None
    wide_arrival: Term | None = None
    """`entry` and `arrival` zero-extended to an address's width, sums widened inside."""


@dataclass(slots=True)
class Merge:
    """The join in the making; lives within one call of `join`."""

    entry: Entry
    cells: Cells
    facts: Facts
    values: dict[Term, Term]
    """What the entry's symbols are in the arrival."""
    symbols: list[Symbol] = field(default_factory=list)
    sides: dict[Term, set[str]] = field(default_factory=dict)
    result: dict[str, Term] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Joined:
    """What the entry becomes."""

    cells: Cells
    symbols: dict[Term, Definition]
    facts: Facts


def join(
    entry: Entry, cells: Cells, facts: Facts, hints: Hints, level: int, wandering: AbstractSet[str] = frozenset()
) -> Joined | None:
    """Merge an arrival into `entry`; None where too much would be forgotten and they are better kept apart.

    `level` 0 keeps apart what differs in a constant that steers a run or that only one side has; 1 also what only one
    side would forget;
    2 keeps apart everything that is not the same; -1 merges whatever arrives (widening). `wandering` are cells whose
    constants do not tell rounds of a loop apart (see `lineage`).
    """
    if level >= 0 and _steers_apart(entry, cells, hints.steering - hints.offsets - wandering):
        return None
    offsets = hints.offsets
    merge = Merge(entry, cells, facts, symbol_values(entry, cells))
    _keep_symbols(merge)
    differing: list[str] = []
    memo: dict[Term, Term] = {}
    renamed = {s.entry: s.term for s in merge.symbols if s.entry is not s.term}
    for name, stored in entry.cells.items():
        here = substitute(stored, merge.values, memo) if merge.values else stored
        if here is cells[name] or facts.decide(eq(here, cells[name])) is True:
            merge.result[name] = substitute(stored, renamed) if renamed else stored
        else:
            differing.append(name)
    if level >= 2 or (level == 1 and not differing):  # refining: nothing, or nothing known alone, is given up
        return None
    sizes = {name: max(_length(entry.cells[name]), _length(cells[name])) for name in differing}
    differing.sort(key=lambda name: (name not in offsets, name not in hints.steering, sizes[name], name))
    for name in differing:
        stored, arrived = entry.cells[name], cells[name]
        if name in offsets or _is_sum(stored, arrived):
            merge.result[name] = _merge_sum(merge, name, 0, stored, arrived)
        elif name in hints.steering and stored.is_const and arrived.is_const:  # a position, if a cursor moved with it
            related = _by_change(merge, name, stored, arrived)
            merge.result[name] = related if related is not None else _merge_value(merge, name)
        else:
            merge.result[name] = _merge_value(merge, name)
    if level >= 0 and _forgets(merge, level):
        return None
    ordered = {name: merge.result[name] for name in entry.cells}
    used = frozenset[Term]().union(*(leaves(term) for term in ordered.values()))
    merge.symbols = [s for s in merge.symbols if s.term in used]
    if any(s.definition.read(ordered) is not s.term for s in merge.symbols):
        return None  # a symbol that no cell spells out could not be matched again
    if not _covers_both(merge, ordered):
        return None
    kept = {s.term: s.definition for s in merge.symbols}
    return Joined(ordered, kept, _merge_facts(merge))


def compress(key_entry: Entry, hints: Hints) -> Joined | None:
    """The entry with long sums in its cells named by symbols, so that a loop's history does not pile up in them.

    None where there is nothing to shorten. What the entry stands for only grows.
    """
    merge = Merge(key_entry, key_entry.cells, key_entry.facts, {})
    long = [name for name in key_entry.cells if name in hints.offsets and _length(key_entry.cells[name]) >= LONG_SUM]
    if not long or key_entry.symbols:
        return None
    for name in sorted(long, key=lambda name: (_length(key_entry.cells[name]), name)):
        term = key_entry.cells[name]
        if _by_sum(merge, term) is None:
            merge.result[name] = _new_symbol(merge, name, 0, term, term)
    for name, term in key_entry.cells.items():
        if name not in merge.result:
            shorter = _by_sum(merge, term)
            merge.result[name] = _in_place(merge, term if shorter is None else shorter)
    ordered = {name: merge.result[name] for name in key_entry.cells}
    used = frozenset[Term]().union(*(leaves(term) for term in ordered.values()))
    merge.symbols = [s for s in merge.symbols if s.term in used]
    if any(s.definition.read(ordered) is not s.term for s in merge.symbols) or not _covers_both(merge, ordered):
        return None
    return Joined(ordered, {s.term: s.definition for s in merge.symbols}, _merge_facts(merge, forget=used))


def _length(term: Term) -> int:
    return len(to_linear(term)[0]) if term.op == "add" else 0


def _by_sum(merge: Merge, term: Term) -> Term | None:
    """`term` with a symbol's sum inside it (or its opposite) replaced by the symbol, where that shortens it."""
    if term.op not in ("add", "concat"):
        return None
    best: Term | None = None
    for symbol in merge.symbols:
        if symbol.term.width < term.width:
            continue
        moved = resize(bvsub(symbol.term, symbol.entry), term.width)
        for candidate in (bvadd(term, moved), bvsub(term, moved)):
            if (
                len(to_linear(candidate)[0]) < len(to_linear(best if best is not None else term)[0])
                or candidate is symbol.term
            ):
                best = candidate
    return best


def _in_place(merge: Merge, term: Term) -> Term:
    """`term` with its packet reads said relative to a symbol, where all of them can be."""
    back = {s.term: s.entry for s in merge.symbols}
    original = substitute(term, back)
    for shifted in _shift_reads(merge, term, use_entry=True):
        if substitute(shifted, back) is original:
            return shifted
    return term


def _steers_apart(entry: Entry, cells: Cells, steering: Iterable[str]) -> bool:
    """Whether the two differ in a constant that a later decision may depend on: a counter, a flag, a saved type."""
    for name in steering:
        stored, arrived = entry.cells[name], cells[name]
        if stored is not arrived and stored.is_const and arrived.is_const:
            return True
    return False


def _covers_both(merge: Merge, cells: Cells) -> bool:
    """Whether the merged cells give back the entry's and the arrival's, symbols replaced: checked, not trusted."""
    to_entry = {s.term: s.entry for s in merge.symbols}
    to_arrival = {s.term: s.arrival for s in merge.symbols}
    memo_entry: dict[Term, Term] = {}
    memo_arrival: dict[Term, Term] = {}
    for name, term in cells.items():
        for values, memo, expected, facts in (
            (to_entry, memo_entry, merge.entry.cells[name], merge.entry.facts),
            (to_arrival, memo_arrival, merge.cells[name], merge.facts),
        ):
            back = substitute(term, values, memo)
            if back is not expected and facts.decide(eq(back, expected)) is not True:
                return False
    return True


def _keep_symbols(merge: Merge) -> None:
    """Carry the entry's symbols over, with wider bounds where the arrival's value needs them."""
    for old, definition in merge.entry.symbols.items():
        value = merge.values[old]
        low, high = merge.facts.term_bound(value)
        term = old
        if low < old.lo or high > old.hi:
            entry_low, entry_high = merge.entry.facts.term_bound(old)
            bounds = _hull((entry_low, entry_high), (low, high), merge.entry.joins, old.width)
            term = _fresh(old.width, *bounds)
        merge.symbols.append(Symbol(term, old, value, definition, is_new=False))


def _fresh(width: int, low: int, high: int) -> Term:
    return var(f"{SYMBOL_PREFIX}{next(_numbers)}", width, low, high)


def _hull(a: tuple[int, int], b: tuple[int, int], joins: int, width: int) -> tuple[int, int]:
    """An interval around both, widened once an entry has been joined into often."""
    low, high = min(a[0], b[0]), max(a[1], b[1])
    full = (1 << width) - 1
    if joins >= PATIENCE:
        if b[0] < a[0] and joins >= LONG_PATIENCE:
            low = 0
        if b[1] > a[1]:
            high = next((step for step in WIDENING_STEPS if high <= step <= full), full)
    return low, min(high, full)


def _is_sum(stored: Term, arrived: Term) -> bool:
    """Whether a cell is worth relating by differences: an address-wide sum or symbol that is no mere field."""
    if stored.width != ADDRESS_WIDTH:
        return False
    return any(t.op == "add" or (t.op == "var" and t.width == ADDRESS_WIDTH) for t in (stored, arrived))


# --- sums -------------------------------------------------------------------------------------------------------


def _merge_sum(merge: Merge, name: str, low: int, stored: Term, arrived: Term) -> Term:
    """A cell (its bits from `low` on) as its old self plus what changed, else as a symbol of its own."""
    related = _by_change(merge, name, stored, arrived)
    if related is None:
        related = _by_shift(merge, name, stored, arrived)
    return _new_symbol(merge, name, low, stored, arrived) if related is None else related


def _by_shift(merge: Merge, name: str, stored: Term, arrived: Term) -> Term | None:
    """The stored sum with a cursor's symbol in place of the cursor, in the sum and in the reads inside it."""
    if stored.width != ADDRESS_WIDTH or any(d.cell == name for d in merge.entry.symbols.values()):
        return None
    back = {s.term: s.arrival for s in merge.symbols} | merge.values
    for symbol in merge.symbols:
        if not symbol.is_new or symbol.term.width != ADDRESS_WIDTH:
            continue
        moved = bvsub(symbol.term, symbol.entry)
        for relative in (stored, *_shift_reads(merge, stored, use_entry=True)):
            candidate = bvadd(relative, moved)
            if substitute(candidate, back) is arrived:
                _note_side(merge, symbol.term, name)
                return _restate(merge, candidate)
    return None


def _by_change(merge: Merge, name: str, stored: Term, arrived: Term) -> Term | None:
    """`stored + Σ ±(symbol - its old value)` for one or two symbols whose change accounts for this cell's."""
    width = stored.width
    change = bvsub(arrived, substitute(stored, merge.values))
    moves: list[tuple[Symbol, Term, Term]] = []
    for symbol in merge.symbols:
        if not symbol.is_new:
            continue
        if width == ADDRESS_WIDTH and symbol.wide_entry is not None and symbol.wide_arrival is not None:
            delta = bvsub(symbol.wide_arrival, substitute(symbol.wide_entry, merge.values))
            moved = bvsub(zero_extend(width - symbol.term.width, symbol.term), symbol.wide_entry)
            moves += [(symbol, delta, moved), (symbol, bvneg(delta), bvneg(moved))]
        elif symbol.term.width >= width:
            delta = resize(bvsub(symbol.arrival, substitute(symbol.entry, merge.values)), width)
            moved = resize(bvsub(symbol.term, symbol.entry), width)
            moves += [(symbol, delta, moved), (symbol, bvneg(delta), bvneg(moved))]
    for symbol, delta, moved in moves:
        if delta is change:
            _note_side(merge, symbol.term, name)
            return _restate(merge, bvadd(stored, moved))
    for first, delta, moved in moves:
        for second, other_delta, other_moved in moves:
            if first is not second and bvadd(delta, other_delta) is change:
                _note_side(merge, first.term, name)
                _note_side(merge, second.term, name)
                return _restate(merge, bvadd(stored, moved, other_moved))
    return None


def _restate(merge: Merge, term: Term) -> Term:
    """`term` with symbols that were given wider bounds replaced by their successors."""
    renamed = {s.entry: s.term for s in merge.symbols if not s.is_new and s.entry is not s.term}
    return substitute(term, renamed) if renamed else term


def _new_symbol(merge: Merge, name: str, low: int, stored: Term, arrived: Term) -> Term:
    """A symbol that stands for the pair, defined by the bits of cell `name` from `low` on."""
    bounds = _hull(
        merge.entry.facts.term_bound(stored), merge.facts.term_bound(arrived), merge.entry.joins, stored.width
    )
    term = _fresh(stored.width, *bounds)
    if not term.is_const:  # a constant: both sides pin it to one value, though in other words
        wide = merge.entry.facts.widened(stored, ADDRESS_WIDTH), merge.facts.widened(arrived, ADDRESS_WIDTH)
        merge.symbols.append(Symbol(term, stored, arrived, Definition(name, low, stored.width), True, *wide))
        _note_side(merge, term, name)
    return term


def _note_side(merge: Merge, term: Term, name: str) -> None:
    merge.sides.setdefault(term, set()).add(name[0])


# --- values -----------------------------------------------------------------------------------------------------


def _merge_value(merge: Merge, name: str) -> Term:
    """A cell as reads relative to a cursor where that fits, as one symbol, or (a field of several bytes) bytewise."""
    stored, arrived = merge.entry.cells[name], merge.cells[name]
    if (moved := _by_place(merge, name, stored, arrived)) is not None:
        return moved
    if _is_bytewise(stored) or _is_bytewise(arrived) or stored.width > ADDRESS_WIDTH:
        pieces = []
        for top in range(stored.width, 0, -8):
            hi, lo = top - 1, max(top - 8, 0)
            pieces.append(_merge_piece(merge, name, extract(hi, lo, stored), extract(hi, lo, arrived), lo))
        return concat(*pieces)
    return _merge_piece(merge, name, stored, arrived, 0)


def _is_bytewise(term: Term) -> bool:
    """Whether a term is put together from several varying parts, as a field of several packet bytes is."""
    return term.op == "concat" and sum(not part.is_const for part in term.args) > 1


def _by_place(merge: Merge, name: str, stored: Term, arrived: Term) -> Term | None:
    """The stored term with its reads moved along with the cursors, if that is what arrived."""
    if any(d.cell == name for d in merge.entry.symbols.values()):
        return None  # the cell spells out a symbol, which a read in its place would hide
    back = {s.term: s.arrival for s in merge.symbols} | merge.values
    for shifted in _shift_reads(merge, stored, use_entry=True):
        there = substitute(shifted, back)
        if there is arrived or merge.facts.decide(eq(there, arrived)) is True:
            for symbol in merge.symbols:
                if symbol.term in leaves(shifted):
                    _note_side(merge, symbol.term, name)
            return shifted
    return None


def _merge_piece(merge: Merge, name: str, stored: Term, arrived: Term, low: int) -> Term:
    """A cell or a byte of it: itself, a symbol that already stands for the same pair, or a new one."""
    if stored is arrived or substitute(stored, merge.values) is arrived:
        return _restate(merge, stored)
    if stored.width < merge.cells[name].width and (moved := _by_place(merge, name, stored, arrived)) is not None:
        return moved
    significant = max(stored.hi.bit_length(), arrived.hi.bit_length(), 1)
    core_stored, core_arrived = resize(stored, significant), resize(arrived, significant)
    extra = stored.width - significant
    for symbol in merge.symbols:
        if symbol.is_new and symbol.entry is core_stored and symbol.arrival is core_arrived:
            _note_side(merge, symbol.term, name)
            return zero_extend(extra, symbol.term)
    if "add" in (core_stored.op, core_arrived.op):
        merged = _merge_sum(merge, name, low, core_stored, core_arrived)
    else:
        merged = _new_symbol(merge, name, low, core_stored, core_arrived)
    return zero_extend(extra, merged)


def _forgets(merge: Merge, level: int) -> bool:
    """Whether merging loses what one side alone keeps: a constant (level 0) or anything (level 1)."""
    for symbol in merge.symbols:
        if not symbol.is_new or len(merge.sides.get(symbol.term, ())) > 1:
            continue
        if level >= 1 or symbol.entry.is_const or symbol.arrival.is_const:
            return True
    return False


# --- facts ------------------------------------------------------------------------------------------------------


def _shift_reads(merge: Merge, term: Term, use_entry: bool) -> Iterator[Term]:
    """`term` in the new symbols: old names solved for, reads at a known distance from a symbol moved with it.

    One candidate per symbol that reads could be relative to; none that is `term` itself.
    """
    inside = leaves(term)
    solved: dict[Term, Term] = {}
    for symbol in merge.symbols:
        before = symbol.entry if use_entry else symbol.arrival
        if before is symbol.term or before.is_const:
            continue
        atoms = to_linear(before)[0]
        if len(atoms) != 1:
            continue  # one summand of several is better left as it is
        ((atom, coefficient),) = atoms.items()
        leaf = _leaf(atom)
        if coefficient == 1 and leaf is not None and leaf in inside and leaf not in solved:
            solved[leaf] = resize(bvsub(symbol.term, bvsub(before, atom)), leaf.width)
    reads = [
        leaf for leaf in inside if leaf.op == "select" and leaf.args[0].width == ADDRESS_WIDTH and leaf not in solved
    ]
    tried: set[Term] = {term}
    atom = term.args[0] if term.op == "not" else term
    orders = atom.op == "ult" and atom.args[0].width == ADDRESS_WIDTH
    anchors: list[Symbol | None] = (
        [s for s in merge.symbols if s.term.width == ADDRESS_WIDTH] if reads or orders else []
    )
    for anchor in anchors or (None,):
        replacement = dict(solved)
        old = None if anchor is None else anchor.entry if use_entry else anchor.arrival
        for leaf in reads:
            if anchor is None or old is None:
                break
            distance = bvsub(leaf.args[0], old)
            if distance.is_const:
                replacement[leaf] = select(leaf.data, bvadd(anchor.term, distance), leaf.width)
        relative = substitute(term, replacement) if replacement else term
        if relative not in tried:
            tried.add(relative)
            yield relative
        if orders and anchor is not None and old is not None:
            for shifted in _shift_orders(relative, old, bvsub(anchor.term, old)):
                if shifted not in tried:
                    tried.add(shifted)
                    yield shifted


def _shift_orders(literal: Term, before: Term, by: Term) -> Iterator[Term]:
    """An ordering of sums with one side `by` higher: an offset in it made relative to a cursor's symbol.

    `before` is what the symbol was; a side that does not contain it is shifted only where it is a constant.
    """
    if literal.op == "not":
        yield from (negate(shifted) for shifted in _shift_orders(literal.args[0], before, by))
        return
    if literal.op != "ult" or literal.args[0].width != ADDRESS_WIDTH:
        return
    for side in (0, 1):
        args = list(literal.args)
        inside = to_linear(args[side])[0]
        if all(inside.get(atom) == coefficient for atom, coefficient in to_linear(before)[0].items()):
            args[side] = bvadd(args[side], by)
            yield ult(*args)


def _leaf(atom: Term) -> Term | None:
    """The leaf that `atom` is, zero extension aside."""
    if atom.op == "concat" and len(atom.args) == 2 and atom.args[0].is_const and atom.args[0].value == 0:
        atom = atom.args[1]
    return atom if atom.op in ("var", "select") else None


def _merge_facts(merge: Merge, forget: AbstractSet[Term] | None = None) -> Facts:
    """Facts on the new symbols that hold on both sides; with `forget`, none on reads at places not named."""
    to_entry = {s.term: s.entry for s in merge.symbols if s.term is not s.entry}
    to_arrival = {s.term: s.arrival for s in merge.symbols} | merge.values
    kept: dict[Term, None] = {}
    memo_entry: dict[Term, Term] = {}
    memo_arrival: dict[Term, Term] = {}
    live = frozenset[Term]().union(*(leaves(term) for term in merge.result.values()))
    definitions = [eq(s.term, s.entry) for s in merge.symbols] if forget is not None else []
    for candidate in (*definitions, *_candidates(merge)):
        if candidate in kept or any(is_symbol(leaf) and leaf not in live for leaf in leaves(candidate)):
            continue
        if forget is not None and any(_is_stale(leaf, live) for leaf in leaves(candidate)):
            continue
        if merge.entry.facts.decide(substitute(candidate, to_entry, memo_entry)) is not True:
            continue
        if merge.facts.decide(substitute(candidate, to_arrival, memo_arrival)) is True:
            kept[candidate] = None
    if forget is None and (either := _either(merge, kept, live)) is not None:
        kept[either] = None
    try:
        return Facts().assume(*kept)
    except Contradiction:  # both sides imply all of these, so one of the two is unreachable; keep what is certain
        return Facts()


def _either(merge: Merge, kept: Iterable[Term], live: AbstractSet[Term]) -> Term | None:
    """What only the entry knows or what only the arrival knows: one of the two holds. None where that is too long.

    Only literals whose symbols stand for the same in both take part.
    """
    known = set(kept)
    moving = {s.term for s in merge.symbols if s.is_new or s.arrival is not s.term}

    def alone(facts: Facts, other: Facts) -> list[Term]:
        literals = [term for term in facts.terms() if term not in known and other.decide(term) is not True]
        return [t for t in literals if all(not is_symbol(x) or (x in live and x not in moving) for x in leaves(t))]

    ours, theirs = alone(merge.entry.facts, merge.facts), alone(merge.facts, merge.entry.facts)
    if not ours or not theirs or len(ours) > MAX_ALONE or len(theirs) > MAX_ALONE:
        return None
    either = disj(conj(*ours), conj(*theirs))
    return None if either.is_const or len(leaves(either)) > 2 * MAX_ALONE else either


def _is_stale(leaf: Term, live: AbstractSet[Term]) -> bool:
    """Whether a leaf is a read at a moving place that no cell and no symbol leads to any more."""
    return leaf.op == "select" and not leaf.args[0].is_const and leaf not in live and not leaves(leaf.args[0]) <= live


def _candidates(merge: Merge) -> Iterable[Term]:
    yield from _room_ahead(merge)
    for literal in merge.entry.facts.terms():
        yield literal
        yield from _shift_reads(merge, literal, use_entry=True)
    for literal in merge.facts.terms():
        yield literal
        yield from _shift_reads(merge, literal, use_entry=False)


def _room_ahead(merge: Merge) -> Iterable[Term]:
    """How many bytes both sides know to lie ahead of each offset, and how far offsets are known to be apart."""
    wide = [s for s in merge.symbols if s.term.width == ADDRESS_WIDTH]
    entry, arrival = merge.entry.facts, merge.facts
    ends: list[tuple[Term, Term, Term]] = [(packet_length(), packet_length(), packet_length())]
    ends += [(s.term, s.entry, s.arrival) for s in wide]
    same = {t for name, t in merge.result.items() if t is merge.entry.cells[name] is merge.cells[name]}
    ends += [(t, t, t) for t in sorted(same, key=lambda t: t.id) if t.op == "add" and t.width == ADDRESS_WIDTH]
    for symbol in wide:
        for end, end_entry, end_arrival in ends:
            if end is symbol.term:
                continue
            lows = [
                _least_distance(facts, here, there)
                for facts, here, there in ((entry, symbol.entry, end_entry), (arrival, symbol.arrival, end_arrival))
            ]
            if lows[0] is None or lows[1] is None:
                continue
            room = lows[0] if merge.entry.joins > PATIENCE else min(lows[0], lows[1])
            if -(1 << 16) < room < (1 << 16):  # end >= symbol + room
                yield negate(ult(end, bvadd(symbol.term, const(room, ADDRESS_WIDTH))))


def _least_distance(facts: Facts, here: Term, there: Term) -> int | None:
    """The least that `there - here` can be, as integers."""
    a, b = integer_form(here), integer_form(there)
    if a is None or b is None:
        return None
    atoms = dict(b[0])
    for atom, coefficient in a[0].items():
        atoms[atom] = atoms.get(atom, 0) - coefficient
    return facts.bound({t: c for t, c in atoms.items() if c}, b[1] - a[1])[0]
