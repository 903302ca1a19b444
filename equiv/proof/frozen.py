"""States as the product stores them: frozen, offsets in one form, facts only about what is left."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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


def without_dead_symbols(facts: Facts, cells: Mapping[str, Term]) -> Facts:
    """`facts` less those about merged quantities that no cell holds any more."""
    live = frozenset[Term]().union(*(leaves(term) for term in cells.values()))
    dead = [leaf for leaf in facts.by_leaf if is_symbol(leaf) and leaf not in live]
    if not dead:
        return facts
    solved = {leaf: value for leaf in dead if (value := facts.solve(leaf)) is not None}
    kept = []
    for term in facts.terms():
        said = substitute(term, solved) if solved else term
        if not any(is_symbol(leaf) and leaf not in live for leaf in leaves(said)):
            kept.append(said)
    return Facts().assume(*kept)


def without_past_bytes(facts: Facts, cells: Mapping[str, Term], ahead: tuple[Term, Term]) -> Facts:
    """`facts` less those about nothing but packet bytes that no cell holds and that neither side reads again.

    `ahead` are the offsets before which the two sides do not read.
    """
    reads = [leaf for leaf in facts.by_leaf if leaf.op == "select" and leaf.data == PACKET]
    live = frozenset[Term]().union(*(leaves(term) for term in cells.values())) if reads else frozenset()
    past = {
        leaf
        for leaf in reads
        if leaf not in live and all(facts.decide(ult(leaf.args[0], offset)) is True for offset in ahead)
    }
    if not past:
        return facts
    places = frozenset[Term]().union(*(leaves(leaf.args[0]) for leaf in past))
    return Facts().assume(
        *(term for term in facts.terms() if not leaves(term) & past or not leaves(term) <= past | places)
    )


def order_of(machine: Machine, snapshot: Snapshot) -> int:
    """Its place in the machine's weak topological order; behind everything where the side has ended."""
    return ENDED if isinstance(snapshot.location, Finished) else machine.order(snapshot)
