"""Maps of one run: contents, and what the map helpers do to them (kernel/bpf/arraymap.c, kernel/bpf/hashtab.c)."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.memory import Memory, Region
from equiv.bpf.program import MapSpec
from equiv.machine.concrete import NotRunnable

HASH: Final = 1
ARRAY: Final = 2
PROG_ARRAY: Final = 3
PERCPU_ARRAY: Final = 6

BPF_ANY, BPF_NOEXIST, BPF_EXIST, BPF_F_LOCK = 0, 1, 2, 4
BPF_F_RDONLY_PROG: Final = 1 << 7
BPF_F_WRONLY_PROG: Final = 1 << 8


@dataclass(slots=True, eq=False)
class MapState:
    """One map during a run. Values are regions, made when first looked up: pointers to them stay valid.

    A PERCPU_ARRAY is the slice that the one running CPU sees.
    """

    spec: MapSpec
    memory: Memory
    given: Mapping[bytes, bytes]
    values: dict[bytes, Region] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.spec.type == HASH:
            for key, value in self.given.items():
                self._check_key(key)
                self.values[key] = self._region(value)
        elif self.is_array:
            for key in self.given:
                self._check_key(key)
        elif self.given:
            raise NotRunnable(f"initial contents of map {self.spec.name} of type {self.spec.type}")

    @property
    def is_array(self) -> bool:
        return self.spec.type in (ARRAY, PERCPU_ARRAY)

    def _check_key(self, key: bytes) -> None:
        if len(key) != self.spec.key_size:
            raise NotRunnable(f"map {self.spec.name} has keys of {self.spec.key_size} bytes, not {len(key)}")

    def _region(self, value: bytes) -> Region:
        if len(value) != self.spec.value_size:
            raise NotRunnable(f"map {self.spec.name} has values of {self.spec.value_size} bytes, not {len(value)}")
        region = self.memory.allocate("map value", value, name=self.spec.name)
        region.writable = not (self.spec.frozen or self.spec.flags & BPF_F_RDONLY_PROG)
        region.readable = not self.spec.flags & BPF_F_WRONLY_PROG
        return region

    def _initial(self, key: bytes) -> bytes:
        value = self.given.get(key)
        if value is not None:
            return value
        if self.spec.initial is not None:
            return self.spec.initial.ljust(self.spec.value_size, b"\x00")
        return bytes(self.spec.value_size)

    def _index(self, key: bytes) -> int:
        return int.from_bytes(key, self.memory.order)

    def lookup(self, key: bytes) -> Region | None:
        """The value under `key`, or None where there is none."""
        if not (self.is_array or self.spec.type == HASH):
            raise NotRunnable(f"looks up map {self.spec.name} of type {self.spec.type}")
        if self.is_array and self._index(key) >= self.spec.max_entries:
            return None
        region = self.values.get(key)
        if region is None and self.is_array:
            region = self.values[key] = self._region(self._initial(key))
        return region

    def entry(self, index: int) -> Region:
        """The value of an array's entry."""
        region = self.lookup(index.to_bytes(4, self.memory.order))
        if region is None:
            raise Fault(f"map {self.spec.name} has no entry {index}")
        return region

    def update(self, key: bytes, value: bytes, flags: int) -> int:
        """`bpf_map_update_elem`: 0 or a negative errno."""
        if flags & BPF_F_LOCK:
            raise NotRunnable(f"updates map {self.spec.name} with BPF_F_LOCK")
        self._refuse_read_only()
        if flags > BPF_EXIST:
            return -errno.EINVAL
        if self.is_array:
            if self._index(key) >= self.spec.max_entries:
                return -errno.E2BIG
            if flags == BPF_NOEXIST:
                return -errno.EEXIST
            self.entry(self._index(key)).data[:] = value
            return 0
        if self.spec.type != HASH:
            raise NotRunnable(f"updates map {self.spec.name} of type {self.spec.type}")
        if key in self.values:
            if flags == BPF_NOEXIST:
                return -errno.EEXIST
        elif flags == BPF_EXIST:
            return -errno.ENOENT
        elif len(self.values) >= self.spec.max_entries:
            return -errno.E2BIG
        self.values[key] = self._region(value)  # pointers to the old value keep seeing the old value
        return 0

    def delete(self, key: bytes) -> int:
        """`bpf_map_delete_elem`: 0 or a negative errno."""
        self._refuse_read_only()
        if self.is_array:
            return -errno.EINVAL
        if self.spec.type != HASH:
            raise NotRunnable(f"deletes from map {self.spec.name} of type {self.spec.type}")
        return 0 if self.values.pop(key, None) is not None else -errno.ENOENT

    def _refuse_read_only(self) -> None:
        if self.spec.frozen or self.spec.flags & BPF_F_RDONLY_PROG:
            raise Fault(f"writes to map {self.spec.name}, which is read-only")
