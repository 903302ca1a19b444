"""Rows of `equiv bench fuzz` in a file, one JSON object a line: a run that was cut short goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from equiv.bench.fuzzing.measure import Asked, Row
from equiv.errors import InputError, Place
from equiv.report.files import expect_writable
from equiv.result import Coverage

BEGINS: Final = b'{"asked"'
"""What every line begins with."""


def read_rows(path: str, asked: Asked, ids: Iterable[str]) -> dict[str, Row]:
    """By pair, the rows of an earlier run that were measured as is asked now. Raises InputError for another file."""
    if not Path(path).exists():
        expect_writable(path)
        return {}
    wanted, found = set(ids), {}
    *lines, rest = Path(path).read_bytes().split(b"\n")
    if not BEGINS.startswith(rest[: len(BEGINS)]):
        raise InputError("not rows of `equiv bench fuzz`", Place(path, len(lines) + 1))
    if rest:  # the run was cut short in the middle of it
        os.truncate(path, os.path.getsize(path) - len(rest))
    for number, line in enumerate(lines, 1):
        try:
            document = json.loads(line)
            row = _row(document["row"])
            same = document["asked"] == asdict(asked)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise InputError("not rows of `equiv bench fuzz`", Place(path, number)) from None
        if same and row.id in wanted:
            found[row.id] = row
    return found


def add_row(path: str, asked: Asked, row: Row) -> None:
    """Add a row to the file."""
    line = json.dumps({"asked": asdict(asked), "row": asdict(row)}, sort_keys=True).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _row(content: dict[str, Any]) -> Row:
    sides = {name: _coverage(content[name]) for name in ("left", "right")}
    missed = tuple((str(text), status) for text, status in content["missed"])
    return Row(**{**content, **sides, "missed": missed})


def _coverage(content: dict[str, Any] | None) -> Coverage | None:
    if content is None:
        return None
    bits = {name: (both, width) for name, (both, width) in content["bits"].items()}
    return Coverage(**{**content, "missed": tuple(content["missed"]), "bits": bits})
