"""`equiv check`: prove or refute that two programs do the same."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from equiv.commands.common import EXIT_STATUSES, Commands, add_command, add_verbose, count, seconds
from equiv.commands.question import add_question, add_sides, question_of

if TYPE_CHECKING:
    from equiv.result import Result

DEFAULT_TIMEOUT = 60.0
"""Seconds that `check` takes at most unless told otherwise: most pairs need one, and a command should come back."""

FUZZ_SECONDS = 5.0
"""Seconds that a check without an answer spends on generated packets."""


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "check", _execute, "Prove or refute that two programs do the same.", EXIT_STATUSES)
    add_verbose(parser, "statistics, and paths in full")
    add_sides(parser)
    parser.add_argument("--json", action="store_true", help="print JSON (specs/result.schema.json)")
    parser.add_argument("--explain", action="store_true", help="say each difference in one sentence, too")
    parser.add_argument("--pcap", metavar="FILE", help="write packets that show a difference to a pcapng file")
    parser.add_argument(
        "--certificate", metavar="FILE", help="write why they are equivalent, for equiv verify to check"
    )
    parser.add_argument("--report", metavar="DIR", help="write a web page that shows the result: DIR/index.html")
    parser.add_argument("--all", action="store_true", help="look for differences with distinct causes, not just one")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help=f"give up with `unknown` after this time (default: {DEFAULT_TIMEOUT:.0f}; 0: never)",
    )
    parser.add_argument("--solver", choices=("z3", "bitwuzla"), default="z3", help="SMT solver (default: z3)")
    parser.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="try N ways at once, each in a process of its own"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    add_question(parser)
    parser.add_argument(
        "--no-fuzz",
        action="store_true",
        help="where a proof takes long, or there is none, do not look for a difference by fuzzing",
    )
    parser.add_argument(
        "--one-process",
        action="store_true",
        help="while a proof takes long, do not look for a difference in a second process",
    )
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")


def _execute(options: argparse.Namespace) -> int:
    from equiv import api
    from equiv.report.files import expect_folder, expect_writable
    from equiv.report.progress import ProgressLine

    if (options.right is None) is not bool(options.against):
        options.refuse("give a RIGHT side, or --against CONDITION in its place")
    for path in filter(None, (options.pcap, options.certificate)):
        expect_writable(path, (options.left, options.right))
    if options.report:
        expect_folder(options.report)
    progress = ProgressLine(sys.stderr)
    try:
        result = api.check(
            options.left,
            options.right,
            **question_of(options),
            timeout=options.timeout or None,
            all_differences=options.all,
            solver=options.solver,
            seed=options.seed,
            jobs=options.jobs,
            kernel=False if options.no_kernel else None,
            certificate=options.certificate is not None,
            fuzz_seconds=0.0 if options.no_fuzz else FUZZ_SECONDS,
            two_processes=not options.one_process and len(os.sched_getaffinity(0)) > 1,
            progress=progress,
        )
    finally:
        progress.clear()
    if options.certificate and result.certified:
        result = replace(result, certified=replace(result.certified, file=options.certificate))
    if options.json:
        from equiv.report.json_result import render_json

        sys.stdout.write(render_json(result))
    else:
        from equiv.report.style import style_for
        from equiv.report.terminal import render_result

        sys.stdout.write(render_result(result, style_for(sys.stdout), options.verbose, options.explain))
    sys.stdout.flush()
    if options.pcap:
        from equiv.report.pcapng import write_counterexamples

        write_counterexamples(result, options.pcap)
        if not result.counterexamples:
            print(f"{options.pcap} not written: there is no packet to show", file=sys.stderr)
    if options.certificate:
        _write_certificate(result, options.certificate)
    if options.report:
        from equiv.report.html import write_report

        write_report(result, options.report)
    return result.exit_status


def _write_certificate(result: Result, path: str) -> None:
    if result.certificate is None:
        print(f"{path} not written: only what is equivalent has a certificate", file=sys.stderr)
        return
    from equiv.report.files import replacing

    with replacing(path) as temporary:
        Path(temporary).write_bytes(result.certificate)
