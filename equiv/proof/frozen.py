"""States as the product stores them: frozen, offsets in one form, facts only about what is left."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from equiv.machine.inputs import ADDRESS_WIDTH, PACKET
from equiv.machine.protocol import Done, Fork, Machine, Snapshot, Stop
from equiv.proof.facts import Facts
from equiv.proof.symbols import is_symbol
from equiv.term import Term, leaves, substitute, ult

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
    return facts.reduced(term) if is_offset or term.op == "add" else term


def settled(facts: Facts, snapshot: Snapshot) -> list[Term]:
    """The cells in their order, what is fixed written as constants, sums in one form."""
    offsets = snapshot.offsets
    done: dict[Term, Term] = {}
    found = []
    for name, term in snapshot.cells.items():
        if term.op != "const":
            if name in offsets:
                term = normal(facts, facts.simplify(term), True)
            elif (known := done.get(term)) is not None:
                term = known
            else:
                known = done[term] = normal(facts, facts.simplify(term), False)
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
    solved = {leaf: value for leaf in dead if (value := facts.solve(leaf)) is not None}
    kept = []
    for term in facts.terms():
        said = substitute(term, solved) if solved else term
        if not any(is_symbol(leaf) and leaf not in live for leaf in leaves(said)):
            kept.append(said)
    return _facts_of(tuple(kept))


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
