"""What lies where in a map's value, as the object's BTF says: inert data. `btf_shape` reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """An integer or enum of `size` bytes in the machine's byte order; of a bit-field, `width` bits from bit `low`."""

    size: int
    low: int
    width: int


@dataclass(frozen=True, slots=True)
class Array:
    """`count` elements, one behind the other, each `stride` bytes."""

    element: Shape
    stride: int
    count: int


@dataclass(frozen=True, slots=True)
class Member:
    """A named member of a struct or union, `offset` bytes from its start."""

    name: str
    offset: int
    shape: Shape


@dataclass(frozen=True, slots=True)
class Record:
    """A struct or union of `size` bytes; members of anonymous ones stand in their place."""

    name: str
    size: int
    members: tuple[Member, ...]

    def member(self, name: str) -> Member | None:
        return next((member for member in self.members if member.name == name), None)


@dataclass(frozen=True, slots=True)
class Opaque:
    """Something that is no number and has no parts: a pointer, a float. `what` says which."""

    size: int
    what: str


Shape: TypeAlias = "Number | Array | Record | Opaque"
