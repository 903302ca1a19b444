"""Which pairs a change may have touched (`--changed-since`). In doubt a pair is asked: what is known costs nothing.

A pair is asked if one of these changed: a file that its check reads, a manifest that it stands in or that includes
this one, a file that matches a trigger, a source that its objects' debug information names or that lies beside them
under the same stem, a source whose hash its table or its object claims.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from hashlib import sha1, sha256
from pathlib import PurePath

from equiv.errors import EquivError
from equiv.gate.git import Changes, content_at
from equiv.gate.model import Manifest, Pair
from equiv.gate.needs import Hashes, named_files, read_need
from equiv.gate.paths import Folder

_SOURCE = re.compile(rb"\b(?:sha1|sha256|git):([0-9a-fA-F]{40,64})\b")
"""A claim of what something was built from (specs/source-hashes.md), in a table's text or a section of an object."""


def touched(manifest: Manifest, pairs: Sequence[Pair], changes: Changes) -> list[Pair]:
    """The pairs that the changes may have touched, in their order."""
    patterns = [re.compile(_as_regex(trigger)) for trigger in manifest.triggers]
    if any(pattern.fullmatch(path) for pattern in patterns for path in changes.paths):
        return list(pairs)
    folder = Folder(manifest.folder, manifest.outside)
    asking = _Asking(folder, Hashes(folder), changes)
    return [pair for pair in pairs if asking.touched(pair)]


class _Asking:
    """Asks of pairs whether changes touched them; remembers what it found out about files."""

    def __init__(self, folder: Folder, hashes: Hashes, changes: Changes) -> None:
        self._folder = folder
        self._hashes = hashes
        self._changes = changes
        self._paths = changes.paths
        self._names = {PurePath(path).name for path in changes.paths}
        self._by_file: dict[str, bool] = {}
        self._digests: set[str] | None = None

    def touched(self, pair: Pair) -> bool:
        if not self._paths:
            return False
        if not self._paths.isdisjoint(pair.manifests):
            return True
        try:
            files = [need.path for need in self._hashes.needs(pair)]
        except EquivError:  # missing or unusable: to be said by its check
            return True
        return not self._paths.isdisjoint(files) or any(map(self._built_from, named_files(self._folder, pair)))

    def _built_from(self, path: str) -> bool:
        """Whether a source that the file was built from changed."""
        if path not in self._by_file:
            self._by_file[path] = self._beside(path) or self._names_source(path)
        return self._by_file[path]

    def _beside(self, path: str) -> bool:
        """`x.bpf.c`, `x.h` or `x.p4` beside `x.bpf.o`."""
        folder, stem = os.path.split(path.removesuffix(".o").removesuffix(".bpf"))
        return any(
            os.path.dirname(each) == folder and PurePath(each).name.startswith(f"{stem}.") for each in self._paths
        )

    def _names_source(self, path: str) -> bool:
        try:
            data = read_need(self._folder, path)
            if data.startswith(b"\x7fELF") and not self._names.isdisjoint(_sources(self._folder.real(path))):
                return True
        except EquivError:
            return True
        named = {digest.decode().lower() for digest in _SOURCE.findall(data)}
        return bool(named) and not named.isdisjoint(self._hashes_of_changed())

    def _hashes_of_changed(self) -> set[str]:
        """Hashes that the changed files have, and had."""
        if self._digests is None:
            self._digests = set()
            for path in self._paths:
                contents = [content_at(self._changes, self._folder.path, path)]
                with contextlib.suppress(EquivError):
                    contents.append(read_need(self._folder, path))
                for data in contents:
                    if data is not None:
                        blob = sha1(b"blob %d\0%s" % (len(data), data), usedforsecurity=False)
                        plain = sha1(data, usedforsecurity=False)
                        self._digests |= {blob.hexdigest(), plain.hexdigest(), sha256(data).hexdigest()}
        return self._digests


def _sources(path: str) -> set[str]:
    """Names of the files, without folders, that the object's line information names. Raises InputError."""
    from equiv.bpf.source import read_source

    source = read_source(path)
    if source.btf is None:
        return set()
    offsets = {record.words[0] for records in source.lines.values() for record in records}
    return {PurePath(source.btf.string(offset)).name for offset in offsets}


def _as_regex(pattern: str) -> str:
    """A trigger's pattern: `*` and `?` within a name, `**` for any folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    signs = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(part, re.escape(part)) for part in parts)
