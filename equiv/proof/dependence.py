"""Of which bytes of a packet each side makes what differs: found by trying other values there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from equiv.errors import EquivError
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.proof.replay import Executor
from equiv.result import OutputField, field_value

FLIPS = (0x01, 0x80, 0xFF, 0x10)
"""Bits that are changed, one try after the other, until everything has changed."""


def dependence(
    given: Input,
    sides: Mapping[str, tuple[Executor, Observation]],
    differs: Sequence[str],
    fields: Sequence[OutputField],
) -> dict[str, dict[str, frozenset[int]]]:
    """By side, and by the name of a value that differs (an observable, or an output inside of one): packet offsets.

    At these offsets of `given` some other value changes what that side gives, its verdict being the same. Nothing is
    said of the verdict itself.
    """
    if "verdict" in differs:
        return {}
    inside = [field for field in fields if field.observable in differs]
    values = {side: _values(seen, differs, inside) for side, (_, seen) in sides.items()}
    left, right = values.values()
    names = [name for name in dict.fromkeys((*left, *right)) if left.get(name) != right.get(name)]
    found: dict[str, dict[str, frozenset[int]]] = {}
    for side, (run, seen) in sides.items():
        wanted = {name: values[side][name] for name in names if name in values[side]}
        at: dict[str, set[int]] = {name: set() for name in wanted}
        for index in sorted(offset for offset in seen.read if 0 <= offset < len(given.packet)):
            for flip in FLIPS:
                packet = bytearray(given.packet)
                packet[index] ^= flip
                again = _run(run, replace(given, packet=bytes(packet)))
                if again is None or (again.code, again.verdict) != (seen.code, seen.verdict):
                    continue
                shown = _values(again, differs, inside)
                for name, before in wanted.items():
                    if shown.get(name, before) != before:
                        at[name].add(index)
                if all(index in where for where in at.values()):
                    break
        found[side] = {name: frozenset(where) for name, where in at.items()}
    return found


def _run(run: Executor, given: Input) -> Observation | None:
    try:
        return run(given)
    except (NotRunnable, EquivError):
        return None


def _values(seen: Observation, differs: Sequence[str], fields: Sequence[OutputField]) -> dict[str, int | bytes]:
    found: dict[str, int | bytes] = {name: seen.values[name] for name in differs if name in seen.values}
    for field in fields:
        value = field_value(seen, field)
        if value is not None:
            found[field.name] = value
    return found
