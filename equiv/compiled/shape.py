"""Where things lie in the buffers that Python and native code share: inputs, results, a side's own memory."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from equiv.bpf.interpret.contexts import SKB_FIELDS
from equiv.machine.concrete import Input, Observation
from equiv.machine.inputs import LARGEST
from equiv.machine.interface import Interface, observed_key

OK, ASK, PUNT = 0, 1, 2
"""How a side's run ended: with a result, with a question to the interpreter, with a packet handed to the host."""

LONGEST: Final = 65535
"""Bytes of the longest packet that any interface has."""
SLACK: Final = 64
"""Bytes behind the packets of a batch that may be read, though nothing that is read there counts."""

_COMPUTED: Final = frozenset({"len", "data", "data_end", "data_meta", "flow_keys", "sk", "protocol", "wire_len"})
SKB_INPUTS: Final = tuple(name for name in SKB_FIELDS if name not in _COMPUTED)
"""Fields of an skb that an input may give; the packet decides the others."""
SIXTEEN_BITS: Final = frozenset({"tc_index", "tc_classid", "queue_mapping"})
CB_SIZE: Final = 20
SET_PREFIX: Final = "set."
"""Inputs `set.NAME[VALUE]` say that a value set of a P4 parser holds that value."""


class Fields:
    """Gives out places in one block of memory, aligned to 8 bytes (64 where asked)."""

    def __init__(self) -> None:
        self.size = 0

    def take(self, size: int, align: int = 8) -> int:
        """The offset of `size` fresh bytes."""
        start = -(-self.size // align) * align
        self.size = start + size
        return start


@dataclass(frozen=True, slots=True)
class Edge:
    """Something that runs may pass, and that is counted: a way out of a jump, a row, a default, a check that fails.

    `at` is a slot of a program or a line of a table; `group` the state of a table, "" in a program.
    """

    at: int
    text: str
    group: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """What goes with a packet, 8 bytes a name; the control block, 24 bytes, at `cb` where there is one.

    `keys` are places of the keys under which maps are observed: name, offset, size.
    """

    names: Mapping[str, int]
    cb: int | None
    keys: tuple[tuple[str, int, int], ...]
    size: int
    widths: Mapping[str, int] = field(default_factory=dict)
    """Bits of names that are not fields of a kernel's context; 32 where nothing is said."""
    sets: Mapping[str, int] = field(default_factory=dict)
    """Where it is said, 8 bytes each, whether a value set holds something, and what; it is one value at most."""

    def accepts(self, context: Mapping[str, int]) -> bool:
        """Whether native code can be given all of this context."""
        held = Counter(name.partition("[")[0] for name, value in context.items() if value and _is_member(name))
        return max(held.values(), default=0) <= 1 and all(self._accepts(name, value) for name, value in context.items())

    def _accepts(self, name: str, value: int) -> bool:
        if name in self.names:
            width = 16 if name in SIXTEEN_BITS else 8 * SKB_FIELDS[name][1] if name in SKB_FIELDS else 32
            return not value >> self.widths.get(name, width) and value <= LARGEST.get(name, value)
        if _is_member(name):
            wanted = _member(name)
            return not value or (name.partition("[")[0] in self.sets and not wanted >> 64)
        if self.is_parser and not value:
            return True  # what is not given is 0
        return (name == "cb" and self.cb is not None) or self._is_key(name)

    @property
    def is_parser(self) -> bool:
        """Whether a side is a parser, whose inputs have names of their own."""
        return bool(self.widths or self.sets)

    def _is_key(self, name: str) -> bool:
        return any(name == key for key, _, _ in self.keys)

    def pack(self, context: Mapping[str, int]) -> bytes:
        """The row of one input."""
        row = bytearray(self.size)
        for name, offset in self.names.items():
            if value := context.get(name, 0):
                struct.pack_into("<Q", row, offset, value & (1 << 64) - 1)
        if self.cb is not None and (value := context.get("cb", 0)):
            row[self.cb : self.cb + CB_SIZE] = (value & (1 << 8 * CB_SIZE) - 1).to_bytes(CB_SIZE, "big")
        for name, offset, size in self.keys:
            if value := context.get(name, 0):
                row[offset : offset + size] = value.to_bytes(size, "big")
        for name, value in context.items():
            if value and _is_member(name):
                struct.pack_into("<QQ", row, self.sets[name.partition("[")[0]], 1, _member(name))
        return bytes(row)


def _is_member(name: str) -> bool:
    return name.startswith(SET_PREFIX) and name.endswith("]")


def _member(name: str) -> int:
    """The VALUE of `set.NAME[VALUE]`."""
    return int(name.partition("[")[2][:-1])


def row_of(
    interface: Interface,
    key_sizes: Mapping[str, int],
    parsers: Mapping[str, int] | None = None,
    sets: Iterable[str] = (),
) -> Row:
    """The row of inputs under `interface`; `key_sizes` of the maps by name, `parsers` widths of inputs of parsers,
    `sets` their value sets."""
    names = {
        "xdp_md": ("ingress_ifindex", "rx_queue_index"),
        "flow_dissector": ("flags",),
        "__sk_buff": SKB_INPUTS,
    }.get(interface.context, ())
    fields = Fields()
    offsets = {name: fields.take(8) for name in dict.fromkeys((*names, *sorted(parsers or ())))}
    cb = fields.take(CB_SIZE) if interface.context == "__sk_buff" else None
    keys = tuple(
        (observed_key(o.map_name), fields.take(key_sizes[o.map_name]), key_sizes[o.map_name])
        for o in interface.observables
        if o.map_name and o.map_key is None and o.map_name in key_sizes
    )
    members = {name: fields.take(16) for name in sorted(sets)}
    return Row(offsets, cb, keys, max(8, -(-fields.size // 8) * 8), dict(parsers or {}), members)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an observable stands in a result. "int": 8 bytes, or for one of more than 64 bits `size` of them, the
    first least significant; "bytes": `size` of them; "span": address and length."""

    name: str
    kind: Literal["int", "wide", "bytes", "span"]
    offset: int
    size: int
    when: frozenset[int]
    effect: bool = False
    width: int = 64


@dataclass(frozen=True)
class Shape:
    """The result of one side: the return code at 0, then the observables' places. Both sides of a check share it."""

    interface: Interface
    row: Row

    @cached_property
    def places(self) -> tuple[Place, ...]:
        found, fields = [], Fields()
        fields.take(8)
        for o in (*self.interface.observables, *self.interface.parser_fields):
            if o.kind == "packet" or (o.kind == "bytes" and not o.width):
                found.append(Place(o.name, "span", fields.take(16), 16, o.when))
            elif o.kind == "bytes":
                size = o.width // 8
                found.append(Place(o.name, "bytes", fields.take(size), size, o.when))
            elif o.width <= 64:
                found.append(Place(o.name, "int", fields.take(8), 8, o.when, o.kind == "effect", o.width))
            elif o.kind == "int":
                size = -(-o.width // 8)
                found.append(Place(o.name, "wide", fields.take(size), size, o.when, width=o.width))
        return tuple(found)

    @cached_property
    def size(self) -> int:
        """Bytes of a result."""
        return max((place.offset + place.size for place in self.places), default=8) + 8

    def place(self, name: str) -> Place | None:
        return next((place for place in self.places if place.name == name), None)

    def observation(self, result: bytes, read: ReadMemory) -> Observation:
        """A result as an interpreter would show it; `read` gives the bytes that spans point to."""
        (code,) = struct.unpack_from("<Q", result)
        values: dict[str, int | bytes] = {}
        for place in self.places:
            content = result[place.offset : place.offset + place.size]
            if place.kind == "bytes":
                values[place.name] = content
            elif place.kind == "span":
                address, size = struct.unpack("<QQ", content)
                values[place.name] = read(address, size)
            else:
                value = int.from_bytes(content, "little")
                if not place.effect or (value and (not place.when or code in place.when)):
                    values[place.name] = value
        return Observation(self.interface.label(code), code, values)


class ReadMemory:
    """Bytes of this process at an address that native code gave."""

    def __call__(self, address: int, size: int) -> bytes:
        import ctypes

        return ctypes.string_at(address, size) if size else b""


def without_counts(context: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    """A context without what it says of how many entries maps have, and that, by map (`map.NAME.count`)."""
    counts = {n[4:-6]: v for n, v in context.items() if n.startswith("map.") and n.endswith(".count")}
    return {n: v for n, v in context.items() if n[4:-6] not in counts or not n.startswith("map.")}, counts


def runnable(shape: Shape, given: Input) -> bool:
    """Whether native code can be given all that makes this input, maps aside."""
    return not given.oracles and shape.row.accepts(given.context) and len(given.packet) <= LONGEST
