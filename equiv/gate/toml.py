"""TOML with places: tomllib reads it, and here is found which line a key stands in.

Every way in which a document can be unusable ends as one InputError with the file and, where it is known, the line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from equiv.errors import InputError, Place
from equiv.inputs import read_input

MAX_BYTES = 1 << 20
"""Larger manifests are refused."""

_HEADER = re.compile(r"\s*\[")
_PAIR = re.compile(r"\s*\[\[\s*[\"']?pair[\"']?\s*\]\]")
MAX_DOTS = 100
"""tomllib takes the square of the number of a key's parts in time."""
_AT = re.compile(r"\(at (?:line (\d+), column (\d+)|end of document)\)")


@dataclass(frozen=True)
class Document:
    """A manifest file as read: `data` as tomllib gives it, `lines` to find places in, `path` as it is shown."""

    path: str
    data: dict[str, Any]
    lines: tuple[str, ...]

    @cached_property
    def _headers(self) -> list[int]:
        """Numbers, from 0, of the lines that begin a table, and of the end."""
        return [*(n for n, line in enumerate(self.lines) if _HEADER.match(line)), len(self.lines)]

    @cached_property
    def _pairs(self) -> list[tuple[int, int]]:
        """First line and end of each `[[pair]]`."""
        return [(n, end) for n, end in pairwise(self._headers) if _PAIR.match(self.lines[n])]

    def place(self, key: str = "", pair: int = 0) -> Place:
        """Where `key` stands: at top level, or in the `pair`-th (from 1) `[[pair]]`. Without a key, that header.

        As precise as one can be without reading TOML a second time; in doubt the file alone.
        """
        first, end = 0, self._headers[0]
        if pair:
            if pair > len(self._pairs):
                return Place(self.path)
            first, end = self._pairs[pair - 1]
            if not key:
                return self._at(first, re.search(r"\S.*\S|\S", self.lines[first]))
        wanted = re.compile(rf"(?:^\s*|[{{,]\s*)([\"']?{re.escape(key)}[\"']?)\s*[=.]")
        for n in range(first, end):
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
        number = raw[: error.start].count(b"\n") + 1
        raise InputError(f"not TOML: not UTF-8, byte {raw[error.start]:#04x}", Place(shown, number)) from error
    lines = tuple(text.split("\n"))
    for number, line in enumerate(lines, 1):
        if line.count(".") > MAX_DOTS and any(part.count(".") > MAX_DOTS for part in re.split(r"[=,\[\]{}#]", line)):
            raise InputError("not a manifest: a key of more than a hundred parts", Place(shown, number))
    try:
        data = tomllib.loads(text)
    except RecursionError as error:
        raise InputError("not a manifest: nested too deeply", place) from error
    except ValueError as error:  # TOMLDecodeError, and int() of more digits than Python takes
        said = str(error)
        found = _AT.search(said)
        if found:
            number, column = (int(found[1]), int(found[2])) if found[1] else (len(text.rstrip().split("\n")), 1)
            excerpt = lines[number - 1] if number <= len(lines) else ""
            place = Place(shown, number, column, column + 1, excerpt)
        raise InputError(f"not TOML: {_AT.sub('', said).strip()}", place) from error
    return Document(shown, data, lines)


def refuse_unknown(what: str, name: str, known: Iterable[str], place: Place, where: str = "") -> NoReturn:
    """Raises InputError that says what was probably meant. `what` kind of thing `name` is: a key, an interface."""
    near = get_close_matches(name.replace("-", "_"), list(known), n=1, cutoff=0.6)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known))}"
    raise InputError(f"{where}unknown {what} `{name}`", place, hint)
