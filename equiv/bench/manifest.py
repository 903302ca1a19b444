"""The corpora's manifests: which files are compared, and what the answer should be.

A folder with a `pair.toml` is a corpus. Paths in it are relative to it; a pair may name an interface of its own.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, get_args

from equiv.errors import InputError, Place

Expected = Literal["equivalent", "different"]

MANIFEST = "pair.toml"
ITSELF = "itself"
"""What stands for the right side in the id of a file compared with itself."""
CORPUS_KEYS = frozenset({"title", "interface", "pair"})
PAIR_KEYS = frozenset({"left", "right", "expect", "interface", "bug", "observe", "tail_calls", "outputs"})


@dataclass(frozen=True, slots=True)
class Pair:
    """Two inputs and the verdict that they should get.

    `id` is unique: `CORPUS/LEFT=RIGHT`, file names only. `left` and `right` are paths that `equiv check` takes.
    `interface` is None where the inputs say it themselves. `bug` is what is wrong with a broken twin, in words.
    `relation` is what an index of automata asks instead of equality (INDEX#ID).
    `outputs` is a file that says which output is what of a parser.
    `observe` names maps that are compared, `tail_calls` fills program arrays (`MAP[INDEX]=PROGRAM`).
    """

    id: str
    corpus: str
    left: str
    right: str
    expected: Expected
    interface: str | None = None
    bug: str = ""
    observe: tuple[str, ...] = ()
    tail_calls: tuple[str, ...] = ()
    relation: str = ""
    outputs: str = ""

    @property
    def with_itself(self) -> bool:
        return self.left == self.right

    @property
    def runs_on_kernel(self) -> bool:
        """Whether at least one side is a BPF program."""
        return not all(side.endswith((".dev", ".p4")) for side in (self.left, self.right))


@dataclass(frozen=True, slots=True)
class Corpus:
    """One folder: `pairs` of the manifest, in its order, then every file of the folder against itself."""

    name: str
    title: str
    pairs: tuple[Pair, ...]


def load_corpora(folder: str | Path) -> list[Corpus]:
    """Every corpus below `folder`, by name. Raises InputError for a folder without any, or an unusable manifest."""
    manifests = sorted(Path(folder).glob(f"*/{MANIFEST}"))
    if not manifests:
        raise InputError(f"no */{MANIFEST} here", Place(str(folder)), hint="choose a folder with --corpora")
    listed = [_read(path) for path in manifests]
    interfaces = _interfaces(pair for corpus in listed for pair in corpus.pairs)
    return [
        Corpus(corpus.name, corpus.title, (*corpus.pairs, *_with_themselves(path.parent, interfaces)))
        for corpus, path in zip(listed, manifests, strict=True)
    ]


def select(pairs: Iterable[Pair], only: Sequence[str]) -> list[Pair]:
    """The pairs whose corpus or id is named (`*` and `?` match as in a shell); all where nothing is named.

    Raises InputError for a name that matches nothing.
    """
    every = list(pairs)
    chosen: set[str] = set()
    for name in only:
        found = {pair.id for pair in every if fnmatchcase(pair.corpus, name) or fnmatchcase(pair.id, name)}
        if not found:
            known = ", ".join(dict.fromkeys(pair.corpus for pair in every))
            raise InputError(f"no corpus or pair is called {name!r}", hint=f"corpora: {known}")
        chosen |= found
    return [pair for pair in every if pair.id in chosen] if only else every


def _read(path: Path) -> Corpus:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"not TOML: {error}", Place(str(path))) from error
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", Place(str(path))) from error
    _only_keys(document, CORPUS_KEYS, "", path)
    entries = document.get("pair", [])
    if not isinstance(entries, list) or not entries:
        raise InputError("no [[pair]] in it", Place(str(path)))
    interface = _text(document, "interface", "", path) or None
    pairs = tuple(_pair(entry, number, interface, path) for number, entry in enumerate(entries, 1))
    seen: set[str] = set()
    for pair in pairs:
        if pair.id in seen:
            raise InputError(f"pair {pair.id} is there twice", Place(str(path)))
        seen.add(pair.id)
    return Corpus(path.parent.name, _text(document, "title", path.parent.name, path), pairs)


def _pair(entry: object, number: int, interface: str | None, path: Path) -> Pair:
    where = f"pair {number}: "
    if not isinstance(entry, dict):
        raise InputError(f"{where}not a table", Place(str(path)))
    _only_keys(entry, PAIR_KEYS, where, path)
    left, right, expected = (_text(entry, key, "", path, where) for key in ("left", "right", "expect"))
    if not left or not right:
        raise InputError(f"{where}it needs `left` and `right`", Place(str(path)))
    if expected not in get_args(Expected):
        raise InputError(f"{where}`expect` is one of {', '.join(get_args(Expected))}", Place(str(path)))
    outputs = _text(entry, "outputs", "", path, where)
    return Pair(
        id=f"{path.parent.name}/{Path(left).name}={Path(right).name}",
        corpus=path.parent.name,
        left=os.path.normpath(path.parent / left),
        right=os.path.normpath(path.parent / right),
        expected="equivalent" if expected == "equivalent" else "different",
        interface=_text(entry, "interface", "", path, where) or interface,
        bug=_text(entry, "bug", "", path, where),
        observe=_texts(entry, "observe", path, where),
        tail_calls=_texts(entry, "tail_calls", path, where),
        outputs=os.path.normpath(path.parent / outputs) if outputs else "",
    )


def _only_keys(found: dict[str, Any], known: frozenset[str], where: str, path: Path) -> None:
    if unknown := sorted(found.keys() - known):
        raise InputError(
            f"{where}unknown key `{unknown[0]}`", Place(str(path)), hint=f"known: {', '.join(sorted(known))}"
        )


def _text(found: dict[str, Any], key: str, default: str, path: Path, where: str = "") -> str:
    value = found.get(key, default)
    if not isinstance(value, str):
        raise InputError(f"{where}`{key}` is not a string", Place(str(path)))
    return value


def _texts(found: dict[str, Any], key: str, path: Path, where: str) -> tuple[str, ...]:
    values = found.get(key, [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{where}`{key}` is not a list of strings", Place(str(path)))
    return tuple(values)


def _interfaces(pairs: Iterable[Pair]) -> dict[str, str | None]:
    """By file, the interface of the first pair that it is in."""
    found: dict[str, str | None] = {}
    for pair in pairs:
        for file in (pair.left, pair.right):
            found.setdefault(file, pair.interface)
    return found


def _with_themselves(folder: Path, interfaces: dict[str, str | None]) -> Iterable[Pair]:
    """Each input in `folder`, listed in the manifest or not, against itself."""
    for path in sorted([*folder.glob("*.bpf.o"), *folder.glob("*.dev"), *folder.glob("*.p4")]):
        file = os.path.normpath(path)
        programs = [named for named in interfaces if named.startswith(f"{file}:")]
        for name in programs or [file]:
            title = f"{folder.name}/{Path(name).name}={ITSELF}"
            yield Pair(title, folder.name, name, name, "equivalent", interfaces.get(name))
