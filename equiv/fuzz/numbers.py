"""Numbers that the subjects compare with, as bytes of a packet."""

from __future__ import annotations

from typing import Final

from equiv.fuzz.packets import in_elements, numbers_of
from equiv.fuzz.sides import Sides
from equiv.machine.protocol import Machine
from equiv.p4.code import conditions
from equiv.p4.machine import ParserMachine
from equiv.table.model import Anything, Case, Masked, ParseState, Range, Select, Table
from equiv.term import Term

MOST: Final = 1024
BOUNDARIES: Final = (b"\xff\xff", b"\x00\x00", b"\x7f\xff", b"\x80\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00")
"""Numbers at the ends of what two and four bytes hold."""


def numbers_of_sides(sides: Sides) -> list[bytes]:
    """Those of both sides, each once."""
    found: set[bytes] = set(BOUNDARIES)
    for side in (sides.left, sides.right):
        if side.program is not None:
            found.update(numbers_of(side.program))
        if side.table is not None:
            found.update(numbers_of_table(side.table))
        if side.parser is not None:
            found.update(numbers_of_parser(side.machine(sides.interface)))
    width = sides.interface.element_width
    if width < 8:
        found = {in_elements(number, width)[:8] for number in found}
    return sorted(found, key=lambda number: (number not in BOUNDARIES, number))[:MOST]


def numbers_of_table(table: Table) -> set[bytes]:
    """Values of the table's rows and cases, and the ends of their ranges, in network order."""
    values = {constant.value for constant in table.constants}
    for state in table.states.values():
        if isinstance(state, ParseState):
            cases = state.transition.cases if isinstance(state.transition, Select) else ()
            keysets = [keyset for case in cases for keyset in _keysets(case)]
        else:
            keysets = [match.keyset for row in state.rows for match in row.matches]
        for keyset in keysets:
            match keyset:
                case Masked(value=value):
                    values.add(value)
                case Range(low=low, high=high):
                    values |= {low, high, high + 1}
                case Anything():
                    pass
    sizes = {value: next((size for size in (1, 2, 4, 8) if 0 < value < 1 << 8 * size), 0) for value in values}
    return {value.to_bytes(size, "big") for value, size in sizes.items() if size}


def numbers_of_parser(machine: Machine) -> set[bytes]:
    """Constants that the conditions of a parser compare whole numbers of bytes with, in network order."""
    if not isinstance(machine, ParserMachine):
        return set()
    stack = conditions(machine.code)
    found, seen = set[bytes](), set[Term]()
    while stack:
        term = stack.pop()
        if term in seen:
            continue
        seen.add(term)
        stack.extend(term.args)
        if term.is_const and term.value and term.width <= 64:
            found.add(term.value.to_bytes(-(-term.width // 8), "big"))
    return found


def _keysets(case: Case) -> tuple[Masked | Range | Anything, ...]:
    return case.keysets
