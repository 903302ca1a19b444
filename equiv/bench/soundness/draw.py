"""One mutant of a side that is in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from equiv.errors import EquivError
from equiv.loaded import Loaded, load
from equiv.mutate.program import linked_mutants
from equiv.mutate.source import mutate_source
from equiv.mutate.table import table_mistakes
from equiv.table.parse import parse_table

Draw = Callable[[Random], Iterator["Drawn"]]
"""Distinct mutants, one after the other, as long as there are any."""

DRY = 500


@dataclass(frozen=True, slots=True)
class Drawn:
    """A mutant as a side of a check, the kind of mistake, and what it is."""

    loaded: Loaded
    kind: str
    what: str


def drawing(original: Loaded) -> Draw:
    """What draws mutants of `original`: of bytecode in the linked program, of tables and P4 in the text."""
    if original.program is not None:
        program = original.program
        return lambda random: (
            Drawn(replace(original, program=changed), mutant.kind, str(mutant))
            for mutant, changed in linked_mutants(program, random)
        )
    if original.table is not None:
        mistakes = table_mistakes(original.table)

        def tables(random: Random) -> Iterator[Drawn]:
            seen = set[str]()
            dry = 0
            while dry < DRY:
                dry += 1
                change = mistakes("", random)
                if change is None or change.text in seen:
                    continue
                seen.add(change.text)
                try:
                    table = parse_table(change.text, original.path)
                except EquivError:
                    continue
                dry = 0
                yield Drawn(replace(original, table=table, sha256=table.sha256), change.kind, change.what)

        return tables
    text = Path(original.path).read_text("utf-8")

    def sources(random: Random) -> Iterator[Drawn]:
        seen = {text}
        dry = 0
        while dry < DRY:
            dry += 1
            change = mutate_source(text, random)
            if change is None or change.text in seen:
                continue
            seen.add(change.text)
            with TemporaryDirectory() as folder:
                file = Path(folder) / Path(original.path).name
                file.write_text(change.text, encoding="utf-8")
                try:
                    loaded = load(f"{file}:{original.program_name}")
                except EquivError:
                    continue
            dry = 0
            yield Drawn(loaded, change.kind, change.what)

    return sources
