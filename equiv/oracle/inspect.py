"""What the running kernel tells of loaded programs, their maps and who replaces their functions (bpf(2), by id).

Layouts: `struct bpf_prog_info`, `bpf_map_info` and `bpf_link_info` of include/uapi/linux/bpf.h. Ids are not used again
before they wrap; who acts on a program later should hold a descriptor of it meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equiv.errors import InputError
from equiv.oracle import syscall
from equiv.oracle.types import FUNC_INFO

PROG_GET_NEXT_ID, PROG_GET_FD_BY_ID = 11, 13
MAP_GET_FD_BY_ID, OBJ_GET_INFO_BY_FD = 14, 15
BTF_GET_FD_BY_ID = 19
LINK_GET_FD_BY_ID, LINK_GET_NEXT_ID = 30, 31

EXTENSION: Final = 28
"""BPF_PROG_TYPE_EXT: programs that replace a global function of another."""
TRACING_LINK: Final = 2
"""BPF_LINK_TYPE_TRACING: what an extension is attached by."""

_INFO_SIZE: Final = 256
_PROGRAM = struct.Struct("=II8sIIQQQIIQ16sII")
"""type, id, tag, jited_prog_len, xlated_prog_len, jited_prog_insns, xlated_prog_insns, load_time, created_by_uid,
nr_map_ids, map_ids, name, ifindex, gpl_compatible."""
_XLATED_LENGTH, _XLATED, _MAP_COUNT, _MAPS = 20, 32, 52, 56
_BTF_ID, _FUNC_INFO_SIZE, _FUNC_INFO, _FUNC_COUNT = 128, 132, 136, 144
_MAP = struct.Struct("=IIIIII16s")
_LINK = struct.Struct("=IIIxxxxIII")
"""type, id, prog_id; then of a tracing link: attach_type, target_obj_id, target_btf_id (aligned to 8 bytes)."""
MAX_PROGRAMS: Final = 100_000


@dataclass(frozen=True, slots=True)
class LoadedProgram:
    """A program that the kernel holds. `type` is `enum bpf_prog_type`; `tag` in hex; `btf` the id of its types or 0.

    `xlated` are the instructions as the verifier rewrote them, references to maps by id; empty where the kernel does
    not show them. `functions` are types of its functions, in their order. `name` is what a loader gave, 15 bytes of it.
    `device` is the interface that it was loaded for, 0 for none.
    """

    id: int
    type: int
    tag: str
    name: str
    xlated: bytes
    maps: tuple[int, ...]
    btf: int
    functions: tuple[int, ...]
    device: int


@dataclass(frozen=True, slots=True)
class LoadedMap:
    """A map that the kernel holds; sizes in bytes. `frozen`: nobody can change it through bpf(2) any more."""

    id: int
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int
    name: str
    frozen: bool


def program_ids() -> list[int]:
    """Ids of all programs that are loaded now. Raises InputError without the right to ask."""
    return list(_ids(PROG_GET_NEXT_ID))


def _ids(command: int) -> Iterator[int]:
    last = 0
    for _ in range(MAX_PROGRAMS):
        try:
            _, after = syscall.bpf(command, struct.pack("=I", last))
        except OSError as error:
            if error.errno == errno.ENOENT:
                return
            raise InputError(
                f"the kernel does not list its programs: {error.strerror}", hint="that needs root"
            ) from error
        last = struct.unpack_from("=I", after, 4)[0]
        yield last


@contextmanager
def held(command: int, number: int) -> Iterator[int]:
    """A descriptor of the program, map, link or types with this id. Raises LookupError where it is gone."""
    try:
        descriptor, _ = syscall.bpf(command, struct.pack("=III", number, 0, 0))
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise LookupError(number) from None
        raise InputError(
            f"the kernel does not show object {number}: {error.strerror}", hint="that needs root"
        ) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _info(descriptor: int, buffer: ctypes.Array[ctypes.c_char]) -> None:
    syscall.bpf(OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", descriptor, len(buffer), ctypes.addressof(buffer)))


def read_program(descriptor: int) -> LoadedProgram:
    """What the kernel tells of the program. Raises OSError."""
    first = ctypes.create_string_buffer(_INFO_SIZE)
    _info(descriptor, first)
    length, count = (struct.unpack_from("=I", first, at)[0] for at in (_XLATED_LENGTH, _MAP_COUNT))
    functions = struct.unpack_from("=I", first, _FUNC_COUNT)[0]
    xlated = ctypes.create_string_buffer(max(length, 1))
    maps = ctypes.create_string_buffer(max(4 * count, 1))
    infos = ctypes.create_string_buffer(max(FUNC_INFO.size * functions, 1))
    second = ctypes.create_string_buffer(_INFO_SIZE)
    struct.pack_into("=I", second, _XLATED_LENGTH, length)
    struct.pack_into("=Q", second, _XLATED, ctypes.addressof(xlated))
    struct.pack_into("=I", second, _MAP_COUNT, count)
    struct.pack_into("=Q", second, _MAPS, ctypes.addressof(maps))
    struct.pack_into("=I", second, _FUNC_INFO_SIZE, FUNC_INFO.size)
    struct.pack_into("=Q", second, _FUNC_INFO, ctypes.addressof(infos))
    struct.pack_into("=I", second, _FUNC_COUNT, functions)
    _info(descriptor, second)
    fields = _PROGRAM.unpack_from(second)
    shown = fields[4] == length and fields[6] != 0  # the kernel clears the address where it shows nothing
    found = struct.unpack_from("=I", second, _FUNC_COUNT)[0]
    complete = fields[9] == count and found == functions
    return LoadedProgram(
        id=fields[1],
        type=fields[0],
        tag=fields[2].hex(),
        name=_name(fields[11]),
        xlated=xlated.raw[:length] if shown and complete else b"",
        maps=struct.unpack(f"={count}I", maps.raw[: 4 * count]),
        btf=struct.unpack_from("=I", second, _BTF_ID)[0],
        functions=tuple(kind for _, kind in FUNC_INFO.iter_unpack(infos.raw[: FUNC_INFO.size * functions])),
        device=fields[12],
    )


def read_map(descriptor: int) -> LoadedMap:
    """What the kernel tells of the map. Raises OSError."""
    buffer = ctypes.create_string_buffer(_INFO_SIZE)
    _info(descriptor, buffer)
    kind, number, key, value, entries, flags, name = _MAP.unpack_from(buffer)
    return LoadedMap(number, kind, key, value, entries, flags, _name(name), _is_frozen(descriptor))


def _name(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "replace")


def _is_frozen(descriptor: int) -> bool:
    """`frozen` in the descriptor's file of /proc: no other place tells it."""
    text = Path(f"/proc/self/fdinfo/{descriptor}").read_text()
    return re.search(r"^frozen:\s*1$", text, re.MULTILINE) is not None


