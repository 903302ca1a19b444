"""What both sides gave, side by side, with what differs marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from equiv.machine.concrete import Observation
from equiv.report.observables import VERDICT, Row, comparable, compare
from equiv.result import Counterexample, Result

Piece = tuple[str, bool]
"""Some text, and whether it is unlike what the other side has there."""

MAX_ROWS = 400


@dataclass(frozen=True, slots=True)
class Shown:
    """One row: the values in pieces."""

    name: str
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]
    differs: bool
    part: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """`rows` differ or are the verdict, `equal` are the same on both sides, `ignored` do not count with these verdicts.

    `violated` are conditions that do not hold; `one_sided` says that there is no right side.
    """

    rows: tuple[Shown, ...]
    equal: tuple[Shown, ...]
    ignored: tuple[Shown, ...]
    violated: tuple[str, ...]
    one_sided: bool


def compare_sides(found: Counterexample, result: Result) -> Comparison:
    """What a page shows of one counterexample's outputs."""
    seen = comparable(found.left, found.right, result.fields)
    violated = tuple(name for name in found.differs if name not in seen)
    rows = compare(
        found.left, found.right, [name for name in found.differs if name in seen], result.fields, result.errors
    )
    if violated:  # what is asked is not that both sides are the same: everything may be why
        return Comparison(tuple(map(_shown, rows[:MAX_ROWS])), (), (), violated, result.right.kind == "property")
    first = [row for row in rows if row.differs or row.part or row.name == VERDICT]
    others = [row for row in rows if row not in first]
    return Comparison(
        rows=tuple(map(_shown, first[:MAX_ROWS])),
        equal=tuple(_shown(row) for row in others[:MAX_ROWS] if row.equal),
        ignored=tuple(_shown(row) for row in others[:MAX_ROWS] if not row.equal),
        violated=(),
        one_sided=result.right.kind == "property",
    )


def kernel_says(found: Counterexample) -> Iterable[str]:
    """What the kernel showed, where that is not what the interpreter showed."""
    for name, seen in found.kernel.items():
        interpreted = found.left if name == "left" else found.right
        if (seen.code, seen.values) == (interpreted.code, interpreted.values):
            continue
        rows = compare(interpreted, seen, _unlike(interpreted, seen))
        for row in rows:
            if row.differs or (row.name == VERDICT and not row.equal):
                yield f"on the {name} the kernel showed {row.name} {row.right}, the interpreter {row.left}"


def _unlike(one: Observation, other: Observation) -> list[str]:
    return [name for name, value in other.values.items() if one.values.get(name) != value]


def _shown(row: Row) -> Shown:
    left, right = _pieces(row.left, row.right)
    if not row.differs:
        left, right = (tuple((text, False) for text, _ in side) for side in (left, right))
    return Shown(row.name, left, right, row.differs, row.part)


def _pieces(left: str, right: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts word by word; words in the same place that are not the same are marked."""
    one, other = left.split(" "), right.split(" ")
    count = max(len(one), len(other))
    same = [one[i : i + 1] == other[i : i + 1] for i in range(count)]
    return tuple(_joined(one, same)), tuple(_joined(other, same))


def _joined(words: Sequence[str], same: Sequence[bool]) -> Iterable[Piece]:
    """Runs of words that are alike in being the same or not."""
    run: list[str] = []
    for number, word in enumerate(words):
        if run and same[number] is not same[number - 1]:
            yield " ".join(run), not same[number - 1]
            run = []
        run.append(word)
    if run:
        yield " ".join(run), not same[len(words) - 1]
