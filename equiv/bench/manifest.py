"""The corpora's manifests: which files are compared, and what the answer should be.

A folder with a `pair.toml` is a corpus. Its form is that of the gate's manifests (`specs/gate.md`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from equiv.errors import InputError, Place
from equiv.gate.manifest import read_all_below
from equiv.gate.model import ITSELF, Expected, moved
from equiv.gate.model import Pair as Asked

MANIFEST = "pair.toml"
__all__ = ["ITSELF", "Corpus", "Pair", "load_corpora", "select"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two inputs and the verdict that they should get.

    `id` is unique: `CORPUS/LEFT=RIGHT`, file names only. `left` and `right` are paths that `equiv check` takes.
    `interface` is None where the inputs say it themselves. `bug` is what is wrong with a broken twin, in words.
    `relation` is what an index of automata asks instead of equality (INDEX#ID).
    `outputs` is a file that says which output is what of a parser.
    `observe` names maps that are compared, `tail_calls` fills program arrays (`MAP[INDEX]=PROGRAM`).
    `others` are further arguments of `equiv check`.
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
    others: tuple[str, ...] = ()

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
    try:
        manifest = read_all_below(str(folder), f"*/{MANIFEST}")
    except InputError as error:
        if error.place == Place(str(folder)):
            raise InputError(f"no */{MANIFEST} here", error.place, hint="choose a folder with --corpora") from error
        raise
    listed: dict[str, list[Pair]] = {file: [] for file in manifest.titles}
    for asked in manifest.pairs:
        listed[asked.manifest].append(_pair(asked, Path(folder)))
    interfaces = _interfaces(pair for pairs in listed.values() for pair in pairs)
    return [
        Corpus(
            Path(file).parent.name,
            manifest.titles[file],
            (*pairs, *_with_themselves(Path(folder) / Path(file).parent, interfaces)),
        )
        for file, pairs in sorted(listed.items())
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


def _pair(asked: Asked, folder: Path) -> Pair:
    """A pair of the manifests as benches take it, with paths from here."""
    said = asked.options
    if asked.right is None:
        raise InputError("benches have no use for a pair without a right side", asked.place)
    rest = replace(said, interface=None, observe_maps=(), tail_calls=(), outputs=None)
    return Pair(
        id=asked.id,
        corpus=Path(asked.manifest).parent.name,
        left=os.path.normpath(folder / asked.left),
        right=os.path.normpath(folder / asked.right),
        expected=asked.expected,
        interface=said.interface,
        bug=asked.bug,
        observe=said.observe_maps,
        tail_calls=said.tail_calls,
        outputs=os.path.normpath(folder / said.outputs) if said.outputs else "",
        others=tuple(moved(rest, lambda path: os.path.normpath(folder / path)).arguments()),
    )


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
