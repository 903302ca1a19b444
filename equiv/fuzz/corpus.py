"""Inputs that showed something new, kept in a folder from one campaign to the next (specs/fuzz-corpus.md).

As few as show all that was ever shown: when a corpus is written, inputs that add nothing to shorter ones are left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from equiv.compiled.native import NotCompiled
from equiv.errors import InputError, Place
from equiv.fuzz.sides import Sides, compiled_pair
from equiv.machine.concrete import Input

SCHEMA: Final = "equiv-fuzz-corpus/1"
FILE: Final = "corpus.json"
MOST_BYTES: Final = 1 << 28
MOST_INPUTS: Final = 20_000


@dataclass(slots=True)
class Corpus:
    """The corpus in a folder. `inputs` are what it holds."""

    folder: str
    inputs: list[Input] = field(default_factory=list)
    write: Any = None
    """Replaces a file by a function that writes it: given from above, where files are written."""

    def keep(self, sides: Sides, inputs: Iterable[Input]) -> None:
        """Hold these inputs, as few of them as show the same, and write that down."""
        self.inputs = smallest(sides, _distinct(inputs))[:MOST_INPUTS]
        document = {
            "schema": SCHEMA,
            "interface": sides.interface.name,
            "left": {"path": sides.left.path, "sha256": sides.left.sha256},
            "right": {"path": sides.right.path, "sha256": sides.right.sha256},
            "inputs": [_object(given) for given in self.inputs],
        }
        self.write(str(Path(self.folder) / FILE), json.dumps(document, indent=1) + "\n")


def read_corpus(folder: str) -> Corpus:
    """The corpus in `folder`, which need not exist yet. Raises InputError for what is none."""
    path = Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError("not a folder", Place(folder), "a corpus is a folder; it is made where there is none")
    file = path / FILE
    if not file.exists():
        return Corpus(folder)
    try:
        if file.stat().st_size > MOST_BYTES:
            raise InputError(f"larger than {MOST_BYTES >> 20} MiB", Place(str(file)))
        document = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read: {error.strerror}", Place(str(file))) from error
    except (ValueError, RecursionError) as error:
        raise InputError("not JSON", Place(str(file)), "move it away to begin a new corpus") from error
    try:
        if document["schema"] != SCHEMA:
            raise ValueError
        return Corpus(folder, [_input(each) for each in document["inputs"]])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"no corpus ({SCHEMA})", Place(str(file)), "move it away to begin a new corpus") from error


def smallest(sides: Sides, inputs: Sequence[Input]) -> list[Input]:
    """Inputs that together show what all of them do, short ones first; all of them where sides are not compiled."""
    ordered = sorted(inputs, key=lambda given: (len(given.packet), given.packet))
    try:
        pair = compiled_pair(sides)
    except NotCompiled:
        return ordered
    from equiv.compiled import batch
    from equiv.fuzz.native import run_each

    return [given for given, status in run_each(pair, ordered) if status & (batch.NEW | batch.DIFFERS)]


def _distinct(inputs: Iterable[Input]) -> list[Input]:
    found: dict[str, Input] = {}
    for given in inputs:
        found.setdefault(json.dumps(_object(given), sort_keys=True), given)
    return list(found.values())


def _object(given: Input) -> dict[str, Any]:
    content: dict[str, Any] = {"packet": given.packet.hex()}
    if given.linear is not None:
        content["linear"] = given.linear
    if given.context:
        content["context"] = dict(sorted(given.context.items()))
    if given.maps:
        content["maps"] = {
            name: {key.hex(): value.hex() for key, value in sorted(entries.items())}
            for name, entries in sorted(given.maps.items())
        }
    return content


def _input(content: Mapping[str, Any]) -> Input:
    linear = content.get("linear")
    if linear is not None and (not isinstance(linear, int) or linear < 0):
        raise ValueError
    context = {str(name): int(value) for name, value in content.get("context", {}).items()}
    maps = {
        str(name): {bytes.fromhex(key): bytes.fromhex(value) for key, value in entries.items()}
        for name, entries in content.get("maps", {}).items()
    }
    if any(value < 0 for value in context.values()):
        raise ValueError
    return Input(bytes.fromhex(content["packet"]), linear, context, maps)
