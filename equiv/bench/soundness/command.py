"""The arguments of `equiv bench soundness`, and what is done with them."""

from __future__ import annotations

import argparse
import multiprocessing
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess

from equiv.bench.delivery import add_output, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.kept import add_line, kept_rows
from equiv.bench.manifest import Pair, load_corpora, select
from equiv.bench.options import count, positive
from equiv.bench.progress import tell
from equiv.bench.soundness.report import report, summary
from equiv.bench.soundness.rows import Asked, Group, Row, groups
from equiv.bench.soundness.workers import ROW_BEGINS, judge_group, read_row, write_row
from equiv.report.style import clean

REPORT = "reports/soundness.md"


def main(arguments: list[str]) -> int:
    """Judge the mutants. Returns 0 if nothing contradicts anything, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "soundness", *arguments])
    require_output(options)
    asked = Asked(options.seed, options.timeout, options.packets, options.runs, not options.no_kernel, options.native)
    pairs = equivalent_pairs(options.corpora, options.only)
    dealt = groups(pairs, options.count)
    rows = {row.number: row for row in read_state(options.state, dealt)} if options.state else {}
    rest = {group: frozenset(number for number in group.numbers if number not in rows) for group in dealt}
    for row in judge_all({group: numbers for group, numbers in rest.items() if numbers}, asked, options):
        rows[row.number] = row
    found = [rows[number] for number in sorted(rows)]
    lines = report(found, options.count, command, environment())
    lines_of_rows = "".join(write_row(row) + "\n" for row in found) if options.json else None
    deliver("\n".join(lines) + "\n", options.output, summary(found, options.count), lines_of_rows)
    return 1 if any(row.problem for row in found) else 0


def equivalent_pairs(corpora: str, only: Sequence[str]) -> list[Pair]:
    """The pairs of different files that are equivalent without further options, among those that `only` names."""
    every = [pair for corpus in load_corpora(corpora) for pair in corpus.pairs]
    plain = [pair for pair in every if pair.expected == "equivalent" and not pair.with_itself and not pair.others]
    return select(plain, only)


def judge_all(todo: Mapping[Group, frozenset[int]], asked: Asked, options: argparse.Namespace) -> list[Row]:
    """The rows of these numbers of the groups, `--jobs` processes at a time; each is added to the file `--state`."""
    rows: list[Row] = []
    judge = partial(_judge, asked=asked, state=options.state)
    # A group's own processes are forked from one that has set it up, so it cannot be a daemon of a Pool.
    context = multiprocessing.get_context("fork")
    # Both sides of a pair one after the other, so that a run that is cut short has some of each.
    waiting = sorted(todo.items(), key=lambda item: item[0].pair.id)
    running: list[tuple[ForkProcess, Connection]] = []
    until = None if options.seconds is None else time.monotonic() + options.seconds
    while waiting or running:
        if until is not None and time.monotonic() >= until:
            for process, _ in running:
                process.terminate()
            return rows
        while waiting and len(running) < options.jobs:
            reads, writes = context.Pipe(duplex=False)
            process = context.Process(target=judge, args=(*waiting.pop(0), writes))
            process.start()
            writes.close()
            running.append((process, reads))
        for process, reads in running[:]:
            while reads.poll(0.05):
                try:
                    rows.append(row := read_row(reads.recv()))
                except EOFError:
                    process.join()
                    running.remove((process, reads))
                    break
                _tell(row, len(rows))
    return rows


def _judge(group: Group, wanted: frozenset[int], pipe: object, asked: Asked, state: str | None) -> None:
    """In a process of its own."""

    def done(row: Row) -> None:
        line = write_row(row)
        if state is not None:
            add_line(state, line)
        pipe.send(line)  # type: ignore[attr-defined]

    judge_group(group, asked, wanted, done)


def read_state(path: str, dealt: Sequence[Group]) -> list[Row]:
    """Rows of an earlier run that was cut short, as far as they are of what is asked now.

    Raises InputError for a file that is something else.
    """
    wanted = {(number, group.pair.id, group.side) for group in dealt for number in group.numbers}
    rows = kept_rows(path, "equiv bench soundness", ROW_BEGINS, read_row)
    return [row for row in rows if (row.number, row.pair, row.side) in wanted]


def _tell(row: Row, done: int) -> None:
    """Contradictions at once, on stderr; on a terminal also how far it is."""
    if row.problem:
        print(f"\n{clean(row.pair)} {row.side} #{row.number}: {clean(row.what)}: {clean(row.problem)}", file=sys.stderr)
    tell(f"{done} done, last of {row.pair} in {row.seconds:.1f} s: {row.verdict}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench soundness",
        description="Judge mutants of all corpora, on both sides, by prover, interpreters and kernel, and compare.",
        epilog="exit status: 0 nothing contradicts anything    1 something does    2 unusable manifest or usage",
        allow_abbrev=False,
    )
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of the corpora (default: corpora)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a corpus or a pair, * allowed")
    parser.add_argument("--count", type=count, default=5000, metavar="N", help="mutants in all (default: 5000)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="pairs at a time (default: 1)")
    parser.add_argument(
        "--timeout",
        type=positive,
        default=10.0,
        metavar="SECONDS",
        help="processor time of a proof (default: 10)",
    )
    parser.add_argument(
        "--packets", type=count, default=200, metavar="N", help="for a mutant that is not told apart (default: 200)"
    )
    parser.add_argument("--native", type=count, default=100_000, metavar="N", help="then, compiled (default: 100000)")
    parser.add_argument("--runs", type=count, default=60, metavar="N", help="in the kernel, of each (default: 60)")
    parser.add_argument("--no-kernel", action="store_true", help="do not ask the running kernel")
    parser.add_argument("--state", metavar="FILE", help="keep rows here as they come; what is there is not done again")
    parser.add_argument(
        "--seconds", type=positive, metavar="S", help="stop after this time; with --state another run goes on"
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, one a line")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
