"""The arguments of `equiv bench random`, and its report."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from equiv.bench.environment import environment
from equiv.bench.markdown import table
from equiv.bench.options import count, positive
from equiv.bench.programs.builds import REFERENCE
from equiv.bench.progress import tell
from equiv.bench.random.judge import DrawnRow, Judged, Task, judge
from equiv.bench.random.writer import KINDS
from equiv.errors import InputError
from equiv.report.files import expect_writable, replacing
from equiv.report.style import clean, shorten

REPORT = "reports/random.md"
LONGEST = 160


def main(arguments: list[str]) -> int:
    """Judge so many programs. Returns 0 if every verdict is borne out by the kernel, else 1. Raises InputError."""
    options = _parser().parse_args(arguments)
    target = None if options.output is None else options.output or REPORT
    if target is not None:
        expect_writable(target)
    from equiv.oracle import available

    if (reason := available()) is not None:
        raise InputError(f"the kernel cannot be asked: {reason}")
    if shutil.which(REFERENCE.compiler) is None:
        raise InputError(f"there is no {REFERENCE.compiler}, which builds what is drawn")
    judged = _judge_all(options)
    rows = [row for each in judged for row in each.rows]
    if target is not None:
        with replacing(target) as temporary:
            text = _report(judged, shlex.join(["equiv", "bench", "random", *arguments]))
            Path(temporary).write_text("\n".join(text) + "\n", encoding="utf-8")
    if options.json:
        print(json.dumps([asdict(row) for row in rows], indent=2))
    elif target is not None:
        print("\n".join([*_summary(judged), f"- written: {target}"]))
    else:
        print("\n".join([*_summary(judged), "", *_listed(rows)]))
    return 1 if any(row.problem for row in rows) else 0


def _judge_all(options: argparse.Namespace) -> list[Judged]:
    tasks = [
        Task(
            *(number, options.seed, options.builds, options.mistakes, options.runs, options.seconds),
            *(options.timeout, not options.no_certificates, options.keep),
        )
        for number in range(options.first, options.first + options.count)
    ]
    judged: list[Judged] = []
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=4) as pool:
        for found in pool.imap(judge, tasks):
            judged.append(found)
            for row in found.rows:
                if row.problem:
                    print(f"{row.id}: {clean(row.problem)}: {clean(row.what)}", file=sys.stderr)
            tell(f"{len(judged)} of {len(tasks)} programs done", len(judged) == len(tasks))
    return judged


def _summary(judged: Sequence[Judged]) -> list[str]:
    rows = [row for each in judged for row in each.rows]
    same = [row for row in rows if row.verdict == "equivalent"]
    different = [row for row in rows if row.verdict == "different"]
    by_kernel = sum("kernel" in row.confirmed_by or bool(row.kernel_differs) for row in different)
    certified = Counter(row.certificate for row in same if row.certificate)
    sizes = sorted(each.size for each in judged if each.size)
    lines = [
        f"- {len(sizes)} programs of {sizes[0] if sizes else 0} to {sizes[-1] if sizes else 0} instructions, "
        f"{sum(not row.mistake for row in rows)} other builds of them, {sum(row.mistake for row in rows)} with one "
        f"mistake ({sum(each.alike for each in judged)} more change no instruction, "
        f"{sum(each.not_taken for each in judged)} the kernel refuses)",
        f"- **{sum(row.missed for row in rows)} called equivalent that the kernel tells apart**",
        f"- {len(same)} equivalent: no difference in {sum(row.kernel_runs for row in same):,} runs in the kernel"
        + "".join(f", certificates: {number} {verdict}" for verdict, number in sorted(certified.items())),
        f"- {len(different)} different: {by_kernel} shown by the kernel",
    ]
    for verdict in ("unknown", "error"):
        found = [row for row in rows if row.verdict == verdict]
        if found:
            lines.append(f"- {len(found)} {verdict}, of which the kernel tells {sum(map(_told, found))} apart")
            why = Counter(shorten(row.reason, LONGEST) for row in found)
            lines += [f"  - {many}: {clean(reason)}" for reason, many in why.most_common()]
    lines += [
        f"  - `{row.id}` {clean(row.problem)}: {clean(shorten(row.what, LONGEST))}" for row in rows if row.problem
    ]
    return lines


def _told(row: DrawnRow) -> bool:
    return bool(row.kernel_differs)


def _report(judged: Sequence[Judged], command: str) -> list[str]:
    rows = [row for each in judged for row in each.rows]
    lines = ["# Programs that nobody wrote", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment().items()]
    lines += ["", "## Summary", "", *_summary(judged), "", "## By kind of program", ""]
    verdicts = ("equivalent", "different", "unknown", "error")
    lines += table(
        ("kind", "pairs of", *verdicts, "kernel runs of equivalent pairs"),
        (
            (kind, what, *(str(sum(row.verdict == verdict for row in some)) for verdict in verdicts), f"{runs:,}")
            for kind in KINDS
            for what, some in (
                ("builds", [row for row in rows if row.kind == kind and not row.mistake]),
                ("mistakes", [row for row in rows if row.kind == kind and row.mistake]),
            )
            for runs in (sum(row.kernel_runs for row in some if row.verdict == "equivalent"),)
        ),
    )
    return [*lines, "", "## Pairs", "", *_listed(rows)]


def _listed(rows: Sequence[DrawnRow]) -> list[str]:
    titles = ("program", "other build, or mistake", "verdict", "confirmed by", "certificate", "kernel runs", "seconds")
    return table(
        titles,
        (
            (
                *(row.id, shorten(row.what, LONGEST), row.verdict, ", ".join(row.confirmed_by), row.certificate),
                *(str(row.kernel_runs or ""), f"{row.seconds:.1f}"),
            )
            for row in rows
        ),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench random",
        description="Draw C programs, build each in several ways and with single mistakes, check and run the pairs.",
        epilog="exit status: 0 the kernel bears every verdict out    1 it does not    2 usage, no clang, no kernel",
        allow_abbrev=False,
    )
    parser.add_argument("--count", type=count, default=100, metavar="N", help="programs (default: 100)")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="number of the first one (default: 0)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--builds", type=count, default=2, metavar="N", help="other builds of each (default: 2)")
    parser.add_argument("--mistakes", type=count, default=4, metavar="N", help="mistakes in each (default: 4)")
    parser.add_argument(
        "--runs", type=count, default=20_000, metavar="N", help="kernel runs of each pair (default: 20000)"
    )
    parser.add_argument(
        "--seconds",
        type=positive,
        default=30.0,
        metavar="S",
        help="of the processor for them, each program (default: 30)",
    )
    parser.add_argument(
        "--timeout", type=positive, default=10.0, metavar="SECONDS", help="time limit of each check (default: 10)"
    )
    parser.add_argument("--no-certificates", action="store_true", help="do not check certificates of equivalent pairs")
    parser.add_argument("--keep", metavar="DIR", help="leave sources and objects of pairs that show a defect here")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="programs at a time (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument(
        "--output", nargs="?", const="", metavar="FILE", help=f"write the report here (without FILE: {REPORT})"
    )
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
