"""A parser as straight code: blocks of operations whose conditions and values are terms over *cells*.

A cell is a variable that the code owns: the cursor, a field of a header, a validity bit, a local variable. In a term it
is the `var` that `cell` gives; running an operation replaces cells by what they hold. So there is no second expression
language, and what an operation reads is what leaves its terms have.

The packet is an array of *elements* of 8, 4, 2 or 1 bits (D80); the cursor and the packet's length count elements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain

from equiv.errors import Place
from equiv.machine.inputs import ADDRESS_WIDTH, packet_element
from equiv.machine.nearly import conjuncts
from equiv.term import FALSE, TRUE, Term, bvadd, bvand, concat, conj, const, eq, extract, leaves, mask, var

CELL_PREFIX = "cell:"
CURSOR = "cursor"
ERROR = "error"
"""The cell that holds the parser error, as its number in `ParserCode.errors`."""
ERROR_WIDTH = 16

ACCEPT, REJECT = "accept", "reject"
"""Names of the two blocks that every parser ends in; `machine` supplies them."""

NO_ERROR = "NoError"

VALID, SET = ".$valid", ".$set"
"""What names of cells end in that tell whether a header is valid, and whether a variable has been set."""


def cell(name: str, width: int) -> Term:
    """What the cell `name` of `width` bits holds, as a term."""
    return var(CELL_PREFIX + name, width)


def cursor() -> Term:
    """Elements from the packet's start to the cursor, width 64."""
    return cell(CURSOR, ADDRESS_WIDTH)


def is_cell(term: Term) -> bool:
    return term.op == "var" and term.data[0].startswith(CELL_PREFIX)


def cell_name(term: Term) -> str:
    """The name of a term for which `is_cell` holds."""
    return str(term.data[0][len(CELL_PREFIX) :])


def packet_bits(at: Term, first: int, width: int, element: int) -> Term:
    """`width` bits of the packet from bit `first` past element `at`, the earliest bit most significant."""
    start, end = first // element, (first + width + element - 1) // element
    covering = concat(*(packet_element(bvadd(at, const(i, ADDRESS_WIDTH)), element) for i in range(start, end)))
    low = end * element - first - width
    return extract(low + width - 1, low, covering)


