"""`equiv fuzz`: compare executors on generated packets."""

from __future__ import annotations

import argparse
import sys

from equiv.commands.common import (
    Commands,
    add_command,
    add_interface,
    add_snapshots,
    add_tail_calls,
    add_types,
    count,
    seconds,
)

DEFAULT_FUZZED = 10_000
"""Packets that `fuzz` compares unless told otherwise."""


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands,
        "fuzz",
        _execute,
        "Run generated packets through the interpreter and the running kernel, and compare what they show.",
        "exit status: 0 no difference found  1 a difference  2 unusable input or usage  4 nothing can be compared",
    )
    parser.add_argument("file", metavar="FILE", help="an object file (.bpf.o or .bpf.o:PROGRAM)")
    parser.add_argument("--against", choices=("kernel",), required=True, help="what to compare the interpreter with")
    parser.add_argument(
        "--packets", type=count, metavar="N", help=f"so many packets (default: {DEFAULT_FUZZED:,}, or --seconds)"
    )
    parser.add_argument("--seconds", type=seconds, metavar="S", help="stop after this time")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--pcap", metavar="FILE", help="begin with the packets of a pcap or pcapng file")
    add_interface(parser)
    add_tail_calls(parser)
    add_snapshots(parser)
    add_types(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _execute(options: argparse.Namespace) -> int:
    from equiv.fuzz.campaign import Limits
    from equiv.report.fuzz import fuzz

    packets = options.packets
    if packets is None:
        packets = DEFAULT_FUZZED if options.seconds is None else sys.maxsize // 4
    return fuzz(
        options.file,
        limits=Limits(packets, options.seconds),
        seed=options.seed,
        capture=options.pcap,
        interface=options.interface,
        tail_calls=tuple(options.tail_call),
        snapshots=tuple(each for read in options.map_snapshot for each in read),
        btf=options.btf,
        as_json=options.json,
    )
