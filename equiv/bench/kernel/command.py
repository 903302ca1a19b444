"""The arguments of `equiv bench kernel`, its rows and its report."""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.kernel.objects import gather, in_one_line
from equiv.bench.markdown import table
from equiv.bench.options import count
from equiv.bench.progress import tell
from equiv.errors import EquivError, InputError
from equiv.fuzz.campaign import Limits
from equiv.machine.concrete import NotRunnable
from equiv.machine.interface import interface_for_section, load_interface
from equiv.report.observables import one_line
from equiv.report.style import clean, shorten

REPORT = "reports/kernel.md"
NOT_RUN = "not run"
LONGEST_REASON = 160


@dataclass(frozen=True, slots=True)
class Row:
    """What one program showed. `verdict` is `equivalent`, `different`, or `not run` with its `reason`."""

    id: str
    group: str
    left: str
    right: str
    interface: str
    expected: str
    verdict: str
    reason: str
    packets: int
    not_compared: int
    behaviours: int
    joint_states: int
    solver_queries: int
    seconds: float
    peak_rss_bytes: int


@dataclass(frozen=True, slots=True)
class Task:
    """One program to compare. `title` is its group's and the file's name, without where the file is."""

    group: str
    title: str
    file: str
    packets: int
    seconds: float
    seed: int


