"""Maps of one run: contents, and what the map helpers do to them (kernel/bpf/{arraymap,hashtab,lpm_trie,devmap}.c).

Values are regions, made when first looked up: pointers to them stay valid. Of a per-CPU map there is the slice that the
one running CPU sees. What happens when an LRU map is full is not modelled: which entry goes depends on its history.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.memory import Memory, Region
from equiv.bpf.program import MapSpec
from equiv.machine.concrete import NotRunnable

# enum bpf_map_type, include/uapi/linux/bpf.h.
HASH: Final = 1
ARRAY: Final = 2
PROG_ARRAY: Final = 3
PERCPU_HASH: Final = 5
PERCPU_ARRAY: Final = 6
LRU_HASH: Final = 9
LRU_PERCPU_HASH: Final = 10
LPM_TRIE: Final = 11
ARRAY_OF_MAPS: Final = 12
HASH_OF_MAPS: Final = 13
DEVMAP: Final = 14
CPUMAP: Final = 16
XSKMAP: Final = 17
DEVMAP_HASH: Final = 25

BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK = 0, 1, 2, 4
BPF_F_RDONLY_PROG: Final = 1 << 7
BPF_F_WRONLY_PROG: Final = 1 << 8


@dataclass(slots=True, eq=False)
class MapState:
    """One map during a run. This one is of a kind that map helpers do nothing with; others override what they can."""

    spec: MapSpec
    memory: Memory
    given: Mapping[bytes, bytes]
    count: int = 0
    """How many entries the map held at least when the run began, those given among them (`map.NAME.count`)."""
    values: dict[bytes, Region] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.given:
            if len(key) != self.spec.key_size:
                raise NotRunnable(f"map {self.spec.name} has keys of {self.spec.key_size} bytes")
        self.fill()

    def fill(self) -> None:
        """Take the contents that are given."""

    def lookup(self, key: bytes) -> Region | None:
        """The value under `key`, or None where there is none."""
        raise NotRunnable(f"looks up map {self.spec.name} of type {self.spec.type}")

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """`bpf_map_update_elem`: 0 or a negative errno."""
        raise NotRunnable(f"updates map {self.spec.name} of type {self.spec.type}")

    def delete(self, key: bytes) -> int:
        """`bpf_map_delete_elem`: 0 or a negative errno."""
        raise NotRunnable(f"deletes from map {self.spec.name} of type {self.spec.type}")

    def entry(self, index: int) -> Region:
        """The value of an array's entry."""
        raise NotRunnable(f"map {self.spec.name} is no array")

    def contents(self) -> dict[bytes, bytes]:
        """What the map holds now, key bytes to value bytes; of prefixes the bits past their length are zero."""
        return {key: bytes(value.data) for key, value in self.values.items()}

    def region(self, value: bytes) -> Region:
        """A new region for a value."""
        if len(value) != self.spec.value_size:
            raise NotRunnable(f"map {self.spec.name} has values of {self.spec.value_size} bytes")
        writable = not (self.spec.frozen or self.spec.flags & BPF_F_RDONLY_PROG)
        made = self.memory.allocate("map value", value, name=self.spec.name, writable=writable)
        made.readable = not self.spec.flags & BPF_F_WRONLY_PROG
        return made

    def check_update(self, flags: int) -> None:
        """Raises for updates and deletions that no program makes, or that are not modelled."""
        if flags & BPF_F_LOCK:
            raise NotRunnable(f"updates map {self.spec.name} with BPF_F_LOCK")
        if self.spec.frozen or self.spec.flags & BPF_F_RDONLY_PROG:
            raise Fault(f"writes to map {self.spec.name}, which is read-only")


@dataclass(slots=True, eq=False)
class ArrayState(MapState):
    """ARRAY and PERCPU_ARRAY: every entry is there."""

    def _index(self, key: bytes) -> int:
        return int.from_bytes(key, self.memory.order)

    def contents(self) -> dict[bytes, bytes]:
        keys = (index.to_bytes(4, self.memory.order) for index in range(self.spec.max_entries))
        return {key: bytes(self.entry(self._index(key)).data) for key in keys}

    def lookup(self, key: bytes) -> Region | None:
        if self._index(key) >= self.spec.max_entries:
            return None
        found = self.values.get(key)
        if found is None:
            initial = self.given.get(key, self.spec.initial or b"")
            found = self.values[key] = self.region(initial.ljust(self.spec.value_size, b"\x00"))
        return found

    def entry(self, index: int) -> Region:
        found = self.lookup(index.to_bytes(4, self.memory.order))
        if found is None:
            raise Fault(f"map {self.spec.name} has no entry {index}")
        return found

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        self.check_update(flags)
        if flags > BPF_EXIST:
            return -errno.EINVAL
        if self._index(key) >= self.spec.max_entries:
            return -errno.E2BIG
        if flags == BPF_NOEXIST:
            return -errno.EEXIST
        self.entry(self._index(key)).data[:] = value
        return 0

    def delete(self, key: bytes) -> int:
        self.check_update(0)
        return -errno.EINVAL


