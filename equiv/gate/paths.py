"""Which files a manifest may name, and which its patterns match.

Files stay inside the gate's folder, also behind symbolic links, but for those that the manifest lists as `outside`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import translate
from pathlib import Path

from equiv.errors import InputError, Place

WILD = re.compile(r"[*?\[]")
MAX_MATCHES = 100_000


@dataclass(frozen=True, slots=True)
class Folder:
    """The gate's folder `path`, and the absolute paths beyond it that may be read."""

    path: str
    outside: tuple[str, ...] = ()

    def inside(self, base: str, text: str, place: Place) -> str:
        """`text`, relative to the folder `base` of the gate's, as a path relative to the gate's folder.

        An absolute path stays one. Raises InputError where it leads out and is not listed.
        """
        if not text or "\0" in text:
            raise InputError("the name of a file is empty, or has a NUL in it", place)
        absolute = os.path.normpath(os.path.join(self.path, base, text))
        if absolute in self.outside:
            return absolute
        try:
            real, folder = os.path.realpath(absolute), os.path.realpath(self.path)
        except OSError as error:
            raise InputError(f"{text}: {error.strerror}", place) from error
        relative = os.path.relpath(absolute, self.path)
        if relative.split(os.sep)[0] == ".." or not (real == folder or real.startswith(folder.rstrip("/") + os.sep)):
            hint = f'`outside = ["{absolute}"]` in the manifest that the gate is given allows it'
            raise InputError(f"`{text}` leads out of the manifest's folder", place, hint)
        return relative

    def real(self, path: str) -> str:
        """Where a path that `inside` gave lies."""
        return os.path.join(self.path, path)

    def side(self, base: str, text: str, place: Place) -> list[str]:
        """The inputs that `FILE`, `FILE:PROGRAM` or a pattern in place of FILE stands for, in order.

        A file that is named need not be there; a pattern that matches nothing raises InputError.
        """
        file, colon, program = text, "", ""
        if ":" in text and not os.path.lexists(os.path.join(self.path, base, text)):
            file, colon, program = text.rpartition(":")
            if not file or not program:
                raise InputError(f"`{text}` is neither FILE nor FILE:PROGRAM", place)
        return [f"{each}{colon}{program}" for each in self.files(base, file, place)]

    def files(self, base: str, text: str, place: Place) -> list[str]:
        """The file `text`, or what it matches as a pattern: `*`, `?`, `[…]` within a name, `**` for any folders."""
        if not WILD.search(text) or os.path.lexists(os.path.join(self.path, base, text)):
            return [self.inside(base, text, place)]
        parts = Path(text).parts
        first = next(n for n, part in enumerate(parts) if WILD.search(part))
        start = self.inside(base, os.path.join(*parts[:first]) if first else ".", place)
        found = []
        for path in _matches(self.real(start), parts[first:]):
            relative = path[len(self.real(start)) + 1 :]
            found.append(self.inside("", os.path.join(start, relative), place))
            if len(found) > MAX_MATCHES:
                raise InputError(f"`{text}` matches more than {MAX_MATCHES} files", place)
        if not found:
            raise InputError(f"`{text}` matches no file", place)
        return sorted(found)


def _matches(folder: str, parts: tuple[str, ...]) -> Iterator[str]:
    """Files below `folder` that match, each once. Links to folders are not followed, hidden names only if asked for."""
    part, rest = parts[0], parts[1:]
    if part == "**":
        if not rest:
            rest = ("*",)
        yield from dict.fromkeys(_below(folder, rest))
        return
    matching = re.compile(translate(part))
    for entry in _entries(folder):
        if matching.fullmatch(entry.name) is None or (entry.name.startswith(".") and not part.startswith(".")):
            continue
        if not rest:
            if not entry.is_dir():
                yield entry.path
        elif entry.is_dir(follow_symlinks=False):
            yield from _matches(entry.path, rest)


def _below(folder: str, rest: tuple[str, ...]) -> Iterator[str]:
    yield from _matches(folder, rest)
    for entry in _entries(folder):
        if entry.is_dir(follow_symlinks=False) and not entry.name.startswith("."):
            yield from _below(entry.path, rest)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
