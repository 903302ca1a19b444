"""How the work grows with the depth of a loop: the same pair, built for one limit after another."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from equiv.bench.manifest import Pair
from equiv.bench.markdown import megabytes, table
from equiv.bench.measure import Row
from equiv.errors import InputError

BAR_COLUMNS = 50


@dataclass(frozen=True, slots=True)
class Series:
    """A corpus whose pairs differ in one number, which their file names end in: `mpls-16.bpf.o`."""

    corpus: str
    title: str
    unit: str


SERIES = (
    Series("mpls-growth", "MPLS label stacks", "labels"),
    Series("tcp-options-growth", "TCP options", "option bytes"),
)


def growing(pairs: Iterable[Pair]) -> list[Pair]:
    """Those pairs that belong to a series, smallest first. Raises InputError where a series has none."""
    found = [pair for pair in pairs if not pair.with_itself]
    chosen: list[Pair] = []
    for series in SERIES:
        own = [pair for pair in found if pair.corpus == series.corpus]
        if not own:
            raise InputError(f"there is no corpus {series.corpus}")
        chosen += sorted(own, key=lambda pair: size_of(pair.left))
    return chosen


def size_of(path: str) -> int:
    """The number that a file's name ends in. Raises InputError where there is none."""
    match = re.search(r"-(\d+)\.", Path(path).name)
    if match is None:
        raise InputError(f"the name of {path} has no size in it, like `name-8.bpf.o`")
    return int(match.group(1))


def growth_report(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The report as Markdown: for each series a table with growth from one size to the next, and a chart."""
    lines = list(head)
    for series in SERIES:
        own = [row for row in rows if row.corpus == series.corpus]
        if own:
            lines += ["", f"## {series.title} ({series.corpus})", "", *_series(own, series.unit)]
    return "\n".join(lines) + "\n"


def _series(rows: Sequence[Row], unit: str) -> list[str]:
    titles = (unit, "verdict", "joint states", "×", "more per unit", "queries", "engine s", "×")
    lines = table((*titles, "seconds", "MB"), _growing(rows))
    sizes = [size_of(row.left) for row in rows]
    lines += ["", f"{_in_words(rows, sizes, unit)}", "", f"Joint states by {unit}:", "", "```"]
    lines += _chart([(str(size), row.joint_states) for size, row in zip(sizes, rows, strict=True)])
    lines += ["```", "", f"Engine time in milliseconds by {unit}:", "", "```"]
    lines += _chart([(str(size), round(row.engine_seconds * 1000)) for size, row in zip(sizes, rows, strict=True)])
    return [*lines, "```"]


def _growing(rows: Sequence[Row]) -> Iterable[tuple[str, ...]]:
    before: Row | None = None
    for row in rows:
        size = size_of(row.left)
        states = seconds = each = ""
        if before is not None and before.as_expected and row.as_expected:
            states = ratio(before.joint_states, row.joint_states)
            seconds = ratio(before.engine_seconds, row.engine_seconds)
            more = size - size_of(before.left)
            each = f"{(row.joint_states - before.joint_states) / more:.1f}" if more else ""
        numbers = (str(row.joint_states), states, each, str(row.solver_queries), f"{row.engine_seconds:.3f}", seconds)
        yield (str(size), row.verdict, *numbers, f"{row.seconds:.2f}", megabytes(row))
        before = row


def ratio(before: float, after: float) -> str:
    """How many times as much, as text; nothing where that cannot be said."""
    return f"{after / before:.2f}" if before else ""


def _in_words(rows: Sequence[Row], sizes: Sequence[int], unit: str) -> str:
    if not all(row.as_expected for row in rows):
        return "Not all of these are as expected, and an unfinished proof's numbers say nothing about growth."
    first = next((i for i, size in enumerate(sizes) if size), 0)
    a, b = rows[first], rows[-1]
    return (
        f"From {sizes[first]} to {sizes[-1]} {unit} (× {ratio(sizes[first], sizes[-1])}): "
        f"joint states × {ratio(a.joint_states, b.joint_states)}, "
        f"engine time × {ratio(a.engine_seconds, b.engine_seconds)}, "
        f"memory × {ratio(a.peak_rss_bytes, b.peak_rss_bytes)}."
    )


def _chart(values: Sequence[tuple[str, int]]) -> list[str]:
    """Horizontal bars, the longest `BAR_COLUMNS` wide."""
    most = max((value for _, value in values), default=0) or 1
    names = max((len(name) for name, _ in values), default=0)
    return [f"{name:>{names}} {'█' * max(round(value / most * BAR_COLUMNS), 1)} {value}" for name, value in values]
