"""`equiv gate`: check all pairs of a manifest before a change is merged."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from equiv.commands.common import Commands, add_command, add_verbose, count

if TYPE_CHECKING:
    from equiv.gate.model import Manifest, Pair
    from equiv.gate.report.tally import Tally
    from equiv.gate.run import Perform

GATE_STATUSES = """\
exit status of gate, the worst of all pairs in this order:
  5  a defect in equiv, or a process that was killed
  1  different, or not what the manifest expects    4  a pair uses something that is not supported
  2  an unusable input or manifest, an allowance that is not needed    3  unknown
  0  all pairs are as the manifest says"""


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands, "gate", _execute, "Check that all pairs of a manifest get the verdicts that they must.", GATE_STATUSES
    )
    add_verbose(parser, "the pairs that are as expected")
    parser.add_argument("manifest", nargs="?", default="equiv.toml", metavar="FILE", help="default: equiv.toml")
    parser.add_argument("--jobs", type=count, metavar="N", help="pairs at a time (default: as many as processors)")
    parser.add_argument(
        "--scheduler", metavar="ADDRESS", help="check on a Dask cluster (tcp://HOST:8786) in place of this machine"
    )
    parser.add_argument(
        "--no-kernel", action="store_true", help="replay differences on no running kernel, whatever the manifest says"
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a pair or a folder, * allowed; may be repeated"
    )
    parser.add_argument(
        "--changed-since",
        metavar="REV",
        help="only pairs that changes since the last common commit with REV may have touched",
    )
    parser.add_argument("--list", action="store_true", help="print the names of the pairs, and check nothing")
    parser.add_argument("--cache", metavar="DIR", help="what was found before (default: .equiv-cache beside FILE)")
    parser.add_argument("--no-cache", action="store_true", help="neither use nor keep what was found before")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="show by other code what is found or was found before: certificates, packets",
    )
    parser.add_argument("--retry-unknown", action="store_true", help="ask again what was unknown before")
    reports = parser.add_argument_group("reports")
    reports.add_argument("--json", action="store_true", help="print JSON (specs/gate.schema.json)")
    reports.add_argument("--junit", metavar="FILE", help="write JUnit XML")
    reports.add_argument("--sarif", metavar="FILE", help="write SARIF 2.1.0: findings at lines of the sources")
    reports.add_argument(
        "--summary", metavar="FILE", help="write a summary in Markdown (default: add to $GITHUB_STEP_SUMMARY if set)"
    )
    reports.add_argument("--report", metavar="DIR", help="write web pages: all pairs, and each one's result")


def _execute(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from equiv.gate.cache import Cache, secret_of_user
    from equiv.gate.manifest import read_manifest
    from equiv.gate.report.live import LiveTable
    from equiv.gate.report.tally import Tally
    from equiv.gate.report.write import expect_all_writable, write_reports
    from equiv.gate.run import Settings, run_gate
    from equiv.report.style import clean

    begun = time.monotonic()
    manifest = read_manifest(options.manifest)
    pairs = _selected(manifest, options)
    if options.list:
        print("".join(f"{clean(pair.id)}\n" for pair in pairs), end="")
        return 0
    files = options.junit, options.sarif, options.summary, options.report
    expect_all_writable(*files)
    cache = None if options.no_cache else Cache(_cache_folder(manifest, options), secret_of_user())
    if cache is not None:
        cache.make()
    settings = Settings(
        datetime.now(UTC).date(),
        cache,
        options.verify,
        options.retry_unknown,
        options.jobs or len(os.sched_getaffinity(0)),
        _elsewhere(options),
    )
    live = LiveTable(sys.stderr, len(pairs))
    try:
        judged = run_gate(manifest, pairs, settings, live)
    finally:
        live.close()
    tally = Tally(manifest, tuple(judged), time.monotonic() - begun, _prefix(manifest, options))
    sys.stdout.write(_shown(tally, options))
    sys.stdout.flush()
    write_reports(tally, *files)
    return tally.status


def _cache_folder(manifest: Manifest, options: argparse.Namespace) -> str:
    from equiv.errors import InputError, Place
    from equiv.gate.cache import NAME

    if options.cache is not None:
        return str(options.cache)
    folder = os.path.join(manifest.folder, NAME)
    if os.path.islink(folder):  # a change that is proposed may bring it along; writing there is not what is wanted
        raise InputError("the cache is a link to another place", Place(folder), "--cache DIR says so on purpose")
    return folder


def _elsewhere(options: argparse.Namespace) -> Perform | None:
    """What does the work, if not this machine."""
    if options.scheduler is None:
        return None
    from functools import partial

    from equiv.gate.cluster import perform_all

    return partial(perform_all, address=options.scheduler)


def _shown(tally: Tally, options: argparse.Namespace) -> str:
    if options.json:
        from equiv.gate.report.json_gate import render as as_json

        return as_json(tally)
    from equiv.gate.report.terminal import render
    from equiv.report.style import style_for

    return render(tally, style_for(sys.stdout), options.verbose)


def _prefix(manifest: Manifest, options: argparse.Namespace) -> str:
    """Where the gate's folder lies in its repository; only SARIF wants to know."""
    if not options.sarif:
        return ""
    from equiv.gate.git import prefix

    return prefix(manifest.folder)


def _selected(manifest: Manifest, options: argparse.Namespace) -> list[Pair]:
    from dataclasses import replace

    from equiv.gate.select import named

    pairs = named(manifest.pairs, options.only)
    if options.no_kernel:
        pairs = [replace(pair, options=replace(pair.options, kernel=False)) for pair in pairs]
    if options.changed_since is None:
        return pairs
    from equiv.gate.changed import touched
    from equiv.gate.git import changed_since

    return touched(manifest, pairs, changed_since(manifest.folder, options.changed_since))
