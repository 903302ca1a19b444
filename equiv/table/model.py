"""Inert data: a device's parser table as a `.dev` file describes it, all names resolved. Nothing here runs.

Two models are equal if they behave and print alike: places in the source and file facts do not take part.
Widths are in bits, sizes and offsets in bytes unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from equiv.errors import Place

NOWHERE = Place("")

# Expressions: exact integers, or conditions (`is_condition`). `lo` and `hi` bound every value the expression can have.


@dataclass(frozen=True, slots=True)
class Number:
    """A literal or named constant. `width` where it was written with one; `name` of the constant it came from."""

    value: int
    width: int | None = None
    name: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def lo(self) -> int:
        return self.value

    @property
    def hi(self) -> int:
        return self.value


@dataclass(frozen=True, slots=True)
class Variable:
    """A cell: a header field ("eth.type"), a register, an output; or a limit's counter ("$steps"). Unsigned."""

    kind: Literal["field", "register", "output", "counter"]
    name: str
    width: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def lo(self) -> int:
        return 0

    @property
    def hi(self) -> int:
        return (1 << self.width) - 1


@dataclass(frozen=True, slots=True)
class Lookup:
    """`width` bits of the packet, a multiple of 8, big-endian, at `offset` bytes past the cursor. Unsigned."""

    offset: int
    width: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def lo(self) -> int:
        return 0

    @property
    def hi(self) -> int:
        return (1 << self.width) - 1

    @property
    def end(self) -> int:
        """How many bytes from the cursor it needs."""
        return self.offset + self.width // 8


MAX_OFFSET = 1 << 62
"""No cursor gets here: D14 bounds what one step can skip."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """`offset`: bytes from the start of the packet to the cursor."""

    place: Place = field(default=NOWHERE, compare=False, repr=False)
    width = None
    lo = 0
    hi = MAX_OFFSET


@dataclass(frozen=True, slots=True)
class Length:
    """`length`: the packet's length in bytes; `linear_length` (`linear`): that of an skb's linear part (D192)."""

    linear: bool = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    width = None
    lo = 0
    hi = 65535


@dataclass(frozen=True, slots=True)
class Unary:
    op: Literal["-", "!"]
    operand: Expr
    lo: int = field(compare=False)
    hi: int = field(compare=False)
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    width = None


@dataclass(frozen=True, slots=True)
class Binary:
    """`left op right`. `width` only of `++`, the sum of its operands' widths."""

    op: str
    left: Expr
    right: Expr
    lo: int = field(compare=False)
    hi: int = field(compare=False)
    width: int | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Slice:
    """Bits `high` down to `low` of an expression with a width; bit 0 is the least significant."""

    operand: Expr
    high: int
    low: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    @property
    def lo(self) -> int:
        return 0

    @property
    def hi(self) -> int:
        return (1 << self.width) - 1


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? yes : no`."""

    condition: Expr
    yes: Expr
    no: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)
    width = None

    @property
    def lo(self) -> int:
        return min(self.yes.lo, self.no.lo)

    @property
    def hi(self) -> int:
        return max(self.yes.hi, self.no.hi)


Expr = Number | Variable | Lookup | Cursor | Length | Unary | Binary | Slice | Conditional

COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
CONNECTIVES = frozenset({"&&", "||"})


def is_condition(expr: Expr) -> bool:
    """Whether `expr` is true or false rather than a number."""
    match expr:
        case Binary(op=op):
            return op in COMPARISONS or op in CONNECTIVES
        case Unary(op="!"):
            return True
    return False


def children(expr: Expr) -> tuple[Expr, ...]:
    """The operands of `expr`, left to right."""
    match expr:
        case Unary(operand=operand) | Slice(operand=operand):
            return (operand,)
        case Binary(left=left, right=right):
            return (left, right)
        case Conditional(condition=condition, yes=yes, no=no):
            return (condition, yes, no)
    return ()


def subexpressions(expr: Expr) -> Iterator[Expr]:
    """`expr` and everything in it."""
    yield expr
    for child in children(expr):
        yield from subexpressions(child)


def needed_bytes(*exprs: Expr) -> int:
    """How many bytes from the cursor the lookups in `exprs` need; 0 if there are none (D12)."""
    return max((x.end for expr in exprs for x in subexpressions(expr) if isinstance(x, Lookup)), default=0)


# What a state does


@dataclass(frozen=True, slots=True)
class Target:
    """Where control goes: a state, or a verdict's label in the interface ('accept', 'drop', 'punt', …)."""

    kind: Literal["state", "verdict"]
    name: str
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Extract:
    """Copy the fields of header instance `instance`, `size` bytes; in a parse state the cursor moves past it."""

    instance: str
    size: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Bounds:
    """`in low..high else otherwise`, both ends inclusive, in the unit of the advance."""

    low: int
    high: int
    otherwise: Target


@dataclass(frozen=True, slots=True)
class Advance:
    """Move the cursor by `amount` in `unit`; `unchecked`: the skipped bytes need not be there."""

    amount: Expr
    unit: Literal["bits", "bytes"]
    bounds: Bounds | None = None
    unchecked: bool = False
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Assign:
    """`target = value`, modulo the target's width. `target` is a register or an output."""

    target: Variable
    value: Expr
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Require:
    condition: Expr
    otherwise: Target
    place: Place = field(default=NOWHERE, compare=False, repr=False)


Statement = Extract | Advance | Assign | Require


@dataclass(frozen=True, slots=True)
class Masked:
    """Matches x where `x & mask == value & mask`; `mask` None: where `x == value`."""

    value: int
    mask: int | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Matches `low <= x <= high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Anything:
    """`_`: matches always."""


