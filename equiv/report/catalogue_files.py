"""Writing a catalogue: one writer at a time, files beside it first, and nobody ever sees half of anything."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from equiv.errors import InputError, Place
from equiv.report.files import replacing
from equiv.trust.log import Record, parse_log, written
from equiv.trust.store import object_path, objects_folder


@contextmanager
def locked(catalogue: str) -> Iterator[None]:
    """Keeps other writers out; the folder of the catalogue's files is made if need be. Raises InputError."""
    folder = objects_folder(catalogue)
    try:
        folder.mkdir(exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot write: {reason}", Place(str(folder))) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write_log(catalogue: str, records: tuple[Record, ...]) -> None:
    """The log's file, once what is to be written was read and found good. Raises InputError."""
    data = written(records)
    parse_log(data, catalogue, None)
    with replacing(catalogue) as temporary:
        Path(temporary).write_bytes(data)


def write_objects(catalogue: str, files: Mapping[str, bytes]) -> None:
    """Files beside the catalogue, by their SHA-256. Raises InputError."""
    for sha256, data in files.items():
        path = object_path(catalogue, sha256)
        if path.is_symlink():
            raise InputError("is a symbolic link, which is not followed", Place(str(path)))
        with replacing(str(path)) as temporary:
            Path(temporary).write_bytes(data)
