"""TOML with places: tomllib reads it, and here is found which line a key stands in.

Every way in which a document can be unusable ends as one InputError with the file and, where it is known, the line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from equiv.errors import InputError, Place
from equiv.inputs import read_input

MAX_BYTES = 1 << 20
"""Larger manifests are refused."""

_AT = re.compile(r"\(at line (\d+), column (\d+)\)")


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest file as read: `data` as tomllib gives it, `lines` to find places in, `path` as it is shown."""

    path: str
    data: dict[str, Any]
    lines: tuple[str, ...]

    def place(self, key: str = "", table: str = "", number: int = 0) -> Place:
        """Where `key` stands: at top level, or in the `number`-th (from 1) `[[table]]`. Without a key, that header.

        As precise as one can be without reading TOML a second time; in doubt the file alone.
        """
        first, last = 0, len(self.lines)
        headers = [n for n, line in enumerate(self.lines) if re.match(r"\s*\[", line)]
        if table:
            mine = [n for n in headers if re.match(rf"\s*\[\[\s*[\"']?{re.escape(table)}[\"']?\s*\]\]", self.lines[n])]
            if not 0 < number <= len(mine):
                return Place(self.path)
            first = mine[number - 1]
            last = next((n for n in headers if n > first), last)
            if not key:
                return self._at(first, re.search(r"\S.*\S|\S", self.lines[first]))
        else:
            last = next(iter(headers), last)
        wanted = re.compile(rf"(?:^\s*|[{{,]\s*)([\"']?{re.escape(key)}[\"']?)\s*[=.]")
        for n in range(first, last):
            if found := wanted.search(self.lines[n]):
                return self._at(n, found, 1)
        return Place(self.path)

    def _at(self, n: int, found: re.Match[str] | None, group: int = 0) -> Place:
        column, end = (found.start(group) + 1, found.end(group) + 1) if found else (0, 0)
        return Place(self.path, n + 1, column, end, self.lines[n])


def read_toml(path: str | Path, shown: str) -> Document:
    """Read the file `path`, called `shown` in messages. Raises InputError."""
    place = Place(shown)
    try:
        raw = read_input(path, MAX_BYTES, "a manifest is not")
    except InputError as error:
        raise InputError(error.message, place) from None
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise InputError(f"not TOML: not UTF-8, byte {raw[error.start]:#04x}", Place(shown, line)) from error
    lines = tuple(text.split("\n"))
    try:
        data = tomllib.loads(text)
    except RecursionError as error:
        raise InputError("not a manifest: nested too deeply", place) from error
    except ValueError as error:  # TOMLDecodeError, and int() of more digits than Python takes
        said = str(error)
        found = _AT.search(said)
        if found:
            line, column = int(found[1]), int(found[2])
            excerpt = lines[line - 1] if line <= len(lines) else ""
            place = Place(shown, line, column, column + 1, excerpt)
        raise InputError(f"not TOML: {_AT.sub('', said).strip()}", place) from error
    return Document(shown, data, lines)


def refuse_unknown(what: str, name: str, known: Iterable[str], place: Place, where: str = "") -> NoReturn:
    """Raises InputError that says what was probably meant. `what` kind of thing `name` is: a key, an interface."""
    near = get_close_matches(name.replace("-", "_"), list(known), n=1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known))}"
    raise InputError(f"{where}unknown {what} `{name}`", place, hint)
