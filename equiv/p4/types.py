"""Types of P4_16 as a parser uses them, and how many bits their values take. Inert data. Widths are in bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Bits:
    """`bit<width>`, or `int<width>` where it is signed."""

    width: int
    signed: bool = False

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'bit'}<{self.width}>"


@dataclass(frozen=True, slots=True)
class Integer:
    """`int`: compile-time constants of any size."""

    def __str__(self) -> str:
        return "int"


@dataclass(frozen=True, slots=True)
class Bool:
    def __str__(self) -> str:
        return "bool"


@dataclass(frozen=True, slots=True)
class ErrorType:
    def __str__(self) -> str:
        return "error"


@dataclass(frozen=True, slots=True)
class Varbit:
    """`varbit<max_width>`; only ever a field of a header."""

    max_width: int

    def __str__(self) -> str:
        return f"varbit<{self.max_width}>"


@dataclass(frozen=True, slots=True)
class Enum:
    """`base` is None for an enum that is not serializable. `members` by name: the value, or the position."""

    name: str
    base: Bits | None
    members: Mapping[str, int] = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class NewType:
    """`type BASE NAME`."""

    name: str
    base: Scalar = field(compare=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Composite:
    """A header, struct or header union, with its fields in order."""

    kind: Literal["header", "struct", "header_union"]
    name: str
    fields: tuple[tuple[str, Type], ...] = field(compare=False)
    network: frozenset[str] = field(default=frozenset(), compare=False)
    """Fields that P4TC keeps in network order, as an annotation `@tc_type` says (D201)."""

    def member(self, name: str) -> Type | None:
        return next((type_ for field_, type_ in self.fields if field_ == name), None)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Stack:
    """`element[size]`: a header stack, of headers or of header unions."""

    element: Composite
    size: int

    def __str__(self) -> str:
        return f"{self.element}[{self.size}]"


@dataclass(frozen=True, slots=True)
class PacketIn:
    def __str__(self) -> str:
        return "packet_in"


@dataclass(frozen=True, slots=True)
class ListType:
    """Of a list expression `{a, b}`, before it becomes a struct or header."""

    parts: tuple[Type, ...]

    def __str__(self) -> str:
        return "list"


@dataclass(frozen=True, slots=True)
class Void:
    def __str__(self) -> str:
        return "void"


Scalar: TypeAlias = "Bits | Bool | ErrorType | Enum | NewType"
Type: TypeAlias = "Scalar | Integer | Varbit | Composite | Stack | PacketIn | ListType | Void"

ERROR_BITS = 16
INDEX_BITS = 32


def scalar_width(type_: Type) -> int:
    """How many bits a value of a scalar type takes in a cell; 0 for other types."""
    match type_:
        case Bits(width=width):
            return width
        case Bool():
            return 1
        case ErrorType():
            return ERROR_BITS
        case Enum(base=base):
            return base.width if base else INDEX_BITS
        case NewType(base=base):
            return scalar_width(base)
    return 0


def is_signed(type_: Type) -> bool:
    match type_:
        case Bits(signed=signed):
            return signed
        case NewType(base=base):
            return is_signed(base)
        case Enum(base=Bits(signed=signed)):
            return signed
    return False


def fixed_width(type_: Type) -> int:
    """Bits of a header or scalar on the wire, varbit fields not counted."""
    match type_:
        case Composite(kind="header" | "struct", fields=fields):
            return sum(fixed_width(field_) for _, field_ in fields)
    return scalar_width(type_)


def varbit_field(header: Composite) -> str | None:
    """The name of the header's field of variable width, if it has one."""
    return next((name for name, type_ in header.fields if isinstance(type_, Varbit)), None)
