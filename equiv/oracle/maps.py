"""Maps in the kernel: created, filled for each run, read back."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equiv.bpf.program import ByteOrder, MapSpec
from equiv.machine.concrete import NotRunnable
from equiv.oracle import syscall

HASH: Final = 1
ARRAY: Final = 2
PROG_ARRAY: Final = 3
PERF_EVENT_ARRAY: Final = 4
PERCPU_ARRAY: Final = 6

BPF_F_RDONLY_PROG: Final = 1 << 7
BPF_ANY: Final = 0
MAX_REFILLED: Final = 1 << 17
"""Largest array, in entries, that is worth filling anew before every run."""


def possible_cpus() -> list[int]:
    """The CPUs that per-CPU values have a slot for, in the order of the slots."""
    cpus: list[int] = []
    for part in Path("/sys/devices/system/cpu/possible").read_text().strip().split(","):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return cpus


@dataclass(slots=True, eq=False)
class KernelMap:
    """One map of the kernel. `cpu` is the CPU that runs happen on: whose slot of per-CPU values counts."""

    spec: MapSpec
    descriptor: int
    order: ByteOrder
    cpu: int
    filled: bool = False

    @classmethod
    def create(cls, spec: MapSpec, order: ByteOrder, cpu: int) -> KernelMap:
        """Create the map; a frozen one is filled and frozen at once. Raises NotRunnable for types not modelled."""
        if spec.type not in (HASH, ARRAY, PROG_ARRAY, PERF_EVENT_ARRAY, PERCPU_ARRAY):
            raise NotRunnable(f"map {spec.name} of type {spec.type}")
        flags = spec.flags | (BPF_F_RDONLY_PROG if spec.frozen else 0)
        attribute = struct.pack("=IIIII", spec.type, spec.key_size, spec.value_size, spec.max_entries, flags)
        try:
            descriptor, _ = syscall.bpf(syscall.MAP_CREATE, attribute)
        except OSError as error:
            raise NotRunnable(f"the kernel does not make map {spec.name}: {error.strerror}") from error
        created = cls(spec, descriptor, order, cpu)
        if spec.frozen:
            created._set(bytes(4), created._initial({}, bytes(4)))
            syscall.bpf(syscall.MAP_FREEZE, struct.pack("=I", descriptor))
        return created

    def close(self) -> None:
        os.close(self.descriptor)

    def fill(self, given: Mapping[bytes, bytes]) -> None:
        """Give the map the contents that a run begins with."""
        for key, value in given.items():
            if len(key) != self.spec.key_size or len(value) != self.spec.value_size:
                raise NotRunnable(f"map {self.spec.name}: contents of the wrong size")
        if self.spec.frozen:
            if any(value != self._initial({}, key) for key, value in given.items()):
                raise NotRunnable(f"map {self.spec.name} is frozen: it cannot be given other contents")
            return
        if self.spec.type == HASH:
            for key in list(self._keys()):
                self._call(syscall.MAP_DELETE_ELEM, key)
            for key, value in given.items():
                self._set(key, value)
        elif self.spec.type in (ARRAY, PERCPU_ARRAY):
            if self.spec.max_entries > MAX_REFILLED:
                raise NotRunnable(f"map {self.spec.name} has {self.spec.max_entries} entries")
            for index in range(self.spec.max_entries):
                key = index.to_bytes(4, self.order)
                if self.filled or key in given or self.spec.initial is not None:
                    self._set(key, self._initial(given, key))
            self.filled = True
        elif given:
            raise NotRunnable(f"initial contents of map {self.spec.name} of type {self.spec.type}")

    def set_program(self, index: int, descriptor: int) -> None:
        """Put a loaded program into a PROG_ARRAY."""
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
        start = possible_cpus().index(self.cpu) * self._stride() if self.spec.type == PERCPU_ARRAY else 0
        return buffer.raw[start : start + self.spec.value_size]

    def _initial(self, given: Mapping[bytes, bytes], key: bytes) -> bytes:
        return given.get(key, self.spec.initial or b"").ljust(self.spec.value_size, b"\x00")

    def _stride(self) -> int:
        return (self.spec.value_size + 7) // 8 * 8

    def _buffer_size(self) -> int:
        if self.spec.type == PERCPU_ARRAY:
            return self._stride() * len(possible_cpus())
        return self.spec.value_size

    def _set(self, key: bytes, value: bytes) -> None:
        if self.spec.type == PERCPU_ARRAY:
            value = value.ljust(self._stride(), b"\x00") * len(possible_cpus())
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
