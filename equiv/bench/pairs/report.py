"""What is told of all pairs, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

from equiv.bench.markdown import cell, table
from equiv.bench.pairs.checked import Checked
from equiv.report.style import shorten

LONGEST = 160
SHOWN_BYTES = 96
"""Of a packet, so many bytes are written out."""


def summary(rows: Sequence[Checked], alone: Sequence[str]) -> list[str]:
    """How many of each verdict, a Markdown list."""
    counts = Counter(row.verdict for row in rows)
    decided = counts["equivalent"] + counts["different"]
    lines = [
        f"- **{decided} of {len(rows)} pairs decided**: {counts['equivalent']} equivalent, "
        f"{counts['different']} different; {counts['unknown']} unknown"
    ]
    if counts["different"]:
        confirmed = sum("kernel" in row.confirmed_by for row in rows if row.verdict == "different")
        lines.append(f"- {confirmed} of {counts['different']} differences confirmed by the running kernel")
    slowest = max(rows, key=lambda row: row.seconds)
    most = max(row.peak_rss_bytes for row in rows) / 1e6
    lines.append(
        f"- median {median(row.seconds for row in rows):.1f} s, slowest `{cell(slowest.name)}` "
        f"{slowest.seconds:.1f} s; at most {most:.0f} MB"
    )
    if alone:
        named = ", ".join(f"`{cell(name)}`" for name in alone[:20])
        lines.append(f"- {len(alone)} P4 sources have no object beside them: {named}{' …' if len(alone) > 20 else ''}")
    return lines


def report(
    rows: Sequence[Checked], alone: Sequence[str], facts: Mapping[str, str], notes: Sequence[str], command: str
) -> str:
    """The whole report; `notes` are of whoever asked for it."""
    lines = ["# P4 sources against their objects", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [f"- {cell(note)}" for note in notes]
    lines += ["", "## Summary", "", *summary(rows, alone)]
    for each in (row for row in rows if row.verdict == "different"):
        lines += ["", f"## {cell(each.name)}: different", "", *_difference(each)]
    undecided = [row for row in rows if row.verdict == "unknown"]
    if undecided:
        lines += ["", "## Unknown", ""]
        lines += table(("pair", "why"), ((cell(row.name), cell(shorten(row.reason, LONGEST))) for row in undecided))
    lines += ["", "## All pairs", ""]
    lines += table(
        ("pair", "verdict", "seconds", "MB"),
        ((cell(r.name), r.verdict, f"{r.seconds:.1f}", f"{r.peak_rss_bytes / 1e6:.0f}") for r in rows),
    )
    proved = next((row.assumptions for row in rows if row.verdict == "equivalent"), ())
    if proved:
        lines += ["", "## What proofs take for granted", ""]
        lines += [f"- {cell(text)}" for text in _in_common(rows, proved)]
    return "\n".join(lines) + "\n"


def _difference(row: Checked) -> Iterator[str]:
    size = len(row.packet) // 2
    more = f" … ({size} bytes)" if size > SHOWN_BYTES else ""
    yield f"- {cell(row.reason)}"
    yield f"- packet: `{row.packet[: 2 * SHOWN_BYTES]}`{more}"
    yield f"- confirmed by {', '.join(row.confirmed_by) or 'nothing'}"
    for text in row.responsible:
        yield f"- {cell(text)}"


def _in_common(rows: Sequence[Checked], first: Sequence[str]) -> list[str]:
    """Assumptions that every proof has."""
    every = [set(row.assumptions) for row in rows if row.verdict == "equivalent"]
    return [text for text in first if all(text in each for each in every)]
