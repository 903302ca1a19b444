"""Which files a pair is about: all that its check reads, so that their bytes decide whether it is asked again (D151).

P4 sources name further files with `#include`; those are found here by looking for such lines, and whatever was not
found is not there when the check runs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from equiv.errors import InputError, Place
from equiv.gate.model import INDEXED, Options, Pair
from equiv.gate.paths import Folder
from equiv.inputs import read_input

MAX_BYTES = 256 << 20
"""Largest input file; what an input may be is decided where it is read, more closely."""

_JOINED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\w*[ \t]*(?:[\"<]([^\">\n]*)[\">])?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Need:
    """One file: `path` relative to the gate's folder (or absolute, where the manifest allows that), and its hash."""

    path: str
    sha256: str


class Hashes:
    """Hashes of files, each read once in a run of the gate."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._known: dict[str, str] = {}
        self._includes: dict[str, tuple[str, ...]] = {}

    def needs(self, pair: Pair) -> tuple[Need, ...]:
        """Every file that the pair's check reads, by name. Raises InputError where one cannot be read."""
        found = set[str]()
        for path in named_files(self.folder, pair):
            found.add(path)
            if path.endswith(".p4"):
                found |= self._included(path, pair.place)
        return tuple(Need(path, self._sha256(path)) for path in sorted(found))

    def _sha256(self, path: str) -> str:
        if path not in self._known:
            self._known[path] = sha256(read_need(self.folder, path)).hexdigest()
        return self._known[path]

    def _included(self, path: str, place: Place | None) -> set[str]:
        """The files that a P4 source includes, as far as they are there: beside the one that includes, or the main."""
        found, waiting = set[str](), [path]
        while waiting:
            each = waiting.pop()
            if each not in self._includes:
                self._includes[each] = tuple(_includes(read_need(self.folder, each), each))
            for name in self._includes[each]:
                for base in dict.fromkeys((os.path.dirname(each), os.path.dirname(path))):
                    if not os.path.lexists(os.path.join(self.folder.path, base, name)):
                        continue
                    inside = self.folder.inside(base, name, place or Place(each))
                    if inside not in found:
                        found.add(inside)
                        waiting.append(inside)
        return found


def named_files(folder: Folder, pair: Pair) -> list[str]:
    """The files that the manifest names for a pair: both sides and what its options read."""
    sides = [side_file(folder, side) for side in (pair.left, pair.right) if side is not None]
    return [*sides, *_option_files(pair.options)]


def side_file(folder: Folder, side: str) -> str:
    """The file of `FILE` or `FILE:PROGRAM`."""
    if ":" in side and not os.path.lexists(folder.real(side)):
        return side.rpartition(":")[0]
    return side


def read_need(folder: Folder, path: str) -> bytes:
    """The file's bytes. Raises InputError that names it as the manifest does."""
    try:
        return read_input(folder.real(path), MAX_BYTES, "an input is not")
    except InputError as error:
        raise InputError(error.message, Place(path), error.hint) from None


def _option_files(options: Options) -> Iterator[str]:
    for text in (*options.snapshots, *options.value_sets):
        yield text.partition("=")[2] or text
    yield from filter(None, (options.outputs, options.btf))
    if options.relation is not None and (indexed := INDEXED.fullmatch(options.relation)):
        yield indexed[1]


def _includes(raw: bytes, path: str) -> Iterator[str]:
    """Names in the `#include` lines of a P4 source. Raises InputError for one whose name only a macro tells."""
    text = _COMMENT.sub(" ", _JOINED.sub("", raw.decode("utf-8", "replace")))
    for found in _INCLUDE.finditer(text):
        if found[1] is None:
            raise InputError("an #include whose file a macro names: which files count cannot be told", Place(path))
        yield found[1]
