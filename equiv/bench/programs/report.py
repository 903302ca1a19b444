"""The report on real programs: verdicts, what is not modelled, costs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from statistics import median

from equiv.bench.kernel.objects import in_one_line
from equiv.bench.markdown import megabytes, table
from equiv.bench.measure import Row
from equiv.report.style import clean, shorten

LONGEST_REASON = 150
TARGET_SECONDS = 60.0
REJECTED = "the kernel's verifier rejects"
NAMES = re.compile(r"\b(?:map|map value|function|kernel function|to) [\w.$\[\]]+(?=,|$| |:)|\b\d+\b")
"""What a reason says of one program only."""


def rejected(row: Row) -> bool:
    """Whether the program is none that the kernel takes: not one of those that packets meet."""
    return REJECTED in row.reason


def reason_of(row: Row) -> str:
    """Why a row has no verdict, without where the files are."""
    if row.verdict == "equivalent":
        return ""
    text = in_one_line(row.reason)
    _, found, rest = text.partition("error: ")
    return f"{rest}" if found else text


def summary(rows: Sequence[Row]) -> list[str]:
    """Verdicts in all and by group, as a Markdown list."""
    lines = []
    for group in dict.fromkeys(row.corpus for row in rows):
        own = [row for row in rows if row.corpus == group and not rejected(row)]
        refused = sum(row.corpus == group for row in rows) - len(own)
        lines.append(f"- {group}: {_share(own)}{f'; {refused} more the verifier rejects' if refused else ''}")
    judged = [row for row in rows if not rejected(row)]
    themselves = [row for row in judged if row.with_itself]
    others = [row for row in judged if not row.with_itself]
    head = []
    if themselves:
        head.append(f"- **against themselves: {_share(themselves)}**")
    if others:
        head.append(f"- **same source, other build: {_share(others)}**")
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


def report(rows: Sequence[Row], head: Sequence[str], notes: Iterable[str]) -> str:
    """The whole report as Markdown, with `head` on top."""
    lines = [*head, "", "## Summary", "", *summary(rows), *(f"- {note}" for note in notes)]
    open_rows = [row for row in rows if row.verdict not in ("equivalent",) and not rejected(row)]
    kinds = Counter(_kind(row) for row in open_rows)
    if kinds:
        lines += ["", "## What is not modelled or not decided", ""]
        lines += table(("programs", "why"), ((str(count), text) for text, count in kinds.most_common()))
    for group in dict.fromkeys(row.corpus for row in rows):
        own = [row for row in rows if row.corpus == group]
        titles = ("program", "verdict", "seconds", "MB", "joint states", "queries", "why")
        lines += ["", f"## {group}", "", *table(titles, map(_cells, own))]
    return "\n".join(lines) + "\n"


def _kind(row: Row) -> str:
    return shorten(NAMES.sub("…", reason_of(row)), 100)


def _cells(row: Row) -> tuple[str, ...]:
    name = row.id.partition("/")[2].removesuffix("=itself")
    verdict = "rejected" if rejected(row) else row.verdict
    numbers = (f"{row.seconds:.1f}", megabytes(row), str(row.joint_states), str(row.solver_queries))
    return (name, verdict, *numbers, shorten(reason_of(row), LONGEST_REASON))
