"""`equiv mutate`: write files that differ from one in a single mistake."""

from __future__ import annotations

import argparse

from equiv.commands.common import Commands, add_command, count


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "mutate",
        _execute,
        "Write mutants of a program, a device table or a parser: each differs from it in one mistake.",
        "exit status: 0 all were written  1 there are fewer than asked for  2 unusable input or usage\n"
        "             4 mistakes in such files are not made",
    )
    parser.add_argument("file", metavar="FILE", help="an object file (.o, .o:PROGRAM), .bin, .dev, .p4 or .json")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="a new folder for the mutants")
    parser.add_argument("--count", type=count, default=10, metavar="N", help="how many (default: 10)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--kind", action="append", default=[], metavar="KIND", help="mistakes of this kind only")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.mutants import write_mutants

    return write_mutants(options.file, options.output, options.count, options.seed, tuple(options.kind))
