"""Reading manifests: `equiv.toml` and what it includes, all of one form (`specs/gate.md`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from equiv.errors import InputError, Place
from equiv.gate.model import INDEXED, ITSELF, Limits, Manifest, Options, Pair
from equiv.gate.paths import Folder
from equiv.gate.toml import Document, read_toml, refuse_unknown
from equiv.gate.values import Reader

NAME = "equiv.toml"
"""The manifest that is read where none is named."""
MAX_PAIRS = 100_000
MAX_MANIFESTS = 1000
SUFFIXES = (".bpf.o", ".o", ".dev", ".p4", ".json", ".bin")
"""What `{stem}` leaves out."""

OPTION_KEYS = frozenset(
    {
        *("interface", "observe_maps", "tail_calls", "snapshots", "observe", "exact_end", "relation", "assume"),
        *("against", "outputs", "value_sets", "right_linear", "btf", "solver", "kernel"),
    }
)
PAIR_KEYS = OPTION_KEYS | {"left", "right", "name", "expect", "bug", "allow_unknown", "timeout", "memory"}
FILE_KEYS = frozenset(
    {
        *("title", "include", "outside", "triggers", "with_itself", "pair"),
        *("interface", "btf", "solver", "kernel", "timeout", "memory"),
    }
)
INHERITED = ("solver", "kernel", "timeout", "memory")
"""What an included manifest takes from the one that includes it, unless it says so itself: how, not what is asked."""


def read_manifest(path: str) -> Manifest:
    """The manifest at `path` with all that it includes. Raises InputError at the line that cannot be used."""
    shown = os.path.normpath(path)
    document = read_toml(path, shown)
    reader = Reader(document)
    outside = reader.texts("outside")
    for each in outside:
        if not os.path.isabs(each) or os.path.normpath(each) != each:
            raise InputError(f"`{each}` is no absolute path in its shortest form", document.place("outside"))
    reading = _Reading(Folder(os.path.dirname(os.path.abspath(path)), outside), os.path.dirname(shown))
    reading.file(os.path.basename(shown), document)
    return reading.manifest(shown, reader.text("title") or "", reader.texts("triggers"))


def read_all_below(folder: str, pattern: str) -> Manifest:
    """What a manifest in `folder` would be that includes all files that match `pattern`. Raises InputError."""
    reading = _Reading(Folder(os.path.abspath(folder)), folder)
    reading.include((pattern,), "", Place(folder), {})
    return reading.manifest(folder, "")


def _require_named_apart(pairs: Sequence[Pair]) -> None:
    seen: dict[str, Pair] = {}
    for pair in pairs:
        if pair.id in seen:
            hint = "give one of them a `name` of its own"
            raise InputError(f"pair {pair.id} is there twice", pair.place, hint)
        seen[pair.id] = pair


class _Reading:
    """One reading of a manifest and its includes; owns the pairs found so far.

    `shown` is how the gate's folder is called in messages.
    """

    def __init__(self, folder: Folder, shown: str) -> None:
        self.folder = folder
        self.shown = shown
        self.pairs: list[Pair] = []
        self.titles: dict[str, str] = {}
        self._way: tuple[str, ...] = ()
        """The manifests that are being read, each included by the one before."""

    def manifest(self, file: str, title: str, triggers: tuple[str, ...] = ()) -> Manifest:
        """All that was read. Raises InputError where two pairs have one name."""
        _require_named_apart(self.pairs)
        pairs, folder = tuple(self.pairs), self.folder
        return Manifest(folder.path, file, title, pairs, folder.outside, triggers, self.titles)

    def file(self, path: str, document: Document, inherited: Mapping[str, Any] | None = None) -> None:
        """All of one manifest file, `path` relative to the gate's folder."""
        base, before_this = os.path.dirname(path), self._way
        self._way = (*self._way, path)
        top = Reader(document)
        for key in document.data:
            if key not in FILE_KEYS:
                refuse_unknown("key", key, FILE_KEYS, document.place(key))
        self.titles[path] = top.text("title") or base
        if len(self.titles) > MAX_MANIFESTS:
            raise InputError(f"more than {MAX_MANIFESTS} manifests", Place(document.path))
        for key in ("outside", "triggers") if inherited is not None else ():
            if key in document.data:
                raise InputError(f"`{key}` is for the manifest that the gate is given", document.place(key))
        defaults = {**(inherited or {}), **{key: document.data[key] for key in INHERITED if key in document.data}}
        with_itself = top.flag("with_itself")
        before = len(self.pairs)
        entries = document.data.get("pair", [])
        if not isinstance(entries, list):
            raise InputError("no [[pair]] in it: `pair` is something else", document.place("pair"))
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict):
                raise InputError(f"pair {number}: not a table", document.place("pair"))
            mine: dict[str, Any] = {key: document.data[key] for key in ("interface", "btf") if key in document.data}
            self.pairs += self.entry(document, number, {**defaults, **mine, **entry}, entry, base)
            if len(self.pairs) > MAX_PAIRS:
                raise InputError(f"more than {MAX_PAIRS} pairs", document.place("pair"))
        self.include(top.texts("include"), base, document.place("include"), defaults)
        if len(self.pairs) == before:
            raise InputError("it asks nothing: no [[pair]] in it, nor in what it includes", Place(document.path))
        if with_itself:
            self.pairs += _with_themselves(self.pairs[before:])
        self._way = before_this

    def include(self, patterns: Sequence[str], base: str, place: Place, defaults: Mapping[str, Any]) -> None:
        """All manifests that the patterns match, relative to `base`."""
        for pattern in patterns:
            for found in self.folder.files(base, pattern, place):
                if found in self.titles:
                    raise InputError(f"{found} is read twice", place)
                self.file(found, read_toml(self.folder.real(found), os.path.join(self.shown, found)), defaults)

    def entry(
        self, document: Document, number: int, data: Mapping[str, Any], own: Mapping[str, Any], base: str
    ) -> Iterator[Pair]:
        """The pairs of one `[[pair]]`: `own` is what it says itself, `data` with defaults."""
        where = f"pair {number}: "
        for key in own:
            if key not in PAIR_KEYS:
                refuse_unknown("key", key, PAIR_KEYS, document.place(key, number), where)
        reader = Reader(document, data, number)
        options = self.options(reader, base)
        lefts, rights = reader.texts("left"), reader.texts("right")
        header = document.place("", number)
        if not lefts or bool(rights) is bool(options.against):
            raise InputError(f"{where}it needs `left` and `right`, or `left` and `against`", header)
        pair = Pair(
            "",
            "",
            None,
            reader.expected(),
            options,
            Limits(reader.seconds("timeout", Limits().timeout), reader.megabytes("memory", Limits().memory)),
            reader.allowance(),
            reader.text("bug") or "",
            self._way,
            header,
        )
        name = reader.text("name")
        sides = list(self.sides(lefts, rights, base, reader))
        if name is not None and len(sides) > 1:
            raise InputError(f"{where}`name` is for one pair, and this is {len(sides)}", reader.place("name"))
        for left, right in sides:
            id_ = os.path.join(base, name) if name else pair_id(base, left, right, options.against)
            yield replace(pair, id=id_, left=left, right=right)

    def sides(
        self, lefts: Sequence[str], rights: Sequence[str], base: str, reader: Reader
    ) -> Iterator[tuple[str, str | None]]:
        for text in lefts:
            for left in self.folder.side(base, text, reader.place("left")):
                if not rights:
                    yield left, None
                for other in rights:
                    filled = _filled(other, left, base, reader.place("right"))
                    for right in self.folder.side(base, filled, reader.place("right")):
                        yield left, right

    def options(self, reader: Reader, base: str) -> Options:
        """What is asked, with paths from the gate's folder on."""

        def file(key: str, text: str | None) -> str | None:
            return None if text is None else self.folder.inside(base, text, reader.place(key))

        def named(key: str) -> tuple[str, ...]:
            """`NAME=FILE`; of a snapshot NAME may be left out."""
            found = []
            for text in reader.texts(key):
                name, equals, path = text.partition("=")
                if not equals:
                    name, path = "", text
                if (not name or not path) and (equals or key == "value_sets"):
                    raise InputError(f"{reader.where}`{key}` has NAME=FILE", reader.place(key))
                found.append(f"{name}{equals}{file(key, path)}")
            return tuple(found)

        outputs = reader.data.get("outputs")
        relation = reader.text("relation")
        if relation is not None and (indexed := INDEXED.fullmatch(relation)):
            relation = f"{file('relation', indexed[1])}{indexed[2]}"
        return Options(
            interface=reader.interface(),
            observe_maps=reader.texts("observe_maps"),
            tail_calls=reader.texts("tail_calls"),
            snapshots=named("snapshots"),
            observe=reader.one_of("observe", ("all", "accept"), "maps to observe are `observe_maps`"),
            exact_end=reader.flag("exact_end"),
            relation=relation,
            assume=reader.texts("assume"),
            against=reader.texts("against"),
            outputs=file("outputs", outputs) if isinstance(outputs, str) else None,
            output=() if isinstance(outputs, str) else reader.texts("outputs"),
            value_sets=named("value_sets"),
            right_linear=reader.flag("right_linear"),
            btf=file("btf", reader.text("btf")),
            solver=reader.one_of("solver", ("z3", "bitwuzla")),
            kernel=reader.flag("kernel", True),
        )