def map_value(descriptor: int, key: bytes, size: int) -> bytes | None:
    """The value under `key`, `size` bytes; None where there is none. Raises OSError."""
    given, value = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(size)
    attribute = struct.pack("=IxxxxQQQ", descriptor, ctypes.addressof(given), ctypes.addressof(value), 0)
    try:
        syscall.bpf(syscall.MAP_LOOKUP_ELEM, attribute)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None
        raise
    return value.raw


def map_keys(descriptor: int, size: int, most: int) -> list[bytes]:
    """At most `most` keys of the map. Raises OSError."""
    found: list[bytes] = []
    while len(found) < most:
        before = ctypes.create_string_buffer(found[-1], size) if found else None
        after = ctypes.create_string_buffer(size)
        attribute = struct.pack("=IxxxxQQQ", descriptor, syscall.address_of(before), ctypes.addressof(after), 0)
        try:
            syscall.bpf(syscall.MAP_GET_NEXT_KEY, attribute)
        except OSError as error:
            if error.errno == errno.ENOENT:
                break
            raise
        found.append(after.raw)
    return found


def extensions_of(program: int) -> list[int]:
    """Ids of programs that replace a function of `program` now. Raises InputError."""
    found = []
    for number in _ids(LINK_GET_NEXT_ID):
        try:
            with held(LINK_GET_FD_BY_ID, number) as descriptor:
                buffer = ctypes.create_string_buffer(_INFO_SIZE)
                _info(descriptor, buffer)
            kind, _, attached, _, target, _ = _LINK.unpack_from(buffer)
            if kind != TRACING_LINK or target != program:
                continue
            with held(PROG_GET_FD_BY_ID, attached) as descriptor:
                if read_program(descriptor).type == EXTENSION:
                    found.append(attached)
        except LookupError:
            continue
    return found
