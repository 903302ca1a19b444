"""Which instruction of a program made it differ from its P4 source, in words (D203)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import PurePath

from equiv.bpf.interpret.written import Written, written
from equiv.bpf.program import Program
from equiv.errors import InputError
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import Interface
from equiv.p4.convention import Convention

MOST_NAMED = 6


def responsible(
    program: Program, interface: Interface, given: Input, differs: Sequence[str], side: str
) -> tuple[str, ...]:
    """For each of `differs` the instruction that last stored it, and the run's last decision; nothing under other
    interfaces. `side` is what the program is called."""
    relation, how = interface.relation, interface.extracted
    if not isinstance(relation, Convention) or how is None:
        return ()
    try:
        found = written(program, interface, given)
    except (NotRunnable, InputError):
        return ()
    return tuple(_in_words(program, found, relation, (how.map_name, how.key), differs, side))


def _in_words(
    program: Program, found: Written, relation: Convention, key: tuple[str, int], differs: Sequence[str], side: str
) -> Iterator[str]:
    places = {place.name: place for place in relation.places}
    for name in differs[:MOST_NAMED]:
        if (place := places.get(name)) is not None:
            slot = found.part(place.observable, key, place.offset, place.size)
            if slot is not None:
                yield f"{name}: stored last by the {side}'s {_where(program, slot)}"
            else:
                yield f"{name}: the {side} stores nothing there"
    if found.decision is not None:
        way = "taken" if found.taken else "not taken"
        yield f"last decision of the {side}: {_where(program, found.decision)}, {way}"


def _where(program: Program, slot: int) -> str:
    line = program.line_at(slot)
    _, insn = program.place_at(slot)
    if line is None or not line.line:  # code that the compiler made up
        return f"instruction {insn}"
    return f"instruction {insn}, {PurePath(line.file).name}:{line.line}: {line.text.strip()}".rstrip(": ")
