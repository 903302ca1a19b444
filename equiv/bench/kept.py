"""Rows of a bench in a file, one JSON object a line: a run that was cut short goes on from there."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from equiv.errors import InputError, Place
from equiv.report.files import expect_writable

T = TypeVar("T")
_NO_ROW: Final = (ValueError, TypeError, KeyError, AttributeError, RecursionError)


def kept_rows(path: str, bench: str, begins: bytes, read: Callable[[str], T]) -> list[T]:
    """What `read` makes of each line of the file; none where there is no such file yet.

    A last line that its writer did not end is taken off the file, but only once all else is known to be rows: every
    line begins with `begins`. Raises InputError, with the file as it was, for one that holds something else; `bench` is
    the command whose rows it should hold.
    """
    if not Path(path).exists():
        expect_writable(path)
        return []
    try:
        *lines, rest = Path(path).read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", Place(path)) from error
    found: list[T] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(read(line.decode()))
        except _NO_ROW:
            raise InputError(f"not rows of `{bench}`", Place(path, number)) from None
    if rest:
        if not _is_cut(rest, begins, read) or (not lines and not rest.startswith(begins)):
            raise InputError(f"not rows of `{bench}`", Place(path, len(lines) + 1))
        os.truncate(path, os.path.getsize(path) - len(rest))
    return found


def add_line(path: str, line: str) -> None:
    """Add a row to the file, in one piece: other processes add theirs."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, line.encode() + b"\n")
    finally:
        os.close(descriptor)


def _is_cut(rest: bytes, begins: bytes, read: Callable[[str], object]) -> bool:
    """Whether these bytes are the beginning of a row, or one that only lacks its end of line."""
    if not begins.startswith(rest[: len(begins)]):
        return False
    if not rest.endswith(b"}"):
        return True
    try:
        read(rest.decode())
    except _NO_ROW:  # the brace may be in the middle of a row, but something that is whole is no row
        return not _is_whole(rest)
    return True


def _is_whole(rest: bytes) -> bool:
    try:
        json.loads(rest)
    except (ValueError, RecursionError):
        return False
    return True
