"""The arguments of `equiv bench mutants`, and its report."""

from __future__ import annotations

import argparse
import fnmatch
import multiprocessing
import re
import shlex
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack

from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.kernel.objects import gather
from equiv.bench.markdown import table
from equiv.bench.mutants.rows import Judged, MutantRow, Task, judge
from equiv.bench.options import count
from equiv.bench.programs.pairs import programs_of
from equiv.errors import EquivError, InputError
from equiv.mutate.program import KINDS
from equiv.report.style import clean, shorten

REPORT = "reports/mutants.md"
LONGEST_REASON = 120
NUMBERS = re.compile(r"-?\b\d+\b")
CHOSEN = (
    "xdp-tools/xdpfilt_alw_all.o:*",
    "xdp-tools/xdpfilt_dny_ip.o:*",
    "xdp-tools/xdpdump_xdp.o:*",
    "linux/bpf-xdp1_kern.o:*",
    "linux/bpf-xdp_adjust_tail_kern.o:*",
    "linux/progs-test_xdp_vlan.o:*",
    "linux/bpf-tcbpf1_kern.o:*",
    "linux/progs-test_tc_tunnel.o:encap_*",
    "linux/progs-test_parse_tcp_hdr_opt.o:*",
    "linux/progs-test_xdp_dynptr.o:*",
    "corpora/forward.bpf.o:*",
    "corpora/tcp-options.bpf.o:*",
    "corpora/ipv6-ext.bpf.o:*",
    "corpora/five-tuple.bpf.o:*",
    "corpora/rewrite.bpf.o:*",
    "corpora/port-filter.bpf.o:*",
    "corpora/flow-dissector.bpf.o:*",
    "corpora/vxlan.bpf.o:*",
    "corpora/tc-mark.bpf.o:*",
    "corpora/gre.bpf.o:*",
)
"""Programs that are looked for, in this order, unless others are named."""


