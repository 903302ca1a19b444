"""What a suite is made for, and the inputs that go into it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from equiv.bpf.interpret import Fault
from equiv.bpf.symbolic import BpfMachine
from equiv.errors import InputError, Place, Unsupported
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.modelled import completed, input_of
from equiv.p4.code import with_own_ways
from equiv.p4.machine import ParserMachine
from equiv.p4.parser import P4
from equiv.solve.backend import Model
from equiv.suite.cover import Covered, cover
from equiv.suite.goals import Coverable, GoalKey
from equiv.suite.natural import natural
from equiv.table.symbolic import TableMachine


@dataclass(frozen=True, slots=True)
class Item:
    """One input of a suite, what it must show, and the places of its goals in the list of all."""

    given: Input
    expected: Observation
    covers: tuple[int, ...]
    keys: frozenset[GoalKey] = field(default=frozenset(), repr=False)
    """The same goals by key."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A table, program or parser, its machine, and the places of its goals by key."""

    loaded: Loaded
    interface: Interface
    machine: Coverable
    places: Mapping[GoalKey, int]

    def item(self, given: Input) -> Item | None:
        """The input as an item; None where it cannot be run.

        Raises InputError for a program that the verifier would reject.
        """
        given = completed(natural(self.interface, given), (self.loaded,))
        width = self.interface.element_width
        if width < 8:  # each byte holds one element (D80)
            given = replace(given, packet=bytes(byte & (1 << width) - 1 for byte in given.packet))
        try:
            expected = self.loaded.execute(self.interface, given)
        except Fault as fault:
            raise InputError(f"the kernel's verifier rejects this program: {fault.message}", fault.place) from fault
        except NotRunnable:
            return None
        reached: Covered = cover(self.machine, given)
        keys = reached & self.places.keys()
        return Item(given, replace(expected, path=()), tuple(sorted(self.places[key] for key in keys)), keys)

    def item_of(self, model: Model) -> Item | None:
        """The input that a model stands for; None where it cannot be run."""
        return self.item(input_of(model, self.interface, (self.loaded,)))


def coverable(loaded: Loaded, interface: Interface) -> Coverable:
    """The machine of which it is said what a suite covers. Raises Unsupported for a parser beside something else."""
    machine = loaded.machine(interface)
    if isinstance(machine, ParserMachine):
        if interface.name != P4:
            raise Unsupported("suites of parsers are made for interface p4", Place(loaded.path))
        return ParserMachine(machine.name, with_own_ways(machine.code), machine.interface)
    assert isinstance(machine, TableMachine | BpfMachine)
    return machine