KeySet = Masked | Range | Anything


@dataclass(frozen=True, slots=True)
class Case:
    """One line of a select; `keysets` has one per key, or is empty for `default`."""

    keysets: tuple[KeySet, ...]
    target: Target
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Goto:
    target: Target
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Select:
    """The first case whose keysets all match is taken; the last case is `default`."""

    keys: tuple[Expr, ...]
    cases: tuple[Case, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ParseState:
    """A state of the parse graph. `truncation`: where its own needs for missing bytes lead, if not the table's."""

    name: str
    statements: tuple[Statement, ...]
    transition: Goto | Select
    truncation: Target | None = None
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Match:
    """`operand` against `keyset`, which is never `Anything`."""

    operand: Expr
    keyset: KeySet
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Row:
    """A TCAM row. No matches: `default`. Actions take effect left to right (D13 for what an advance means there)."""

    matches: tuple[Match, ...]
    target: Target
    actions: tuple[Extract | Advance | Assign, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RowState:
    """A state held as TCAM rows, in order of priority; the last one is `default`. `tcam` names its block."""

    name: str
    rows: tuple[Row, ...]
    truncation: Target | None = None
    tcam: str = ""
    place: Place = field(default=NOWHERE, compare=False, repr=False)


State = ParseState | RowState

# Declarations


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    width: int
    value: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Field:
    """`offset` is in bits from the header's first bit, most significant first."""

    name: str
    width: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """`size` in bytes."""

    name: str
    fields: tuple[Field, ...]
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def size(self) -> int:
        return sum(f.width for f in self.fields) // 8


@dataclass(frozen=True, slots=True)
class Register:
    name: str
    width: int
    initial: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class MapValue:
    """The value of array map `map_name` under index `key`, `size` bytes, is an output."""

    map_name: str
    key: int
    size: int
    place: Place = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Output:
    """A named part of an observable.

    `observable` is the interface's name for it ("meta", "keys.addrs", "mark", "map.NAME[KEY]", "return"); `offset` and
    `width // 8` say which of its bytes; `order` is how the number stands in memory, "int" for an observable that is
    a number itself. `encoding` is what was written ("be32", or nothing).
    """

    name: str
    observable: str
    offset: int
    width: int
    order: Literal["big", "little", "int"]
    encoding: str
    spelled: str
    """The place as a `.dev` file writes it."""
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def size(self) -> int:
        return self.width // 8


@dataclass(frozen=True, slots=True)
class Limit:
    """`names` is "steps", "bytes" or states; `count` may be reached, one more leads to `otherwise`.

    Of several states, the entries into all of them are counted together.
    """

    names: tuple[str, ...]
    count: int
    otherwise: Target
    place: Place = field(default=NOWHERE, compare=False, repr=False)

    @property
    def what(self) -> str:
        """The names as a `.dev` file writes them."""
        return ", ".join(self.names)


@dataclass(frozen=True, slots=True)
class Table:
    """A whole `.dev` file. `metadata` is the declared size in bytes (0: none); `states` keep the file's order."""

    interface: str
    states: Mapping[str, State]
    name: str = ""
    source: str = ""
    constants: tuple[Constant, ...] = ()
    headers: tuple[Header, ...] = ()
    instances: Mapping[str, Header] = field(default_factory=dict)
    registers: tuple[Register, ...] = ()
    metadata: int = 0
    maps: tuple[MapValue, ...] = ()
    outputs: tuple[Output, ...] = ()
    truncation: Target = Target("verdict", "drop")
    offset_width: int | None = None
    """The cursor is a number of so many bits, where unchecked advances wrap around (D190). None: it never wraps."""
    limits: tuple[Limit, ...] = ()
    file: str = field(default="", compare=False)
    sha256: str = field(default="", compare=False)

    def limit(self, what: str) -> Limit | None:
        """The limit on "steps", "bytes" or entries into a state, if there is one."""
        return next((limit for limit in self.limits if what in limit.names), None)
