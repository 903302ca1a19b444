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

WILD = re.compile(r"[*?]|\[[^\]]+\]")
MAX_MATCHES = 100_000
OUTSIDE = ".outside"
"""Where files beyond the gate's folder lie in the folder of a check, by their absolute path (D151)."""


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
        if relative.split(os.sep)[0] == OUTSIDE:
            raise InputError(f"`{text}`: no folder of a gate is called {OUTSIDE}", place)
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
    """Files below `folder` that match. Links to folders are not followed, hidden names only if asked for.

    Each folder is looked into once, with all places in the pattern that the way to it may have come to, so that no
    pattern takes longer than the tree is large.
    """
    patterns = [None if part == "**" else re.compile(translate(part)) for part in parts]

    def fits(place: int, name: str) -> bool:
        pattern = patterns[place]
        hidden = name.startswith(".") and not parts[place].startswith(".")
        return not hidden and (pattern is None or pattern.fullmatch(name) is not None)

    def places(found: set[int]) -> set[int]:
        """With those behind each `**`, which may stand for no folder at all."""
        for place in sorted(found):
            while place < len(parts) and patterns[place] is None:
                place += 1
                found.add(place)
        return found - {len(parts)}

    last = len(parts) - 1
    waiting = [(folder, places({0}))]
    while waiting:
        path, at = waiting.pop()
        for entry in _entries(path):
            going = [place for place in at if fits(place, entry.name)]
            if entry.is_dir(follow_symlinks=False):
                inside = places({place if patterns[place] is None else place + 1 for place in going})
                if inside:
                    waiting.append((entry.path, inside))
            elif last in going and not entry.is_dir():
                yield entry.path


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []
