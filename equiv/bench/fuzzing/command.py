"""The arguments of `equiv bench fuzz`, and what is done with them."""

from __future__ import annotations

import argparse
import multiprocessing
import shlex
import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial

from equiv.bench.delivery import add_output, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.fuzzing.measure import Asked, Row, measure
from equiv.bench.fuzzing.report import is_good, report, summary
from equiv.bench.fuzzing.state import add_row, read_rows
from equiv.bench.manifest import Pair, load_corpora, select
from equiv.bench.options import count, positive
from equiv.bench.progress import tell

REPORT = "reports/fuzz.md"


def main(arguments: list[str]) -> int:
    """Measure. Returns 0 if all could be measured and nine of ten broken twins were found, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "fuzz", *arguments])
    require_output(options)
    baseline = options.baseline_seconds if options.baseline_seconds is not None else options.seconds
    asked = Asked(
        options.seconds, baseline, options.seeds, options.rate_seconds, not options.no_kernel, options.engine_seconds
    )
    chosen = pairs(options.corpora, options.only)
    before = read_rows(options.state, asked, [pair.id for pair in chosen]) if options.state else {}
    found = dict(before)
    until = None if options.total_seconds is None else time.monotonic() + options.total_seconds
    for row in measured([pair for pair in chosen if pair.id not in before], asked, options.jobs, until):
        found[row.id] = row
        if options.state:
            add_row(options.state, asked, row)
    rows = [found[pair.id] for pair in chosen if pair.id in found]
    lines = report(rows, asked, command, environment(), len(chosen))
    deliver("\n".join(lines) + "\n", options.output, summary(rows, asked, len(chosen)))
    return 0 if is_good(rows) and len(rows) == len(chosen) else 1


def pairs(corpora: str, only: Sequence[str]) -> list[Pair]:
    """The manifests' pairs of two different files."""
    return select([p for corpus in load_corpora(corpora) for p in corpus.pairs if not p.with_itself], only)


def measured(chosen: Sequence[Pair], asked: Asked, jobs: int, until: float | None = None) -> Iterator[Row]:
    """Every pair, each in a process of its own, in their order; as many as there are by `until`, or Ctrl-C."""
    context = multiprocessing.get_context("fork")
    with context.Pool(jobs, _left_to_the_parent, maxtasksperchild=1) as pool:
        coming = pool.imap(partial(measure, asked=asked), chosen, chunksize=1)
        for number in range(1, len(chosen) + 1):
            try:
                row = coming.next(None if until is None else max(0.0, until - time.monotonic()))
            except (KeyboardInterrupt, multiprocessing.TimeoutError):
                break
            yield row
            tell(f"{number} of {len(chosen)}: {row.id}")
    tell("", is_over=True)


def _left_to_the_parent() -> None:
    """Ctrl-C ends the whole measuring, which then reports what there is."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench fuzz",
        description="Measure campaigns on the corpora: packets a second, coverage, how long each broken twin's bug "
        "takes to find, beside random bytes and scapy's fuzz().",
    )
    parser.add_argument("only", nargs="*", metavar="NAME", help="corpora or pairs (with * and ?; default: all)")
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="where they are (default: corpora)")
    parser.add_argument(
        "--seconds", type=positive, default=60.0, metavar="S", help="give up looking for a bug after this time (60)"
    )
    parser.add_argument(
        "--baseline-seconds",
        type=positive,
        metavar="S",
        help="the same for random bytes and scapy (default: --seconds)",
    )
    parser.add_argument("--seeds", type=count, default=5, metavar="N", help="how often each bug is looked for (5)")
    parser.add_argument(
        "--rate-seconds", type=positive, default=5.0, metavar="S", help="how long rates and coverage are measured (5)"
    )
    parser.add_argument(
        "--engine-seconds",
        type=positive,
        default=30.0,
        metavar="S",
        help="how long the engine is asked about what was not reached of one side (30)",
    )
    parser.add_argument("--state", metavar="FILE", help="keep rows here as they come; what is there is not done again")
    parser.add_argument(
        "--total-seconds",
        type=positive,
        metavar="S",
        help="stop after this time and report what there is; with --state another run goes on",
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="pairs at a time; they slow each other down")
    parser.add_argument("--no-kernel", action="store_true", help="leave out rates with the kernel")
    add_output(parser, REPORT)
    return parser
