"""What the PROG_ARRAYs of an object hold: its own initial values, and what the user says (D50)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from equiv.bpf.maps import MAP_TYPE_PROG_ARRAY
from equiv.bpf.source import Source
from equiv.errors import InputError, Place

MAX_TAIL_CALLS = 33
"""MAX_TAIL_CALL_CNT, include/linux/bpf.h: how many tail calls of one run succeed."""

_SETTING = re.compile(r"(?P<map>[^\[\]=]+)\[(?P<index>\d+|0x[0-9a-fA-F]+)?\](?:=(?P<program>.+))?")


@dataclass(frozen=True, slots=True)
class TailCall:
    """User space puts `program` (of the same object) at `index` of the PROG_ARRAY `map_name`.

    Without an index the map is said to be empty but for what else is said of it.
    """

    map_name: str
    index: int | None = None
    program: str = ""

    def __str__(self) -> str:
        """As `parse_tail_call` reads it."""
        return f"{self.map_name}[]" if self.index is None else f"{self.map_name}[{self.index}]={self.program}"


def parse_tail_call(text: str) -> TailCall:
    """Read `MAP[INDEX]=PROGRAM`, or `MAP[]` for a map that holds nothing. Raises InputError."""
    match = _SETTING.fullmatch(text.strip())
    if match is None or (match["index"] is None) != (match["program"] is None):
        raise InputError(f"{text!r} is not MAP[INDEX]=PROGRAM", hint="or MAP[] for an array without programs")
    if match["index"] is None:
        return TailCall(match["map"])
    return TailCall(match["map"], int(match["index"], 0), match["program"])


def held_programs(source: Source, said: Sequence[TailCall]) -> dict[str, dict[int, str]]:
    """By PROG_ARRAY and index, the programs held: what is said, over the object's initial values.

    Maps of which neither says anything are left out. Raises InputError for programs and indices that do not exist;
    what is said of maps that this object does not have is left to others.
    """
    place = Place(source.elf.path)
    held: dict[str, dict[int, str]] = {}
    for name, spec in source.maps.maps.items():
        if spec.type != MAP_TYPE_PROG_ARRAY:
            continue
        found = {index: _program(source, program, place) for index, program in spec.slots.items()}
        mine = [item for item in said if item.map_name == name]
        for item in mine:
            if item.index is None:
                continue
            if item.index >= spec.max_entries:
                raise InputError(f"map {name} has {spec.max_entries} entries: there is no index {item.index}", place)
            found[item.index] = _program(source, item.program, place)
        if found or mine:
            held[name] = found
    return held


def _program(source: Source, wanted: str, place: Place) -> str:
    """The program called so, or the only one in the section called so."""
    if wanted in source.entries:
        return wanted
    in_section = [name for name, f in source.entries.items() if source.code[f.section].section.name == wanted]
    if len(in_section) == 1:
        return in_section[0]
    names = ", ".join(source.entries)
    raise InputError(f"no program {wanted!r} to put into an array", place, f"programs: {names}")
