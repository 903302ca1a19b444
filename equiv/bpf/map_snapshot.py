"""What a map held at some moment, from `bpftool map dump -j` (D55). In: JSON. Out: key bytes to value bytes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiv.bpf.program import MapSpec, Program
from equiv.errors import InputError, Place
from equiv.inputs import read_input

MAX_FILE_SIZE = 64 << 20
"""Largest dump read, in bytes."""

# enum bpf_map_type, include/uapi/linux/bpf.h.
PROG_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS = 3, 12, 13
PER_CPU = (5, 6, 10)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """`entries` of the map `map_name`, as `file` has them: `(key, value)`, per-CPU values one behind the other."""

    map_name: str
    file: str
    entries: tuple[tuple[bytes, tuple[bytes, ...]], ...]


def read_snapshots(text: str) -> list[Snapshot]:
    """Read `MAP=FILE` or `FILE`.

    A file holds what `bpftool map dump -j` (or `-p`) prints for one map, whose name is given or else the file's own
    (`flows.json`), or an object with such a dump for each map by name. Raises InputError.
    """
    name, equals, path = text.partition("=")
    if not equals:
        name, path = "", text
    place = Place(path)
    try:
        document = json.loads(read_input(path, MAX_FILE_SIZE))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON: {error}", place, "bpftool map dump -j prints what is wanted") from error
    if isinstance(document, dict) and not equals:
        return [Snapshot(str(each), path, _entries(dump, place)) for each, dump in document.items()]
    return [Snapshot(name or Path(path).stem, path, _entries(document, place))]


def _entries(dump: Any, place: Place) -> tuple[tuple[bytes, tuple[bytes, ...]], ...]:
    if not isinstance(dump, list):
        raise InputError("not a list of entries", place, "bpftool map dump -j prints what is wanted")
    found = []
    for number, entry in enumerate(dump):
        where = f"entry {number}"
        if not isinstance(entry, dict) or "key" not in entry:
            raise InputError(f"{where} has no key", place)
        values = [each.get("value") for each in entry.get("values", ())] if "values" in entry else [entry.get("value")]
        if values and all(isinstance(value, dict) and "error" in value for value in values):
            continue  # an empty slot
        key = _bytes(entry["key"], f"{where}, key", place)
        found.append((key, tuple(_bytes(value, f"{where}, value", place) for value in values)))
    return tuple(found)


def _bytes(items: Any, where: str, place: Place) -> bytes:
    """`["0x0a", "0x00", …]` as bytes."""
    try:
        if not isinstance(items, list):
            raise ValueError
        return bytes(int(item, 16) if isinstance(item, str) else item for item in items)
    except (ValueError, TypeError):
        hint = "with BTF, plain `bpftool map dump` prints no bytes; use -j"
        raise InputError(f"{where} is not a list of bytes", place, hint) from None


def with_contents(program: Program, snapshots: Sequence[Snapshot]) -> Program:
    """The program with the contents of its maps known. Raises InputError where a snapshot does not fit its map."""
    maps = dict(program.maps)
    for snapshot in snapshots:
        spec = maps.get(snapshot.map_name)
        if spec is not None:
            maps[spec.name] = dataclasses.replace(spec, contents=_contents(spec, snapshot), contents_from=snapshot.file)
    return dataclasses.replace(program, maps=maps)


def _contents(spec: MapSpec, snapshot: Snapshot) -> Mapping[bytes, bytes]:
    place = Place(snapshot.file)
    if spec.type in (PROG_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS):
        hint = "say what a program array holds with --tail-call" if spec.type == PROG_ARRAY else ""
        raise InputError(f"map {spec.name} holds objects of one running kernel, by number", place, hint)
    if spec.initial is not None and spec.frozen:
        raise InputError(f"map {spec.name} is read-only data: the object says what it holds", place)
    found: dict[bytes, bytes] = {}
    for key, values in snapshot.entries:
        if len(set(values)) != 1:
            raise InputError(
                f"map {spec.name}, key {key.hex()}: CPUs hold different values",
                place,
                "leave the map out, then it is an input",
            )
        if len(key) != spec.key_size or len(values[0]) != spec.value_size:
            sizes = f"{len(key)} and {len(values[0])}, not {spec.key_size} and {spec.value_size}"
            raise InputError(f"map {spec.name}: a key and its value have {sizes} bytes", place)
        if key in found:
            raise InputError(f"map {spec.name}: key {key.hex()} stands twice", place)
        found[key] = values[0]
    return found
