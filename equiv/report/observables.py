"""Observables as people read them: numbers, byte arrays, and byte arrays taken apart into a device's named outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from equiv.machine.concrete import Observation
from equiv.report.style import clean, shorten
from equiv.result import OutputField, field_value

VERDICT = "verdict"
"""Name under which the return code appears among the observables that differ."""

ERROR = "error"
"""Name of the observable for the parser error."""

ABSENT = "absent"

MAX_BYTES = 48
"""Longer byte arrays are shown by their length and their beginning."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a side-by-side display; `part` marks a named part of the byte array above it.

    `differs` says that a difference counts; values may be unlike (`equal` is false) where they are not compared.
    """

    name: str
    left: str
    right: str
    differs: bool
    equal: bool
    part: bool = False
    shown: bool = False
    """Whether it is shown even where it does not differ."""


def verdict_text(observation: Observation) -> str:
    """The verdict's label and the return code behind it."""
    if observation.verdict == f"code {observation.code}":  # a code without a label
        return f"{observation.verdict} ({observation.code:#x})" if observation.code > 9 else observation.verdict
    return (
        f"{clean(observation.verdict)} (code {observation.code:#x})"
        if observation.code > 9
        else (f"{clean(observation.verdict)} (code {observation.code})")
    )


def value_text(value: int | bytes | None) -> str:
    """A number in both notations, bytes in hexadecimal, `absent` where this side has no such observable."""
    match value:
        case None:
            return ABSENT
        case bytes():
            if not value:
                return "empty"
            text = value[:MAX_BYTES].hex(" ", -4)
            return text if len(value) <= MAX_BYTES else f"{text} … ({len(value)} bytes)"
        case _:
            return f"{value} ({value:#x})" if value > 9 else str(value)


def error_text(value: int | bytes | None, errors: Sequence[str]) -> str:
    """A parser error by its name, where that is known."""
    if isinstance(value, int) and value < len(errors):
        return f"{clean(errors[value])} ({value})"
    return value_text(value)


def comparable(left: Observation, right: Observation, fields: Sequence[OutputField]) -> set[str]:
    """Names of what can be shown side by side: observables, and parts that both sides have something for.

    Other names of what differs are conditions, or outputs that are not observed of one of the sides as such (D121).
    """
    parts = {field.name for field in fields if None not in (part_value(field, left), part_value(field, right))}
    return {VERDICT, *left.values, *right.values, *parts}


def compare(
    left: Observation,
    right: Observation,
    differs: Sequence[str],
    fields: Sequence[OutputField] = (),
    errors: Sequence[str] = (),
) -> list[Row]:
    """The verdict, then every observable that either side has, those that differ first.

    A byte array that differs and has named parts is followed by these. A part may itself be what differs. `errors` are
    names of parser errors by number.
    """
    both = comparable(left, right, fields)
    named = {field.name: field for field in fields if field.name in differs and field.name in both}
    rows = [Row(VERDICT, verdict_text(left), verdict_text(right), VERDICT in differs, left.code == right.code)]
    rows += [_stands_for(named[name], left, right) for name in differs if name in named]
    names = [name for name in dict.fromkeys([*left.values, *right.values]) if name not in named]
    for name in sorted(names, key=lambda name: name not in differs):
        one, other = left.values.get(name), right.values.get(name)
        texts = [error_text(value, errors) if name == ERROR else value_text(value) for value in (one, other)]
        rows.append(Row(clean(name), texts[0], texts[1], name in differs, one == other))
        if name in differs:
            rows += _parts(name, left, right, fields)
    return rows


def _parts(name: str, left: Observation, right: Observation, fields: Sequence[OutputField]) -> list[Row]:
    rows = []
    for field in sorted((f for f in fields if f.observable == name), key=lambda f: f.offset):
        one, other = field_value(left, field), field_value(right, field)
        rows.append(Row(clean(field.name), value_text(one), value_text(other), one != other, one == other, part=True))
    return rows


def _stands_for(field: OutputField, left: Observation, right: Observation) -> Row:
    """A part of a struct beside what it must be."""
    one, other = (value_text(part_value(field, side)) for side in (left, right))
    return Row(clean(field.name), one, other, True, one == other)


def part_value(field: OutputField, side: Observation) -> int | bytes | None:
    """What a side has for a part that may itself be what differs."""
    return side.values[field.stands_for] if field.stands_for in side.values else field_value(side, field)


def one_line(observation: Observation) -> str:
    """A whole observation on one line: `accept (code 2)  meta 0a000001`."""
    values = (f"{clean(name)} {shorten(value_text(value), 100)}" for name, value in observation.values.items())
    return "  ".join([verdict_text(observation), *values])