@dataclass(frozen=True, slots=True)
class Set:
    """Cells take values, worked out together before any of them changes."""

    values: tuple[tuple[str, Term], ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Test:
    """Goes on to the next operation if `condition` (width 1) holds, else to block `otherwise`."""

    condition: Term
    otherwise: str
    place: Place
    yes: str
    no: str


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a `Choose`: to block `target` if `condition` holds and no earlier way's does.

    `overlaps` are the positions of earlier ways that could hold together with it.
    """

    condition: Term
    target: str
    overlaps: tuple[int, ...]
    place: Place
    label: str


@dataclass(frozen=True, slots=True)
class Choose:
    """The first way that holds is taken; the last one always does."""

    ways: tuple[Way, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Jump:
    """Goes to the start of block `target`."""

    target: str
    place: Place


Op = Set | Test | Choose | Jump
Block = tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class ParserCode:
    """A whole parser. Blocks `accept` and `reject` are entered, but not among `blocks`.

    `initial` gives what cells hold at the start, over inputs (cells not named hold 0). `outputs` are the observables:
    name to term over cells. `errors` names the parser errors by number, `NoError` first. `assumptions` are said with
    every verdict.
    """

    blocks: Mapping[str, Block]
    start: str
    element: int
    widths: Mapping[str, int]
    initial: Mapping[str, Term] = field(default_factory=dict)
    outputs: Mapping[str, Term] = field(default_factory=dict)
    errors: tuple[str, ...] = (NO_ERROR,)
    assumptions: tuple[str, ...] = ()


def cells_read(terms: Iterable[Term]) -> set[str]:
    """Names of the cells that `terms` depend on."""
    return {cell_name(leaf) for leaf in chain.from_iterable(map(leaves, terms)) if is_cell(leaf)}


def reads(op: Op) -> set[str]:
    """Cells that `op` looks at."""
    match op:
        case Set(values=values):
            return cells_read(term for _, term in values)
        case Test(condition=condition):
            return cells_read([condition])
        case Choose(ways=ways):
            return cells_read(way.condition for way in ways)
    return set()


def conditions(code: ParserCode) -> list[Term]:
    """What the code decides by."""
    found: list[Term] = []
    for ops in code.blocks.values():
        for op in ops:
            match op:
                case Test(condition=condition):
                    found.append(condition)
                case Choose(ways=ways):
                    found += [way.condition for way in ways]
    return found


def with_own_ways(code: ParserCode) -> ParserCode:
    """The same code with a block of its own for every way of a choice, so that two that lead to one are two (D322)."""
    blocks: dict[str, Block] = {}
    for name, ops in code.blocks.items():
        made = list(ops)
        for pc, op in enumerate(ops):
            if isinstance(op, Choose):
                ways = []
                for number, way in enumerate(op.ways):
                    own = f"{name} way{pc}.{number}"
                    blocks[own] = (Jump(way.target, way.place),)
                    ways.append(replace(way, target=own))
                made[pc] = replace(op, ways=tuple(ways))
        blocks[name] = tuple(made)
    return replace(code, blocks=blocks)


def targets(op: Op) -> tuple[str, ...]:
    """Blocks that `op` can leave its own for."""
    match op:
        case Test(otherwise=target) | Jump(target=target):
            return (target,)
        case Choose(ways=ways):
            return tuple(way.target for way in ways)
    return ()


Pattern = tuple[int, int] | None
"""A value and the mask of the bits that must have it; None: what it asks for is not known as bits."""


def overlapping(patterns: list[Pattern]) -> list[tuple[int, ...]]:
    """For each pattern the earlier ones that some value matches together with it. The last one is taken for all."""
    result = []
    for i, mine in enumerate(patterns):
        last = i == len(patterns) - 1
        result.append(tuple(j for j in range(i) if last or not _exclusive(patterns[j], mine)))
    return result


def _exclusive(a: Pattern, b: Pattern) -> bool:
    return a is not None and b is not None and bool((a[0] ^ b[0]) & a[1] & b[1])


def always(target: str, overlaps: Iterable[int], place: Place, label: str) -> Way:
    """The last way of a `Choose`."""
    return Way(TRUE, target, tuple(overlaps), place, label)


def masked(key: Term, value: int, mask: int) -> Term:
    """Width 1: whether `key` has the bits of `value` wherever `mask` has ones. Compares field by field."""
    conditions = []
    low = 0
    while low < key.width:
        if not mask >> low & 1:
            low += 1
            continue
        high = low
        while high + 1 < key.width and mask >> high + 1 & 1:
            high += 1
        conditions.append(eq(extract(high, low, key), const(value >> low, high - low + 1)))
        low = high + 1
    return conj(*conditions)


def unasked(condition: Term) -> tuple[Term, Term]:
    """Width 1: whether the bits are all 0, and all 1, that a condition's equations do not ask for, as masks leave some
    out of the numbers that are compared. Both are FALSE where there are none.
    """
    asked: dict[Term, int] = {}
    for part in conjuncts(condition):
        for arg in part.args if part.op in ("eq", "not") else (part,):
            if arg.op == "extract":
                high, low = arg.data
                asked[arg.args[0]] = asked.get(arg.args[0], 0) | (mask(high - low + 1) << low)
            elif not arg.is_const:
                asked[arg] = mask(arg.width)
    left_out = [(whole, mask(whole.width) & ~bits) for whole, bits in asked.items()]
    rest = [(bvand(whole, const(bits, whole.width)), bits) for whole, bits in left_out if bits]
    if not rest:
        return FALSE, FALSE
    clear = (eq(part, const(0, part.width)) for part, _ in rest)
    return conj(*clear), conj(*(eq(part, const(bits, part.width)) for part, bits in rest))
