"""`equiv check`: prove or refute that two programs do the same."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from equiv.commands.common import (
    EXIT_STATUSES,
    Commands,
    add_command,
    add_interface,
    add_snapshots,
    add_tail_calls,
    add_types,
    count,
    seconds,
)

if TYPE_CHECKING:
    from equiv.asked import Output
    from equiv.p4.parser import ParserOptions
    from equiv.p4.value_sets import Contents
    from equiv.result import Result

DEFAULT_TIMEOUT = 60.0
"""Seconds that `check` takes at most unless told otherwise: most pairs need one, and a command should come back."""


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "check", _execute, "Prove or refute that two programs do the same.", EXIT_STATUSES)
    parser.set_defaults(refuse=parser.error)
    for side in ("left", "right"):
        parser.add_argument(
            side,
            metavar=side.upper(),
            nargs=None if side == "left" else "?",
            help="an object file (.bpf.o, with :PROGRAM where it holds several), a device table (.dev) or a P4 parser",
        )
    add_interface(parser)
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
    parser.add_argument(
        "--right-linear",
        action="store_true",
        help="give the right side every skb in one linear piece; a program against itself then shows whether what it "
        "does depends on how skbs are split",
    )
    parser.add_argument(
        "--observe-map",
        action="append",
        default=[],
        metavar="NAME",
        help="compare what this array map holds at the end",
    )
    add_tail_calls(parser)
    add_snapshots(parser)
    add_types(parser)
    parser.add_argument(
        "--observe",
        choices=("all", "accept"),
        help="what is compared of two parsers: all that a later control could read (default), or acceptance only",
    )
    parser.add_argument(
        "--exact-end", action="store_true", help="a parser's accept counts at the packet's very end only"
    )
    parser.add_argument(
        "--relation",
        metavar="CONDITION",
        help="what is asked of the two sides in place of equality; or INDEX.json#ID, what an index of automata asks",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="CONDITION",
        help="in place of RIGHT: what must hold of LEFT for every packet; may be repeated",
    )
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="CONDITION",
        help="look only at packets for which this holds; may be repeated (specs/conditions.md)",
    )
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="compare this output of a program or table with what the P4 parser has; may be repeated",
    )
    parser.add_argument("--outputs", metavar="FILE", help="a file of such lines")
    parser.add_argument(
        "--value-set",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="what a value set of P4 parsers holds, an entry a line; may be repeated (default: anything)",
    )
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")


def _execute(options: argparse.Namespace) -> int:
    from equiv import api
    from equiv.report.files import expect_folder, expect_writable
    from equiv.report.progress import ProgressLine

    if (options.right is None) is not bool(options.against):
        options.refuse("give a RIGHT side, or --against CONDITION in its place")
    for path in filter(None, (options.pcap, options.certificate)):
        expect_writable(path)
    if options.report:
        expect_folder(options.report)
    progress = ProgressLine(sys.stderr)
    try:
        result = api.check(
            options.left,
            options.right,
            interface=options.interface,
            timeout=options.timeout or None,
            all_differences=options.all,
            solver=options.solver,
            seed=options.seed,
            jobs=options.jobs,
            observe_maps=tuple(options.observe_map),
            tail_calls=tuple(options.tail_call),
            snapshots=tuple(each for read in options.map_snapshot for each in read),
            btf=options.btf,
            kernel=False if options.no_kernel else None,
            parsers=_parser_options(options),
            relation=options.relation,
            assume=tuple(options.assume),
            against=tuple(options.against),
            outputs=_outputs(options),
            value_sets=_value_sets(options),
            right_linear=options.right_linear,
            certificate=options.certificate is not None,
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


def _parser_options(options: argparse.Namespace) -> ParserOptions | None:
    if options.observe is None and not options.exact_end:
        return None
    from equiv.p4.parser import ParserOptions

    return ParserOptions(options.observe, options.exact_end or None)


def _value_sets(options: argparse.Namespace) -> tuple[Contents, ...]:
    if not options.value_set:
        return ()
    from equiv.p4.value_sets import read_contents

    said = [text.partition("=") for text in options.value_set]
    if not all(name and path for name, _, path in said):
        options.refuse("--value-set takes NAME=FILE")
    return tuple(read_contents(name, path) for name, _, path in said)


def _outputs(options: argparse.Namespace) -> tuple[Output, ...]:
    if not options.output and options.outputs is None:
        return ()
    from equiv.asked import Output, read_outputs

    return (*(read_outputs(options.outputs) if options.outputs is not None else ()), *map(Output, options.output))