def main(arguments: list[str]) -> int:
    """Judge the mutants. Returns 0 if every verdict is borne out by the kernel, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "mutants", *arguments])
    require_output(options)
    from equiv.oracle import available

    if (reason := available()) is not None:
        raise InputError(f"the kernel cannot be asked: {reason}")
    with ExitStack() as resources:
        tasks = _tasks(options, resources)
        judged: list[Judged] = []
        with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
            for found in pool.imap(judge, tasks):
                if found.rows:
                    judged.append(found)
                if sum(bool(each.rows) for each in judged) == options.programs:
                    break
            pool.terminate()
    rows = [row for each in judged for row in each.rows]
    report = "\n".join(_report(judged, command)) + "\n"
    deliver(report, options.output, _summary(judged), as_json(rows) if options.json else None)
    return 1 if any(row.missed for row in rows) else 0


def _tasks(options: argparse.Namespace, resources: ExitStack) -> list[Task]:
    found = gather(options.corpora, options.data, options.linux_source, options.jobs, resources)
    tasks: dict[str, Task] = {}
    for group, files in found.groups.items():
        for path in files:
            try:
                present = programs_of(str(path))
            except EquivError:
                continue
            for name, interface in present.items():
                title = f"{group}/{path.name}:{name}"
                tasks[title] = Task(
                    *(title, str(path), name, interface, options.mutants, options.runs, options.seconds),
                    *(options.timeout, options.seed),
                )
    wanted: dict[str, Task] = {}
    for pattern in options.only or CHOSEN:
        matching = [title for title in tasks if fnmatch.fnmatchcase(title, pattern)]
        for title in matching if options.only else matching[:1]:
            wanted.setdefault(title, tasks[title])
    if not wanted:
        raise InputError("no such program", hint=f"there is {next(iter(tasks), 'none')}")
    return list(wanted.values())


def _summary(judged: Sequence[Judged]) -> list[str]:
    rows = [row for each in judged for row in each.rows]
    different = [row for row in rows if row.verdict == "different"]
    same = [row for row in rows if row.verdict == "equivalent"]
    rest = Counter(row.verdict for row in rows if row.verdict not in ("different", "equivalent"))
    missed = [row for row in rows if row.missed]
    at_once = sum("kernel" in row.confirmed_by for row in different)
    later = sum(row.confirmed for row in different) - at_once
    refused = sum(count for each in judged for _, count in each.refused)
    lines = [
        f"- {len(rows)} mutants of {len(judged)} programs that the kernel takes ({refused} more it refuses)",
        f"- **{len(missed)} called equivalent that the kernel tells apart**",
        f"- {len(different)} different: {at_once} confirmed by the kernel on the check's own packet, {later} on a "
        f"generated one, {len(different) - at_once - later} by the interpreters only",
        f"- {len(same)} equivalent: no difference in {sum(row.kernel_runs for row in same):,} runs in the kernel, "
        f"{min((row.kernel_runs for row in same), default=0):,} or more of each",
    ]
    for verdict, number in sorted(rest.items()):
        lines.append(f"- {number} {verdict}")
        why = Counter(NUMBERS.sub("…", row.reason) for row in rows if row.verdict == verdict)
        lines += [f"  - {many}: {shorten(reason, LONGEST_REASON)}" for reason, many in why.most_common()]
    lines += [f"  - missed: `{clean(row.id)}` {clean(row.mutant)}: packet {row.packet}" for row in missed]
    return lines


def _report(judged: Sequence[Judged], command: str) -> list[str]:
    lines = ["# Programs with one instruction changed", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment().items()]
    lines += ["", "## Summary", "", *_summary(judged)]
    lines += [
        "",
        "*kernel runs*: generated inputs that original and mutant both ran in the kernel, until they differed. Maps of",
        "more than 64 values go on from run to run, on both sides, and begin anew with every batch of 8192.",
    ]
    rows = [row for each in judged for row in each.rows]
    verdicts = ("different", "equivalent", "unknown", "error")
    lines += ["", "## By kind of change", ""]
    lines += table(
        ("kind", *verdicts, "refused"),
        (
            (
                kind,
                *(str(sum(row.kind == kind and row.verdict == verdict for row in rows)) for verdict in verdicts),
                str(sum(dict(each.refused).get(kind, 0) for each in judged)),
            )
            for kind in KINDS
        ),
    )
    odd = [row for row in rows if row.verdict not in ("different", "equivalent")]
    odd += [row for row in rows if row.verdict == "different" and not row.confirmed]
    if odd:
        lines += ["", "## Not decided, or not shown by the kernel", ""]
        lines += table(
            ("mutant", "change", "verdict", "kernel", "why"),
            (
                (
                    *(row.id, row.mutant, row.verdict),
                    "differs in " + ", ".join(row.kernel_differs) if row.kernel_differs else f"{row.kernel_runs} runs",
                    shorten(row.reason, LONGEST_REASON) + (f" ({row.place})" if row.reason and row.place else ""),
                )
                for row in odd
            ),
        )
    for each in judged:
        lines += ["", f"## {each.id}", ""]
        titles = ("change", "kind", "verdict", "confirmed by", "kernel runs", "seconds", "MB")
        lines += table(titles, map(_cells, each.rows))
    return lines


def _cells(row: MutantRow) -> tuple[str, ...]:
    by = [*row.confirmed_by, *(["kernel (generated packet)"] if row.kernel_differs else [])]
    numbers = (str(row.kernel_runs or ""), f"{row.seconds:.1f}", f"{row.peak_rss_bytes / 1e6:.0f}")
    return (row.mutant, row.kind, row.verdict, ", ".join(by), *numbers)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench mutants",
        description="Change one instruction of real programs, check each mutant, and run it in the kernel.",
        epilog="exit status: 0 the kernel bears out every `equivalent`    1 it does not    2 wrong usage, or no kernel",
        allow_abbrev=False,
    )
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of the corpora (default: corpora)")
    parser.add_argument(
        *("--data", "--objects"),
        action="extend",
        nargs="+",
        default=[],
        metavar="[NAME=]DIR",
        help="more object files, e.g. xdp-tools'",
    )
    parser.add_argument("--linux-source", metavar="DIR", help="a Linux tree whose samples and selftests are built")
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="a program's id, * allowed")
    parser.add_argument("--programs", type=count, default=10, metavar="N", help="programs in all (default: 10)")
    parser.add_argument("--mutants", type=count, default=24, metavar="N", help="mutants of each (default: 24)")
    parser.add_argument(
        "--runs",
        type=count,
        default=100_000,
        metavar="N",
        help="kernel runs for each (default: 100000)",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=600.0,
        metavar="S",
        help="of the processor's time for these runs, each program (default: 600)",
    )
    parser.add_argument(
        "--timeout", type=float, default=60.0, metavar="SECONDS", help="time limit of each check (default: 60)"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="programs at a time (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
