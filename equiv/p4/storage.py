"""Names of what a P4 parser stores: one for each scalar within a variable, and for what its headers carry along.

`.$valid` of a header (1 bit), `.$next` of a stack (32 bits: `nextIndex`), `.$size` of a varbit field (32 bits), and
`.$set` of a scalar of an `out` parameter that is in no header (1 bit: whether the parser has assigned to it, D82).
A varbit field is stored left-aligned in its greatest width, zeros behind it. Names also name arbitrary contents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from equiv.errors import Place
from equiv.p4.code import VALID
from equiv.p4.model import INDEX_BITS, Composite, ParserDeclaration, Stack, Type, Varbit, scalar_width

NEXT, SIZE = ".$next", ".$size"


@dataclass(frozen=True, slots=True)
class Leaf:
    """`suffix` goes behind a variable's name. `headers` are the suffixes of the headers around it, outermost first."""

    suffix: str
    width: int
    kind: Literal["data", "valid", "next", "size"]
    headers: tuple[str, ...] = ()


def leaves(type_: Type, suffix: str = "", headers: tuple[str, ...] = ()) -> Iterator[Leaf]:
    """Every scalar that a value of `type_` consists of."""
    match type_:
        case Composite(kind=kind, fields=fields):
            if kind == "header":
                headers = (*headers, suffix)
                yield Leaf(suffix + VALID, 1, "valid", headers[:-1])
            for name, field in fields:
                yield from leaves(field, f"{suffix}.{name}", headers)
        case Stack(element=element, size=size):
            yield Leaf(suffix + NEXT, INDEX_BITS, "next", headers)
            for index in range(size):
                yield from leaves(element, f"{suffix}[{index}]", headers)
        case Varbit(max_width=width):
            yield Leaf(suffix, width, "data", headers)
            yield Leaf(suffix + SIZE, INDEX_BITS, "size", headers)
        case _:
            if width := scalar_width(type_):
                yield Leaf(suffix, width, "data", headers)


def is_unset_first(leaf: Leaf, direction: str) -> bool:
    """Whether this part of a parser's parameter holds nothing defined until the parser assigns to it (D82)."""
    return direction == "out" and leaf.kind == "data" and not leaf.headers


def frame(outer: str, name: str, place: Place) -> str:
    """What is put in front of the variables of a sub-parser or function that is called at `place`."""
    return f"{outer}{name}@{place.line}.{place.column}/"


def initial(side: str, name: str) -> str:
    """The input that is what `name` holds on one side of a check before anything is stored there."""
    return f"{side}.initial.{name}"


def roles(parser: ParserDeclaration) -> dict[str, str]:
    """What observables of each parameter (by the name of its variable) begin with: nothing for the first `out`.

    Parameters of the two sides correspond by position, as the architecture has them, whatever they are called.
    """
    found: dict[str, str] = {}
    names = iter(("meta", "standard_metadata", *(f"parameter{i}" for i in range(4, 100))))
    has_headers = False
    for parameter in parser.parameters:
        if scalar_width(parameter.var.type) == 0 and not isinstance(parameter.var.type, Composite | Stack):
            continue
        if parameter.direction == "out" and not has_headers:
            has_headers = True
            found[parameter.var.name] = ""
        else:
            found[parameter.var.name] = next(names)
    return found
