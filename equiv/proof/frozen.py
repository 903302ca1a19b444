"""States as the product stores them: frozen, offsets in one form, facts only about what is left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from equiv.machine.inputs import ADDRESS_WIDTH, PACKET
from equiv.machine.protocol import Done, Fork, Machine, Snapshot, Stop
from equiv.proof.facts import Facts
from equiv.proof.symbols import is_symbol
from equiv.term import Term, const, leaves, substitute, ult

ENDED = 1 << 2000
"""Order of a side that has ended. No machine's `order` is that large: one digit of 24 bits for each of 48 frames."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Location of a side that has ended; its cells are its outcome."""

    punt: bool


def frozen(machine: Machine, stop: Stop) -> Snapshot:
    """A side at a decision as its machine freezes it; one that has ended as its outcome."""
    match stop:
        case Done(outcome):
            cells = {"code": outcome.code} | {f"value.{name}": term for name, term in outcome.values.items()}
            return Snapshot(Finished(outcome.punt), cells)
        case Fork(before=before):
            return machine.snapshot(before)
    raise AssertionError("only decisions and outcomes are frozen")


def normal(facts: Facts, term: Term, is_offset: bool) -> Term:
    """An address-wide cell that holds a zero-extended narrower sum, as an address-wide sum where that cannot wrap."""
    if term.width == ADDRESS_WIDTH and term.op == "concat" and term.args[-1].op == "add":
        term = facts.widened(term, ADDRESS_WIDTH)
    if is_offset or term.op == "add":
        term = facts.reduced(term)
    if term.op == "add":
        low, high = facts.term_bound(term)
        term = const(low, term.width) if low == high else term
    return term


def settled(facts: Facts, snapshot: Snapshot, made: Callable[[Term, bool], Term] | None = None) -> list[Term]:
    """The cells in their order, what is fixed written as constants, sums in one form.

    `made` makes the choices in a term that can be made, given whether the term steers the run.
    """
    offsets, steering = snapshot.offsets, snapshot.steering
    done: dict[tuple[Term, bool], Term] = {}
    found = []
    for name, term in snapshot.cells.items():
        if term.op != "const":
            steers, is_offset = name in steering, name in offsets
            known = None if is_offset else done.get((term, steers))
            if known is None:
                known = facts.simplify(term)
                if made is not None and known.args:
                    known = made(known, steers)
                known = normal(facts, known, is_offset)
                if not is_offset:
                    done[term, steers] = known
            term = known
        found.append(term)
    return found


def leaves_of(cells: Mapping[str, Term]) -> frozenset[Term]:
    """Every leaf that a cell speaks of."""
    return frozenset[Term]().union(*map(leaves, set(cells.values())))


def without_dead_symbols(facts: Facts, live: AbstractSet[Term]) -> Facts:
    """`facts` less those about merged quantities that are not `live`: that no cell holds any more."""
    dead = [leaf for leaf in facts.by_leaf if is_symbol(leaf) and leaf not in live]
    if not dead:
        return facts
    solved = {leaf: value for leaf in dead if (value := _value(facts, leaf)) is not None}
    kept = []
    for term in facts.terms():
        said = substitute(term, solved) if solved else term
        if not any(is_symbol(leaf) and leaf not in live for leaf in leaves(said)):
            kept.append(said)
    return _facts_of(tuple(kept))


def _value(facts: Facts, leaf: Term) -> Term | None:
    """What `facts` say that a leaf is, in other words; None where they do not."""
    fixed = facts.replacement.get(leaf)
    return fixed if fixed is not None and fixed.is_const else facts.solve(leaf)


def without_past_bytes(facts: Facts, live: AbstractSet[Term], ahead: tuple[Term, Term]) -> Facts:
    """`facts` less those about nothing but packet bytes that are not `live` and that neither side reads again.

    `ahead` are the offsets before which the two sides do not read.
    """
    past = {
        leaf
        for leaf in facts.by_leaf
        if leaf.op == "select"
        and leaf.data == PACKET
        and leaf not in live
        and all(facts.decide(ult(leaf.args[0], offset)) is True for offset in dict.fromkeys(ahead))
    }
    if not past:
        return facts
    places = frozenset[Term]().union(*(leaves(leaf.args[0]) for leaf in past))
    gone = past | places
    return _facts_of(tuple(t for t in facts.terms() if leaves(t).isdisjoint(past) or not leaves(t) <= gone))


@lru_cache(maxsize=64)
def _facts_of(literals: tuple[Term, ...]) -> Facts:
    """The same facts for all ways on from one decision, of whose bytes nothing is left."""
    return Facts().assume(*literals)


def order_of(machine: Machine, snapshot: Snapshot) -> int:
    """Its place in the machine's weak topological order; behind everything where the side has ended."""
    return ENDED if isinstance(snapshot.location, Finished) else machine.order(snapshot)
