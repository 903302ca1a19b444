"""Inert data: a P4_16 parser with all names resolved and all types known. Both the interpreter and `lower` start here.

Widths are in bits. A header's fields are in the order in which they are on the wire. Names are those of the P4_16
language specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from equiv.errors import Place

# --- types ------------------------------------------------------------------------------------------------------


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


# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Const:
    """A value known when compiling: for `bit` and enums unsigned, for `int<>` and `int` signed, for errors its name."""

    value: int
    type: Type
    place: Place
    name: str = ""


@dataclass(frozen=True, slots=True)
class Var:
    """A parameter or local variable, by a name that is unique within the parser."""

    name: str
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Member:
    """A field of a struct, header or header union."""

    base: Expr
    field: str
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Element:
    """`stack[index]` with a constant index."""

    base: Expr
    index: int
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Next:
    """`stack.next`, only in `extract`."""

    base: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Last:
    """`stack.last`."""

    base: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class LastIndex:
    """`stack.lastIndex`, `bit<32>`."""

    base: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class IsValid:
    base: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Lookahead:
    """`packet.lookahead<type>()`."""

    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Length:
    """`packet.length()` in bytes, `bit<32>`."""

    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Unary:
    op: str
    operand: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Binary:
    """Operands have one type, but for shifts and `++`."""

    op: str
    left: Expr
    right: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Slice:
    operand: Expr
    high: int
    low: int
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Cast:
    operand: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Choice:
    """`condition ? yes : no`."""

    condition: Expr
    yes: Expr
    no: Expr
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Listing:
    """The parts of a struct or header, in order; or of a list not yet converted."""

    parts: tuple[Expr, ...]
    type: Type
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function."""

    function: str
    args: tuple[Expr, ...]
    type: Type
    place: Place


Expr: TypeAlias = (
    "Const | Var | Member | Element | Next | Last | LastIndex | IsValid | Lookahead | Length | Unary | Binary | Slice"
    " | Cast | Choice | Listing | Call"
)

# --- statements -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Declare:
    """A local variable comes into being; without `value` its contents are arbitrary, headers in it are not valid."""

    var: Var
    value: Expr | None
    place: Place


@dataclass(frozen=True, slots=True)
class Assign:
    """`target` is an lvalue: a variable, a member, an element, or a slice of one."""

    target: Expr
    value: Expr
    place: Place


@dataclass(frozen=True, slots=True)
class Extract:
    """`target` None: the header is skipped (`extract<type>(_)`). `size`: bits of the varbit field, `bit<32>`."""

    target: Expr | None
    header: Composite
    size: Expr | None
    place: Place


@dataclass(frozen=True, slots=True)
class Advance:
    bits: Expr
    place: Place


@dataclass(frozen=True, slots=True)
class Verify:
    condition: Expr
    error: Expr
    place: Place


@dataclass(frozen=True, slots=True)
class SetValidity:
    header: Expr
    valid: bool
    place: Place


@dataclass(frozen=True, slots=True)
class If:
    condition: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Run:
    """`sub.apply(args)`: a sub-parser."""

    parser: str
    args: tuple[Expr | None, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Evaluate:
    """A function is called for what it does."""

    call: Call
    place: Place


@dataclass(frozen=True, slots=True)
class Return:
    value: Expr | None
    place: Place


Statement: TypeAlias = "Declare | Assign | Extract | Advance | Verify | SetValidity | If | Run | Evaluate | Return"


# --- transitions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Exactly:
    value: Expr


@dataclass(frozen=True, slots=True)
class Masked:
    value: Expr
    mask: Expr


@dataclass(frozen=True, slots=True)
class Between:
    low: Expr
    high: Expr


@dataclass(frozen=True, slots=True)
class Anything:
    pass


@dataclass(frozen=True, slots=True)
class InSet:
    """All keys together are in the value set of that name."""

    value_set: str


KeySet: TypeAlias = "Exactly | Masked | Between | Anything | InSet"


@dataclass(frozen=True, slots=True)
class Case:
    """`keysets`: one a key, or a single `Anything` or `InSet` for all of them."""

    keysets: tuple[KeySet, ...]
    target: str
    place: Place


@dataclass(frozen=True, slots=True)
class Transition:
    """No keys: straight to `cases[0]`. No match is `error.NoMatch`."""

    keys: tuple[Expr, ...]
    cases: tuple[Case, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class State:
    name: str
    statements: tuple[Statement, ...]
    transition: Transition
    place: Place


@dataclass(frozen=True, slots=True)
class Parameter:
    """`direction` is '' for `packet_in` and where none is written."""

    direction: Literal["in", "out", "inout", ""]
    var: Var
    place: Place


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    parameters: tuple[Parameter, ...]
    result: Type
    body: tuple[Statement, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ParserDeclaration:
    """`locals` run before `start`."""

    name: str
    parameters: tuple[Parameter, ...]
    locals: tuple[Statement, ...]
    states: Mapping[str, State]
    place: Place


@dataclass(frozen=True, slots=True)
class Program:
    """What can be run: `main` is the parser looked at. `errors` by number. `architecture` is main's package, or ''.

    `value_sets` gives the width of their elements.
    """

    main: ParserDeclaration
    parsers: Mapping[str, ParserDeclaration]
    functions: Mapping[str, Function]
    errors: tuple[str, ...]
    value_sets: Mapping[str, int]
    architecture: str
    file: str
    sha256: str
