"""Inert data: one P4 automaton. Bit 0 of a header is its first bit on the wire; slices are inclusive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

ENDS = ("accept", "reject")


@dataclass(frozen=True, slots=True)
class Literal:
    """Bits in wire order, as '0' and '1'."""

    bits: str


@dataclass(frozen=True, slots=True)
class Slice:
    """Bits `lo` to `hi` of a header."""

    header: str
    lo: int
    hi: int


@dataclass(frozen=True, slots=True)
class Concat:
    """The parts one after the other, the first one first on the wire."""

    parts: tuple[Expr, ...]


Expr = Literal | Slice | Concat


def slices(expr: Expr) -> Iterator[Slice]:
    """Every slice in `expr`."""
    match expr:
        case Slice():
            yield expr
        case Concat(parts=parts):
            for part in parts:
                yield from slices(part)


def width(expr: Expr) -> int:
    """How many bits `expr` has."""
    match expr:
        case Literal(bits=bits):
            return len(bits)
        case Slice(lo=lo, hi=hi):
            return hi - lo + 1
        case Concat(parts=parts):
            return sum(map(width, parts))


@dataclass(frozen=True, slots=True)
class Extract:
    """The next `width` bits that the state consumed go into the whole of `header`."""

    header: str
    width: int


@dataclass(frozen=True, slots=True)
class Assign:
    """`header` takes the value of `expr`, which is as wide."""

    header: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a select: a pattern per key, None for one that matches always. An empty pattern matches, too."""

    patterns: tuple[str | None, ...]
    target: str


@dataclass(frozen=True, slots=True)
class State:
    """Consumes `consumes` bits, runs `ops` in order, then takes the first case that matches, else `default`."""

    name: str
    consumes: int
    ops: tuple[Extract | Assign, ...]
    keys: tuple[Expr, ...]
    cases: tuple[Case, ...]
    default: str


@dataclass(frozen=True, slots=True)
class Automaton:
    """`headers` gives widths in bits, `start` the state that is entered first."""

    name: str
    headers: Mapping[str, int]
    states: Mapping[str, State]
    start: str
    file: str = field(default="", compare=False)
    sha256: str = field(default="", compare=False)
