"""Object files in, programs out. Reading the same file on different machines gives the same `Program`."""

from __future__ import annotations

from collections.abc import Sequence

from equiv.bpf.core import read_types
from equiv.bpf.link import assemble
from equiv.bpf.program import Object, Program
from equiv.bpf.raw import SUFFIX, read_raw
from equiv.bpf.source import Source, read_source
from equiv.bpf.tail_calls import TailCall, held_programs
from equiv.errors import InputError, Place
from equiv.inputs import begins_with


def load_object(path: str, tail_calls: Sequence[TailCall] = ()) -> Object:
    """Every entry program of the object at `path`, by name. Raises InputError."""
    source = _read(path)
    held = held_programs(source, tail_calls)
    programs = {name: assemble(source, name, entry, held) for name, entry in source.entries.items()}
    return Object(path, source.elf.sha256, source.elf.byte_order, programs, source.maps.maps)


def _read(path: str) -> Source:
    if path.endswith(SUFFIX) and not _is_elf(path):
        return read_raw(path)
    return read_source(path)


def _is_elf(path: str) -> bool:
    return begins_with(path, b"\x7fELF")


def load_raw(path: str) -> Program:
    """The program in a file of raw instructions. Raises InputError."""
    source = read_raw(path)
    ((name, entry),) = source.entries.items()
    return assemble(source, name, entry)


def load_program(
    path: str, name: str | None = None, tail_calls: Sequence[TailCall] = (), btf: str | None = None
) -> Program:
    """The entry program called `name`, or without a name the only one that no PROG_ARRAY holds.

    `tail_calls` says what PROG_ARRAYs hold beside the object's own initial values, `btf` is a file of the types that
    CO-RE relocations are made for (None: the object's own). Raises InputError that lists what there is.
    """
    source = _read(path)
    held = held_programs(source, tail_calls)
    names = ", ".join(source.entries)
    if name is None:
        entered = {program for slots in held.values() for program in slots.values()}
        first = [program for program in source.entries if program not in entered] or list(source.entries)
        if len(first) > 1:
            raise InputError(f"holds {len(source.entries)} programs: {names}", Place(path), "name one of them")
        name = first[0]
    elif name not in source.entries:
        raise InputError(f"no program {name!r}", Place(path), f"it holds: {names}")
    types = read_types(btf, source.elf.byte_order) if btf is not None and source.core else None
    return assemble(source, name, source.entries[name], held, types)
