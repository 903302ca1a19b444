"""`equiv fuzz`: look for a difference with generated packets, between two sides or between interpreter and kernel."""

from __future__ import annotations

import argparse
import sys

from equiv.commands.common import EXIT_STATUSES, Commands, add_command, add_verbose, count, seconds
from equiv.commands.question import add_question, add_sides, question_of

DEFAULT_FUZZED = 10_000
"""Packets that `fuzz FILE --against kernel` compares unless told otherwise."""
DEFAULT_SECONDS = 30.0
"""Seconds that `fuzz LEFT RIGHT` takes unless told otherwise."""
MOST_DIFFERENCES = 16
"""Inputs that `--all` looks at: each takes some seconds to be made small, and many have one cause."""
ON = ("compiled", "interpreter", "kernel")


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "fuzz",
        _execute,
        "Look for a difference with generated packets.",
        EXIT_STATUSES.replace("check", "fuzz").replace("0  equivalent  ", "0  none found with --against"),
    )
    add_verbose(parser, "all that was not covered or compared, statistics, and paths in full")
    add_sides(parser)
    parser.add_argument(
        "--against",
        choices=("kernel",),
        help="in place of RIGHT: compare the interpreter's runs of LEFT with the running kernel's",
    )
    parser.add_argument("--packets", type=count, metavar="N", help="stop after so many packets")
    parser.add_argument(
        "--seconds", type=seconds, metavar="S", help=f"stop after this time (default: {DEFAULT_SECONDS:.0f})"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="so many processes, each with its own seed")
    parser.add_argument("--corpus", metavar="DIR", help="begin with the inputs kept in this folder, and keep new ones")
    parser.add_argument("--pcap", metavar="FILE", help="begin with the packets of a pcap or pcapng file")
    parser.add_argument("--write-pcap", metavar="FILE", help="write packets that show a difference to a pcapng file")
    for side in ("left", "right"):
        parser.add_argument(
            f"--{side}-on",
            choices=ON,
            default="compiled",
            help=f"who runs {side.upper()} (default: compiled, which leaves odd runs to the interpreter)",
        )
    parser.add_argument("--all", action="store_true", help="look for differences with distinct causes, not just one")
    add_question(parser, against=False)
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")
    parser.add_argument("--json", action="store_true", help="print JSON")


def _execute(options: argparse.Namespace) -> int:
    if (options.right is None) is not bool(options.against):
        options.refuse("give a RIGHT side, or --against kernel in its place")
    return _against_kernel(options) if options.against else _pair(options)


def _pair(options: argparse.Namespace) -> int:
    from equiv.api import question_for
    from equiv.fuzz.corpus import read_corpus
    from equiv.fuzz.hunt import Limits
    from equiv.hunting import Campaign, fuzz, inputs_of
    from equiv.question import pose
    from equiv.report.files import expect_writable
    from equiv.report.fuzz import write_text
    from equiv.report.pcapng import read_packets, write_counterexamples
    from equiv.report.progress import FuzzLine

    if options.write_pcap:
        expect_writable(options.write_pcap, (options.left, options.right))
    posed = pose(options.left, options.right, question_for(**question_of(options)))
    corpus = read_corpus(options.corpus) if options.corpus else None
    if corpus is not None:
        corpus.write = write_text
    limit = options.seconds if options.seconds is not None or options.packets else DEFAULT_SECONDS
    campaign = Campaign(
        Limits(options.packets, limit, MOST_DIFFERENCES if options.all else 1),
        options.seed,
        options.jobs,
        inputs_of(read_packets(options.pcap), posed) if options.pcap else (),
        options.left_on,
        options.right_on,
    )
    line = FuzzLine(sys.stderr)
    try:
        kernel = False if options.no_kernel else None
        result = fuzz(posed, campaign, kernel=kernel, corpus=corpus, progress=line)
    finally:
        line.clear()
    if options.json:
        from equiv.report.json_result import render_json

        sys.stdout.write(render_json(result))
    else:
        from equiv.report.style import style_for
        from equiv.report.terminal import render_result

        sys.stdout.write(render_result(result, style_for(sys.stdout), options.verbose))
    sys.stdout.flush()
    if options.write_pcap:
        write_counterexamples(result, options.write_pcap)
        if not result.counterexamples:
            print(f"{options.write_pcap} not written: there is no packet to show", file=sys.stderr)
    return result.exit_status


def _against_kernel(options: argparse.Namespace) -> int:
    from equiv.fuzz.campaign import Limits
    from equiv.report.fuzz import fuzz

    packets = options.packets
    if packets is None:
        packets = DEFAULT_FUZZED if options.seconds is None else sys.maxsize // 4
    return fuzz(
        options.left,
        limits=Limits(packets, options.seconds),
        seed=options.seed,
        capture=options.pcap,
        interface=options.interface,
        tail_calls=tuple(options.tail_call),
        snapshots=tuple(each for read in options.map_snapshot for each in read),
        btf=options.btf,
        as_json=options.json,
    )
