"""The arguments of `equiv bench programs`, and what is written where."""

from __future__ import annotations

import argparse
import fnmatch
import shlex
import tempfile
from contextlib import ExitStack
from pathlib import Path

from equiv.bench.delivery import add_output, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.kernel.objects import gather
from equiv.bench.manifest import Pair
from equiv.bench.markdown import heading
from equiv.bench.measure import ERROR, Limits, Row, measure_all, rows_as_json
from equiv.bench.options import count, positive
from equiv.bench.programs.builds import built_twice, sources_in
from equiv.bench.programs.pairs import Unusable, pairs_with_itself
from equiv.bench.programs.report import report, summary
from equiv.bench.programs.taken import Loader
from equiv.bench.progress import tell

REPORT = "reports/programs.md"
TITLE = "Real programs against themselves"


def main(arguments: list[str]) -> int:
    """Check all programs. Returns 0 if none is `different` or an error, else 1."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "programs", *arguments])
    require_output(options)
    with ExitStack() as resources:
        pairs, unusable, notes = _pairs(options, resources)
        refused = _refused(pairs, notes)
        limits = Limits(options.timeout, kernel=False, certificates=options.certificates)
        rows = measure_all(pairs, limits, options.jobs, _Progress(len(pairs)))
    rows += [_unusable(each) for each in unusable]
    text = report(rows, heading(TITLE, environment(), command, options.jobs), notes, refused)
    deliver(text, options.output, summary(rows, refused), rows_as_json(rows) if options.json else None)
    return 1 if any(row.verdict in ("different", ERROR) and row.id not in refused for row in rows) else 0


def _refused(pairs: list[Pair], notes: list[str]) -> dict[str, str]:
    """Programs that the running kernel does not take, and why, by the id of their pair."""
    loader = Loader()
    if loader.why_not:
        notes.append(f"whether the kernel takes the programs was not asked: {loader.why_not}")
        return {}
    found: dict[str, str] = {}
    for pair in pairs:
        if pair.left == pair.right:
            file, _, program = pair.left.rpartition(":")
            if reason := loader.refusal(file, program):
                found[pair.id] = reason
    return found


def _pairs(options: argparse.Namespace, resources: ExitStack) -> tuple[list[Pair], list[Unusable], list[str]]:
    pairs: list[Pair] = []
    unusable: list[Unusable] = []
    found = gather(options.corpora, options.data, options.linux_source, options.jobs, resources)
    notes = found.notes
    for group, files in found.groups.items():
        for item in pairs_with_itself(group, files):
            if isinstance(item, Pair):
                pairs.append(item)
            else:
                unusable.append(item)
    if options.builds:
        into = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        folders = [options.corpora, *options.sources]
        builds = built_twice([path for folder in folders for path in sources_in(folder)], into, options.jobs)
        pairs += builds.pairs
        unusable += builds.unusable
        notes.append(
            f"of the builds, {builds.alike} have the instructions of one that is here, {builds.not_built} do not build"
            + (f"; not installed: {', '.join(builds.missing)}" if builds.missing else "")
        )
    if options.only:
        pairs = [pair for pair in pairs if any(fnmatch.fnmatchcase(pair.id, text) for text in options.only)]
        unusable = [each for each in unusable if any(fnmatch.fnmatchcase(each.id, text) for text in options.only)]
    return pairs, unusable, notes


def _unusable(each: Unusable) -> Row:
    return Row(
        id=each.id,
        corpus=each.id.partition("/")[0],
        left=each.id,
        right=each.id,
        expected="equivalent",
        verdict=ERROR,
        reason=each.reason,
        bug="",
        joint_states=0,
        explorations=0,
        solver_queries=0,
        seconds=0.0,
        engine_seconds=0.0,
        solver_seconds=0.0,
        peak_rss_bytes=0,
    )


class _Progress:
    """Counts pairs on a terminal; says nothing elsewhere."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0

    def __call__(self, row: Row) -> None:
        self._done += 1
        tell(f"{self._done} of {self._total} done, last {row.id} in {row.seconds:.1f} s", self._done == self._total)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench programs",
        description="Check real programs against themselves, and builds of one source against each other.",
        epilog="exit status: 0 no pair is different    1 one is, or cannot be checked    2 wrong usage",
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
    parser.add_argument("--builds", action="store_true", help="build the corpora's sources in several ways, too")
    parser.add_argument(
        "--sources", action="append", default=[], metavar="DIR", help="more *.bpf.c that are built in several ways"
    )
    parser.add_argument(
        "--certificates", action="store_true", help="check the certificate of each that is equivalent, too"
    )
    parser.add_argument("--only", action="append", default=[], metavar="ID", help="a pair's id, * allowed")
    parser.add_argument(
        "--timeout", type=positive, default=60.0, metavar="SECONDS", help="time limit of each check (default: 60)"
    )
    parser.add_argument("--jobs", type=count, default=1, metavar="N", help="checks at a time (default: 1)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