def pair_id(base: str, left: str, right: str | None, against: Sequence[str] = ()) -> str:
    """`FOLDER/LEFT=RIGHT`, file names only."""
    name = ITSELF if left == right else Path(right).name if right is not None else " && ".join(against)
    return os.path.join(base, f"{Path(left).name}={name}")


def _filled(text: str, left: str, base: str, place: Place) -> str:
    """The right side with `{left}`, `{folder}` and `{stem}` put in, relative to `base`."""
    file, colon, program = left.rpartition(":") if ":" in Path(left).name else (left, "", "")
    relative = os.path.relpath(file, base or ".") if not os.path.isabs(file) else file
    name = Path(file).name
    stem = next((name.removesuffix(each) for each in SUFFIXES if name.endswith(each)), name)
    known = {"left": f"{relative}{colon}{program}", "folder": os.path.dirname(relative) or ".", "stem": stem}

    def put(found: re.Match[str]) -> str:
        if found[1] not in known:
            refuse_unknown("placeholder", found[0], [f"{{{key}}}" for key in known], place)
        return known[found[1]]

    return re.sub(r"\{(\w*)\}", put, text)


def _with_themselves(pairs: Sequence[Pair]) -> list[Pair]:
    """Every input of `pairs` against itself, as the first pair that names it has it, but for those that are there."""
    there = {pair.left for pair in pairs if pair.with_itself}
    found: dict[str, Pair] = {}
    for pair in pairs:
        for side in (pair.left, pair.right):
            if side is not None and side not in there and side not in found:
                found[side] = pair.itself(side, os.path.join(os.path.dirname(side), f"{Path(side).name}={ITSELF}"))
    return list(found.values())
