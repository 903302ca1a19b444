"""Inert data: a P4_16 parser with all names resolved and all types known. Both the interpreter and `lower` start here.

Widths are in bits. A header's fields are in the order in which they are on the wire. Names are those of the P4_16
language specification. The types are part of it, and are written in `types`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from equiv.errors import Place

from equiv.p4.types import (  # isort: skip (what is handed on stands in one list)
    ERROR_BITS as ERROR_BITS,
    INDEX_BITS as INDEX_BITS,
    Bits as Bits,
    Bool as Bool,
    Composite as Composite,
    Enum as Enum,
    ErrorType as ErrorType,
    Integer as Integer,
    ListType as ListType,
    NewType as NewType,
    PacketIn as PacketIn,
    Scalar as Scalar,
    Stack as Stack,
    Type as Type,
    Varbit as Varbit,
    Void as Void,
    fixed_width as fixed_width,
    is_signed as is_signed,
    scalar_width as scalar_width,
    varbit_field as varbit_field,
)

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
