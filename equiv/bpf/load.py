"""Object files in, programs out. Reading the same file on different machines gives the same `Program`."""

from __future__ import annotations

from equiv.bpf.link import assemble
from equiv.bpf.program import Object, Program
from equiv.bpf.source import read_source
from equiv.errors import InputError, Place


def load_object(path: str) -> Object:
    """Every entry program of the object at `path`, by name. Raises InputError."""
    source = read_source(path)
    programs = {name: assemble(source, name, entry) for name, entry in source.entries.items()}
    return Object(path, source.elf.sha256, source.elf.byte_order, programs, source.maps.maps)


def load_program(path: str, name: str | None = None) -> Program:
    """The entry program called `name`, or without a name the only one. Raises InputError that lists what there is."""
    source = read_source(path)
    names = ", ".join(source.entries)
    if name is None:
        if len(source.entries) > 1:
            raise InputError(f"holds {len(source.entries)} programs: {names}", Place(path), "name one of them")
        name = next(iter(source.entries))
    elif name not in source.entries:
        raise InputError(f"no program {name!r}", Place(path), f"it holds: {names}")
    return assemble(source, name, source.entries[name])