def main(arguments: list[str]) -> int:
    """Compare all programs. Returns 0 if none differs, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "kernel", *arguments])
    require_output(options)
    from equiv.oracle import available

    if (reason := available()) is not None:
        raise InputError(f"the kernel cannot be asked: {reason}")
    with ExitStack() as resources:
        found = gather(options.corpora, options.objects, options.linux_source, options.jobs, resources)
        rows = _rows(found.groups, options)
    report = "\n".join(_report(rows, command, found.notes)) + "\n"
    deliver(report, options.output, _summary(rows), as_json(rows) if options.json else None)
    return 1 if any(row.verdict == "different" for row in rows) else 0


def _rows(groups: dict[str, list[Path]], options: argparse.Namespace) -> list[Row]:
    tasks = [
        Task(group, f"{group}/{path.name}", str(path), options.packets, options.seconds, options.seed)
        for group, paths in groups.items()
        for path in paths
    ]
    rows: list[Row] = []
    context = multiprocessing.get_context("fork")
    with context.Pool(options.jobs, maxtasksperchild=1) as pool:
        for number, found in enumerate(pool.imap(_file, tasks), 1):
            rows += found
            packets = sum(row.packets for row in rows)
            tell(f"{number} of {len(tasks)} files, {packets:,} packets, last {found[0].id}", number == len(tasks))
    return rows


def _file(task: Task) -> list[Row]:
    """Every program of one file, one after the other."""
    from equiv.bpf.load import load_object

    try:
        programs = list(load_object(task.file).programs)
    except EquivError as error:
        return [_row(task, "", "", 0.0, reason=error.message)]
    return [row for name in programs for row in _program(task, name)]


def _program(task: Task, name: str) -> Iterator[Row]:
    from equiv.bpf.load import load_program
    from equiv.fuzz.kernel import against_kernel

    program = load_program(task.file, name)
    interface = interface_for_section(program.section)
    if interface is None:
        return  # no packet-side program
    started = time.perf_counter()
    limits = Limits(task.packets, task.seconds)
    try:
        found = against_kernel(program, load_interface(interface), limits, task.seed)
    except (NotRunnable, EquivError) as problem:
        text = problem.message if isinstance(problem, EquivError) else str(problem)
        yield _row(task, name, interface, time.perf_counter() - started, reason=text)
        return
    except Exception as defect:
        text = f"{type(defect).__name__}: {defect}"
        yield _row(task, name, interface, time.perf_counter() - started, verdict="different", reason=text)
        return
    seconds, skipped = time.perf_counter() - started, found.not_run.total()
    verdict, reason = "equivalent", ""
    if found.differences:
        first = found.differences[0]
        sides = (side if isinstance(side, str) else one_line(side) for side in (first.left, first.right))
        verdict = "different"
        reason = f"packet {first.given.packet.hex()} {dict(first.given.context)}: " + " and ".join(sides)
    elif found.not_run:
        reason = f"not compared: {found.not_run.most_common(1)[0][0]}"
        verdict = verdict if found.compared else NOT_RUN
    yield _row(
        task, name, interface, seconds, verdict, reason, packets=found.compared, skipped=skipped, seen=found.behaviours
    )


def _row(
    task: Task,
    name: str,
    interface: str,
    seconds: float,
    verdict: str = NOT_RUN,
    reason: str = "",
    *,
    packets: int = 0,
    skipped: int = 0,
    seen: int = 0,
) -> Row:
    return Row(
        id=f"{task.title}:{name}" if name else task.title,
        group=task.group,
        left="interpreter",
        right="kernel",
        interface=interface,
        expected="equivalent",
        verdict=verdict,
        reason=in_one_line(reason),
        packets=packets,
        not_compared=skipped,
        behaviours=seen,
        joint_states=0,
        solver_queries=0,
        seconds=seconds,
        peak_rss_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def _summary(rows: Sequence[Row]) -> list[str]:
    ran = [row for row in rows if row.verdict != NOT_RUN]
    different = [row for row in rows if row.verdict == "different"]
    packets, seconds = sum(row.packets for row in rows), sum(row.seconds for row in ran)
    lines = [
        f"- **{len(different)} of {len(ran)} programs differ** on {packets:,} packets "
        f"({packets / (seconds or 1):,.0f} a second; {sum(row.not_compared for row in ran):,} more not comparable)",
        f"- {len(rows) - len(ran)} programs were not run",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in ran if row.group == group]
        total = sum(row.group == group for row in rows)
        lines.append(f"- {group}: {len(own)} of {total} programs, {sum(row.packets for row in own):,} packets")
    return lines + [f"  - `{row.id}`: {clean(row.reason)}" for row in different]


def _report(rows: Sequence[Row], command: str, notes: Sequence[str]) -> list[str]:
    lines = ["# The interpreter against the kernel", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment().items()]
    lines += ["", "## Summary", "", *_summary(rows), *(f"- {note}" for note in notes)]
    lines += [
        "",
        "*packets*: generated ones that both ran, all that the interface observes compared; *more*: inputs that a test",
        "run cannot stand for, or that are not modelled; *behaviours*: distinct codes with the bytes looked at.",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        own = [row for row in rows if row.group == group and row.verdict != NOT_RUN]
        if own:
            titles = ("program", "interface", "verdict", "packets", "more", "behaviours", "seconds", "MB", "why")
            lines += ["", f"## {group}", "", *table(titles, map(_cells, own))]
    reasons = Counter(_kind(row.reason) for row in rows if row.verdict == NOT_RUN)
    if reasons:
        lines += ["", "## Why programs were not run", ""]
        lines += table(("programs", "reason"), ((str(count), text) for text, count in reasons.most_common()))
        lines += ["", *table(("program", "reason"), (_not_run(row) for row in rows if row.verdict == NOT_RUN))]
    return lines


def _cells(row: Row) -> tuple[str, ...]:
    name = row.id.partition("/")[2]
    numbers = (f"{row.packets}", f"{row.not_compared}", f"{row.behaviours}", f"{row.seconds:.1f}")
    memory = f"{row.peak_rss_bytes / 1e6:.0f}"
    return (name, row.interface, row.verdict, *numbers, memory, shorten(row.reason, LONGEST_REASON))


def _not_run(row: Row) -> tuple[str, str]:
    return row.id, shorten(row.reason, LONGEST_REASON)


def _kind(reason: str) -> str:
    """The reason without what is particular to one program."""
    if reason.startswith("the kernel rejects the program"):
        return "the kernel rejects the program, as it is loaded here"
    return shorten(
        reason.removeprefix("not compared: ").rpartition("instruction ")[2].partition("): ")[2] or reason, 100
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench kernel",
        description="Compare the interpreter with the running kernel on generated packets, program by program.",
        epilog="exit status: 0 no program differs    1 one does    2 wrong usage, or no kernel",
        allow_abbrev=False,
    )
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of the corpora (default: corpora)")
    parser.add_argument(
        "--objects", action="append", default=[], metavar="[NAME=]DIR", help="more object files, e.g. xdp-tools'"
    )
    parser.add_argument("--linux-source", metavar="DIR", help="a Linux tree whose samples and selftests are built")
    parser.add_argument("--packets", type=count, default=10_000, metavar="N", help="for each program (default: 10000)")
    parser.add_argument(
        "--seconds", type=float, default=60.0, metavar="S", help="at most, for each program (default: 60)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="files at a time (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
