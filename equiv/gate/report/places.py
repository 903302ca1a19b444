"""Where in the sources a difference shows: the line of the last decision on each side's path, in files that are there.

Debug information names sources as the compiler was given them: relative to a folder that nobody knows any more, or
absolute on another machine. They are looked for beside the object, in the gate's folder, and by ever shorter ends of
their path. A file beyond the gate's folder is never named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from equiv.errors import EquivError, Place
from equiv.gate.judge import Judged
from equiv.gate.paths import Folder

_DECISION = re.compile(r"\b\d+: .*\btaken\]|^select |^require |->")
MAX_STEPS = 200
Side = str


@dataclass(frozen=True, slots=True)
class Spot:
    """A line of a file of the repository: `uri` as SARIF has it, `line` from 1 (0: none), `text` what happens there."""

    uri: str
    line: int
    text: str = ""


class Places:
    """Finds files in the gate's `folder`; URIs begin with `prefix`, the folder's path in its repository."""

    def __init__(self, folder: Folder, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix
        self._known: dict[tuple[str, str], str | None] = {}

    def uri(self, path: str) -> str:
        """A path of the gate's folder as a relative URI."""
        return quote(os.path.normpath(self._prefix + path), errors="backslashreplace")

    def deciding(self, judged: Judged, side: Side) -> Spot | None:
        """The last decision on the path of `side`, or the last line that has a place."""
        spots = list(self.steps(judged, side))
        decisions = [spot for spot in spots if _DECISION.search(spot.text)]
        return decisions[-1] if decisions else spots[-1] if spots else None

    def steps(self, judged: Judged, side: Side) -> Iterator[Spot]:
        """The path of `side` through the first packet that shows a difference, as far as its files are there."""
        result = judged.answer.result or {}
        found = _get(_get(_get(result, "counterexample"), "paths"), side)
        artefact = _get(_get(result, side), "path")
        for step in found[:MAX_STEPS] if isinstance(found, list) else ():
            file, line, text = _get(step, "file"), _get(step, "line"), _get(step, "text")
            if not (isinstance(file, str) and isinstance(line, int) and isinstance(text, str)) or line < 1:
                continue
            path = self._find(file, artefact if isinstance(artefact, str) else "")
            if path is not None:
                yield Spot(self.uri(path), line, text)

    def cause(self, judged: Judged) -> Spot | None:
        """The place that the first cause of an unknown names."""
        causes = _get(judged.answer.result or {}, "unknown")
        for cause in causes if isinstance(causes, list) else ():
            place = _get(cause, "place")
            file, line = _get(place, "file"), _get(place, "line")
            if isinstance(file, str) and isinstance(line, int) and line > 0:
                path = self._find(file, judged.pair.left) or self._find(file, judged.pair.right or "")
                if path is not None:
                    return Spot(self.uri(path), line)
        return None

    def asked(self, judged: Judged) -> Spot:
        """The line of the manifest that asks for the pair."""
        place: Place | None = judged.pair.place
        return Spot(self.uri(judged.pair.manifest), place.line if place else 0)

    def _find(self, file: str, artefact: str) -> str | None:
        key = (file, os.path.dirname(artefact))
        if key not in self._known:
            self._known[key] = next(self._candidates(*key), None)
        return self._known[key]

    def _candidates(self, file: str, base: str) -> Iterator[str]:
        parts = PurePosixPath(file).parts
        wanted = [file] if file.startswith("/") else []
        wanted += [os.path.join(*parts[first:]) for first in range(file.startswith("/"), len(parts))]
        for name in wanted:
            for folder in dict.fromkeys((base, "")):
                try:
                    path = self._folder.inside(folder, name, Place(""))
                except EquivError:
                    continue
                if not path.startswith("/") and os.path.isfile(self._folder.real(path)):
                    yield path


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None
