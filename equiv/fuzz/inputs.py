"""Whole inputs: a packet with the context and map contents that go with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from equiv.bpf.program import MapSpec, Program
from equiv.fuzz.packets import Packets
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface

HASHES = frozenset({1, 5, 9, 10})
ARRAYS = frozenset({2, 6})
"""`enum bpf_map_type` of the maps that are given contents."""

Context = Callable[[bytes], dict[str, int]]
"""The context that comes with a packet where it is run, as far as the packet or the place decides it."""


class Inputs:
    """Generates inputs for one program. All its choices come from `random`."""

    def __init__(
        self, program: Program, interface: Interface, packets: Packets, context: Context, split: bool, random: Random
    ) -> None:
        self._interface = interface
        self._packets = packets
        self._context = context
        self._split = split and interface.split == "any"
        self._random = random
        self._maps = [
            spec
            for spec in program.maps.values()
            if spec.type in HASHES | ARRAYS and not spec.frozen and spec.initial is None and spec.contents is None
        ]

    def next(self) -> Input:
        """One input that the interface admits."""
        packet = self._packets.next()
        random = self._random
        context = {**self._context(packet), **_free_fields(self._interface, random)}
        linear = None
        if self._split and len(packet) > 14 and random.random() < 0.5:
            linear = random.randint(14, len(packet))
        return Input(packet, linear, context, self._contents(packet))

    def _contents(self, packet: bytes) -> Mapping[str, Mapping[bytes, bytes]]:
        return {spec.name: self._entries(spec, packet) for spec in self._maps if self._random.random() < 0.4}

    def _entries(self, spec: MapSpec, packet: bytes) -> dict[bytes, bytes]:
        """A few entries; keys of hashes are mostly pieces of the packet, which a program may look up."""
        random, entries = self._random, {}
        for _ in range(min(random.randint(1, 3), spec.max_entries)):
            if spec.type in ARRAYS:
                key = random.randrange(min(spec.max_entries, 64)).to_bytes(4, "little")
            elif random.random() < 0.8:
                at = random.randrange(max(1, len(packet) - spec.key_size + 1))
                key = packet[at : at + spec.key_size].ljust(spec.key_size, b"\x00")
            else:
                key = random.choice((bytes(spec.key_size), random.randbytes(spec.key_size)))
            entries[key] = random.choice((bytes(spec.value_size), random.randbytes(spec.value_size)))
        return entries


def _free_fields(interface: Interface, random: Random) -> dict[str, int]:
    """Context fields that may hold anything, given a value now and then."""
    if interface.context == "flow_dissector":
        return {"flags": random.choice((0, 0, 1, 2, 4, 7))}
    if interface.context != "__sk_buff" or random.random() < 0.7:
        return {}
    widths = {"mark": 32, "priority": 32, "cb": 160}
    return {name: random.getrandbits(width) for name, width in widths.items() if random.random() < 0.5}
