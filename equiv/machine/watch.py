"""Watching a machine move: from spot to spot, also where nothing was to be decided.

A *spot* is where a state stands in the machine's code: a slot of a program, an operation of a table's state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from equiv.machine.protocol import Machine

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


@contextmanager
def watching(machine: Watched, on_move: OnMove) -> Iterator[None]:
    """In the block, `on_move` is told of the machine's moves. What it raises ends the run."""
    before, machine.on_move = machine.on_move, on_move
    try:
        yield
    finally:
        machine.on_move = before
