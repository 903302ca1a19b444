"""Watching a machine move: from spot to spot, also where nothing was to be decided.

A *spot* is where a state stands in the machine's code: a slot of a program, an operation of a table's state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from equiv.machine.protocol import Machine
from equiv.term import Term, bvadd, conj, const, eq

Spot = Hashable
Move = tuple[Spot, Spot]
OnMove = Callable[[Spot, Spot], None]
"""Told of each move within a run, from where and to where. The branches of a fork are moves that a run did not make."""


class Watched(Machine, Protocol):
    """A machine that can be watched."""

    on_move: OnMove | None

    def spot(self, state: Any) -> Spot:
        """Where `state` stands."""
        ...


@runtime_checkable
class Choosing(Protocol):
    """A machine that chooses between ways, and tells of it."""

    on_choice: OnChoice | None


@dataclass(frozen=True, slots=True)
class Option:
    """One way of a choice, as conditions (width 1): that it holds; that it would if one bit were another
    (`equiv.machine.nearly`); that the bits which its masks leave out are all 0, and all 1 (FALSE where there are none).
    """

    holds: Term
    missed: Term
    clear: Term
    set: Term


@dataclass(frozen=True, slots=True)
class Edges:
    """Of a comparison x < y, or its opposite: whether x is the last number below y, and whether it is y (width 1)."""

    below: Term
    above: Term


def comparisons(guard: Term) -> list[Term]:
    """The comparisons by order in a guard."""
    found, stack = [], [guard]
    while stack:
        node = stack.pop()
        if node.op in ("not", "and", "or") and node.width == 1:
            stack.extend(node.args)
        elif node.op in ("ult", "slt"):
            found.append(node)
    return found


def edges_of(comparison: Term) -> Edges:
    """The edges of a term `ult` or `slt`."""
    a, b = comparison.args
    return Edges(conj(comparison, eq(bvadd(a, const(1, a.width)), b)), eq(a, b))


OnCompare = Callable[[Spot, Edges | None, Callable[[], Any]], None]
"""Told of each comparison by order that a run comes to, before it is made, also where its answer is known; None where
what is compared is no two numbers. The last argument gives the state in front of it."""


@runtime_checkable
class Comparing(Protocol):
    """A machine that tells what it compares."""

    on_compare: OnCompare | None


OnChoice = Callable[[Spot, Sequence[Option]], None]
"""Told of each choice between several ways that a run comes to, before it is made: all but the last."""


@contextmanager
def watching(
    machine: Watched, on_move: OnMove, on_choice: OnChoice | None = None, on_compare: OnCompare | None = None
) -> Iterator[None]:
    """In the block, `on_move` is told of the machine's moves, `on_choice` of choices and `on_compare` of comparisons
    where the machine tells of such. What they raise ends the run."""
    before, machine.on_move = machine.on_move, on_move
    chooser = machine if isinstance(machine, Choosing) else None
    earlier = None if chooser is None else chooser.on_choice
    if chooser is not None:
        chooser.on_choice = on_choice
    comparer = machine if isinstance(machine, Comparing) else None
    former = None if comparer is None else comparer.on_compare
    if comparer is not None:
        comparer.on_compare = on_compare
    try:
        yield
    finally:
        machine.on_move = before
        if chooser is not None:
            chooser.on_choice = earlier
        if comparer is not None:
            comparer.on_compare = former
