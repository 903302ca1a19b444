"""Whether a loaded program is the catalogued one: the kernel is given that one too, and shows the same of both (D145).

A tag neither covers maps nor stops who can choose two programs. So the catalogued program is loaded beside the other,
with maps of its own, and what the verifier made of both is compared instruction by instruction. References to maps pair
up the two programs' maps; each pair must have one shape, and what the proof takes for granted of contents is looked up:
frozen read-only data byte by byte, program arrays slot by slot. The twin is never attached and goes away again.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from contextlib import ExitStack

from equiv.bpf import insn as isa
from equiv.bpf.maps import MAP_TYPE_ARRAY_OF_MAPS, MAP_TYPE_HASH_OF_MAPS, MAP_TYPE_PROG_ARRAY
from equiv.bpf.program import MapSpec, Program
from equiv.errors import EquivError
from equiv.oracle import inspect, syscall
from equiv.oracle.image import load, referenced_maps
from equiv.oracle.inspect import LoadedMap, LoadedProgram
from equiv.oracle.maps import KernelMap
from equiv.oracle.types import FUNC_INFO
from equiv.trust.reasons import Refused
from equiv.trust.tags import kernel_tag, layout, loaded_code

SLOT = isa.SLOT_SIZE
KERNEL_NAME = 15
"""Bytes of a name that the kernel keeps."""
MAX_INNER = 4096
"""Most maps inside a map that are looked at."""


def require_same(program: Program, running: LoadedProgram, program_type: int) -> None:
    """Raises Refused (kernel-differs) unless `running` does what `program` does, as far as maps are concerned now too.

    `program_type` is that of the interface that the program was proved for.
    """
    with ExitStack() as resources:
        try:
            _Comparison(program, program_type, resources).program(0, running)
        except LookupError:
            raise _different("a program or map went away meanwhile") from None
        except (OSError, EquivError) as error:
            if isinstance(error, Refused):
                raise
            said = error.message.splitlines()[0] if isinstance(error, EquivError) else error.strerror
            raise _different(f"the catalogued program cannot be loaded beside it: {said}") from error


def _different(message: str) -> Refused:
    return Refused("kernel-differs", message)


class _Comparison:
    """One comparison: the twin's maps, and which map of the kernel each of them stands for. Owned by `require_same`."""

    def __init__(self, program: Program, program_type: int, resources: ExitStack) -> None:
        self._program = program
        self._type = program_type
        self._maps: dict[str, KernelMap] = {}
        self._ids: dict[int, str] = {}
        self._stands_for: dict[str, int] = {}
        self._seen: dict[int, int] = {}
        for name in self._names():
            made = KernelMap.create(program.maps[name], program.byte_order, min(os.sched_getaffinity(0)))
            resources.callback(made.close)
            self._maps[name] = made
            self._ids[inspect.read_map(made.descriptor).id] = name

    def _names(self) -> list[str]:
        return referenced_maps(self._program)

    def program(self, entry: int, running: LoadedProgram) -> None:
        """Whether `running` is the program at slot `entry`, and what its tail calls lead to are those behind theirs."""
        if self._seen.setdefault(entry, running.id) != running.id:
            raise _different("one program of the catalogue is two in the kernel")
        if running.type != self._type:
            raise Refused("wrong-interface", f"the loaded program is of type {running.type}, not {self._type}")
        if replaced := inspect.extensions_of(running.id):
            raise _different(f"program {replaced[0]} replaces one of its functions")
        tag = kernel_tag(self._program, entry)
        if tag is None or running.tag not in (tag.sha256, tag.sha1):
            raise _different(f"program {running.id} has another tag than the catalogued one")
        ours, theirs = self._translated(entry, running), running.xlated
        if not theirs:
            raise _different("the kernel does not show the instructions of loaded programs")
        fresh = self._pair(ours, theirs)
        for name in fresh:
            self._map(name)

    # --- instructions

    def _translated(self, entry: int, running: LoadedProgram) -> bytes:
        """What the kernel makes of the program at slot `entry`."""
        code = self._code(entry)
        with ExitStack() as types:
            starts = sorted(layout(self._program, entry).values())
            more = b""
            if running.btf and len(running.functions) == len(starts):
                # The verifier follows global functions in another way, which only types tell.
                descriptor = types.enter_context(inspect.held(inspect.BTF_GET_FD_BY_ID, running.btf))
                more = _types(descriptor, starts, running.functions, types)
            descriptor = load(code, self._type, self._program.license, more)
            try:
                return inspect.read_program(descriptor).xlated
            finally:
                os.close(descriptor)

    def _code(self, entry: int) -> bytes:
        code = loaded_code(self._program, entry, {name: made.descriptor for name, made in self._maps.items()})
        if code is None:
            raise _different("its instructions are completed from the running kernel")
        return code

    def _pair(self, ours: bytes, theirs: bytes) -> list[str]:
        """Pairs the maps that two translations refer to; gives the names of those that were not paired before."""
        if len(ours) != len(theirs):
            raise _different("the kernel made something else of it than of the catalogued program")
        fresh: list[str] = []
        wide = False
        for at in range(0, len(ours), SLOT):
            a, b = ours[at : at + SLOT], theirs[at : at + SLOT]
            first, wide = wide, False
            if not first and a[0] == isa.LD_IMM64:
                wide = True
                if a[:4] == b[:4] and _source(a) in (isa.PSEUDO_MAP_FD, isa.PSEUDO_MAP_VALUE):
                    fresh += self._pair_map(*(struct.unpack_from("=I", slot, 4)[0] for slot in (a, b)))
                    continue
            if not first and a[0] == isa.JMP | isa.CALL and not _source(a) and a[4:] == bytes(4):
                raise _different("the kernel hides addresses (kernel.kptr_restrict), so helpers cannot be told apart")
            if a != b:
                raise _different(f"instruction {at // SLOT} of it is another than in the catalogued program")
        return fresh

    def _pair_map(self, ours: int, theirs: int) -> list[str]:
        name = self._ids.get(ours)
        if name is None:
            raise _different("the kernel refers to a map that the catalogued program does not have")
        if name in self._stands_for:
            if self._stands_for[name] != theirs:
                raise _different(f"it uses two maps where the catalogued program uses one, {name}")
            return []
        if theirs in self._stands_for.values():
            raise _different(f"it uses one map where the catalogued program uses two, {name} among them")
        self._stands_for[name] = theirs
        return [name]

    # --- maps

    def _map(self, name: str) -> None:
        """Raises Refused unless the kernel's map is what the object says."""
        spec = self._program.maps[name]
        with inspect.held(inspect.MAP_GET_FD_BY_ID, self._stands_for[name]) as descriptor:
            there = inspect.read_map(descriptor)
            self._require_shape(name, spec, there)
            if spec.initial is None and there.name != name[:KERNEL_NAME]:
                raise _different(f"its map {there.name} stands where the catalogued program has {name}")
            if spec.frozen:
                if not there.frozen:
                    raise _different(f"the read-only data {name} is not frozen: it can still be changed")
                if inspect.map_value(descriptor, bytes(4), spec.value_size) != spec.initial:
                    raise _different(f"the read-only data {name} is other than in the catalogued program")
            if spec.type == MAP_TYPE_PROG_ARRAY:
                self._program_array(name, spec, descriptor)
            if spec.inner is not None:
                self._inner_maps(name, spec, descriptor)

    def _require_shape(self, name: str, spec: MapSpec, there: LoadedMap) -> None:
        value = 4 if spec.inner is not None else spec.value_size
        wanted = (spec.type, spec.key_size, value, spec.max_entries, spec.flags)
        found = (there.type, there.key_size, there.value_size, there.max_entries, there.flags)
        if wanted != found:
            raise _different(f"map {name} is (type, key, value, entries, flags) {found}, not {wanted}")

    def _program_array(self, name: str, spec: MapSpec, descriptor: int) -> None:
        held: Mapping[int, int] = self._program.tail_calls.get(name, {})
        for index in range(spec.max_entries):
            value = inspect.map_value(descriptor, index.to_bytes(4, self._program.byte_order), 4)
            if (value is not None) != (index in held):
                raise _different(f"program array {name} holds {'something else' if value else 'nothing'} at {index}")
            if value is None:
                continue
            number = int.from_bytes(value, self._program.byte_order)
            if self._seen.get(held[index]) == number:
                continue
            with inspect.held(inspect.PROG_GET_FD_BY_ID, number) as program:
                self.program(held[index], inspect.read_program(program))

    def _inner_maps(self, name: str, spec: MapSpec, descriptor: int) -> None:
        assert spec.inner is not None
        if spec.slots or spec.type not in (MAP_TYPE_ARRAY_OF_MAPS, MAP_TYPE_HASH_OF_MAPS):
            raise _different(f"map {name} holds maps in a way that is not known")
        looked_at = 0
        for key in inspect.map_keys(descriptor, spec.key_size, MAX_INNER + 1):
            value = inspect.map_value(descriptor, key, 4)
            if value is None:
                continue
            with inspect.held(inspect.MAP_GET_FD_BY_ID, int.from_bytes(value, self._program.byte_order)) as inner:
                self._require_shape(f"{name}[]", spec.inner, inspect.read_map(inner))
            looked_at += 1
        if not 0 < looked_at <= MAX_INNER:
            raise _different(f"map {name} holds {looked_at} maps: the shape of what it may hold is not seen from that")


def _source(slot: bytes) -> int:
    """The source register's field of an instruction of this machine."""
    return slot[1] >> 4 if struct.pack("=H", 1)[0] else slot[1] & 15


def _types(descriptor: int, starts: list[int], kinds: tuple[int, ...], keep: ExitStack) -> bytes:
    """What `load` passes on so that functions have the types of the other program; `keep` owns the memory."""
    import ctypes

    infos = b"".join(FUNC_INFO.pack(start, kind) for start, kind in zip(starts, kinds, strict=True))
    buffer = ctypes.create_string_buffer(infos, len(infos))
    keep.callback(lambda: buffer)
    return struct.pack("=II16xIIIIQI", 0, 0, 0, 0, descriptor, FUNC_INFO.size, syscall.address_of(buffer), len(kinds))
