"""An input while it is made: what has been said of it so far; the rest is 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from equiv.generate.invert import Change
from equiv.machine.concrete import Input
from equiv.machine.inputs import PACKET
from equiv.machine.interface import Interface
from equiv.proof.replay import MapLayout, input_from_model
from equiv.solve.backend import Model
from equiv.term import Assignment, evaluate

LENGTH, LINEAR = "len", "linear"


class _Arrays(Mapping[str, Callable[[int], int]]):
    """Every array there may be; one that nothing was said of holds 0."""

    def __init__(self, held: dict[str, dict[int, int]]) -> None:
        self._held = held

    def __getitem__(self, name: str) -> Callable[[int], int]:
        held = self._held.setdefault(name, {})
        return lambda index: held.get(index, 0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


@dataclass(slots=True)
class Draft:
    """`variables` by name, `arrays` by name and index, as in a `Model`. Mutable; owned by who makes the input."""

    variables: dict[str, int] = field(default_factory=dict)
    arrays: dict[str, dict[int, int]] = field(default_factory=dict)

    @property
    def assignment(self) -> Assignment:
        """The draft as it is now, and as it will be: the assignment follows changes."""
        return Assignment(self.variables, _Arrays(self.arrays))

    def changed(self, change: Change) -> Draft:
        """A copy in which the leaves of `change` have their new values."""
        new = Draft(dict(self.variables), {name: dict(held) for name, held in self.arrays.items()})
        memo: dict[object, int] = {}
        for leaf, value in change.items():
            if leaf.op == "var":
                new.variables[leaf.data[0]] = value
            else:
                index = evaluate(leaf.args[0], self.assignment, memo)  # type: ignore[arg-type]
                new.arrays.setdefault(leaf.data, {})[index] = value
        if LINEAR in new.variables and LENGTH in new.variables:
            new.variables[LINEAR] = min(new.variables[LINEAR], new.variables[LENGTH])
        return new

    def input(self, interface: Interface, maps: Mapping[str, MapLayout]) -> Input:
        """The input that it stands for."""
        return input_from_model(Model(self.variables, self.arrays), interface, maps)

    @property
    def packet(self) -> bytes:
        """The packet's bytes."""
        content = self.arrays.get(PACKET, {})
        return bytes(content.get(i, 0) & 0xFF for i in range(self.variables.get(LENGTH, 0)))


def draft_of(packet: bytes, context: Iterable[tuple[str, int]] = ()) -> Draft:
    """The draft that says this of a packet, all of it linear."""
    variables = {LENGTH: len(packet), LINEAR: len(packet), **{f"ctx.{name}": value for name, value in context}}
    return Draft(variables, {PACKET: dict(enumerate(packet))})
