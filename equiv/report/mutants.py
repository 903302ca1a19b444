"""`equiv mutate`: mutants as files in a folder, and a list of what was changed in each."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random

from equiv.errors import InputError, Place
from equiv.loaded import load, split_program
from equiv.mutate.files import mutants
from equiv.report.files import new_folder
from equiv.report.style import clean

LIST = "mutants.txt"
"""The list in the folder: a mutant's file, the kind of mistake, and what it is, a line each."""


def write_mutants(path: str, folder: str, count: int, seed: int, kinds: tuple[str, ...] = ()) -> int:
    """Write `count` mutants of `path` to the new folder `folder`. Returns 1 if there are fewer, else 0.

    Raises InputError, also for a folder that is there already, and where no mutant can be made.
    """
    file, program = split_program(path)
    load(path)
    behind = f":{program}" if program else ""
    drawn = mutants(file, program, Random(seed), lambda mutant: load(mutant + behind), kinds)
    stem, dot, suffix = Path(file).name.partition(".")
    lines: list[str] = []
    with new_folder(folder) as temporary:
        for number, mutant in enumerate(islice(drawn, count), 1):
            name = f"{stem}.{number:04}{dot}{suffix}"
            (Path(temporary) / name).write_bytes(mutant.data)
            lines.append(f"{name}  {mutant.kind}  {clean(mutant.what)}")
        if not lines:
            what = f"of kind {', '.join(kinds)} " if kinds else ""
            raise InputError(f"no mistake {what}can be made in it so that it still loads", Place(path))
        (Path(temporary) / LIST).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    print("\n".join(lines))
    return 0 if len(lines) == count else 1
