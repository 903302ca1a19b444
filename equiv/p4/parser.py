"""What every parser front end hands on: a symbolic machine and an interpreter, and what the two show.

`parser_interface` makes the interface of a check between two of them; `verdict_only` says what is compared where the
other side is an eBPF program or a device table (D82).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from equiv.errors import InputError, Unsupported
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface, Observable, Relation, load_interface
from equiv.machine.protocol import Machine
from equiv.p4.code import NO_ERROR
from equiv.p4.view import CONSUMED, PARSER_ERROR, PARSERS, VerdictOnly

P4 = PARSERS

Side = Literal["left", "right"]
Kind = Literal["p4", "bmv2", "automaton"]


class Parser(Protocol):
    """One parser, read and understood."""

    @property
    def kind(self) -> Kind: ...

    @property
    def file(self) -> str: ...

    @property
    def sha256(self) -> str: ...

    @property
    def program(self) -> str:
        """The parser's name within the file, or the state that an automaton starts in."""
        ...

    @property
    def element(self) -> int:
        """The widest packet element (8, 4, 2 or 1 bits) of which everything consumed is a whole number (D80)."""
        ...

    @property
    def errors(self) -> tuple[str, ...]:
        """Names of the parser errors that it can end with, besides `NoError`."""
        ...

    @property
    def observables(self) -> tuple[Observable, ...]:
        """What a later control could read; `when` is left open."""
        ...

    @property
    def outputs(self) -> Mapping[str, int]:
        """Everything that conditions can look at when it has ended, by name, with its width in bits."""
        ...

    @property
    def continues_after_reject(self) -> bool:
        """Whether the architecture goes on to controls with what a rejecting parser left behind."""
        ...

    @property
    def accepts_at_end_only(self) -> bool:
        """Whether its own conventions are those of `exact_end`, and acceptance all there is to see."""
        ...

    def machine(self, interface: Interface, side: Side) -> Machine:
        """The symbolic machine."""
        ...

    def execute(self, interface: Interface, given: Input, side: Side) -> Observation:
        """One concrete run."""
        ...


@dataclass(frozen=True, slots=True)
class ParserOptions:
    """What is compared of two parsers. None: what the two inputs' own conventions say."""

    observe: Literal["all", "accept"] | None = None
    exact_end: bool | None = None
    relation: Relation | None = None
    extra: tuple[Observable, ...] = ()
    """Observables that only the relation looks at."""


def parser_interface(left: Parser, right: Parser, options: ParserOptions) -> Interface:
    """The interface of a check of two parsers (D80 to D83)."""
    base = load_interface(P4)
    strict = left.accepts_at_end_only or right.accepts_at_end_only
    observe = options.observe or ("accept" if strict else "all")
    exact_end = strict if options.exact_end is None else options.exact_end
    element = min(left.element, right.element)
    observables: tuple[Observable, ...] = options.extra
    errors: tuple[str, ...] = ()
    if observe == "all" and options.relation is None:
        errors = all_errors(left, right)
        when = frozenset({base.verdicts["accept"]})
        if left.continues_after_reject or right.continues_after_reject:
            when = frozenset()
        merged = _merged(left, right)
        observables = (
            Observable(PARSER_ERROR, "int", 16),
            *(replace(o, when=when) for o in (Observable(CONSUMED, "int", 64), *merged)),
        )
    return replace(
        base,
        observables=observables,
        element_width=element,
        exact_end=exact_end,
        errors=errors,
        relation=options.relation,
    )


def all_errors(left: Parser, right: Parser) -> tuple[str, ...]:
    """Names of the errors that either side can end with, `NoError` first: the numbering that both share."""
    return tuple(dict.fromkeys((NO_ERROR, *left.errors, *right.errors)))


def _merged(left: Parser, right: Parser) -> list[Observable]:
    """Observables of both sides; a header that only one side has is never valid on the other."""
    found: dict[str, Observable] = {}
    for parser in (left, right):
        for observable in parser.observables:
            other = found.setdefault(observable.name, observable)
            if other.width != observable.width:
                raise InputError(
                    f"`{observable.name}` has {other.width} bits in {left.file} and {observable.width} in {right.file}",
                    hint="compare acceptance only with --observe accept",
                )
    return list(found.values())


def verdict_only(interface: Interface, parser: Parser) -> Interface:
    """`interface` of a program or table, with all but the verdict left out of the comparison (D82)."""
    if parser.element < 8:
        raise Unsupported(
            f"{parser.file} consumes parts of bytes; it can be compared with other parsers only", hint="see D80"
        )
    if interface.name == P4:
        raise InputError("interface p4 is one of two parsers")
    return replace(interface, relation=VerdictOnly())
