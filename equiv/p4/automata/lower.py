"""From an automaton to code: one block per state; headers cut into the pieces that some expression tells apart."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import gcd

from equiv.errors import Place
from equiv.machine.inputs import ADDRESS_WIDTH, context_field, in_packet
from equiv.p4.automata.model import Assign, Automaton, Case, Concat, Expr, Extract, Literal, Slice, State, slices, width
from equiv.p4.code import (
    CURSOR,
    REJECT,
    Choose,
    Jump,
    Op,
    ParserCode,
    Pattern,
    Set,
    Test,
    Way,
    always,
    cell,
    cursor,
    overlapping,
    packet_bits,
)
from equiv.term import Term, bvadd, concat, conj, const, eq, extract

Read = Callable[[str, int, int], Term | None]
"""Bits `lo` to `hi` of a header as a term; None for no bits at all."""


def element_width(automaton: Automaton) -> int:
    """The widest packet element, of 8, 4, 2 and 1 bits, of which every reachable state consumes a whole number."""
    return gcd(8, *(state.consumes for state in reachable(automaton)))


def reachable(automaton: Automaton) -> list[State]:
    """The states that can be entered, the start first."""
    found: dict[str, State] = {}
    work = [automaton.start]
    while work:
        name = work.pop()
        if name in found or name not in automaton.states:
            continue
        state = found[name] = automaton.states[name]
        work += [*(case.target for case in state.cases), state.default][::-1]
    return list(found.values())


def initial_store(side: str, header: str) -> str:
    """Name of the input that holds what `header` is on one side before it is first set."""
    return f"{side}.initial.{header}"


def lower(automaton: Automaton, side: str, element: int) -> ParserCode:
    """Code over packet elements of `element` bits; `side` tells this side's arbitrary header contents from the other's.

    Outputs are whole headers, by name; a machine works out those that the interface observes.
    """
    return _Lowering(automaton, side, element).code()


class _Lowering:
    def __init__(self, automaton: Automaton, side: str, element: int) -> None:
        self.automaton = automaton
        self.side = side
        self.element = element
        self.states = reachable(automaton)
        self.pieces = {h: list(pairwise(sorted(cuts))) for h, cuts in self._cuts().items()}

    def code(self) -> ParserCode:
        place = Place(self.automaton.file)
        widths = {_piece(h, lo): end - lo for h, pieces in self.pieces.items() for lo, end in pieces}
        initial: dict[str, Term] = {}
        for header, pieces in self.pieces.items():
            wide = self.automaton.headers[header]
            if not wide:
                continue
            whole = context_field(initial_store(self.side, header), wide)
            for lo, end in pieces:
                initial[_piece(header, lo)] = extract(wide - lo - 1, wide - end, whole)
        outputs = {
            header: term
            for header, wide in self.automaton.headers.items()
            if (term := self._cells(header, 0, wide - 1)) is not None
        }
        blocks = {state.name: tuple(self._block(state, place)) for state in self.states}
        return ParserCode(
            blocks,
            self.automaton.start,
            self.element,
            widths,
            initial,
            outputs,
            assumptions=("headers hold anything, on either side, before they are first set",),
        )

    def _cuts(self) -> dict[str, set[int]]:
        cuts = {header: {0, wide} for header, wide in self.automaton.headers.items()}
        for state in self.states:
            exprs = [*state.keys, *(op.expr for op in state.ops if isinstance(op, Assign))]
            for one in (s for expr in exprs for s in slices(expr)):
                cuts[one.header] |= {one.lo, one.hi + 1}
        return cuts

    def _cells(self, header: str, lo: int, hi: int) -> Term | None:
        """Bits of a header; a slice ends where a piece does, since the pieces were cut so."""
        inside = [(a, b) for a, b in self.pieces[header] if lo <= a and b <= hi + 1]
        return concat(*(cell(_piece(header, a), b - a) for a, b in inside)) if inside else None

    def _block(self, state: State, place: Place) -> Iterable[Op]:
        count = state.consumes // self.element
        name = state.name
        if count:
            end = bvadd(cursor(), const(count, ADDRESS_WIDTH))
            yield Test(in_packet(end), REJECT, place, f"{name}: {state.consumes} bits are there", f"{name}: too short")
        at = 0
        moves: tuple[tuple[str, Term], ...] = ()
        if count:
            moves = ((CURSOR, bvadd(cursor(), const(count, ADDRESS_WIDTH))),)
        values: list[tuple[str, Term]] = []
        for op in state.ops:  # extracts read past the cursor, which moves with the last of them
            match op:
                case Extract(header=header, width=wide):
                    values = [
                        (_piece(header, lo), packet_bits(cursor(), at + lo, b - lo, self.element))
                        for lo, b in self.pieces[header]
                    ]
                    at += wide
                case Assign(header=header, expr=expr):
                    whole = self.term(expr)
                    wide = self.automaton.headers[header]
                    values = [
                        (_piece(header, lo), extract(wide - lo - 1, wide - b, whole))
                        for lo, b in self.pieces[header]
                        if whole is not None
                    ]
            if values:
                yield Set(tuple(values), place)
        if moves:
            yield Set(moves, place)
        if not state.cases:
            yield Jump(state.default, place)
            return
        yield self._choose(state, place)

    def _choose(self, state: State, place: Place) -> Choose:
        keys = [self.term(key) for key in state.keys]
        patterns = [*(_pattern(case, state.keys) for case in state.cases), None]
        overlaps = overlapping(patterns)
        ways = []
        for case, overlap in zip(state.cases, overlaps):
            conditions = (
                eq(key, const(int(pattern, 2), key.width))
                for key, pattern in zip(keys, case.patterns)
                if pattern and key is not None
            )
            shown = ", ".join("_" if p is None else p for p in case.patterns)
            ways.append(
                Way(conj(*conditions), case.target, overlap, place, f"{state.name}: ({shown}) -> {case.target}")
            )
        ways.append(always(state.default, overlaps[-1], place, f"{state.name}: default -> {state.default}"))
        return Choose(tuple(ways), place)

    def term(self, expr: Expr) -> Term | None:
        """The value of `expr` over cells; None where it has no bits."""
        match expr:
            case Literal(bits=bits):
                return const(int(bits, 2), len(bits)) if bits else None
            case Slice(header=header, lo=lo, hi=hi):
                return self._cells(header, lo, hi)
            case Concat(parts=parts):
                terms = [term for part in parts if (term := self.term(part)) is not None]
                return concat(*terms) if terms else None


def _piece(header: str, lo: int) -> str:
    return f"{header}[{lo}]"


def _pattern(case: Case, keys: tuple[Expr, ...]) -> Pattern:
    """All keys side by side as one number, with the mask of the bits that the case asks for."""
    value = mask = 0
    for key, pattern in zip(keys, case.patterns):
        wide = width(key)
        value, mask = value << wide, mask << wide
        if pattern:
            value, mask = value | int(pattern, 2), mask | (1 << wide) - 1
    return value, mask
