"""The tables of Linux's flow dissector: two that do what it does, and those that nearly do, made from one of them.

`broken.toml` says of each broken table which texts of `graph.dev` are replaced: as files, they would differ in a line.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from equiv.errors import InputError, Place

FOLDER = "linux-flow-dissector"
GRAPH, ROWS, BROKEN = "graph.dev", "rows.dev", "broken.toml"


@dataclass(frozen=True, slots=True)
class BrokenTable:
    """A table with one mistake: its file's name without ending, what is wrong, its text."""

    name: str
    bug: str
    text: str


def broken_tables(folder: Path) -> list[BrokenTable]:
    """The broken tables that `folder` describes. Raises InputError where a replacement does not fit."""
    manifest = folder / BROKEN
    try:
        good = (folder / GRAPH).read_text(encoding="utf-8")
        data = tomllib.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(error), Place(str(manifest))) from None
    tables = []
    for entry in data["table"]:
        text = good
        for old, new in entry["replace"]:
            if text.count(old) != 1:
                raise InputError(
                    f"{entry['name']}: `{old.strip()}` stands {text.count(old)} times", Place(str(manifest))
                )
            text = text.replace(old, new)
        _, _, rest = text.partition("\n")  # the first line says what the table is
        tables.append(BrokenTable(entry["name"], entry["bug"], f"// Broken on purpose: {entry['bug']}.\n{rest}"))
    return tables


def write_broken_tables(folder: Path, into: Path) -> list[tuple[BrokenTable, Path]]:
    """Write each as `into/graph.NAME.dev`."""
    written = []
    for table in broken_tables(folder):
        target = into / f"graph.{table.name}.dev"
        target.write_text(table.text, encoding="utf-8")
        written.append((table, target))
    return written
