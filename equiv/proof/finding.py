"""What the engine found, in terms of models and places; `equiv.api` replays it and makes a `Result` of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from equiv.certificate.relation import Relation
from equiv.errors import Place
from equiv.proof.entry import Entry
from equiv.solve.backend import Model


@dataclass(frozen=True, slots=True)
class Witness:
    """A real input, on an exact path. `observables` are what is predicted to differ there; `cause` groups witnesses."""

    model: Model
    observables: tuple[str, ...]
    steps: tuple[tuple[str, str], ...]
    cause: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Reached:
    """A real input that reaches something final on one side: a fault, something not modelled, a punt."""

    side: str
    reason: str
    place: Place | None
    model: Model | None
    steps: tuple[tuple[str, str], ...] = ()


class Elsewhere(Protocol):
    """Who looks for a difference in another process (`equiv.seeking`)."""

    @property
    def witnesses(self) -> Sequence[Witness]:
        """What was found, where it was not confirmed there already."""

    def is_at_work(self, spent: float) -> bool:
        """Whether somebody looks, or has looked, there; a check has taken `spent` seconds so far."""

    def has_found(self) -> bool:
        """Whether a difference was found there."""


@dataclass(slots=True)
class Finding:
    """What the engine found. No witnesses, nothing unknown and no faults: equivalent."""

    witnesses: list[Witness] = field(default_factory=list)
    faults: list[Reached] = field(default_factory=list)
    unknown: list[Reached] = field(default_factory=list)
    punted: list[Reached] = field(default_factory=list)
    met: tuple[Reached, ...] = ()
    """What is not modelled and was met on the way: whether an input leads there was not looked at yet."""
    codes: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    """Constant return codes that endings of each side show; a code not there may still be returned symbolically."""
    joint_states: int = 0
    explorations: int = 0
    joins: int = 0
    refinements: int = 0
    phases: dict[str, float] = field(default_factory=dict)
    entries: tuple[Entry, ...] = ()
    relation: Callable[[], Relation] | None = None
    """Where both sides were proved to do the same, makes what a certificate says."""
    is_shown_beside: bool = False
    """Whether a difference was found by who looks for one beside the proof (`Engine.beside`)."""

    @property
    def is_settled(self) -> bool:
        """Whether a real input was found that speaks against equivalence."""
        return bool(self.witnesses or self.faults or self.is_shown_beside)
