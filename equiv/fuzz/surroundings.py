"""What goes with packets: contents of maps, fields of the context, by chance and by what programs look for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from equiv.bpf.program import MapSpec
from equiv.compiled.parser import context_of, value_sets_of
from equiv.fuzz.inputs import ARRAYS, HASHES
from equiv.fuzz.sides import Sides
from equiv.machine.concrete import Input
from equiv.machine.interface import observed_key
from equiv.oracle.contexts import LOOPBACK
from equiv.p4.machine import ParserMachine

LPM_TRIE: Final = 11
MOST_ENTRIES: Final = 24
ADMITTED_TRIES: Final = 4
_WIDTHS: Final = {"mark": 32, "priority": 32, "tc_index": 16, "cb": 160, "hash": 32, "flags": 3, "rx_queue_index": 32}


def _parser_inputs(sides: Sides) -> tuple[dict[str, int], dict[str, int]]:
    """Inputs beside the packet that parsers have, and their value sets, with widths."""
    inputs, sets = dict[str, int](), dict[str, int]()
    how = sides.interface.extracted
    if how is not None and "kernel" not in (sides.left_on, sides.right_on):
        inputs |= {name: 32 for _, name in how.given}
    machines = [
        sides.left.machine(sides.interface, "left") if sides.left.parser is not None else None,
        sides.right.machine(sides.interface, "right") if sides.right.parser is not None else None,
    ]
    for machine in machines:
        if isinstance(machine, ParserMachine):
            if how is None:
                inputs |= context_of(machine.code)
            sets |= value_sets_of(machine.code)
    return inputs, sets


Maps = Mapping[str, Mapping[bytes, bytes]]


class Surroundings:
    """Draws what goes with packets. All its choices come from `random`."""

    def __init__(self, sides: Sides, random: Random, numbers: Sequence[bytes]) -> None:
        self._random = random
        self._numbers = numbers
        self._interface = sides.interface
        self._on_kernel = "kernel" in (sides.left_on, sides.right_on)
        specs: dict[str, MapSpec] = {}
        for program in sides.programs:
            for name, spec in program.maps.items():
                if spec.initial is None and spec.contents is None and not spec.frozen:
                    specs.setdefault(name, spec)
        self._specs = [spec for spec in specs.values() if spec.type in HASHES | ARRAYS | {LPM_TRIE}]
        self._values = {
            (value.map_name, value.key): value.size
            for side in (sides.left, sides.right)
            for value in (side.table.maps if side.table else ())
            if value.map_name not in specs
        }
        self._inputs, self._sets = _parser_inputs(sides)
        self.missed: dict[str, list[bytes]] = {}
        """Keys that runs looked for and did not find."""

    @property
    def any_maps(self) -> bool:
        return bool(self._specs or self._values)

    def maps(self, packet: bytes) -> dict[str, dict[bytes, bytes]]:
        """Contents for each map, or none; keys are mostly what was looked for, or pieces of this packet."""
        random, found = self._random, dict[str, dict[bytes, bytes]]()
        for spec in self._specs:
            if random.random() < 0.8:
                found[spec.name] = self._entries(spec, packet)
        for (name, key), size in self._values.items():
            found.setdefault(name, {})[key.to_bytes(4, "little")] = self._value(size)
        return found

    def counts(self) -> dict[str, int]:
        """By map, how many entries it is said to have: now and then as many as there is room for."""
        full = self._random.random() < 0.15
        return {spec.name: spec.max_entries for spec in self._specs if full and spec.type in HASHES}

    def context(self) -> dict[str, int]:
        """A few fields of the context, mostly none, for programs that look at them."""
        random, names = self._random, list[str]()
        if self._on_kernel:  # of others a test run has its own
            names = ["mark", "priority", "cb"] if self._interface.context == "__sk_buff" else []
        elif self._interface.context == "__sk_buff":
            names = ["mark", "priority", "tc_index", "cb", "hash"]
        elif self._interface.context == "flow_dissector":
            names = ["flags"]
        elif self._interface.context == "xdp_md":
            names = ["rx_queue_index"]
        widths = {**{name: _WIDTHS[name] for name in names}, **self._inputs}
        found = {name: self._field(width) for name, width in widths.items() if random.random() < 0.4}
        found |= self.always()
        if "cb" in found:  # here and there it is as it was made
            found["cb"] &= int.from_bytes(bytes(random.choice((0, 255)) for _ in range(20)), "big")
        return found

    def always(self) -> dict[str, int]:
        """Fields that a test run of the kernel chooses, whatever the packet."""
        return {"ifindex": LOOPBACK} if self._on_kernel and self._interface.context == "__sk_buff" else {}

    def admitted(self, packet: bytes) -> dict[str, int]:
        """The same, so that what is assumed of inputs holds with this packet; none where that is hard to find."""
        assumed = [each for each in self._interface.assumed if each.about_inputs]
        for _ in range(ADMITTED_TRIES):
            found = self.context()
            if all(each.holds(Input(packet, None, found), None, None) for each in assumed):
                return found
        return self.always()

    def members(self, packet: bytes) -> dict[str, int]:
        """Of each value set of a parser a value that it holds, mostly a piece of this packet or a known number."""
        random, found = self._random, dict[str, int]()
        for name, width in self._sets.items():
            size = -(-width // 8)
            at = random.randrange(max(1, len(packet) - size + 1))
            pieces = [packet[at : at + size], random.randbytes(size), random.choice(self._numbers or [b""])[:size]]
            value = int.from_bytes(random.choice(pieces), "big") & (1 << width) - 1
            if random.random() < 0.7:
                found[f"{name}[{value}]"] = 1
        return found

    def observed(self, packet: bytes) -> dict[str, int]:
        """The keys under which maps are observed (D52): most are keys that a run may have written."""
        found = {}
        for o in self._interface.observables:
            spec = next((spec for spec in self._specs if spec.name == o.map_name), None)
            if o.map_name and o.map_key is None and spec is not None:
                found[observed_key(o.map_name)] = int.from_bytes(self._key(spec, packet), "big")
        return found

    def _field(self, width: int) -> int:
        random = self._random
        return random.choice((1, (1 << width) - 1, 1 << (width - 1), random.getrandbits(width))) & (1 << width) - 1

    def _entries(self, spec: MapSpec, packet: bytes) -> dict[bytes, bytes]:
        random = self._random
        if spec.type in ARRAYS:
            keys = range(min(spec.max_entries, 64))
            chosen = keys if len(keys) <= 4 else random.sample(keys, random.randint(1, min(8, len(keys))))
            return {key.to_bytes(4, "little"): self._value(spec.value_size) for key in chosen}
        most = min(MOST_ENTRIES, spec.max_entries)
        keys_ = {self._key(spec, packet) for _ in range(random.randint(1, most))}
        return {key: self._value(spec.value_size) for key in keys_}

    def _key(self, spec: MapSpec, packet: bytes) -> bytes:
        random, size = self._random, spec.key_size
        looked_for = self.missed.get(spec.name, [])
        if looked_for and random.random() < 0.8:
            key = random.choice(looked_for)
        elif random.random() < 0.8 and len(packet) >= size:
            at = random.randrange(len(packet) - size + 1)
            key = packet[at : at + size]
        else:
            key = random.choice((bytes(size), random.randbytes(size)))
        if spec.type != LPM_TRIE:
            return key
        bits = 8 * (size - 4)
        return random.choice((bits, bits, random.randint(0, bits))).to_bytes(4, "little") + key[4:]

    def _value(self, size: int) -> bytes:
        random = self._random
        small = random.randrange(4).to_bytes(size, random.choice(("little", "big")))
        number = random.choice(self._numbers)[:size].ljust(size, b"\x00") if self._numbers else small
        return random.choice((bytes(size), small, small, number, b"\xff" * size, random.randbytes(size)))
