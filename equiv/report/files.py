"""Writing files so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from equiv.errors import InputError, Place


@contextmanager
def replacing(path: str) -> Iterator[str]:
    """Gives the name of a temporary file; when the block ends well its content becomes that of `path`.

    A regular file is replaced at once, behind symbolic links where there are any. A device or a FIFO stays what it is
    and is written to. Raises InputError if that cannot be done.
    """
    temporary = ""
    try:
        kept = _is_special(path)
        target = Path(os.path.realpath(path))
        folder = tempfile.gettempdir() if kept else target.parent
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{target.name[:64]}.", suffix=".tmp")
        os.close(descriptor)
        yield temporary
        if kept:
            _copy(temporary, path)
        else:
            os.chmod(temporary, 0o666 & ~_umask())
            os.replace(temporary, target)
            temporary = ""
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"cannot write: {reason or error}", Place(path)) from error
    finally:
        if temporary:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


@contextmanager
def new_folder(path: str) -> Iterator[str]:
    """Gives the name of a temporary folder; when the block ends well it becomes `path`, which must not be there yet.

    An empty folder may be. Raises InputError if that cannot be done.
    """
    target, temporary = Path(os.path.abspath(path)), ""
    try:
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise InputError("cannot write: it is there already", Place(path))
        temporary = tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name[:64]}.", suffix=".tmp")
        yield temporary
        os.chmod(temporary, 0o777 & ~_umask())
        os.replace(temporary, target)
        temporary = ""
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"cannot write: {reason or error}", Place(path)) from error
    finally:
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)


def new_secret(path: str, data: bytes) -> None:
    """Write a new file that only its owner may read. Raises InputError, also where something is there already."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
    except FileExistsError:
        raise InputError("cannot write: it is there already", Place(path)) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise InputError(f"cannot write: {reason or error}", Place(path)) from error


def expect_writable(path: str, inputs: Iterable[str | None] = ()) -> None:
    """Find out before long work, not after it, that its result could not be written. Raises InputError.

    Nor may it take the place of one of `inputs` (`FILE` or `FILE:PROGRAM`), as it would where a name was forgotten.
    """
    for given in filter(None, inputs):
        for name in (given, given.rpartition(":")[0]):
            with contextlib.suppress(OSError, ValueError):
                if os.path.samefile(path, name):
                    raise InputError("cannot write: it is one of the inputs", Place(path))
    folder = Path(os.path.realpath(path)).parent
    if not folder.is_dir():
        raise InputError("cannot write: no such folder", Place(path))
    if Path(path).is_dir():
        raise InputError("cannot write: it is a directory", Place(path))
    if not os.access(path if _is_special(path) else folder, os.W_OK):
        raise InputError("cannot write: permission denied", Place(path))


def expect_folder(path: str) -> None:
    """Find out before long work that files could not be written into the folder `path`. Raises InputError."""
    if not os.path.isdir(path):
        if os.path.lexists(path):
            raise InputError("cannot write: it is not a directory", Place(path))
        expect_folder(os.path.dirname(os.path.abspath(path)))
    elif not os.access(path, os.W_OK | os.X_OK):
        raise InputError("cannot write: permission denied", Place(path))


def _is_special(path: str) -> bool:
    """Whether `path` is there and must stay what it is: a device, a FIFO, or a name of an open file (`/dev/stdout`)."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or path.startswith(("/dev/", "/proc/"))


def _copy(source: str, target: str) -> None:
    # O_NONBLOCK: opening a FIFO that nobody reads would wait; it fails instead.
    descriptor = os.open(target, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    os.set_blocking(descriptor, True)
    with os.fdopen(descriptor, "wb") as stream, open(source, "rb") as content:
        shutil.copyfileobj(content, stream)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
