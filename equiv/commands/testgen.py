"""`equiv testgen`: a suite of packets that goes every way of a table, program or parser."""

from __future__ import annotations

import argparse

from equiv.commands.common import Commands, add_command, add_interface, seconds


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "testgen",
        _execute,
        "Make a small suite of packets that goes every way of a table, program or parser, with what each must show.",
        "exit status: 0 made  2 unusable input or usage  4 no suite can be made of it",
    )
    kinds = "a device table, an object file (.bpf.o or .bpf.o:PROGRAM), or a parser (.p4, .json)"
    parser.add_argument("file", metavar="FILE", help=kinds)
    parser.add_argument(
        "-o", "--output", metavar="OUT", help="a new folder, or FILE.pcapng (FILE.json is written beside it)"
    )
    add_interface(parser)
    # Kept as text: the suite says it, so that the program can be run again.
    parser.add_argument("--tail-call", action="append", default=[], metavar="MAP[INDEX]=PROGRAM", help="as for check")
    parser.add_argument("--observe-map", action="append", default=[], metavar="NAME", help="as for check")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument(
        "--seconds", type=seconds, default=120.0, metavar="S", help="how long the engine may be asked (default: 120)"
    )
    parser.add_argument("--json", action="store_true", help="print the suite (specs/suite.schema.json)")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.suite import testgen

    return testgen(
        options.file,
        options.output,
        options.interface,
        options.tail_call,
        options.observe_map,
        options.seed,
        options.seconds,
        options.json,
    )
