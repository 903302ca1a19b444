"""Maps in the kernel: created, filled for each run, read back."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from equiv.bpf.program import ByteOrder, MapSpec
from equiv.machine.concrete import NotRunnable
from equiv.oracle import syscall

# enum bpf_map_type, include/uapi/linux/bpf.h.
HASH: Final = 1
ARRAY: Final = 2
PROG_ARRAY: Final = 3
PERF_EVENT_ARRAY: Final = 4
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

ARRAYS: Final = (ARRAY, PERCPU_ARRAY)
HASHES: Final = (HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH)
PER_CPU: Final = (PERCPU_ARRAY, PERCPU_HASH, LRU_PERCPU_HASH)
KEYED: Final = (HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH, LPM_TRIE, DEVMAP_HASH)
"""Maps whose entries come and go by key."""
SLOTS: Final = (DEVMAP, CPUMAP, XSKMAP)
"""Maps whose entries come and go by index."""
OUTER: Final = (ARRAY_OF_MAPS, HASH_OF_MAPS)
DATA: Final = (*ARRAYS, *KEYED)
"""Maps whose values programs may write."""
KNOWN: Final = (*ARRAYS, *KEYED, *SLOTS, *OUTER, PROG_ARRAY, PERF_EVENT_ARRAY)

BPF_F_RDONLY_PROG: Final = 1 << 7
BPF_ANY: Final = 0
MAX_REFILLED: Final = 1 << 17
"""Largest array, in entries, that is filled anew before every run, and most entries of a hash that are made up."""
MANY: Final = 16
"""Elements of an array from which on they are written in one call."""
NOT_SUPPORTED: Final = 524
"""ENOTSUPP, which the kernel should not, but does return."""
SMALLEST_MADE_UP_KEY: Final = 4
"""Bytes of a key that made-up entries need, so that they are none that a run asks for."""


@cache
def possible_cpus() -> tuple[int, ...]:
    """The CPUs that per-CPU values have a slot for, in the order of the slots."""
    cpus: list[int] = []
    for part in Path("/sys/devices/system/cpu/possible").read_text().strip().split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return tuple(cpus)


@dataclass(slots=True, eq=False)
class KernelMap:
    """One map of the kernel. `cpu` is the CPU that runs happen on: whose slot of per-CPU values counts.

    `held` are the maps that a map of maps holds now, by key; `plain` are an array's keys, and values where nothing is
    given.
    """

    spec: MapSpec
    descriptor: int
    order: ByteOrder
    cpu: int
    filled: bool = False
    held: dict[bytes, KernelMap] = field(default_factory=dict)
    plain: list[bytes] = field(default_factory=list)

    @classmethod
    def create(cls, spec: MapSpec, order: ByteOrder, cpu: int) -> KernelMap:
        """Create the map; a frozen one is filled and frozen at once. Raises NotRunnable for types not modelled."""
        if spec.type not in KNOWN:
            raise NotRunnable(f"map {spec.name} of type {spec.type}")
        flags = spec.flags | (BPF_F_RDONLY_PROG if spec.frozen else 0)
        pattern: KernelMap | None = None
        if spec.type in OUTER:
            if spec.inner is None:
                raise NotRunnable(f"map {spec.name}: the object does not say what maps it holds")
            pattern = cls.create(spec.inner, order, cpu)
        inner = pattern.descriptor if pattern is not None else 0
        size = 4 if pattern is not None else spec.value_size
        attribute = struct.pack("=IIIIII", spec.type, spec.key_size, size, spec.max_entries, flags, inner)
        try:
            descriptor, _ = syscall.bpf(syscall.MAP_CREATE, attribute)
        except OSError as error:
            raise NotRunnable(f"the kernel does not make map {spec.name}: {error.strerror}") from error
        finally:
            if pattern is not None:
                pattern.close()
        created = cls(spec, descriptor, order, cpu)
        if spec.frozen:
            created._set(bytes(4), created._initial({}, bytes(4)))
            syscall.bpf(syscall.MAP_FREEZE, struct.pack("=I", descriptor))
        return created

    def close(self) -> None:
        self._drop_held()
        os.close(self.descriptor)

    def fill(self, given: Mapping[bytes, bytes], inner: Mapping[bytes, bytes] | None = None, count: int = 0) -> None:
        """Give the map the contents that a run begins with.

        `inner` is what the maps hold that a map of maps holds, by its key with theirs behind it. A hash gets `count`
        entries at least, the others under keys of no meaning.
        """
        for key, value in given.items():
            if len(key) != self.spec.key_size or len(value) != self.spec.value_size:
                raise NotRunnable(f"map {self.spec.name}: contents of the wrong size")
        if self.spec.frozen:
            if any(value != self._initial({}, key) for key, value in given.items()):
                raise NotRunnable(f"map {self.spec.name} is frozen: it cannot be given other contents")
        elif self.spec.type in KEYED:
            for key in list(self._keys()):
                self._call(syscall.MAP_DELETE_ELEM, key)
            self._fill(given)
            self._fill({key: bytes(self.spec.value_size) for key in self._made_up(given, count)})
        elif self.spec.type in SLOTS:
            for index in range(self.spec.max_entries):
                with contextlib.suppress(OSError):
                    self._call(syscall.MAP_DELETE_ELEM, index.to_bytes(4, self.order))
            self._fill(given)
        elif self.spec.type in ARRAYS:
            if self.spec.max_entries > MAX_REFILLED:
                raise NotRunnable(f"map {self.spec.name} has {self.spec.max_entries} entries")
            self._fill_array(given)
        elif self.spec.type in OUTER:
            self._fill_outer(given, inner or {})
        elif given:
            raise NotRunnable(f"initial contents of map {self.spec.name} of type {self.spec.type}")

    def _fill_array(self, given: Mapping[bytes, bytes]) -> None:
        """Every element; of a new array, which is all zeros, only what is given."""
        size = self.spec.max_entries
        inside = {key: value for key, value in given.items() if int.from_bytes(key, self.order) < size}
        if not (self.filled or self.spec.initial is not None):
            for key in inside:
                self._set(key, self._initial(given, key))
        elif size < MANY or not self._set_many(inside):
            for key, value in self.entries(given):
                self._update(key, value)
        self.filled = True

    def _set_many(self, given: Mapping[bytes, bytes]) -> bool:
        """All elements in one call; False where the kernel, before 5.6 or 5.13, has no such call for the map."""
        if not self.plain:
            size, nothing = self.spec.max_entries, self._spread(self._initial({}, bytes(4)))
            keys = b"".join(index.to_bytes(4, self.order) for index in range(size))
            self.plain.extend((keys, nothing * size))
        keys, plain = self.plain
        values = ctypes.create_string_buffer(plain, len(plain))
        stride = len(plain) // self.spec.max_entries
        for key in given:
            at = stride * int.from_bytes(key, self.order)
            values[at : at + stride] = self._spread(self._initial(given, key))  # type: ignore[call-overload]
        held = ctypes.create_string_buffer(keys, len(keys))
        pointers = ctypes.addressof(held), ctypes.addressof(values)
        attribute = struct.pack("=QQQQIIQQ", 0, 0, *pointers, self.spec.max_entries, self.descriptor, BPF_ANY, 0)
        try:
            syscall.bpf(syscall.MAP_UPDATE_BATCH, attribute)
        except OSError as error:
            if error.errno in (errno.EINVAL, NOT_SUPPORTED):
                return False
            raise
        return True

    def _fill(self, contents: Mapping[bytes, bytes]) -> None:
        for key, value in contents.items():
            try:
                self._set(key, value)
            except OSError as error:
                raise NotRunnable(
                    f"the kernel does not take an entry of map {self.spec.name}: {error.strerror}"
                ) from error

    def _made_up(self, given: Mapping[bytes, bytes], count: int) -> Iterable[bytes]:
        """Keys for entries that nothing looks at, so that there are `count` in all."""
        missing = count - len(given)
        if missing <= 0:
            return
        if self.spec.key_size < SMALLEST_MADE_UP_KEY or count > MAX_REFILLED:
            raise NotRunnable(f"map {self.spec.name} with {count} entries")
        for number in range(missing):
            key = (number ^ 0xA5C3_F00D).to_bytes(4, "big") + b"\xa5" * (self.spec.key_size - 4)
            if key in given:
                raise NotRunnable(f"map {self.spec.name} with {count} entries")
            yield key

    def _fill_outer(self, given: Mapping[bytes, bytes], inner: Mapping[bytes, bytes]) -> None:
        """A new map under each key. Maps that the object itself puts there are set by `set_descriptor`."""
        if self.spec.slots:
            if given:
                raise NotRunnable(f"map {self.spec.name} holds the object's own maps")
            return
        for key in self.held:
            with contextlib.suppress(OSError):
                self._call(syscall.MAP_DELETE_ELEM, key)
        self._drop_held()
        assert self.spec.inner is not None
        for key in given:
            made = self.held[key] = KernelMap.create(self.spec.inner, self.order, self.cpu)
            made.fill({whole[len(key) :]: value for whole, value in inner.items() if whole[: len(key)] == key})
            self._set(key, made.descriptor.to_bytes(4, self.order))

    def _drop_held(self) -> None:
        for made in self.held.values():
            made.close()
        self.held.clear()

    def set_descriptor(self, index: int, descriptor: int) -> None:
        """Put a loaded program into a PROG_ARRAY, or a map into an array of maps."""
        self._set(index.to_bytes(4, self.order), descriptor.to_bytes(4, self.order))

    def value(self, key: bytes) -> bytes:
        """The value under `key`; raises KeyError where there is none."""
        buffer = ctypes.create_string_buffer(self._buffer_size())
        try:
            self._call(syscall.MAP_LOOKUP_ELEM, key, buffer)
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise KeyError(key) from None
            raise
        start, _ = self.place()
        return buffer.raw[start : start + self.spec.value_size]

    def place(self) -> tuple[int, int]:
        """Where in what a lookup gives the value stands that runs see, and how many bytes a lookup gives."""
        start = possible_cpus().index(self.cpu) * self._stride() if self.spec.type in PER_CPU else 0
        return start, self._buffer_size()

    def contents(self) -> dict[bytes, bytes]:
        """What the map holds now, key bytes to value bytes; of prefixes the bits past their length are zero."""
        if self.spec.type in ARRAYS:
            keys = [index.to_bytes(4, self.order) for index in range(self.spec.max_entries)]
        else:
            keys = list(self._keys()) if self.spec.type in KEYED else []
        found = {key: self.value(key) for key in keys}
        if self.spec.type != LPM_TRIE:
            return found
        return {self._prefix_only(key): value for key, value in found.items()}

    def _prefix_only(self, key: bytes) -> bytes:
        width = 8 * (self.spec.key_size - 4)
        unused = width - int.from_bytes(key[:4], self.order)
        bits = int.from_bytes(key[4:], "big") >> unused << unused
        return key[:4] + bits.to_bytes(width // 8, "big")

    def _initial(self, given: Mapping[bytes, bytes], key: bytes) -> bytes:
        return given.get(key, self.spec.initial or b"").ljust(self.spec.value_size, b"\x00")

    def _stride(self) -> int:
        return (self.spec.value_size + 7) // 8 * 8

    def _buffer_size(self) -> int:
        if self.spec.type in PER_CPU:
            return self._stride() * len(possible_cpus())
        return self.spec.value_size

    def entries(self, given: Mapping[bytes, bytes]) -> list[tuple[bytes, bytes]]:
        """What to write to undo what a run wrote into values, after `fill`: keys, values as bpf(2) takes them."""
        if self.spec.type in ARRAYS:
            keys = [index.to_bytes(4, self.order) for index in range(self.spec.max_entries)]
            return [(key, self._spread(self._initial(given, key))) for key in keys]
        return [(key, self._spread(value)) for key, value in given.items()]

    def begun(self, given: Mapping[bytes, bytes], count: int) -> list[tuple[bytes, bytes]]:
        """All entries of a hash after `fill`: keys, values as bpf(2) takes them."""
        nothing = self._spread(bytes(self.spec.value_size))
        return [*self.entries(given), *((key, nothing) for key in self._made_up(given, count))]

    def _spread(self, value: bytes) -> bytes:
        if self.spec.type in PER_CPU:
            return value.ljust(self._stride(), b"\x00") * len(possible_cpus())
        return value

    def _set(self, key: bytes, value: bytes) -> None:
        self._update(key, self._spread(value))

    def _update(self, key: bytes, value: bytes) -> None:
        self._call(syscall.MAP_UPDATE_ELEM, key, ctypes.create_string_buffer(value, len(value)))

    def _keys(self) -> Iterator[bytes]:
        key: bytes | None = None
        following = ctypes.create_string_buffer(self.spec.key_size)
        while True:
            try:
                self._call(syscall.MAP_GET_NEXT_KEY, key, following)
            except OSError as error:
                if error.errno == errno.ENOENT:
                    return
                raise
            key = following.raw
            yield key

    def _call(self, command: int, key: bytes | None, other: ctypes.Array[ctypes.c_char] | None = None) -> None:
        held = ctypes.create_string_buffer(key, len(key)) if key is not None else None
        pointers = (syscall.address_of(held), syscall.address_of(other))
        syscall.bpf(command, struct.pack("=IxxxxQQQ", self.descriptor, *pointers, BPF_ANY))
