"""Loads programs into the running kernel, with maps as an attacker would make them."""

from __future__ import annotations

import os
import struct
from contextlib import ExitStack

from equiv.bpf.program import MapSpec, Program
from equiv.oracle import available, inspect, syscall
from equiv.oracle.image import load, referenced_maps
from equiv.oracle.inspect import LoadedProgram
from equiv.oracle.maps import KernelMap
from equiv.trust.tags import loaded_code

XDP, TC, SOCKET_FILTER = 6, 3, 1
CPU = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
MISSING = "needs root and bpf(2)" if os.geteuid() or available() else None


class Kernel:
    """Loads a program with maps that a test may have changed; keeps all until the test ends."""

    def __init__(self, resources: ExitStack) -> None:
        self._resources = resources

    def map(self, spec: MapSpec) -> KernelMap:
        made = KernelMap.create(spec, "little", CPU)
        self._resources.callback(made.close)
        return made

    def run(
        self,
        given: Program,
        kind: int = XDP,
        maps: dict[str, KernelMap] | None = None,
        entry: int = 0,
        name: bytes = b"",
    ) -> LoadedProgram:
        held = {name: self.named(given.maps[name]) for name in referenced_maps(given) if name not in (maps or {})}
        held |= maps or {}
        code = loaded_code(given, entry, {name: each.descriptor for name, each in held.items()})
        assert code is not None
        descriptor = load(code, kind, "GPL", struct.pack("=II16s", 0, 0, name) if name else b"")
        self._resources.callback(os.close, descriptor)
        self.descriptor = descriptor
        return inspect.read_program(descriptor)

    def named(self, spec: MapSpec, name: str | None = None) -> KernelMap:
        """A map with a name, as libbpf makes them."""
        called = (spec.name if name is None else name).encode()[:15]
        flags = spec.flags
        inner = self.map(spec.inner).descriptor if spec.inner else 0
        attribute = struct.pack(
            "=IIIIIII16s",
            spec.type,
            spec.key_size,
            4 if inner else spec.value_size,
            spec.max_entries,
            flags,
            inner,
            0,
            called,
        )
        descriptor, _ = syscall.bpf(syscall.MAP_CREATE, attribute)
        made = KernelMap(spec, descriptor, "little", CPU)
        self._resources.callback(made.close)
        if spec.initial is not None:
            made._set(bytes(4), spec.initial)
            if spec.frozen:
                syscall.bpf(syscall.MAP_FREEZE, struct.pack("=I", descriptor))
        return made
