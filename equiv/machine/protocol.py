"""The machine protocol: all that the proof engine knows about a front end.

A machine is a deterministic function of its inputs (`equiv.machine.inputs`), given step by step. Between two
*decisions* it runs straight on; at a decision it stops and hands out exclusive, exhaustive branches. Everything
after a front end (product, relation, certificate) sees only `Snapshot`s: a hashable location and cells that hold
bit-vector terms.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from equiv.errors import Place
from equiv.term import Term

Native = Any
"""A front end's own mutable or immutable state; only the machine that made it looks inside."""

Decide = Callable[[Term], bool | None]
"""Asks whether a width-1 term is true (True), false (False) or undecided (None) under what is known on this path.

Cheap; a machine calls it at every conditional and before it gives up on an address.
"""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A state at a decision, dead cells dropped, in the form in which states are compared, merged and stored.

    `location` holds everything discrete: program counter and call stack, or parser state, and which cells hold a
    pointer into which region. `cells` maps a name to the term it holds, in canonical order.
    """

    location: Hashable
    cells: Mapping[str, Term]
    offsets: frozenset[str] = frozenset()
    """Names of the cells that hold packet offsets: cursors, packet pointers. A hint for merging, nothing more."""
    steering: frozenset[str] = frozenset()
    """Names of the cells on which later decisions or addresses may depend. The others are only carried to an
    observable. A hint for merging, nothing more."""
    ahead: Term | None = None
    """The least packet offset (width 64) that is read from here on; None where that is not known. What is known of
    bytes before it, and is in no cell, is forgotten. A hint, nothing more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run showed to the outside, symbolically.

    `code` is the return code in the interface's numbering (`code_width` bits). `values` maps an observable's name to
    its term (any width; the most significant bits are the byte at the lowest address for byte-array observables).
    Both sides must name an observable alike for it to be compared; one that only one side has is a difference
    unless the interface says otherwise. `punt` is true where a device hands the packet to the host.
    """

    code: Term
    values: Mapping[str, Term] = field(default_factory=dict)
    punt: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The run ended with an outcome."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Stuck:
    """The run met something that is not modelled; paths that reach it are `unknown`."""

    reason: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """The run did what no accepted program may do (an access out of bounds); reachable means unusable input."""

    reason: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Branch:
    """One way on from a decision: taken exactly when `guard` (width 1) is true."""

    guard: Term
    state: Native
    label: str = ""
    """How a person would name this way: the source line and its sense, the row, the select case."""


@dataclass(frozen=True, slots=True)
class Fork:
    """The run stopped at a decision. Guards are pairwise exclusive and one of them is always true.

    `before` is the state at the decision, so that it can be snapshotted and later resumed at the very same place.
    """

    before: Native
    branches: tuple[Branch, ...]
    place: Place | None = None


Stop = Done | Stuck | Fault | Fork


class Machine(Protocol):
    """A front end's product. Implementations: `equiv.bpf.symbolic`, `equiv.table.symbolic`."""

    name: str
    """What reports call it: the path as given, with the program's name where a file has several."""

    def start(self) -> Native:
        """The initial state."""
        ...

    def run(self, state: Native, decide: Decide) -> Stop:
        """Run on from `state` to the next decision that `decide` cannot settle, or to the end.

        Never loops forever: a run that passes no undecided decision for very many steps is `Stuck`.
        `state` itself is left as it was.
        """
        ...

    def snapshot(self, state: Native, like: Collection[str] | None = None) -> Snapshot:
        """Freeze `state`; cells that no continuation reads are left out.

        Where memory can be cut into cells in several ways, `like` names the cells of a snapshot to cut it like.
        """
        ...

    def resume(self, snapshot: Snapshot) -> Native:
        """The inverse of `snapshot`; the terms in the cells may have been replaced."""
        ...

    def order(self, snapshot: Snapshot) -> int:
        """Position of the location in a weak topological order: a location's acyclic predecessors have less."""
        ...

    def loop_end(self, snapshot: Snapshot) -> int:
        """The greatest `order` of the innermost loop around the location, or about that; a hint."""
        ...

    def place(self, snapshot: Snapshot) -> Place | None:
        """Where in the input this location is, for paths shown to people."""
        ...

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What a proof over this machine takes for granted, one sentence each."""
        ...
