"""Which source something was built from: hashes of source files, and what objects and tables say of themselves.

An object says it in a section `.equiv.source` (specs/source-hashes.md), a `.dev` file in its `source` statement. What
is said there is a claim of who built it: it links two builds to one source, and proves nothing about either.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from equiv.bpf.elf import read_elf
from equiv.errors import InputError, Place
from equiv.inputs import begins_with, read_input
from equiv.loaded import Loaded

SECTION = ".equiv.source"
MAX_SOURCE = 64 << 20
MAX_SECTION = 4096
CLAIM = re.compile(r"sha256:[0-9a-f]{64}|(?:sha1|git):[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class SourceHash:
    """Hashes of a source in hex. `git` is the blob name that `git hash-object` prints; "" for several files.

    Several files count as one source: the text of their SHA-256, one a line, sorted.
    """

    sha256: str
    sha1: str
    git: str = ""

    @property
    def claims(self) -> frozenset[str]:
        """The ways in which an object or a table may name this source."""
        return frozenset({f"sha256:{self.sha256}", f"sha1:{self.sha1}", *([f"git:{self.git}"] if self.git else [])})


def source_hash(paths: Sequence[str]) -> SourceHash:
    """The hashes of the source in these files, in whatever order they are given. Raises InputError."""
    contents = [read_input(path, MAX_SOURCE) for path in paths]
    if not contents:
        raise InputError("no source files to hash")
    if len(contents) == 1:
        return SourceHash(_sha256(contents[0]), _sha1(contents[0]), _blob(contents[0]))
    whole = "".join(sorted(f"{_sha256(content)}\n" for content in contents)).encode()
    return SourceHash(_sha256(whole), _sha1(whole))


def claimed_sources(loaded: Loaded) -> tuple[str, ...]:
    """What an object or table says that it was built from, as `sha256:HEX`, `sha1:HEX` or `git:HEX`.

    Raises InputError where an object says it in another form.
    """
    if loaded.table is not None:
        return (loaded.table.source,) if loaded.table.source else ()
    if loaded.program is None or not begins_with(loaded.path, b"\x7fELF"):
        return ()
    return _embedded(loaded.path)


def _embedded(path: str) -> tuple[str, ...]:
    sections = [section for section in read_elf(path).sections if section.name == SECTION]
    if not sections:
        return ()
    place, hint = Place(path), "lines of sha256:HEX, sha1:HEX or git:HEX (specs/source-hashes.md)"
    if len(sections) > 1:
        raise InputError(f"has {len(sections)} sections {SECTION}", place)
    data = sections[0].data
    if len(data) > MAX_SECTION:
        raise InputError(f"section {SECTION} has {len(data)} bytes, more than {MAX_SECTION}", place, hint)
    words = data.replace(b"\0", b" ").decode("ascii", "replace").split()
    for word in words:
        if not CLAIM.fullmatch(word):
            raise InputError(f"section {SECTION} holds {word[:80]!r}, which is no hash of a source", place, hint)
    return tuple(dict.fromkeys(words))


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha1(data: bytes) -> str:
    return hashlib.sha1(data, usedforsecurity=False).hexdigest()


def _blob(data: bytes) -> str:
    """As git hashes a file's content: https://git-scm.com/book/en/v2/Git-Internals-Git-Objects."""
    return _sha1(b"blob %d\0" % len(data) + data)
