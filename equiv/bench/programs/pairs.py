"""Packet-side programs of object files, as pairs to check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equiv.bench.manifest import ITSELF, Pair
from equiv.bpf.load import load_object
from equiv.bpf.maps import MAP_TYPE_PROG_ARRAY
from equiv.bpf.program import Object
from equiv.errors import EquivError
from equiv.machine.interface import interface_for_section

NUMBERED: Final = re.compile(r".*?_?(\d+)")
"""A program that user space puts at this index of a program array: `classifier_2`."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """A file of which nothing can be checked. `id` is its group's and its own name."""

    id: str
    reason: str


def programs_of(file: str) -> dict[str, str]:
    """The interfaces of the packet-side programs of an object file, by program. Raises InputError."""
    return _packet_side(load_object(file))


def pairs_with_itself(group: str, files: list[Path]) -> Iterator[Pair | Unusable]:
    """Every packet-side program of the files against itself, or why a file cannot be read."""
    for path in files:
        title = f"{group}/{path.name}"
        try:
            loaded = load_object(str(path))
        except EquivError as error:
            yield Unusable(title, error.message)
            continue
        for name, interface in _packet_side(loaded).items():
            both = f"{path}:{name}"
            held = tail_calls(loaded, name)
            yield Pair(f"{title}:{name}={ITSELF}", group, both, both, "equivalent", interface, tail_calls=held)


def _packet_side(loaded: Object) -> dict[str, str]:
    found = {name: interface_for_section(program.section) for name, program in loaded.programs.items()}
    return {name: interface for name, interface in found.items() if interface is not None}


def tail_calls(loaded: Object, name: str) -> tuple[str, ...]:
    """What user space puts into the program arrays that the object leaves empty (`MAP[INDEX]=PROGRAM`).

    Programs of the same kind whose names end in a number go there, as in Linux's prog_tests/tailcalls.c.
    """
    program = loaded.programs[name]
    kind = interface_for_section(program.section)
    numbered = {
        int(match[1]): other
        for other, found in loaded.programs.items()
        if (match := NUMBERED.fullmatch(other)) and interface_for_section(found.section) == kind
    }
    return tuple(
        f"{spec.name}[{index}]={other}"
        for spec in program.maps.values()
        if spec.type == MAP_TYPE_PROG_ARRAY and spec.name not in program.tail_calls
        for index, other in sorted(numbered.items())
        if index < spec.max_entries
    )
