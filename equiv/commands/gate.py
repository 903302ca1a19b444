"""`equiv gate`: check all pairs of a manifest before a change is merged."""

from __future__ import annotations

import argparse
import os
import sys
import time
from typing import TYPE_CHECKING

from equiv.commands.common import Commands, add_command, count

if TYPE_CHECKING:
    from equiv.gate.model import Manifest, Pair

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
    parser.add_argument("manifest", nargs="?", default="equiv.toml", metavar="FILE", help="default: equiv.toml")
    parser.add_argument("--jobs", type=count, metavar="N", help="pairs at a time (default: as many as processors)")
    parser.add_argument(
        "--only", action="append", default=[], metavar="NAME", help="a pair or a folder, * allowed; may be repeated"
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


def _execute(options: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    from equiv.gate.cache import NAME, Cache
    from equiv.gate.manifest import read_manifest
    from equiv.gate.report.live import LiveTable
    from equiv.gate.report.tally import Tally
    from equiv.gate.report.terminal import render
    from equiv.gate.run import Settings, run_gate
    from equiv.report.style import clean, style_for

    begun = time.monotonic()
    manifest = read_manifest(options.manifest)
    pairs = _selected(manifest, options)
    if options.list:
        print("".join(f"{clean(pair.id)}\n" for pair in pairs), end="")
        return 0
    cache = None if options.no_cache else Cache(options.cache or os.path.join(manifest.folder, NAME))
    settings = Settings(
        datetime.now(UTC).date(),
        cache,
        options.verify,
        options.retry_unknown,
        options.jobs or len(os.sched_getaffinity(0)),
    )
    live = LiveTable(sys.stderr, len(pairs))
    try:
        judged = run_gate(manifest, pairs, settings, live)
    finally:
        live.close()
    tally = Tally(manifest, tuple(judged), time.monotonic() - begun)
    sys.stdout.write(render(tally, style_for(sys.stdout), options.verbose))
    return tally.status


def _selected(manifest: Manifest, options: argparse.Namespace) -> list[Pair]:
    from equiv.gate.select import named

    return named(manifest.pairs, options.only)
