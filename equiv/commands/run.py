"""`equiv run`: run packets through one program or table."""

from __future__ import annotations

import argparse

from equiv.commands.common import (
    Commands,
    add_command,
    add_interface,
    add_snapshots,
    add_tail_calls,
    add_types,
    add_verbose,
    packet,
    setting,
)


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(commands, "run", _execute, "Run packets through one program or table and print what it shows.")
    parser.add_argument(
        "file",
        metavar="FILE",
        help="an object file (.bpf.o or .bpf.o:PROGRAM), raw instructions (.bin), a device table or a P4 parser",
    )
    add_verbose(parser, "the path, and the bytes that were read")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--packet", action="append", type=packet, metavar="HEX", help="a packet; may be repeated")
    source.add_argument("--pcap", metavar="FILE", help="all packets of a pcap or pcapng file")
    add_interface(parser)
    parser.add_argument(
        "--context", action="append", default=[], type=setting, metavar="NAME=VALUE", help="a field of the context"
    )
    add_tail_calls(parser)
    add_snapshots(parser)
    add_types(parser)
    parser.add_argument(
        "--observe-map", action="append", default=[], metavar="NAME", help="show what this map holds at the end, too"
    )
    parser.add_argument("--on", choices=("interpreter", "kernel"), default="interpreter", help="where to run it")
    parser.add_argument("--json", action="store_true", help="print one JSON object a packet, each on a line")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.run import print_runs

    return print_runs(
        options.file,
        packets=options.packet,
        capture=options.pcap,
        interface=options.interface,
        context=dict(options.context),
        tail_calls=tuple(options.tail_call),
        snapshots=tuple(each for read in options.map_snapshot for each in read),
        btf=options.btf,
        on=options.on,
        as_json=options.json,
        verbose=options.verbose,
        observe_maps=tuple(options.observe_map),
    )
