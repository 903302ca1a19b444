"""What a verdict rests on, in words: printed with every result and every verified certificate."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING

from equiv.loaded import PROG_ARRAY
from equiv.machine.interface import Interface
from equiv.machine.protocol import Machine
from equiv.question import Posed

if TYPE_CHECKING:
    from equiv.bpf.program import MapSpec

SCHED_CLS = 3
"""`enum bpf_prog_type`: tc programs."""


def not_compared(maps: Mapping[str, MapSpec], observed: Set[str]) -> list[str]:
    """Names of the maps, data sections among them, that a program may write and of which no entry is observed."""
    return sorted(
        name for name, spec in maps.items() if not spec.frozen and name not in observed and spec.type != PROG_ARRAY
    )


def assumptions(posed: Posed, machines: tuple[Machine, Machine]) -> tuple[str, ...]:
    """What the answer to a question rests on, one sentence each."""
    interface, sides = posed.interface, (posed.left, posed.right)
    maps: dict[str, MapSpec] = {}
    for side in sides:
        maps |= side.program.maps if side.program else {}
    said = [_packets_admitted(interface)]
    skb = interface.context == "flow_dissector" or interface.program_type == SCHED_CLS
    if skb and interface.split == "linear":
        said.append("the whole packet is in the linear part of the skb")
    if posed.right.linear and interface.split == "any":
        said.append("the right side gets every packet in one linear piece, the left side in any pieces")
    if all(side.parser for side in sides) and not interface.observables and interface.relation is None:
        said.append("only acceptance is compared, not what was parsed")
    if interface.relation is not None:
        said.append(f"what is asked: {interface.relation.text}")
    said += [f"assumed: {assumed.text}" for assumed in interface.assumed]
    if interface.exact_end:
        said.append("a packet is accepted only where the parser accepts at its very end")
    for side in sides:
        if side.program and side.default_interface is None:
            section = side.program.section
            said.append(f"program {side.program_name} of section {section} is attached as {interface.title}")
    said += [text for machine in machines for text in machine.assumptions]
    observed = {o.map_name for o in interface.observables}
    plain = sorted(
        name for name, spec in maps.items() if not spec.frozen and spec.initial is None and spec.type != PROG_ARRAY
    )
    if plain:
        said.append(f"maps of one name hold the same on both sides when the run begins ({', '.join(plain)})")
    quiet = not_compared(maps, observed)
    if quiet:
        said.append(f"writes to these maps are not compared: {', '.join(quiet)}")
    return tuple(dict.fromkeys(said))


def _packets_admitted(interface: Interface) -> str:
    shortest, longest, element = interface.min_length, interface.max_length, interface.element_width
    if element == 8:
        return f"packets are {shortest} to {longest} bytes long ({interface.title})"
    return f"packets are {shortest} to {longest} times {element} bits long ({interface.title})"