@dataclass(slots=True, eq=False)
class HashState(MapState):
    """HASH, LRU_HASH and their per-CPU kinds."""

    others: int = 0
    """How many entries there are beside those given, under keys that nothing looks at."""

    def fill(self) -> None:
        self.values = {key: self.region(value) for key, value in self.given.items()}
        self.others = max(0, self.count - len(self.values))

    def lookup(self, key: bytes) -> Region | None:
        return self.values.get(key)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        self.check_update(flags)
        if flags > BPF_EXIST:
            return -errno.EINVAL
        old = self.values.get(key)
        if old is not None and flags == BPF_NOEXIST:
            return -errno.EEXIST
        if old is None and flags == BPF_EXIST:
            return -errno.ENOENT
        if old is not None and self.spec.type in (PERCPU_HASH, LRU_PERCPU_HASH):
            old.data[:] = value  # in place
            return 0
        if old is None and len(self.values) + self.others >= self.spec.max_entries:
            if self.spec.type in (LRU_HASH, LRU_PERCPU_HASH):
                raise NotRunnable(
                    f"adds an entry to map {self.spec.name}, which is full: what it drops is not modelled"
                )
            return -errno.E2BIG
        self.values[key] = self.region(value)  # pointers to the old value keep seeing the old value
        return 0

    def delete(self, key: bytes) -> int:
        self.check_update(0)
        return 0 if self.values.pop(key, None) is not None else -errno.ENOENT


@dataclass(slots=True, eq=False)
class TrieState(MapState):
    """LPM_TRIE: a key is a 32-bit prefix length and data; entries are kept by length and the bits that count."""

    prefixes: dict[tuple[int, int], Region] = field(default_factory=dict)

    def fill(self) -> None:
        for key, value in self.given.items():
            prefix = self._prefix(key)
            if prefix is None:
                raise NotRunnable(f"map {self.spec.name}: a prefix is longer than its key")
            self.prefixes[prefix] = self.region(value)

    def contents(self) -> dict[bytes, bytes]:
        size, order = self.spec.key_size - 4, self.memory.order
        return {
            length.to_bytes(4, order) + (bits << (self._longest - length)).to_bytes(size, "big"): bytes(value.data)
            for (length, bits), value in self.prefixes.items()
        }

    @property
    def _longest(self) -> int:
        return 8 * (self.spec.key_size - 4)

    def _prefix(self, key: bytes) -> tuple[int, int] | None:
        length = int.from_bytes(key[:4], self.memory.order)
        if length > self._longest:
            return None
        return length, int.from_bytes(key[4:], "big") >> (self._longest - length)

    def lookup(self, key: bytes) -> Region | None:
        prefix = self._prefix(key)
        if prefix is None:
            return None
        length, bits = prefix
        for shorter in range(length, -1, -1):
            found = self.prefixes.get((shorter, bits >> (length - shorter)))
            if found is not None:
                return found
        return None

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        self.check_update(flags)
        prefix = self._prefix(key)
        if flags > BPF_EXIST or prefix is None:
            return -errno.EINVAL
        if prefix in self.prefixes:
            if flags == BPF_NOEXIST:
                return -errno.EEXIST
        elif flags == BPF_EXIST:
            return -errno.ENOENT
        elif len(self.prefixes) >= self.spec.max_entries:
            return -errno.ENOSPC
        self.prefixes[prefix] = self.region(value)
        return 0

    def delete(self, key: bytes) -> int:
        self.check_update(0)
        prefix = self._prefix(key)
        if prefix is None:
            return -errno.EINVAL
        return 0 if self.prefixes.pop(prefix, None) is not None else -errno.ENOENT


@dataclass(slots=True, eq=False)
class DeviceState(MapState):
    """DEVMAP and DEVMAP_HASH: programs may look at `struct bpf_devmap_val`, and write nothing."""

    def fill(self) -> None:
        self.values = {key: self.region(value) for key, value in self.given.items()}
        for value in self.values.values():
            value.writable = False

    def lookup(self, key: bytes) -> Region | None:
        return self.values.get(key)

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        raise Fault(f"updates map {self.spec.name}, which programs may only look at")

    def delete(self, key: bytes) -> int:
        raise Fault(f"deletes from map {self.spec.name}, which programs may only look at")


@dataclass(slots=True, eq=False)
class OuterState(MapState):
    """ARRAY_OF_MAPS and HASH_OF_MAPS: `given` says where there are maps, `inner_contents` what they hold (D53)."""

    inner_contents: Mapping[bytes, bytes] = field(default_factory=dict)
    inner_maps: dict[bytes, MapState] = field(default_factory=dict)

    def slot(self, key: bytes) -> str | None:
        """The name of the object's own map that is under `key`, where the object says so."""
        return self.spec.slots.get(int.from_bytes(key, self.memory.order))

    def inner(self, key: bytes) -> MapState | None:
        """The map under `key`, where it is none of the object's own."""
        if self.spec.slots or key not in self.given:
            return None
        found = self.inner_maps.get(key)
        if found is None:
            if self.spec.inner is None:
                raise NotRunnable(f"map {self.spec.name}: the object does not say what maps it holds")
            spec = replace(self.spec.inner, name=inner_name(self.spec.name))
            size = self.spec.key_size
            mine = {whole[size:]: value for whole, value in self.inner_contents.items() if whole[:size] == key}
            found = self.inner_maps[key] = start_map(spec, self.memory, mine)
        return found


STATES: Final[dict[int, type[MapState]]] = {
    **dict.fromkeys((ARRAY, PERCPU_ARRAY), ArrayState),
    **dict.fromkeys((HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH), HashState),
    LPM_TRIE: TrieState,
    **dict.fromkeys((DEVMAP, DEVMAP_HASH), DeviceState),
    **dict.fromkeys((ARRAY_OF_MAPS, HASH_OF_MAPS), OuterState),
}


def start_map(spec: MapSpec, memory: Memory, given: Mapping[bytes, bytes], count: int = 0) -> MapState:
    """The map as a run finds it."""
    return STATES.get(spec.type, MapState)(spec, memory, given, count)


def inner_name(outer: str) -> str:
    """What the maps held by a map are called together; a key is the outer map's key with the inner one's behind it."""
    return f"{outer}[]"
