"""The programs that are asked about: those that the running kernel holds, or those in object files."""

from __future__ import annotations

from collections.abc import Sequence

from equiv.bpf.load import load_object
from equiv.errors import InputError, Place
from equiv.inputs import begins_with
from equiv.loaded import split_program
from equiv.machine.interface import interface_names, load_interface
from equiv.oracle import available, inspect
from equiv.trust.decide import Subject


def in_files(paths: Sequence[str]) -> list[Subject]:
    """Every program of the files, or the one that a path names. Raises InputError."""
    found = []
    for path in paths:
        file, name = split_program(path)
        if not begins_with(file, b"\x7fELF"):
            raise InputError("is no object file", Place(file))
        programs = load_object(file).programs
        if name is not None and name not in programs:
            raise InputError(f"no program {name!r}", Place(file), f"it holds: {', '.join(programs)}")
        wanted = programs if name is None else [name]
        found += [Subject(f"{file}:{each}", path=f"{file}:{each}") for each in wanted]
    return found


def running(selected: Sequence[str] = ()) -> list[Subject]:
    """What the running kernel holds of the types that interfaces are for; only those with a selected id, tag or name.

    Raises InputError where it cannot be asked, or where something that was selected is not there.
    """
    if (reason := available()) is not None:
        raise InputError(f"the kernel cannot be asked: {reason}")
    types = {load_interface(name).program_type for name in interface_names()}
    found, met = [], set()
    for number in inspect.program_ids():
        try:
            with inspect.held(inspect.PROG_GET_FD_BY_ID, number) as descriptor:
                program = inspect.read_program(descriptor)
        except LookupError:
            continue
        names = {str(program.id), program.tag, program.name} & set(selected)
        met |= names
        if names or (not selected and program.type in types):
            found.append(Subject(f"{program.name or 'program'} (id {program.id}, tag {program.tag})", program))
    if missing := [each for each in selected if each not in met]:
        raise InputError(f"the kernel holds no program {missing[0]!r}")
    return found
