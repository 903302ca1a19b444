"""Facts of a merged state: what the entry and the arrival both imply, said in the new symbols."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet

from equiv.machine.inputs import ADDRESS_WIDTH
from equiv.proof.entry import Hints, widened_values
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.merge import Merge
from equiv.proof.octagon import bounds_between
from equiv.proof.symbols import is_symbol
from equiv.term import (
    Term,
    bvadd,
    bvsub,
    conj,
    disj,
    from_linear,
    leaves,
    negate,
    resize,
    select,
    substitute,
    to_linear,
    ult,
)

MAX_ALONE = 4
"""Up to so many literals that only one of the two knows are kept as one disjunction."""


def shift_reads(merge: Merge, term: Term, use_entry: bool) -> Iterator[Term]:
    """`term` in the new symbols: old names solved for, reads at a known distance from a symbol moved with it.

    One candidate per symbol that reads could be relative to; none that is `term` itself.
    """
    inside = leaves(term)
    solutions = _solutions(merge, use_entry)
    solved = {leaf: solutions[leaf] for leaf in inside if leaf in solutions} if solutions else {}
    reads = [
        leaf for leaf in inside if leaf.op == "select" and leaf.args[0].width == ADDRESS_WIDTH and leaf not in solved
    ]
    tried: set[Term] = {term}
    atom = term.args[0] if term.op == "not" else term
    orders = atom.op == "ult" and atom.args[0].width == ADDRESS_WIDTH
    anchors: list[tuple[Term, Term, Term] | None] = list(_anchors(merge)) if reads or orders else []
    for anchor in anchors or (None,):
        replacement = dict(solved)
        old = None if anchor is None else anchor[1] if use_entry else anchor[2]
        for leaf in reads:
            if anchor is None or old is None:
                break
            distance = bvsub(leaf.args[0], old)
            if distance.is_const:
                replacement[leaf] = select(leaf.data, bvadd(anchor[0], distance), leaf.width)
        relative = substitute(term, replacement) if replacement else term
        if relative not in tried:
            tried.add(relative)
            yield relative
        if orders and anchor is not None and old is not None:
            for shifted in _shift_orders(relative, old, bvsub(anchor[0], old)):
                if shifted not in tried:
                    tried.add(shifted)
                    yield shifted


def _solutions(merge: Merge, use_entry: bool) -> dict[Term, Term]:
    """Leaves that a symbol is, but for a constant, in the entry or in the arrival: what they are in the new words."""
    found = merge.solutions[use_entry]
    while found.seen < len(merge.symbols):
        symbol = merge.symbols[found.seen]
        found.seen += 1
        before = symbol.entry if use_entry else symbol.arrival
        if before is symbol.term or before.is_const:
            continue
        if before.op in ("var", "select"):
            found.leaves.setdefault(before, symbol.term)
            continue
        if before.op == "concat" and not before.args[0].is_const:
            continue
        atoms = to_linear(before)[0]
        if len(atoms) != 1:
            continue  # one summand of several is better left as it is
        ((atom, coefficient),) = atoms.items()
        leaf = _leaf(atom)
        if coefficient == 1 and leaf is not None and leaf not in found.leaves:
            found.leaves[leaf] = resize(bvsub(symbol.term, bvsub(before, atom)), leaf.width)
    return found.leaves


def _anchors(merge: Merge) -> Iterator[tuple[Term, Term, Term]]:
    """Offsets that places can be relative to: what they are called, in the entry, in the arrival."""
    seen: set[Term] = set()
    for symbol in merge.symbols:
        if symbol.term.width == ADDRESS_WIDTH:
            seen.add(symbol.term)
            yield symbol.term, symbol.entry, symbol.arrival
    for name in merge.moved:
        term, stored, arrived = merge.result[name], merge.entry.cells[name], merge.cells[name]
        base = from_linear((to_linear(term)[0], 0), ADDRESS_WIDTH)
        if base not in seen:
            seen.add(base)
            yield term, stored, arrived


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


def merge_facts(merge: Merge, hints: Hints) -> Facts:
    """Facts on the new symbols that hold on both sides."""
    to_entry = {s.term: s.entry for s in merge.symbols if s.term is not s.entry}
    to_arrival = {s.term: s.arrival for s in merge.symbols} | merge.values
    to_entry |= widened_values(to_entry, merge.entry.facts)
    to_arrival |= widened_values(to_arrival, merge.facts)
    kept: dict[Term, None] = {}
    together = Facts()
    memo_entry: dict[Term, Term] = {}
    memo_arrival: dict[Term, Term] = {}
    live = frozenset[Term]().union(*(leaves(term) for term in merge.result.values()))
    for candidate in _candidates(merge, hints):
        if (
            candidate in kept
            or together.decide(candidate) is True  # said already
            or any(is_symbol(leaf) and leaf not in live for leaf in leaves(candidate))
        ):
            continue
        if merge.entry.facts.decide(substitute(candidate, to_entry, memo_entry)) is not True:
            continue
        if merge.facts.decide(substitute(candidate, to_arrival, memo_arrival)) is True:
            kept[candidate] = None
            if hints.forward and not merge.cut:
                try:
                    together = together.assume(candidate)
                except Contradiction:
                    return Facts()
    if _may_learn(merge) and (either := _either(merge, kept, live)) is not None:
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


def _may_learn(merge: Merge) -> bool:
    """Whether the entry may come to know something new. Later, a loop may only lose facts: it would never settle."""
    return not merge.cut or merge.entry.joins == 0


def _candidates(merge: Merge, hints: Hints) -> Iterable[Term]:
    stored, arrived = [*merge.entry.facts.terms()], [*merge.facts.terms()]
    if hints.forward:  # the last one most often says the most
        stored, arrived = stored[::-1], arrived[::-1]
    for literal in stored:
        yield literal
        yield from shift_reads(merge, literal, use_entry=True)
    if _may_learn(merge):
        for literal in arrived:
            yield literal
            yield from shift_reads(merge, literal, use_entry=False)
    yield from bounds_between(merge, hints)
