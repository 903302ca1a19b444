"""What names mean at a place in the source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from equiv.p4.model import Const, Var


@dataclass(frozen=True, slots=True)
class Instance:
    """A sub-parser's instance."""

    parser: str


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A value set, whose elements have `width` bits."""

    name: str
    width: int


Meaning: TypeAlias = "Const | Var | Instance | ValueSet"


@dataclass(slots=True)
class Scope:
    """Names of one block, within those of `outer`. `path` makes the names of its variables unique."""

    path: str
    outer: Scope | None = None
    names: dict[str, Meaning] = field(default_factory=dict)

    def find(self, name: str) -> Meaning | None:
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return None

    def inner(self, name: str) -> Scope:
        """A block within."""
        return Scope(f"{self.path}{name}.", self)
