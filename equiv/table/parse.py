"""`.dev` files in, checked tables out. Every problem is one InputError that points at its spot."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.table import syntax
from equiv.table.build import build
from equiv.table.check import check
from equiv.table.model import Table


def load_table(path: str | Path) -> Table:
    """Read the `.dev` file at `path`. Raises InputError, also where it cannot be read."""
    data = read_input(path, syntax.MAX_BYTES, "a parser table is not")
    table = parse_table(syntax.decode(data, str(path)), str(path))
    return dataclasses.replace(table, sha256=hashlib.sha256(data).hexdigest())


def parse_table(text: str, file: str = "<text>") -> Table:
    """The table that `text` describes; `file` is what errors and paths call it. Raises InputError."""
    if len(text) > syntax.MAX_BYTES:
        raise InputError(f"larger than {syntax.MAX_BYTES >> 20} MiB; a parser table is not", Place(file))
    tree, source = syntax.parse(text, file)
    table = build(tree, source)
    check(table)
    return dataclasses.replace(table, sha256=hashlib.sha256(text.encode()).hexdigest())
