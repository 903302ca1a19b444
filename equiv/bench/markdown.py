"""The report on the corpora: verdicts, costs, and where the time goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from equiv.bench.manifest import Corpus
from equiv.bench.measure import Row
from equiv.report.style import clean

TARGET_SECONDS = 5.0
TARGET_RSS_BYTES = 300_000_000
"""What one check may take: whole process, on a machine with two cores."""
LISTED = 5
"""How many of the slowest and of the largest checks the summary names."""

COLUMNS = ("verdict", "joint states", "queries", "engine s", "seconds", "MB", "certificate kB", "verified in s")


def corpora_report(corpora: Sequence[Corpus], rows: Sequence[Row], head: Sequence[str]) -> str:
    """The whole report as Markdown, with `head` (see `heading`) on top."""
    lines = [*head, "", "## Summary", "", *summary(rows), "", "## Where time goes", "", *time_table(rows)]
    for corpus in corpora:
        own = [row for row in rows if row.corpus == corpus.name and not row.with_itself]
        if own:
            lines += ["", f"## {cell(corpus.title)} ({corpus.name})", "", *_pairs(own)]
    themselves = [row for row in rows if row.with_itself]
    if themselves:
        lines += ["", "## Every file against itself", "", *table(("file", *COLUMNS), map(_with_itself, themselves))]
    return "\n".join(lines) + "\n"


def heading(title: str, facts: Mapping[str, str], command: str, jobs: int) -> list[str]:
    """Title, how the report came about, on which machine."""
    lines = [f"# {title}", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    at_a_time = "one at a time" if jobs == 1 else f"{jobs} at a time, so that they slow each other down"
    lines += [
        f"- each check in a process of its own, {at_a_time}",
        "",
        "*seconds*: wall time of the whole process; *engine s*: of the proof in it; *MB*: the most memory that the "
        "process held (10⁶ bytes); *queries*: to the solver; *verified in s*: wall time of the process that checked "
        "the certificate, with another solver.",
    ]
    return lines


def summary(rows: Sequence[Row]) -> list[str]:
    """What the rows show, as a Markdown list."""
    good = [row for row in rows if row.as_expected]
    counts = Counter(row.verdict for row in rows)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items()))
    lines = [f"- **{len(good)} of {len(rows)} verdicts as expected** ({verdicts})"]
    lines += [
        f"  - not as expected: `{row.id}` is {row.verdict} (expected {row.expected}): {cell(row.reason)}"
        for row in rows
        if not row.as_expected
    ]
    shown = [row for row in rows if row.packet_size is not None]
    if shown:
        by = Counter(executor for row in shown for executor in row.confirmed_by)
        lines.append(
            f"- {len(shown)} counterexamples: {by['interpreter']} confirmed by both interpreters, "
            f"{by['kernel']} also by the kernel"
        )
    lines.append(
        f"- median {median(row.seconds for row in rows):.2f} s; total {sum(row.seconds for row in rows):.0f} s, "
        f"{sum(row.engine_seconds for row in rows):.0f} s of it engine time"
    )
    if certified := [row for row in rows if row.certificate]:
        held = [row for row in certified if row.certificate == "holds"]
        times = [row.verify_seconds or 0.0 for row in certified]
        both = [row.seconds + (row.verify_seconds or 0.0) for row in certified]
        lines.append(
            f"- {len(held)} of {len(certified)} certificates hold, checked by another solver in a process of its own: "
            f"median {median(times):.2f} s, at most {max(times):.2f} s; proof and verification median "
            f"{median(both):.2f} s, at most {max(both):.2f} s; certificates have "
            f"{median(row.certificate_bytes for row in certified) / 1e3:.0f} kB (median), at most "
            f"{max(row.certificate_bytes for row in certified) / 1e3:.0f} kB"
        )
    slowest = sorted(rows, key=lambda row: -row.seconds)[:LISTED]
    lines.append("- slowest: " + ", ".join(f"`{row.id}` {row.seconds:.2f} s" for row in slowest))
    largest = sorted(rows, key=lambda row: -row.peak_rss_bytes)[:LISTED]
    lines.append("- largest: " + ", ".join(f"`{row.id}` {megabytes(row)} MB" for row in largest))
    over = [row for row in rows if row.seconds >= TARGET_SECONDS or row.peak_rss_bytes >= TARGET_RSS_BYTES]
    target = f"under {TARGET_SECONDS:.0f} s and {TARGET_RSS_BYTES / 1e6:.0f} MB"
    lines.append(f"- {len(rows) - len(over)} of {len(rows)} {target}")
    lines += [f"  - not: `{row.id}` {row.seconds:.2f} s, {megabytes(row)} MB" for row in over]
    return lines


def time_table(rows: Sequence[Row]) -> list[str]:
    """The engine's phases, and what is not the engine's, as shares of all processes' time."""
    total = sum(row.seconds for row in rows) or 1.0
    engine = sum(row.engine_seconds for row in rows)
    phases: dict[str, float] = {}
    for row in rows:
        for name, seconds in row.phases.items():
            phases[name] = phases.get(name, 0.0) + seconds
    parts = [(f"engine: {name}", phases[name]) for name in sorted(phases, key=lambda name: -phases[name])]
    parts.append(("engine: the rest (replay, shrinking, kernel)", engine - sum(phases.values())))
    parts.append(("starting, reading the inputs, writing", sum(row.seconds for row in rows) - engine))
    lines = table(("part", "seconds", "share"), ((name, f"{s:.2f}", f"{s / total:.0%}") for name, s in parts))
    solver = sum(row.solver_seconds for row in rows)
    return [*lines, "", f"The solver has {solver:.2f} s ({solver / total:.0%}) of this."]


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table; every column but the first two is set to the right if it holds numbers only."""
    body = [list(map(cell, row)) for row in rows]
    numbers = [
        all(row[i].lstrip("×+-").replace(".", "", 1).rstrip("%").isdecimal() or not row[i] for row in body)
        for i in range(len(titles))
    ]
    lines = ["| " + " | ".join(titles) + " |", "|" + "|".join("---:" if number else "---" for number in numbers) + "|"]
    return lines + ["| " + " | ".join(row) + " |" for row in body]


def cell(text: str) -> str:
    """`text` as it must be written inside a table."""
    return clean(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def megabytes(row: Row) -> str:
    """The row's peak memory in units of 10⁶ bytes."""
    return f"{row.peak_rss_bytes / 1e6:.0f}"


def costs(row: Row) -> tuple[str, ...]:
    """What a row shows under the columns that all tables share."""
    verdict = row.verdict if row.as_expected else f"**{row.verdict}** (not {row.expected})"
    numbers = (str(row.joint_states), str(row.solver_queries), f"{row.engine_seconds:.3f}", f"{row.seconds:.2f}")
    verified = "" if row.verify_seconds is None else f"{row.verify_seconds:.2f}"
    size = f"{row.certificate_bytes / 1e3:.0f}" if row.certificate_bytes else ""
    return (verdict, *numbers, megabytes(row), size, verified)


def _pairs(rows: Sequence[Row]) -> list[str]:
    return table(("pair", *COLUMNS, "packet bytes", "confirmed by", "what is wrong with it"), map(_pair, rows))


def _pair(row: Row) -> tuple[str, ...]:
    name = row.id.partition("/")[2].replace("=", " = ", 1)
    size = "" if row.packet_size is None else str(row.packet_size)
    return (name, *costs(row), size, ", ".join(row.confirmed_by), row.bug)


def _with_itself(row: Row) -> tuple[str, ...]:
    return (row.id.rpartition("=")[0], *costs(row))
