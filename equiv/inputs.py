"""Reading the files that a command names: whole and bounded, or one InputError that says why not.

Only regular files are read. A FIFO could make a command wait for ever, a device may have no end or do something.
"""

from __future__ import annotations

import os
import stat
from typing import BinaryIO

from equiv.errors import InputError, Place

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
    stat.S_IFSOCK: "a socket",
}


def open_input(path: str | os.PathLike[str]) -> BinaryIO:
    """The regular file at `path`, open for reading. Raises InputError."""
    place = Place(os.fspath(path))
    if not place.file:
        raise InputError("the name of a file is empty")
    try:
        # O_NONBLOCK: opening a FIFO that nobody writes to would wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise InputError(f"cannot read: {_reason(error)}", place) from error
    kind = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if kind != stat.S_IFREG:
        os.close(descriptor)
        raise InputError(f"not a regular file but {_KINDS.get(kind, 'something else')}", place)
    return os.fdopen(descriptor, "rb")


def read_input(path: str | os.PathLike[str], at_most: int, what: str = "") -> bytes:
    """All bytes of the file at `path`. Raises InputError, also where there are more than `at_most` (a whole MiB).

    `what` completes that message: "larger than 4 MiB; a parser table is not".
    """
    with open_input(path) as stream:
        try:
            data = stream.read(at_most + 1)
        except OSError as error:
            raise InputError(f"cannot read: {_reason(error)}", Place(os.fspath(path))) from error
    if len(data) > at_most:
        raise InputError(f"larger than {at_most >> 20} MiB{what and '; '}{what}", Place(os.fspath(path)))
    return data


def begins_with(path: str | os.PathLike[str], magic: bytes) -> bool:
    """Whether the file at `path` begins with `magic`. Raises InputError where it cannot be read."""
    with open_input(path) as stream:
        try:
            return stream.read(len(magic)) == magic
        except OSError as error:
            raise InputError(f"cannot read: {_reason(error)}", Place(os.fspath(path))) from error


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
