"""Mutants of a file: as files that can be loaded, whatever kind the file is of."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from equiv.errors import EquivError, InputError, Place, Unsupported
from equiv.inputs import begins_with, read_input
from equiv.mutate.change import Mutate

LARGEST = 64 << 20
DRY = 2000
"""After so many draws that gave nothing new, there is nothing more to draw."""

Loads = Callable[[str], object]
"""Loads a file; raises EquivError where it is not what it should be."""


@dataclass(frozen=True, slots=True)
class Written:
    """One mutant: the bytes of the whole file, the kind of mistake in one word, and what was done."""

    data: bytes
    kind: str
    what: str


def mutants(
    file: str, program: str | None, random: Random, loads: Loads, kinds: Collection[str] = ()
) -> Iterator[Written]:
    """Distinct mutants of `file` that `loads` takes; of an object, in the functions of `program` (None: its only one).

    `kinds` are the mistakes that are made (none: all). Raises InputError where the file cannot be used or has no
    mistakes of such a kind, Unsupported where mistakes in files like it are not made.
    """
    seen: set[bytes] = set()
    dry = 0
    with TemporaryDirectory() as folder:
        path = Path(folder) / Path(file).name
        for mutant in _drawn(file, program, random, loads, kinds):
            dry += 1
            if dry > DRY:
                return
            if mutant is None or mutant.data in seen or (kinds and mutant.kind not in kinds):
                continue
            seen.add(mutant.data)
            path.write_bytes(mutant.data)
            try:
                loads(str(path))
            except EquivError:
                continue
            dry = 0
            yield mutant


def _drawn(
    file: str, program: str | None, random: Random, loads: Loads, kinds: Collection[str]
) -> Iterator[Written | None]:
    """One draw after the other; None where it had no place in the file."""
    if begins_with(file, b"\x7fELF") or file.endswith((".bin", ".o")):
        from equiv.mutate.program import KINDS as CHANGES

        _require_known(kinds, CHANGES)
        return _bytecode(file, program, random, kinds)
    loads(file)  # says what is wrong with it
    text = read_input(file, LARGEST).decode("utf-8")
    if file.endswith(".p4"):
        from equiv.mutate.source import KINDS, mutate_source

        _require_known(kinds, KINDS)
        return _texts(text, mutate_source, random)
    if file.endswith(".json"):
        from equiv.mutate import automaton
        from equiv.p4.automata.load import is_bmv2, read_json

        if is_bmv2(read_json(file)[0]):
            raise Unsupported("mutants of BMv2's JSON are not made; give the P4 source", Place(file))
        _require_known(kinds, automaton.KINDS)
        return _texts(text, automaton.mutate_automaton, random)
    from equiv.mutate import table
    from equiv.table.parse import parse_table

    _require_known(kinds, table.KINDS)
    return _texts(text, table.table_mistakes(parse_table(text, file), kinds or table.KINDS), random)


def _require_known(kinds: Collection[str], known: Collection[str]) -> None:
    for kind in kinds:
        if kind not in known:
            raise InputError(f"no mistake of kind {kind!r} in such a file", hint=f"kinds: {', '.join(known)}")


def _texts(text: str, mutate: Mutate, random: Random) -> Iterator[Written | None]:
    while True:
        change = mutate(text, random)
        yield None if change is None else Written(change.text.encode(), change.kind, change.what)


def _bytecode(file: str, program: str | None, random: Random, kinds: Collection[str]) -> Iterator[Written | None]:
    from equiv.bpf.load import load_program
    from equiv.bpf.raw import read_raw
    from equiv.bpf.source import read_source
    from equiv.mutate.program import mutants_of, written

    loaded = load_program(file, program)
    if loaded.byte_order != "little":
        raise Unsupported("mutants of big-endian objects are not made", Place(file))
    data = read_input(file, LARGEST)
    source = read_source(file) if data.startswith(b"\x7fELF") else read_raw(file)
    for mutant in mutants_of(source, loaded, random, kinds):
        yield Written(written(data, mutant, source), mutant.kind, str(mutant))
