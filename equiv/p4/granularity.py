"""How far a parser moves at a time, to choose its packet element (D80)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from equiv.p4.code import Block, ParserCode, Set, cell
from equiv.term import Term, concat, const, extract, substitute

LOW = 3
"""Low bits that are looked at: whole bytes are the widest elements."""


@dataclass(slots=True)
class Moves:
    """By how many bits the cursor is moved: constants, and terms over cells."""

    constants: set[int] = field(default_factory=set)
    terms: list[Term] = field(default_factory=list)

    def note_constant(self, bits: int) -> None:
        self.constants.add(bits)

    def note(self, bits: Term) -> None:
        self.terms.append(bits)


def element_width(moves: Moves, code: ParserCode) -> int:
    """The widest element of 8, 4, 2 and 1 bits of which every move is a whole number."""
    even = _multiples_of_eight(code)
    element = 8
    for bits in moves.constants:
        while bits % element:
            element //= 2
    for term in moves.terms:
        zeros = _knowing(term, even).zeros
        while zeros & (element - 1) != element - 1:
            element //= 2
    return element


def _multiples_of_eight(code: ParserCode) -> dict[Term, Term]:
    """Cells that only ever hold multiples of 8, each with a term that says so."""
    held = {
        cell(name, width): concat(extract(width - 1, LOW, cell(name, width)), const(0, LOW))
        for name, width in code.widths.items()
        if width > LOW and _is_multiple(code.initial.get(name, const(0, width)))
    }
    changed = True
    while changed:
        changed = False
        for name, term in _stored(code.blocks):
            key = cell(name, term.width)
            if key in held and not _is_multiple(_knowing(term, held)):
                del held[key]
                changed = True
    return held


def _stored(blocks: Mapping[str, Block]) -> list[tuple[str, Term]]:
    return [pair for ops in blocks.values() for op in ops if isinstance(op, Set) for pair in op.values]


def _knowing(term: Term, held: Mapping[Term, Term]) -> Term:
    return substitute(term, held)


def _is_multiple(term: Term) -> bool:
    return term.zeros & (1 << LOW) - 1 == (1 << LOW) - 1
