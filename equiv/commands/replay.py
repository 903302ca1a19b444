"""`equiv replay`: run a suite."""

from __future__ import annotations

import argparse

from equiv.commands.common import Commands, add_command


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "replay",
        _execute,
        "Run a suite that equiv testgen made, and compare what is seen with what it says.",
        "exit status: 0 all that could be run passed  1 a packet did not  2 unusable input or usage\n"
        "             4 none of the packets can be run there",
    )
    parser.add_argument("suite", metavar="SUITE", help="a suite's folder, .json or .pcapng")
    parser.add_argument(
        "--on",
        default="interpreter",
        metavar="WHERE",
        help="interpreter (default), kernel, or a FILE that should do the same: a table, a program or a parser",
    )
    parser.add_argument(
        "--file", metavar="FILE", help="what to run on interpreter or kernel (default: what the suite was made from)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.suite import replay_suite

    return replay_suite(options.suite, options.on, options.file, options.json)
