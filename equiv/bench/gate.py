"""`equiv bench gate`: one manifest, gated cold and warm, with one worker and two, and on a cluster that loses one.

Each run is the command as a user gives it, in a process of its own. All must find the same.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equiv.bench.delivery import add_output, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.markdown import cell, table
from equiv.bench.measure import run_measured
from equiv.errors import InputError
from equiv.gate.manifest import NAME, read_manifest
from equiv.gate.select import named
from equiv.report.style import clean, is_terminal

REPORT = "reports/gate.md"
MOST_SECONDS = 4 * 3600.0
WARM_SECONDS = 2.0
"""What a run may take in which nothing has changed."""
ANSWERED = (0, 1, 2, 3, 4, 5)
LISTED = 20
TAKEN = {"statistics", "certificate", "unknown", "fuzzed"}
"""What a result says of the work that it took; certificates are compared by themselves."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: `pairs` as `equiv gate --json` prints them, by name."""

    name: str
    seconds: float
    status: int
    pairs: dict[str, dict[str, Any]]
    remark: str = ""

    @property
    def known(self) -> int:
        return sum(pair["source"] == "cache" for pair in self.pairs.values())


def main(arguments: list[str]) -> int:
    """Run the gate in all ways. Returns 0 if all find the same and pass, else 1. Raises InputError."""
    options = _parser().parse_args(arguments)
    command = shlex.join(["equiv", "bench", "gate", *arguments])
    require_output(options)
    manifest = read_manifest(options.manifest)
    total = len(named(manifest.pairs, options.only))
    with tempfile.TemporaryDirectory() as folder:
        runs = list(_runs(options, total, Path(folder)))
    report = "\n".join(_report(runs, command, options.manifest)) + "\n"
    deliver(report, options.output, _summary(runs))
    return 0 if not _differing(runs) and {run.status for run in runs} == {0} else 1


def _runs(options: argparse.Namespace, total: int, folder: Path) -> Iterator[Run]:
    for jobs in (1, 2):
        cache = folder / f"cache-{jobs}"
        workers = f"{jobs} worker{'s' if jobs > 1 else ''}"
        yield _gate(options, f"cold, {workers}", cache, f"--jobs={jobs}")
        yield _gate(options, f"warm, {workers}", cache, f"--jobs={jobs}")
    cache = folder / "cache-cluster"
    with _cluster() as (address, pids), _killing(pids, cache, total // 2) as killed:
        run = _gate(options, "cold, cluster of 2 workers", cache, f"--scheduler={address}")
        remark = f"a worker killed after {killed[0]} of {total} pairs" if killed else "no worker was killed"
        yield Run(run.name, run.seconds, run.status, run.pairs, remark)
    yield _gate(options, "warm, after the cluster", cache)


def _gate(options: argparse.Namespace, name: str, cache: Path, *arguments: str) -> Run:
    if is_terminal(sys.stderr):
        print(f"{name} …", file=sys.stderr)
    command = [sys.executable, "-m", "equiv", "gate", options.manifest, "--json", f"--cache={cache}", *arguments]
    command += ["--no-kernel"] if options.no_kernel else []
    command += [f"--only={each}" for each in options.only]
    ended = run_measured(command, MOST_SECONDS)
    if ended.status not in ANSWERED or not ended.out:
        raise InputError(f"{name}: the gate did not run: {clean(ended.err.decode('utf-8', 'replace'))[:500]}")
    found = json.loads(ended.out)
    return Run(name, ended.seconds, ended.status, {pair["id"]: pair for pair in found["pairs"]})


# --- a cluster that loses a worker ---------------------------------------------------------------------------------


@contextmanager
def _cluster() -> Iterator[tuple[str, list[int]]]:
    """A scheduler and two workers, each of one thread and in a process of its own; the address and the workers' ids."""
    try:
        from distributed import Client, LocalCluster
    except ImportError as error:
        raise InputError("a cluster needs Dask", hint="pip install 'equiv[cluster]'") from error
    made = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50)
    with made as cluster:
        with Client(cluster.scheduler_address, set_as_default=False) as client:
            pids = list(client.run(os.getpid).values())
        yield cluster.scheduler_address, pids


@contextmanager
def _killing(pids: Sequence[int], cache: Path, after: int) -> Iterator[list[int]]:
    """Kills the first process once `after` answers lie in the cache; the list then holds how many there were."""
    killed: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            count = sum(1 for _ in cache.glob("*/*.json"))
            if count >= after:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(count)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


# --- the report ----------------------------------------------------------------------------------------------------


def _said(pair: dict[str, Any]) -> str:
    """All that a run says of a pair but what it took, and whether it was known."""
    result = pair["result"] or {}
    kept = {key: value for key, value in result.items() if key not in TAKEN}
    return json.dumps([kept, *(pair[key] for key in ("verdict", "outcome", "status", "why"))], sort_keys=True)


def _differing(runs: Sequence[Run]) -> list[str]:
    """Names of pairs of which not all runs say the same."""
    first = runs[0].pairs
    others = [run.pairs for run in runs[1:]]
    return [
        name
        for name in dict.fromkeys(name for run in runs for name in run.pairs)
        if name not in first or any(name not in other or _said(other[name]) != _said(first[name]) for other in others)
    ]


def _summary(runs: Sequence[Run]) -> list[str]:
    pairs = runs[0].pairs
    differing = _differing(runs)
    counts = Counter(pair["outcome"] for pair in pairs.values())
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    same = "**all runs found the same**" if not differing else f"**runs differ in {len(differing)} pairs**"
    lines = [
        f"- {len(pairs)} pairs ({outcomes}); {same}: verdict, reason, assumptions, packet, what both sides show for it "
        "and the path to there",
        *(f"  - `{clean(name)}`" for name in differing[:LISTED]),
    ]
    proofs = [name for name, pair in pairs.items() if pair["certificate"]]
    equal = [name for name in proofs if len({run.pairs[name]["certificate"] for run in runs if name in run.pairs}) == 1]
    lines.append(f"- certificates: {len(equal)} of {len(proofs)} are byte for byte the same in all runs")
    warm = [run.seconds for run in runs if run.known == len(run.pairs)]
    if warm:
        lines.append(f"- warm runs take at most {max(warm):.2f} s (aim: under {WARM_SECONDS:.0f} s)")
    lines += [f"- {run.name}: {run.remark}" for run in runs if run.remark]
    not_passed = [(name, pair) for name, pair in pairs.items() if pair["status"]]
    lines += [f"- not passed: `{clean(name)}`: {cell(pair['why'])}" for name, pair in not_passed[:LISTED]]
    return lines


def _report(runs: Sequence[Run], command: str, manifest: str) -> list[str]:
    facts = {**environment(), "manifest": manifest}
    lines = ["# The gate over the corpora", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += ["", "## Summary", "", *_summary(runs), "", "## Runs", ""]
    rows = [
        (run.name, f"{run.seconds:.2f}", str(len(run.pairs)), str(run.known), str(run.status), run.remark)
        for run in runs
    ]
    titles = ("run", "seconds", "pairs", "known from before", "exit status", "")
    return [*lines, *table(titles, rows), "", "*seconds*: wall time of the whole command."]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="equiv bench gate",
        description="Gate a manifest cold and warm, with one worker and two, and on a cluster that loses one.",
        epilog="exit status: 0 all runs find the same, and pass    1 they do not    2 unusable manifest or usage",
        allow_abbrev=False,
    )
    parser.add_argument("--manifest", default=NAME, metavar="FILE", help=f"default: {NAME}")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a pair or a folder, * allowed; may be repeated"
    )
    add_output(parser, REPORT)
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    return parser
