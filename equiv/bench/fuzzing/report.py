"""What was measured, as Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from equiv.bench.fuzzing.measure import BYTES, OURS, SCAPY, WAYS, Asked, Row
from equiv.bench.fuzzing.unreached import QUESTION_SECONDS, Status
from equiv.bench.markdown import cell, table
from equiv.result import Coverage

MILLION = 1_000_000
KERNEL_TARGET = 100_000
TARGET_FOUND = 0.9


def report(
    rows: Sequence[Row], asked: Asked, command: str, facts: Mapping[str, str], wanted: int | None = None
) -> list[str]:
    """The whole report, line by line; `wanted` is how many rows there should be."""
    pairs = [row for row in rows if row.expected == "equivalent"]
    twins = [row for row in rows if row.expected == "different"]
    lines = ["# Fuzzing", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "- one core for each pair; rates are those of campaigns: packets changed, run through both sides, compared, "
        "coverage merged",
        "",
        "## Summary",
        "",
        *summary(rows, asked, wanted),
        "",
        "## Rates and coverage",
        "",
        "Packets a second through both sides: *compiled*, and *with the kernel* for the left side (the right one where "
        "that is the program). *Edges and rows*: both ways of every branch of bytecode; rows, cases, defaults and "
        f"checks of tables, reached in {asked.rate_seconds:g} seconds.",
        "",
        *table(("pair", "compiling s", "compiled", "with the kernel", "left", "right", "remark"), map(_pair, pairs)),
        "",
        "### Not reached",
        "",
        "The engine is asked whether any packet gets there at all (`equiv.suite.reach`), "
        f"{QUESTION_SECONDS:g} seconds each, but not about plain transitions of tables, limits and tail calls.",
        "",
        *(_missed(pairs) or ["Nothing."]),
        "",
        "## Broken twins",
        "",
        f"Seconds until a difference is found, median of {asked.seeds} seeds, compiling apart. *{OURS}* has "
        f"{asked.seconds:g} seconds; *{BYTES}* (of 14 to 512 bytes) and *{SCAPY}* (stacks of up to seven layers) have "
        f"{asked.baseline_seconds:g}, run as fast as they come, with the same maps and contexts. A dash: at least half "
        "of the seeds found nothing.",
        "",
        *table(("twin", "what is wrong", *WAYS, "seeds that found it", "remark"), map(_twin, twins)),
    ]
    return lines


def summary(rows: Sequence[Row], asked: Asked, wanted: int | None = None) -> list[str]:
    """The figures that matter, as a list."""
    pairs = [row for row in rows if row.expected == "equivalent" and not row.note]
    rates = [row.rate for row in pairs if row.rate is not None]
    kernel = [row.kernel_rate for row in pairs if row.kernel_rate is not None]
    twins = [row for row in rows if row.expected == "different"]
    lines = []
    if wanted is not None and wanted > len(rows):
        lines.append(f"- **cut short**: {len(rows)} of {wanted} pairs were measured; --state goes on from there")
    if rates:
        fast = sum(rate >= MILLION for rate in rates)
        lines.append(
            f"- compiled: median {median(rates) / MILLION:.2f} million packets a second, least "
            f"{min(rates) / MILLION:.2f} million; {fast} of {len(rates)} pairs reach a million"
        )
    if kernel:
        fast = sum(rate >= KERNEL_TARGET for rate in kernel)
        lines.append(
            f"- with the kernel for one side: median {median(kernel):,.0f} packets a second; {fast} of {len(kernel)} "
            "pairs reach 100,000"
        )
    for way in WAYS if twins else ():
        times = [row.median_of(way) for row in twins]
        found = [each for each in times if each is not None]
        share = f" ({100 * len(found) / len(twins):.0f} %)"
        typical = f", median {median(found):.2f} s" if found else ""
        lines.append(f"- {way}: {len(found)} of {len(twins)} broken twins found{share}{typical}")
    covered = [each for row in pairs for each in (row.left, row.right) if each is not None and each.total]
    if covered:
        reached, total = sum(each.reached for each in covered), sum(each.total for each in covered)
        lines.append(f"- {reached:,} of {total:,} edges and rows reached ({100 * reached / total:.1f} %)")
    if unreached := Counter(_distinct(pairs).values()):
        said = ", ".join(f"{count} {status}" for status, count in sorted(unreached.items()))
        lines.append(f"- what was not reached, asked of the engine: {said}")
    failed = [row for row in rows if _failed(row)]
    lines += [f"- **not measured**: `{row.id}`: {cell(row.note)}" for row in failed]
    return lines


def is_good(rows: Sequence[Row]) -> bool:
    """Whether nothing went wrong and nine of ten twins are found."""
    twins = [row for row in rows if row.expected == "different"]
    found = sum(row.median_of(OURS) is not None for row in twins)
    return found >= TARGET_FOUND * len(twins) and not any(map(_failed, rows))


def _failed(row: Row) -> bool:
    return row.rate is None and not row.found


def _number(value: float | None, digits: int = 0) -> str:
    return "" if value is None else f"{value:,.{digits}f}"


def _pair(row: Row) -> tuple[str, ...]:
    remark = "; ".join(filter(None, (row.note, _why_slow(row.rate, MILLION, row.left_alone), row.kernel_note)))
    return (
        f"`{row.id}`",
        f"{row.compile_seconds:.1f}",
        _number(row.rate),
        _number(row.kernel_rate),
        _share(row.left),
        _share(row.right),
        remark,
    )


def _why_slow(rate: float | None, goal: float, left_alone: str) -> str:
    return left_alone if rate is not None and rate < goal else ""


def _share(covered: Coverage | None) -> str:
    return f"{covered.reached}/{covered.total}" if covered is not None and covered.total else ""


def _missed(rows: Sequence[Row]) -> list[str]:
    """What was not reached, each once, with what the engine says of it."""
    found = [(f"`{text}`", status) for text, status in _distinct(rows).items()]
    return table(("not reached", "the engine"), found) if found else []


def _distinct(rows: Sequence[Row]) -> dict[str, Status]:
    """By edge or row what the engine says, one that knows before one that does not."""
    found: dict[str, Status] = {}
    for text, status in (each for row in rows for each in row.missed):
        if found.get(text) in (None, "not decided"):
            found[text] = status
    return found


def _twin(row: Row) -> tuple[str, ...]:
    times = [row.median_of(way) for way in WAYS]
    seeds = [
        f"{sum(each is not None for each in row.found.get(way, []))}/{len(row.found.get(way, []))}" for way in WAYS
    ]
    shown = ["—" if each is None else f"{each:.2f}" for each in times]
    return (f"`{row.id}`", row.bug, *shown, ", ".join(seeds), row.note)
