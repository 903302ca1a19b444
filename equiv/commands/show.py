"""`equiv show`: print what was understood of a file."""

from __future__ import annotations

import argparse
import sys

from equiv.commands.common import Commands, add_command, add_tail_calls, add_verbose


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands, "show", _execute, "Print what was understood of an object file, a device table or a parser."
    )
    add_verbose(parser, "instructions beside their source lines, the whole table, a parser's observables")
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="?",
        help="an object file (.bpf.o or .bpf.o:PROGRAM), a device table or a P4 parser",
    )
    parser.add_argument("--helpers", action="store_true", help="list the kernel's helper functions that are modelled")
    add_tail_calls(parser)
    parser.add_argument("--svg", metavar="OUT", help="draw the parse graph, or a program's control flow, to this file")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.show import show
    from equiv.report.style import style_for

    if options.helpers:
        from equiv.report.show_program import show_helpers

        print("\n".join(show_helpers(style_for(sys.stdout))))
        return 0
    if options.file is None:
        options.refuse("give a FILE, or --helpers")
    for line in show(options.file, style_for(sys.stdout), options.verbose, options.svg, tuple(options.tail_call)):
        print(line)
    return 0
