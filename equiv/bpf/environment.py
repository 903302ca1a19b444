"""What every handler of the symbolic machine needs to know besides the state: fixed for the life of a machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from equiv.bpf.program import MapSpec, Program
from equiv.bpf.state import State, fault
from equiv.machine.inputs import linear_length, packet_length
from equiv.machine.interface import Interface
from equiv.term import Term


@dataclass(frozen=True, slots=True)
class Environment:
    """`packet_fields` remembers packet loads by offset and size: one program looks at the same header often.

    `noted` collects sentences for the list of assumptions that only a run shows to be needed. `unread` are maps on
    whose contents nothing depends that the program does or the interface observes. `side` tells what is arbitrary on
    either side of a check apart. `stamp_aware` remembers which programs read tstamp_type (D400).
    """

    program: Program
    interface: Interface
    packet_fields: dict[tuple[Term, int], Term] = field(default_factory=dict)
    noted: set[str] = field(default_factory=set)
    unread: frozenset[str] = frozenset()
    side: str = "left"
    stamp_aware: dict[int, bool | None] = field(default_factory=dict)

    @property
    def little(self) -> bool:
        """Whether the machine that runs the program is little-endian."""
        return self.program.byte_order == "little"

    def packet_end(self, state: State) -> Term:
        """Offset of `data_end`, 64 bits: how much of the packet the program can access directly."""
        if state.linear is not None:
            return state.linear
        return self.length(state) if self.interface.split == "linear" else linear_length()

    def length(self, state: State) -> Term:
        """The packet's present length, 64 bits."""
        return packet_length() if state.length is None else state.length

    def map_spec(self, name: str) -> MapSpec:
        """The map called `name`."""
        found = self.program.maps.get(name.removesuffix("[]"))
        if found is not None and name.endswith("[]"):  # the maps that it holds (D53)
            found = replace(found.inner, name=name) if found.inner is not None else None
        if found is None:
            raise fault(f"refers to a map {name!r} that the object does not define")
        return found
