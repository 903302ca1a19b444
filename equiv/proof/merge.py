"""A merge in the making: what a stored entry and a new arrival are called once they are one. Used by `join` only."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from equiv.proof.entry import Cells, Definition, Entry
from equiv.proof.facts import Facts
from equiv.term import (
    Term,
    to_linear,
)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A merged quantity: `term` stands for `entry` in the entry and for `arrival` in the arrival."""

    term: Term
    entry: Term
    arrival: Term
    definition: Definition
    is_new: bool = True
    is_number: bool = True
    """Whether others may move along with it; what is only carried on is none."""
    wide_entry: Term | None = None
    wide_arrival: Term | None = None
    """`entry` and `arrival` zero-extended to an address's width, sums widened inside."""


@dataclass(slots=True)
class Move:
    """By how much a symbol, or its negation, differs in the arrival from the entry, at some width."""

    symbol: Symbol
    negated: bool = False
    delta: Term | None = None
    """That difference, in the arrival's words, once it was asked for."""


@dataclass(slots=True)
class Moves:
    """The moves of the first `seen` symbols at one width, with what stands for their deltas; kept by `moves`."""

    seen: int = 0
    all: list[tuple[tuple[int, int], Move]] = field(default_factory=list)
    by_mark: dict[tuple[int, int], list[Move]] = field(default_factory=dict)


@dataclass(slots=True)
class Solutions:
    """What the first `seen` symbols say that leaves are; kept by `equiv.proof.relations`."""

    seen: int = 0
    leaves: dict[Term, Term] = field(default_factory=dict)


@dataclass(slots=True)
class Merge:
    """The join in the making; lives within one call of `join`."""

    entry: Entry
    cells: Cells
    facts: Facts
    values: dict[Term, Term]
    """What the entry's symbols are in the arrival."""
    moved: list[str] = field(default_factory=list)
    """Cells that hold offsets and were given new words."""
    offsets: AbstractSet[str] = frozenset()
    whole: set[str] = field(default_factory=set)
    """Cells that need no looking at their bytes."""
    cut: bool = False
    """Whether bounds are widened at once, since a loop comes back here."""
    steps: Sequence[int] = ()
    """Upper bounds that a number which keeps growing is widened to, in turn."""
    symbols: list[Symbol] = field(default_factory=list)
    sides: dict[Term, set[str]] = field(default_factory=dict)
    result: dict[str, Term] = field(default_factory=dict)
    sums: list[tuple[Term, Term, Term]] = field(default_factory=list)
    """Sums as wide as an address that were merged: what each is in the entry, in the arrival, in the result."""
    moves: dict[int, Moves] = field(default_factory=dict)
    """By width, how symbols move; kept by `equiv.proof.moves`."""
    solutions: tuple[Solutions, Solutions] = field(default_factory=lambda: (Solutions(), Solutions()))
    """Of the arrival, and of the entry."""

    def keep(self, symbols: list[Symbol]) -> None:
        """Go on with these symbols only, and with nothing that was worked out from the others."""
        self.symbols, self.moves, self.solutions = symbols, {}, (Solutions(), Solutions())


@dataclass(frozen=True, slots=True)
class Joined:
    """What the entry becomes."""

    cells: Cells
    symbols: dict[Term, Definition]
    facts: Facts


def length_of(term: Term) -> int:
    return len(to_linear(term)[0]) if term.op == "add" else 0


def note_side(merge: Merge, term: Term, name: str) -> None:
    merge.sides.setdefault(term, set()).add(name[0])
