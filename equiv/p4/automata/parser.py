"""An automaton as a `Parser`: acceptance at the packet's end, and header contents for relations."""

from __future__ import annotations

from dataclasses import dataclass

from equiv.errors import InternalError
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface, Observable
from equiv.machine.protocol import Machine
from equiv.p4.automata.interpret import run
from equiv.p4.automata.lower import element_width, initial_store, lower
from equiv.p4.automata.model import Automaton
from equiv.p4.machine import ParserMachine
from equiv.p4.parser import Kind, Side
from equiv.p4.view import show


@dataclass(frozen=True, slots=True)
class AutomatonParser:
    """`equiv.p4.parser.Parser` for an automaton."""

    automaton: Automaton
    kind: Kind = "automaton"
    errors: tuple[str, ...] = ()
    observables: tuple[Observable, ...] = ()
    continues_after_reject: bool = False
    accepts_at_end_only: bool = True

    @property
    def file(self) -> str:
        return self.automaton.file

    @property
    def sha256(self) -> str:
        return self.automaton.sha256

    @property
    def program(self) -> str:
        return self.automaton.start

    @property
    def element(self) -> int:
        return element_width(self.automaton)

    @property
    def outputs(self) -> dict[str, int]:
        return {name: width for name, width in self.automaton.headers.items() if width}

    def machine(self, interface: Interface, side: Side) -> Machine:
        return ParserMachine(self.file, lower(self.automaton, side, interface.element_width), interface)

    def execute(self, interface: Interface, given: Input, side: Side) -> Observation:
        element = interface.element_width
        bits = "".join(format(value & (1 << element) - 1, f"0{element}b") for value in given.packet)
        initial = {
            header: format(given.context.get(initial_store(side, header), 0), f"0{wide}b") if wide else ""
            for header, wide in self.automaton.headers.items()
        }
        ran = run(self.automaton, bits, initial)
        if ran.consumed % element:
            raise InternalError(f"{self.file} consumed {ran.consumed} bits of a packet in elements of {element}")
        store = {name: int(held, 2) for name, held in ran.store.items() if held}
        code, values = show(interface, ran.accepted, "NoError", ran.consumed == len(bits), store, given)
        read = frozenset(range(ran.consumed // element))
        return Observation(interface.label(code), code, values, ran.path, read)
