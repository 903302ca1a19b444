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

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet

from equiv.machine.inputs import ADDRESS_WIDTH
from equiv.proof.entry import Cells, Definition, Entry, Hints, symbol_values
from equiv.proof.facts import Facts
from equiv.proof.merge import Joined, Merge, Symbol, length_of, note_side
from equiv.proof.moves import delta, less, mark_of, moved, moves_of
from equiv.proof.narrowing import WIDENING_STEPS
from equiv.proof.relations import merge_facts, shift_reads
from equiv.proof.symbols import fresh, is_place
from equiv.term import (
    Term,
    bvadd,
    bvmul,
    bvsub,
    concat,
    const,
    eq,
    extract,
    leaves,
    mask,
    resize,
    signed,
    substitute,
    to_linear,
    zero_extend,
)

LEAST_NUMBER = 4
"""Narrower cells are flags, which are related by being equal only."""

LEAST_CODE, MOST_CODE = 8, 0xFFFF
"""Between these are EtherTypes in either byte order, the codes of 16 bits that programs carry along most."""


def join(
    entry: Entry,
    cells: Cells,
    facts: Facts,
    hints: Hints,
    level: int,
    wandering: AbstractSet[str] = frozenset(),
    steps: Sequence[int] = WIDENING_STEPS,
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
    merge = Merge(entry, cells, facts, symbol_values(entry, cells), offsets=hints.offsets, cut=level < 0, steps=steps)
    differing = _differing(merge)
    _keep_symbols(merge)
    renamed = {s.entry: s.term for s in merge.symbols if s.entry is not s.term}
    for name, stored in entry.cells.items():
        if name not in differing:
            merge.result[name] = substitute(stored, renamed) if renamed else stored
            if name in offsets and stored.width == ADDRESS_WIDTH and merge.result[name] is not stored:
                merge.moved.append(name)
    if level >= 2 or (level == 1 and not differing):  # refining: nothing, or nothing known alone, is given up
        return None
    parts = _contents if hints.forward else leaves
    for stored, arrived, names in _carried_alike(merge, differing - hints.steering, parts):
        merge.whole.update(names)
        if hints.forward:  # what was read is behind both sides, and no decision looks at the cell again
            merge.result |= dict.fromkeys(names, _carried(merge, names, stored, arrived))
            differing.difference_update(names)
    sizes = {name: max(length_of(entry.cells[name]), length_of(cells[name])) for name in differing}
    widths = {name: entry.cells[name].width for name in differing}
    strides = {name: _stride(merge, name) for name in differing if _is_number(merge, hints, name)}
    for name in sorted(
        differing,
        key=lambda n: (n not in strides, strides.get(n, 0), n not in offsets, sizes[n], -widths[n], n),
    ):
        stored, arrived = entry.cells[name], cells[name]
        if name in offsets or _is_sum(stored, arrived):
            merge.result[name] = _merge_sum(merge, name, 0, stored, arrived)
            if name in offsets and stored.width == ADDRESS_WIDTH:
                merge.moved.append(name)
        elif name in strides:  # a counter, or a position if a cursor moved with it
            merge.result[name] = _merge_sum(merge, name, 0, stored, arrived)
        else:
            merge.result[name] = _merge_value(merge, name)
        if stored.width == ADDRESS_WIDTH and "add" in (stored.op, arrived.op):
            merge.sums.append((stored, arrived, merge.result[name]))
    if level >= 0 and _forgets(merge):
        return None
    ordered = {name: merge.result[name] for name in entry.cells}
    used = frozenset[Term]().union(*(leaves(term) for term in ordered.values()))
    merge.keep([s for s in merge.symbols if s.term in used])
    if any(s.definition.read(ordered) is not s.term for s in merge.symbols):
        return None  # a symbol that no cell spells out could not be matched again
    if not _covers_both(merge, ordered):
        return None
    kept = {s.term: s.definition for s in merge.symbols}
    return Joined(ordered, kept, merge_facts(merge, hints))


def _is_number(merge: Merge, hints: Hints, name: str) -> bool:
    """Whether a cell is worth relating by differences."""
    stored, arrived = merge.entry.cells[name], merge.cells[name]
    if name in hints.offsets or _is_sum(stored, arrived):
        return True
    if not (stored.is_const and arrived.is_const) or _is_code(stored, arrived):
        return False
    if not LEAST_NUMBER <= stored.width <= ADDRESS_WIDTH:
        return False
    return name in hints.steering or _stride(merge, name) == 1


def _stride(merge: Merge, name: str) -> int:
    """By how much a number moves, where that is constant; what moves by less is named first, others are multiples."""
    change = bvsub(merge.cells[name], substitute(merge.entry.cells[name], merge.values))
    return abs(signed(change.value, change.width)) if change.is_const else 1 << ADDRESS_WIDTH


def _differing(merge: Merge) -> set[str]:
    """Cells that no values of the entry's symbols make equal to the arrival's.

    A symbol whose defining cell is one of them is given up, and with it every cell that speaks of it.
    """
    memo: dict[Term, Term] = {}
    differing = set()
    differs: dict[tuple[Term, Term], bool] = {}  # most cells of one side hold what one of the other does
    for name, stored in merge.entry.cells.items():
        pair = stored, merge.cells[name]
        if pair not in differs:
            here = substitute(stored, merge.values, memo) if merge.values else stored
            differs[pair] = here is not pair[1] and merge.facts.decide(eq(here, pair[1])) is not True
        if differs[pair]:
            differing.add(name)
    while lost := {s for s, d in merge.entry.symbols.items() if s in merge.values and d.cell in differing}:
        for symbol in lost:
            del merge.values[symbol]
        differing |= {name for name, stored in merge.entry.cells.items() if lost & leaves(stored)}
    return differing


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
    wanted = dict.fromkeys((term, merge.entry.cells[name], merge.cells[name]) for name, term in cells.items())
    for term, stored, arrived in wanted:
        for values, memo, expected, facts in (
            (to_entry, memo_entry, stored, merge.entry.facts),
            (to_arrival, memo_arrival, arrived, merge.facts),
        ):
            back = substitute(term, values, memo)
            if back is not expected and facts.decide(eq(back, expected)) is not True:
                return False
    return True


def _keep_symbols(merge: Merge) -> None:
    """Carry the entry's symbols over, with wider bounds where the arrival's value needs them."""
    for old, value in merge.values.items():
        definition = merge.entry.symbols[old]
        is_bounded = old.lo > 0 or old.hi < mask(old.width)
        low, high = merge.facts.term_bound(value) if is_bounded else (old.lo, old.hi)
        term = old
        if low < old.lo or high > old.hi:
            entry_low, entry_high = merge.entry.facts.term_bound(old)
            bounds = _hull((entry_low, entry_high), (low, high), merge, old.width)
            if merge.cut and old.width < ADDRESS_WIDTH and high > old.hi and bounds[1] in WIDENING_STEPS:
                bounds = bounds[0], (1 << old.width) - 1
            term = fresh(old.width, *bounds, is_place(old))
        merge.symbols.append(Symbol(term, old, value, definition, is_new=False))


def _hull(a: tuple[int, int], b: tuple[int, int], merge: Merge, width: int) -> tuple[int, int]:
    """An interval around both; where a loop is cut, one that takes in what further rounds may bring (widening)."""
    low, high = min(a[0], b[0]), max(a[1], b[1])
    full = (1 << width) - 1
    if merge.cut:
        if b[0] < a[0]:
            low = 1 if low else 0
        if b[1] > a[1]:
            high = next((step for step in merge.steps if high <= step <= full), full)
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
    if related is None and stored.width == merge.entry.cells[name].width:
        related = _by_place(merge, name, stored, arrived)
    if related is None and stored.width < ADDRESS_WIDTH:
        related = _by_wider(merge, name, stored, arrived)
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
        for relative in (stored, *shift_reads(merge, stored, use_entry=True)):
            candidate = bvadd(relative, moved)
            if substitute(candidate, back) is arrived:
                note_side(merge, symbol.term, name)
                return _restate(merge, candidate)
    return None


def _by_wider(merge: Merge, name: str, stored: Term, arrived: Term) -> Term | None:
    """The low bits of a merged sum as wide as an address, where they are what the cell holds (D410)."""
    top = stored.width - 1
    for wide_stored, wide_arrived, merged in merge.sums:
        if extract(top, 0, wide_stored) is stored and extract(top, 0, wide_arrived) is arrived:
            for leaf in leaves(merged):
                note_side(merge, leaf, name)
            return extract(top, 0, merged)
    return None


def _by_change(merge: Merge, name: str, stored: Term, arrived: Term, scaled: bool = True) -> Term | None:
    """`stored + Σ ±(symbol - its old value)` for one or two symbols whose change accounts for this cell's.

    With `scaled`, a multiple of one symbol's change does as well.
    """
    width = stored.width
    if width < LEAST_NUMBER:
        return None
    moves = moves_of(merge, width)
    if not moves.all:
        return None
    before = substitute(stored, merge.values)
    if scaled:
        change = bvsub(arrived, before)
        for _, move in moves.all:
            times = 1 if delta(merge, move, width) is change else _ratio(change, delta(merge, move, width))
            if times is not None:
                note_side(merge, move.symbol.term, name)
                return _restate(merge, bvadd(stored, bvmul(const(times, width), moved(move, width))))
    mark = less(mark_of(arrived), mark_of(before), width)
    for move in moves.by_mark.get(mark, ()):
        if delta(merge, move, width) is bvsub(arrived, before):
            note_side(merge, move.symbol.term, name)
            return _restate(merge, bvadd(stored, moved(move, width)))
    for its_mark, first in moves.all:
        for second in moves.by_mark.get(less(mark, its_mark, width), ()):
            if first.symbol is second.symbol:
                continue
            rest = bvsub(bvsub(arrived, before), delta(merge, first, width))
            if delta(merge, second, width) is rest:
                note_side(merge, first.symbol.term, name)
                note_side(merge, second.symbol.term, name)
                return _restate(merge, bvadd(stored, moved(first, width), moved(second, width)))
    return None


def _ratio(change: Term, delta: Term) -> int | None:
    """The whole number by which `delta` must be taken to be `change`; None where there is none, or nothing changes."""
    (atoms, constant), (parts, unit) = to_linear(change), to_linear(delta)
    if atoms.keys() != parts.keys():
        return None
    pairs = [(constant, unit), *((atoms[atom], parts[atom]) for atom in atoms)]
    times = next((a // b for a, b in pairs if b and a % b == 0), None)
    return times if times and all(a == times * b for a, b in pairs) else None


def _restate(merge: Merge, term: Term) -> Term:
    """`term` with symbols that were given wider bounds replaced by their successors."""
    renamed = {s.entry: s.term for s in merge.symbols if not s.is_new and s.entry is not s.term}
    return substitute(term, renamed) if renamed else term


def _new_symbol(merge: Merge, name: str, low: int, stored: Term, arrived: Term, is_number: bool = True) -> Term:
    """A symbol that stands for the pair, defined by the bits of cell `name` from `low` on.

    `is_number`: other cells may move along with it.
    """
    bounds = _hull(merge.entry.facts.term_bound(stored), merge.facts.term_bound(arrived), merge, stored.width)
    term = fresh(stored.width, *bounds, name in merge.offsets)
    if not term.is_const:  # a constant: both sides pin it to one value, though in other words
        definition = Definition(name, low, stored.width)
        if is_number:
            wide = merge.entry.facts.widened(stored, ADDRESS_WIDTH), merge.facts.widened(arrived, ADDRESS_WIDTH)
            merge.symbols.append(Symbol(term, stored, arrived, definition, wide_entry=wide[0], wide_arrival=wide[1]))
        else:
            merge.symbols.append(Symbol(term, stored, arrived, definition, is_number=False))
        note_side(merge, term, name)
    return term


# --- values -----------------------------------------------------------------------------------------------------


def _merge_value(merge: Merge, name: str) -> Term:
    """A cell as reads relative to a cursor where that fits, as one symbol, or (a field of several bytes) bytewise."""
    stored, arrived = merge.entry.cells[name], merge.cells[name]
    if (moved := _by_place(merge, name, stored, arrived)) is not None:
        return moved
    if stored.width <= ADDRESS_WIDTH and (counted := _by_change(merge, name, stored, arrived, False)) is not None:
        return counted
    if name in merge.whole:
        return _merge_piece(merge, name, stored, arrived, 0)
    if _is_bytewise(stored) or _is_bytewise(arrived) or _is_code(stored, arrived) or stored.width > ADDRESS_WIDTH:
        pieces = []
        for top in range(stored.width, 0, -8):
            hi, lo = top - 1, max(top - 8, 0)
            pieces.append(_merge_piece(merge, name, extract(hi, lo, stored), extract(hi, lo, arrived), lo))
        return concat(*pieces)
    return _merge_piece(merge, name, stored, arrived, 0)


def _carried_alike(
    merge: Merge, names: AbstractSet[str], parts: Callable[[Term], AbstractSet[Term]]
) -> list[tuple[Term, Term, list[str]]]:
    """Cells that both sides only carry on, alike in all their bits and in nothing else: one symbol says all of it.

    Each value in the entry and in the arrival, and the cells that hold it. `parts` are the leaves that one is made of.
    Nothing is lost by not looking at their bytes: none is the same on both sides of the merge, nor in another cell.
    """
    pairs: dict[tuple[Term, Term], list[str]] = {}
    users: dict[Term, int] = {}
    for name, stored in merge.entry.cells.items():
        arrived = merge.cells[name]
        if (own := pairs.get((stored, arrived))) is not None:
            own.append(name)
            continue
        pairs[stored, arrived] = [name]
        for leaf in parts(stored) | parts(arrived):
            users[leaf] = users.get(leaf, 0) + 1
    found = []
    for (stored, arrived), own in pairs.items():
        if stored.width > ADDRESS_WIDTH or not names >= set(own) or len({name[0] for name in own}) < 2:
            continue
        before, after = parts(stored), parts(arrived)
        both_known = stored.zeros & arrived.zeros | stored.ones & arrived.ones
        if both_known or before & after or not (before or after) or not before.isdisjoint(merge.values):
            continue
        if all(users[leaf] == 1 for leaf in before | after):
            found.append((stored, arrived, own))
    return found


def _contents(term: Term) -> AbstractSet[Term]:
    """The leaves that a value is made of; where those are read is not among it."""
    match term.op:
        case "const":
            return frozenset()
        case "var" | "select":
            return {term}
        case "concat" if all(part.op in ("const", "var", "select") for part in term.args):
            return {part for part in term.args if part.op != "const"}
    return leaves(term)


def _carried(merge: Merge, names: list[str], stored: Term, arrived: Term) -> Term:
    """One symbol for what all of `names` hold."""
    symbol = _new_symbol(merge, names[0], 0, stored, arrived, is_number=False)
    for name in names:
        note_side(merge, symbol, name)
    return symbol


def _is_bytewise(term: Term) -> bool:
    """Whether a term is put together from several varying parts, as a field of several packet bytes is."""
    return term.op == "concat" and sum(not part.is_const for part in term.args) > 1


def _is_code(stored: Term, arrived: Term) -> bool:
    """Whether two constants look like numbers of protocols, of which the other side may have the bytes swapped."""
    if not (stored.is_const and arrived.is_const) or stored.width % 8:
        return False
    low, high = sorted((stored.value, arrived.value))
    return low >= LEAST_CODE and high <= MOST_CODE and high - low > 0xFF


def _by_place(merge: Merge, name: str, stored: Term, arrived: Term) -> Term | None:
    """The stored term with its reads moved along with the cursors, if that is what arrived."""
    if any(d.cell == name for d in merge.entry.symbols.values()):
        return None  # the cell spells out a symbol, which a read in its place would hide
    back = {s.term: s.arrival for s in merge.symbols} | merge.values
    for shifted in shift_reads(merge, stored, use_entry=True):
        there = substitute(shifted, back)
        if there is arrived or merge.facts.decide(eq(there, arrived)) is True:
            for symbol in merge.symbols:
                if symbol.term in leaves(shifted):
                    note_side(merge, symbol.term, name)
            return shifted
    return None


def _merge_piece(merge: Merge, name: str, stored: Term, arrived: Term, low: int) -> Term:
    """A cell or a byte of it: itself, a symbol that already stands for the same pair, or a new one."""
    if stored is arrived or substitute(stored, merge.values) is arrived:
        return _restate(merge, stored)
    if stored.width < merge.cells[name].width and (moved := _by_place(merge, name, stored, arrived)) is not None:
        return moved
    significant = max(_significant(stored), _significant(arrived))
    core_stored, core_arrived = resize(stored, significant), resize(arrived, significant)
    extra = stored.width - significant
    if zero_extend(extra, core_stored) is not stored or zero_extend(extra, core_arrived) is not arrived:
        core_stored, core_arrived, extra = stored, arrived, 0  # the narrower terms read differently
    for symbol in merge.symbols:
        if symbol.is_new and symbol.entry is core_stored and symbol.arrival is core_arrived:
            note_side(merge, symbol.term, name)
            return zero_extend(extra, symbol.term)
    if "add" in (core_stored.op, core_arrived.op):
        merged = _merge_sum(merge, name, low, core_stored, core_arrived)
    else:
        merged = _new_symbol(merge, name, low, core_stored, core_arrived)
    return zero_extend(extra, merged)


def _significant(term: Term) -> int:
    """How many low bits of `term` can say anything, by its shape; of a constant, in whole bytes."""
    if term.is_const:
        return min(term.width, max(8, -(-term.value.bit_length() // 8) * 8))
    if term.op == "concat" and term.args[0].is_const and term.args[0].value == 0:
        return term.width - term.args[0].width
    return term.width


def _forgets(merge: Merge) -> bool:
    """Whether merging loses what one side alone keeps."""
    return any(symbol.is_new and len(merge.sides.get(symbol.term, ())) < 2 for symbol in merge.symbols)
