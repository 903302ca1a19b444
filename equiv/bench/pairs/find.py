"""Which P4 sources of a folder have an object beside them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from equiv.errors import InputError, Place

OBJECTS = ("{}.o", "{}.bpf.o", "{}_parser.o", "{}_parser.bpf.o")
"""What the object of `NAME.p4` may be called; the first that is there counts."""
MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Beside:
    """`name` is the source's path from the folder, without its ending."""

    name: str
    source: str
    object: str


@dataclass(frozen=True, slots=True)
class Found:
    """Pairs by name, and the names of sources without an object."""

    pairs: tuple[Beside, ...]
    alone: tuple[str, ...]


def find(folder: str) -> Found:
    """All pairs below `folder`; symbolic links to folders are not followed.

    Raises InputError where there is no such folder, where none has an object, and for folders that are too large.
    """
    if not os.path.isdir(folder):
        raise InputError("no such folder", Place(folder))
    pairs, alone, seen = [], [], 0
    for directory, folders, files in os.walk(folder):
        folders.sort()
        seen += len(files)
        if seen > MOST_FILES:
            raise InputError(f"more than {MOST_FILES} files", Place(folder), "name a folder further down")
        there = set(files)
        for file in sorted(there):
            stem, ending = os.path.splitext(file)
            if ending != ".p4":
                continue
            name = str((Path(directory) / stem).relative_to(folder))
            beside = next((each for each in (pattern.format(stem) for pattern in OBJECTS) if each in there), None)
            if beside is None:
                alone.append(name)
            else:
                pairs.append(Beside(name, str(Path(directory) / file), str(Path(directory) / beside)))
    if not pairs:
        what = f"{len(alone)} P4 sources, none with an object beside it" if alone else "no P4 source"
        raise InputError(what, Place(folder), f"objects are called {', '.join(p.format('NAME') for p in OBJECTS)}")
    return Found(tuple(sorted(pairs, key=lambda pair: pair.name)), tuple(sorted(alone)))
