"""The relation of a certificate: joint states that are inductive, and ranks that show that its loops end.

A joint state stands for pairs of concrete states of the two machines: those that its cells give for some input, and
some values of its symbols, that meet its facts. The relation holds if the start is one of them, every way on from one
of them leads to another or to an end where both sides have done as asked, and no way goes round for ever.

Machines stop at decisions. How the questions of a machine were answered on the way to one is part of the relation, so
that who checks it stops at the same ones: `T` and `F` are claims, to be proved from the facts; `.` leaves a question
open, which claims nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equiv.term import Term


@dataclass(frozen=True, slots=True)
class Symbol:
    """`term`, a variable, is what bits `low` and up of `cell` hold, as many as the variable has."""

    term: Term
    cell: str
    low: int


@dataclass(frozen=True, slots=True)
class Way:
    """A way on. `target` is the joint state it leads to, None where the run ends. `answers` are those of the side that
    moved, `other` those of the other side where that ran on too (None: it did not).
    """

    target: int | None
    answers: str
    other: str | None


@dataclass(frozen=True, slots=True)
class JointState:
    """One joint state. Cells of both sides are named with `L.` and `R.` in front; terms are over inputs and symbols.

    `answers` are those of both sides' ways to their next decisions. `moves` names the side whose decision is taken
    then, `L` or `R`, and `ways` has a way, or None for one that no input takes, for each of its branches in order;
    those after the last of `ways` are not taken either. Where the run has ended by then, `moves` and `ways` are empty.
    """

    cells: Mapping[str, Term]
    facts: tuple[Term, ...]
    symbols: tuple[Symbol, ...]
    answers: tuple[str, str]
    moves: str
    ways: tuple[Way | None, ...]
    places: tuple[str, str] = ("", "")
    """Where the two sides are, for people."""


Edge = tuple[int, int]
"""A joint state and the number of the branch taken there."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A number that never moves against `sign` (1: up, -1: down) along cycles of the edges that earlier ranks left.

    `cells` names the cell that holds it, an unsigned number, in each joint state of those cycles. It stays as it is on
    the edges of `still` at most.
    """

    cells: Mapping[int, str]
    sign: int
    still: frozenset[Edge]


@dataclass(frozen=True, slots=True)
class Relation:
    """`start` is the way from both machines' initial states to the first joint state, or to the end."""

    start: Way
    states: tuple[JointState, ...]
    ranks: tuple[Rank, ...]
