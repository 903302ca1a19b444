"""The report on real programs: verdicts, what is not modelled, costs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from equiv.bench.kernel.objects import in_one_line
from equiv.bench.markdown import megabytes, table
from equiv.bench.measure import Row
from equiv.report.style import clean, shorten

LONGEST_REASON = 150
SHORT_REASON = 80
TARGET_SECONDS = 60.0
NAMES = re.compile(r"\b(?:map|map value|function|kernel function|to) [\w.$\[\]]+(?=,|$| |:)|\b\d+\b")
"""What a reason says of one program only."""


def reason_of(row: Row) -> str:
    """Why a row has no verdict, without where the files are."""
    if row.verdict == "equivalent":
        return ""
    text = in_one_line(row.reason)
    _, found, rest = text.partition("error: ")
    return f"{rest}" if found else text


def summary(rows: Sequence[Row], refused: Mapping[str, str]) -> list[str]:
    """Verdicts in all and by group, as a Markdown list. `refused` says why the kernel does not take some, by id."""
    lines = []
    for group in dict.fromkeys(row.corpus for row in rows):
        own = [row for row in rows if row.corpus == group and row.id not in refused]
        others = [row for row in rows if row.corpus == group and row.id in refused]
        lines.append(
            f"- {group}: {_share(own)}" + (f"; besides, not taken by the kernel: {_share(others)}" * bool(others))
        )
    judged = [row for row in rows if row.id not in refused]
    themselves = [row for row in judged if row.with_itself]
    builds = [row for row in judged if not row.with_itself]
    head = []
    if themselves:
        head.append(f"- **against themselves: {_share(themselves)}**")
    if any(row.certificate for row in rows):
        holding = sum(row.certificate == "holds" for row in rows)
        head.append(f"- certificates: {holding} of {sum(bool(row.certificate) for row in rows)} hold")
    if builds:
        head.append(f"- **same source, other build: {_share(builds)}**")
    wrong = [row for row in judged if row.verdict == "different"]
    head += [f"- different, which no pair here should be: `{clean(row.id)}`" for row in wrong]
    if rows:
        slowest = max(rows, key=lambda row: row.seconds)
        largest = max(rows, key=lambda row: row.peak_rss_bytes)
        over = sum(row.seconds > TARGET_SECONDS for row in rows)
        lines += [
            f"- median {median(row.seconds for row in rows):.2f} s; slowest `{clean(slowest.id)}` "
            f"{slowest.seconds:.1f} s; {over} over {TARGET_SECONDS:.0f} s",
            f"- largest `{clean(largest.id)}` {megabytes(largest)} MB",
        ]
    return [*head, *lines]


def _share(rows: Sequence[Row]) -> str:
    counts = Counter(row.verdict for row in rows)
    good = counts["equivalent"]
    rest = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()) if verdict != "equivalent")
    percent = f" ({good / len(rows):.0%})" if rows else ""
    return f"{good} of {len(rows)} equivalent{percent}{f', {rest}' if rest else ''}"


def report(rows: Sequence[Row], head: Sequence[str], notes: Iterable[str], refused: Mapping[str, str]) -> str:
    """The whole report as Markdown, with `head` on top."""
    lines = [*head, "", "## Summary", "", *summary(rows, refused), *(f"- {note}" for note in notes)]
    open_rows = [row for row in rows if row.verdict != "equivalent" and row.id not in refused]
    kinds = Counter(_kind(row) for row in open_rows)
    if kinds:
        lines += ["", "## What is not modelled or not decided", ""]
        lines += table(("programs", "why"), ((str(count), text) for text, count in kinds.most_common()))
    for group in dict.fromkeys(row.corpus for row in rows):
        own = [row for row in rows if row.corpus == group and row.id not in refused]
        titles = ("program", "verdict", "seconds", "MB", "joint states", "queries", "why")
        lines += ["", f"## {group}", "", *table(titles, map(_cells, own))]
    if refused:
        lines += ["", "## What the running kernel does not take", ""]
        lines += ["No packet meets these; most are tests that loading fails.", ""]
        lines += table(
            ("program", "verdict", "why equiv does not decide", "what the kernel says"),
            (
                (row.id.removesuffix("=itself"), row.verdict, shorten(reason_of(row), SHORT_REASON), refused[row.id])
                for row in rows
                if row.id in refused
            ),
        )
    return "\n".join(lines) + "\n"


def _kind(row: Row) -> str:
    return shorten(NAMES.sub("…", reason_of(row)), 100)


def _cells(row: Row) -> tuple[str, ...]:
    name = row.id.partition("/")[2].removesuffix("=itself")
    numbers = (f"{row.seconds:.1f}", megabytes(row), str(row.joint_states), str(row.solver_queries))
    why = shorten(reason_of(row), LONGEST_REASON)
    return (name, row.verdict, *numbers, f"{why} ({row.place})" if why and row.place else why)
