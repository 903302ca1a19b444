"""Inert data: a condition whose names are all resolved.

Numbers are exact integers: nothing wraps around. Some have no value (`Field`, `Bytes`, `Lookup`): these make the
comparison that it stands in false, whatever the comparison is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Which = Literal["left", "right"]


@dataclass(frozen=True, slots=True)
class Number:
    """A constant; may be negative."""

    value: int


@dataclass(frozen=True, slots=True)
class Field:
    """Bits `low` to `high` (0 is the least significant) of an observable of one side, as a number.

    It has a value where the run showed the observable and each of `valid` (1-bit
    observables: the headers around it) is 1, and where the return code is in `when` (if that is not empty).
    """

    side: Which
    observable: str
    high: int
    low: int
    valid: tuple[str, ...] = ()
    when: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Bytes:
    """`size` bytes from byte `offset` of an observable that is bytes, as a number; big-endian unless `little`.

    It has a value where the run showed that many bytes, with a return code in `when` (if that is not empty).
    """

    side: Which
    observable: str
    offset: int
    size: int
    little: bool = False
    when: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Code:
    """The return code of one side."""

    side: Which
    width: int


@dataclass(frozen=True, slots=True)
class Lookup:
    """`size` bytes of the packet from byte `offset`, big-endian. It has a value where the packet has those bytes."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Length:
    """The packet's length in bytes."""


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`op` is one of + - * & | ^; of `<<` and `>>`, `right` is a `Number`."""

    op: str
    left: Numeric
    right: Numeric


@dataclass(frozen=True, slots=True)
class Slice:
    """Bits `low` to `high` of a number."""

    operand: Numeric
    high: int
    low: int


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`, of numbers."""

    condition: Boolean
    yes: Numeric
    no: Numeric


Numeric: TypeAlias = "Number | Field | Bytes | Code | Lookup | Length | Arithmetic | Slice | Choice"


@dataclass(frozen=True, slots=True)
class Always:
    value: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """`op` is one of == != < <= > >=. False where an operand has no value."""

    op: str
    left: Numeric
    right: Numeric


@dataclass(frozen=True, slots=True)
class Verdict:
    """One side returned `code`."""

    side: Which
    code: int
    width: int


@dataclass(frozen=True, slots=True)
class Valid:
    """Each of these 1-bit observables of one side is shown, and 1: of a header, and of those around it."""

    side: Which
    observables: tuple[str, ...]
    when: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Not:
    operand: Boolean


@dataclass(frozen=True, slots=True)
class Connective:
    """`op` is one of && || => ==."""

    op: str
    left: Boolean
    right: Boolean


Boolean: TypeAlias = "Always | Compare | Verdict | Valid | Not | Connective"


def fields_of(node: Boolean | Numeric) -> set[tuple[Which, str]]:
    """Every observable that `node` looks at, with its side."""
    match node:
        case Field(side=side, observable=name, valid=valid):
            return {(side, name), *((side, each) for each in valid)}
        case Bytes(side=side, observable=name):
            return {(side, name)}
        case Valid(side=side, observables=names):
            return {(side, each) for each in names}
        case Not(operand=inner) | Slice(operand=inner):
            return fields_of(inner)
        case Arithmetic(left=a, right=b) | Compare(left=a, right=b) | Connective(left=a, right=b):
            return fields_of(a) | fields_of(b)
        case Choice(condition=c, yes=a, no=b):
            return fields_of(c) | fields_of(a) | fields_of(b)
    return set()


def about_inputs(node: Boolean | Numeric) -> bool:
    """Whether `node` is about the packet alone, so that it is known before either side has run."""
    match node:
        case Field() | Bytes() | Valid() | Verdict() | Code():
            return False
        case Not(operand=inner) | Slice(operand=inner):
            return about_inputs(inner)
        case Arithmetic(left=a, right=b) | Compare(left=a, right=b) | Connective(left=a, right=b):
            return about_inputs(a) and about_inputs(b)
        case Choice(condition=c, yes=a, no=b):
            return about_inputs(c) and about_inputs(a) and about_inputs(b)
    return True
