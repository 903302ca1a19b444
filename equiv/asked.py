"""What a user asks of a check beyond equality: assumptions, a property, a relation, which output is which (D120, D121).

`equiv.conditioned` reads the texts, where there are any; here is what is compared where there are none.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace

from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.loaded import Loaded, choose_interface, observing_maps
from equiv.machine.interface import Interface
from equiv.p4.parser import ParserOptions

MAX_BYTES = 1 << 20
INDEXED = re.compile(r".+\.json#.+")
"""A relation that an index of automata states, not a condition."""


@dataclass(frozen=True, slots=True)
class Output:
    """`text`, `NAME = NUMBER` or `NAME = NUMBER when CONDITION`: what an output of a program or table is of a parser.

    `origin` and `line` say where it stands.
    """

    text: str
    origin: str = "--output"
    line: int = 1


@dataclass(frozen=True, slots=True)
class Asked:
    """Conditions as texts. `against`: a property of the left side; `relation`: of both, in place of equality."""

    assume: tuple[str, ...] = ()
    against: tuple[str, ...] = ()
    relation: str | None = None
    outputs: tuple[Output, ...] = ()

    @property
    def has_conditions(self) -> bool:
        """Whether anything is to be read as a condition; an empty text is, and is none."""
        return bool(self.assume or self.against or self.outputs) or self.relation is not None

    @property
    def replaces_equality(self) -> bool:
        return bool(self.against or self.relation or self.outputs)


def property_side(texts: tuple[str, ...]) -> Loaded:
    """What stands in place of the right side where a property is asked of the left one."""
    text = " && ".join(f"({each})" for each in texts) if len(texts) > 1 else texts[0]
    return Loaded(text, hashlib.sha256(text.encode()).hexdigest(), "property")


def read_outputs(path: str) -> tuple[Output, ...]:
    """The lines of a file that says which output is which; `#` begins a comment. Raises InputError."""
    try:
        text = read_input(path, MAX_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not text: {error}", Place(path)) from error
    lines = enumerate((line.partition("#")[0].rstrip() for line in text.splitlines()), 1)
    return tuple(Output(line, path, number) for number, line in lines if line.strip())


def comparing(
    a: Loaded, b: Loaded, name: str | None, options: ParserOptions | None, maps: tuple[str, ...]
) -> Interface:
    """The interface under which both sides should show the same, every entry of the named maps, too.

    Raises InputError where maps are named and one side is a P4 parser.
    """
    interface = choose_interface(a, b, name, options)
    if not maps:
        return interface
    from equiv.p4.convention import Convention

    sides = (a, b)
    observing = observing_maps(interface, maps, sides)
    if interface.relation is not None and any(side.parser for side in sides):
        raise InputError("--observe-map is for programs and tables: a P4 parser has no maps")
    if isinstance(interface.relation, Convention):
        more = tuple(o for o in observing.observables if o.map_name in maps)
        relation = replace(interface.relation, untouched=(*interface.relation.untouched, *more))
        return replace(observing, relation=relation)
    return observing
