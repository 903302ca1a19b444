"""Rows of `equiv bench fuzz` in a file, one JSON object a line: a run that was cut short goes on from there."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any, Final

from equiv.bench.fuzzing.measure import Asked, Row
from equiv.bench.kept import add_line, kept_rows
from equiv.result import Coverage

BEGINS: Final = b'{"asked"'
"""What every line begins with."""


def read_rows(path: str, asked: Asked, ids: Iterable[str]) -> dict[str, Row]:
    """By pair, the rows of an earlier run that were measured as is asked now. Raises InputError for another file."""
    wanted = set(ids)
    rows = kept_rows(path, "equiv bench fuzz", BEGINS, _read)
    return {row.id: row for how, row in rows if how == asdict(asked) and row.id in wanted}


def add_row(path: str, asked: Asked, row: Row) -> None:
    """Add a row to the file."""
    add_line(path, json.dumps({"asked": asdict(asked), "row": asdict(row)}, sort_keys=True))


def _read(line: str) -> tuple[Any, Row]:
    """How a row was measured, and the row. Raises ValueError, TypeError, KeyError or AttributeError."""
    document = json.loads(line)
    return document["asked"], _row(document["row"])


def _row(content: dict[str, Any]) -> Row:
    sides = {name: _coverage(content[name]) for name in ("left", "right")}
    missed = tuple((str(text), status) for text, status in content["missed"])
    return Row(**{**content, **sides, "missed": missed})


def _coverage(content: dict[str, Any] | None) -> Coverage | None:
    if content is None:
        return None
    bits = {name: (both, width) for name, (both, width) in content["bits"].items()}
    return Coverage(**{**content, "missed": tuple(content["missed"]), "bits": bits})
