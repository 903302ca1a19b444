"""A P4 source file as a `Parser`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property

from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface, Observable
from equiv.machine.protocol import Machine
from equiv.p4 import model as m
from equiv.p4.code import ERROR_WIDTH, NO_ERROR, ParserCode, Set, cells_read
from equiv.p4.elaborate import elaborate
from equiv.p4.given import given_context, given_initially
from equiv.p4.granularity import element_width
from equiv.p4.interpret import run
from equiv.p4.lower import Lowering
from equiv.p4.machine import ParserMachine
from equiv.p4.parser import Kind, Side
from equiv.p4.preprocess import MAX_BYTES, preprocess
from equiv.p4.syntax import parse
from equiv.p4.view import CONSUMED, PARSER_ERROR, show

DROPPED_AT_REJECT = frozenset({"ebpfFilter", "xdp"})
"""Packages that drop a packet when its parser rejects; the others go on to controls with the error."""


@dataclass(frozen=True)
class P4Parser:
    """`equiv.p4.parser.Parser` for a P4_16 program."""

    model: m.Program
    kind: Kind = "p4"
    accepts_at_end_only: bool = False

    def __reduce__(self) -> tuple[type[P4Parser], tuple[m.Program, Kind, bool]]:
        """Without what was worked out of it: terms belong to one process."""
        return P4Parser, (self.model, self.kind, self.accepts_at_end_only)

    @property
    def file(self) -> str:
        return self.model.file

    @property
    def sha256(self) -> str:
        return self.model.sha256

    @property
    def program(self) -> str:
        return self.model.main.name

    @property
    def errors(self) -> tuple[str, ...]:
        return tuple(name for name in self.model.errors if name != NO_ERROR)

    @property
    def continues_after_reject(self) -> bool:
        return self.model.architecture not in DROPPED_AT_REJECT

    @property
    def element(self) -> int:
        return self._lowered[0]

    @property
    def _code(self) -> ParserCode:
        return self._lowered[1]

    @cached_property
    def _lowered(self) -> tuple[int, ParserCode]:
        """The width of a packet element, and the left side's code in such.

        Bytes are tried first: code in bytes says truly what a parser does up to a first move by less, so where it says
        that all moves are by whole bytes, there is none.
        """
        lowering = Lowering(self.model, "left", 8)
        code = lowering.code()
        if element_width(lowering.moves, code) == 8:
            return 8, code
        lowering = Lowering(self.model, "left", 1, measuring=True)
        element = element_width(lowering.moves, lowering.code())
        return element, Lowering(self.model, "left", element).code()

    @cached_property
    def outputs(self) -> dict[str, int]:
        return {**{name: term.width for name, term in self._code.outputs.items()}, PARSER_ERROR: ERROR_WIDTH}

    @cached_property
    def observables(self) -> tuple[Observable, ...]:
        """What the parser stores somewhere; the rest is on both sides what it was."""
        code = self._code
        stored = {name for ops in code.blocks.values() for op in ops if isinstance(op, Set) for name, _ in op.values}
        return tuple(
            Observable(name, "int", term.width)
            for name, term in code.outputs.items()
            if name != CONSUMED and stored & cells_read([term])
        )

    def _under(self, interface: Interface) -> Interface:
        """The interface as this parser's architecture has it: some drop whatever their parser rejects (D200)."""
        how = interface.extracted
        if how is None or self.continues_after_reject:
            return interface
        return replace(interface, extracted=replace(how, error=None))

    def machine(self, interface: Interface, side: Side) -> Machine:
        interface = self._under(interface)
        is_own = (side, interface.element_width) == ("left", self.element)
        code = self._code if is_own else Lowering(self.model, side, interface.element_width).code()
        if interface.extracted is not None:
            code = replace(code, initial=given_initially(code.initial, interface.extracted))
        return ParserMachine(self.file, code, interface)

    def execute(self, interface: Interface, given: Input, side: Side) -> Observation:
        interface = self._under(interface)
        width = interface.element_width
        bits = 0
        for value in given.packet:
            bits = bits << width | value & (1 << width) - 1
        length = width * len(given.packet)
        context = given.context
        if interface.extracted is not None:
            context = given_context(context, interface.extracted)
        ran = run(self.model, bits, length, context, side)
        code, values = show(interface, ran.accepted, ran.error, ran.consumed == length, ran.values, given)
        read = frozenset(range((ran.consumed + width - 1) // width))
        return Observation(interface.label(code), code, values, ran.path, read)


def load_p4(path: str, name: str | None = None) -> P4Parser:
    """The parser `name` of the P4 source file `path`, or the one that its `main` has.

    Raises InputError for what is wrong, Unsupported for what is not modelled, each at its line.
    """
    raw = read_input(path, MAX_BYTES)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"not text: {error}", Place(path)) from error
    return parse_p4(path, text, name, hashlib.sha256(raw).hexdigest())


def parse_p4(path: str, text: str, name: str | None = None, sha256: str = "") -> P4Parser:
    """The same for `text`, which is said to be in `path` and to have this SHA-256."""
    read = preprocess(path, text)
    source, tree = parse(path, read.text)
    parser = P4Parser(elaborate(source, tree, _of_all(sha256, read.included), name))
    _ = parser.observables  # what cannot be lowered is refused at once
    return parser


def _of_all(sha256: str, included: tuple[str, ...]) -> str:
    """The SHA-256 that a source is known by: its own, or one over its own and those of the files that it includes."""
    return hashlib.sha256("\n".join((sha256, *included)).encode()).hexdigest() if included else sha256


__all__ = ["CONSUMED", "P4Parser", "load_p4", "parse_p4"]
