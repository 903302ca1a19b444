"""The arguments of every command but `bench`, which has its own: names, types, help. `equiv.cli` does what they say."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from equiv.errors import InputError

if TYPE_CHECKING:
    from equiv.bpf.map_snapshot import Snapshot
    from equiv.bpf.tail_calls import TailCall

EXIT_STATUSES = """\
exit status of check:
  0  equivalent    1  different    2  unusable input or usage    3  unknown
  4  the input uses something that is not supported              5  a defect in equiv"""

VERIFY_STATUSES = """\
exit status of verify:
  0  the certificate holds    1  rejected: it proves nothing    2  unusable: damaged, or about other inputs
  3  not checked to its end in the time given                   5  a defect in equiv"""

DEFAULT_FUZZED = 10_000
"""Packets that `fuzz` compares unless told otherwise."""
DEFAULT_TIMEOUT = 60.0
"""Seconds that `check` takes at most unless told otherwise: most pairs need one, and a command should come back."""

Handler = Callable[[argparse.Namespace], int]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"equiv {version('equiv')}")
        parser.exit()


def command_line(handlers: Mapping[str, Handler]) -> argparse.ArgumentParser:
    """The parser of `equiv COMMAND …`; the namespace's `handler` is the one of the command."""
    parser = argparse.ArgumentParser(
        prog="equiv",
        description="Prove or refute that an eBPF packet program and a device's parser table do the same.",
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_check(commands, handlers["check"])
    _add_verify(commands, handlers["verify"])
    _add_run(commands, handlers["run"])
    _add_fuzz(commands, handlers["fuzz"])
    _add_show(commands, handlers["show"])
    commands.add_parser("bench", help="measure equiv on pairs of programs (equiv bench --help)")
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add(commands: Commands, name: str, handler: Handler, text: str, epilog: str = "") -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name,
        help=text[0].lower() + text[1:].rstrip("."),
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(handler=handler)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    parser.add_argument("-v", "--verbose", action="store_true", help="show more")
    return parser


def _add_check(commands: Commands, handler: Handler) -> None:
    parser = _add(commands, "check", handler, "Prove or refute that two programs do the same.", EXIT_STATUSES)
    parser.set_defaults(refuse=parser.error)
    for side in ("left", "right"):
        parser.add_argument(
            side,
            metavar=side.upper(),
            nargs=None if side == "left" else "?",
            help="an object file (.bpf.o, with :PROGRAM where it holds several), a device table (.dev) or a P4 parser",
        )
    _add_interface(parser)
    parser.add_argument("--json", action="store_true", help="print JSON (specs/result.schema.json)")
    parser.add_argument("--pcap", metavar="FILE", help="write packets that show a difference to a pcapng file")
    parser.add_argument(
        "--certificate", metavar="FILE", help="write why they are equivalent, for equiv verify to check"
    )
    parser.add_argument("--all", action="store_true", help="look for differences with distinct causes, not just one")
    parser.add_argument(
        "--timeout",
        type=_seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help=f"give up with `unknown` after this time (default: {DEFAULT_TIMEOUT:.0f}; 0: never)",
    )
    parser.add_argument("--solver", choices=("z3", "bitwuzla"), default="z3", help="SMT solver (default: z3)")
    parser.add_argument(
        "--jobs", type=_count, default=1, metavar="N", help="try N ways at once, each in a process of its own"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument(
        "--right-linear",
        action="store_true",
        help="give the right side every skb in one linear piece; a program against itself then shows whether what it "
        "does depends on how skbs are split",
    )
    parser.add_argument(
        "--observe-map",
        action="append",
        default=[],
        metavar="NAME",
        help="compare what this array map holds at the end",
    )
    _add_tail_calls(parser)
    _add_snapshots(parser)
    _add_types(parser)
    parser.add_argument(
        "--observe",
        choices=("all", "accept"),
        help="what is compared of two parsers: all that a later control could read (default), or acceptance only",
    )
    parser.add_argument(
        "--exact-end", action="store_true", help="a parser's accept counts at the packet's very end only"
    )
    parser.add_argument(
        "--relation",
        metavar="CONDITION",
        help="what is asked of the two sides in place of equality; or INDEX.json#ID, what an index of automata asks",
    )
    parser.add_argument(
        "--against",
        action="append",
        default=[],
        metavar="CONDITION",
        help="in place of RIGHT: what must hold of LEFT for every packet; may be repeated",
    )
    parser.add_argument(
        "--assume",
        action="append",
        default=[],
        metavar="CONDITION",
        help="look only at packets for which this holds; may be repeated (specs/conditions.md)",
    )
    parser.add_argument(
        "--output",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="compare this output of a program or table with what the P4 parser has; may be repeated",
    )
    parser.add_argument("--outputs", metavar="FILE", help="a file of such lines")
    parser.add_argument(
        "--value-set",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="what a value set of P4 parsers holds, an entry a line; may be repeated (default: anything)",
    )
    parser.add_argument("--no-kernel", action="store_true", help="do not replay differences on the running kernel")


def _add_verify(commands: Commands, handler: Handler) -> None:
    parser = _add(
        commands, "verify", handler, "Check a certificate against the two inputs that it is about.", VERIFY_STATUSES
    )
    parser.add_argument("certificate", metavar="FILE", help="what equiv check --certificate FILE wrote")
    for side in ("left", "right"):
        parser.add_argument(
            side, metavar=side.upper(), nargs=None if side == "left" else "?", help="as given to equiv check"
        )
    parser.add_argument("--json", action="store_true", help="print JSON (specs/verification.schema.json)")
    parser.add_argument(
        "--timeout", type=_seconds, default=0, metavar="SECONDS", help="give up after this time (default: never)"
    )
    parser.add_argument(
        "--solver", choices=("z3", "bitwuzla"), help="SMT solver (default: another than the one that found the proof)"
    )
    parser.add_argument(
        "--proofs",
        metavar="DIR",
        help="write every obligation to a new folder: as SMT-LIB, as clauses, and with a refutation to check",
    )
    parser.add_argument("--by-proofs", metavar="DIR", help="go through the refutations in such a folder; ask no solver")


def _add_run(commands: Commands, handler: Handler) -> None:
    parser = _add(commands, "run", handler, "Run packets through one program or table and print what it shows.")
    parser.add_argument("file", metavar="FILE", help="an object file (.bpf.o or .bpf.o:PROGRAM) or a device table")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--packet", action="append", type=_packet, metavar="HEX", help="a packet; may be repeated")
    source.add_argument("--pcap", metavar="FILE", help="all packets of a pcap or pcapng file")
    _add_interface(parser)
    parser.add_argument(
        "--context", action="append", default=[], type=_setting, metavar="NAME=VALUE", help="a field of the context"
    )
    _add_tail_calls(parser)
    _add_snapshots(parser)
    _add_types(parser)
    parser.add_argument(
        "--observe-map", action="append", default=[], metavar="NAME", help="show what this map holds at the end, too"
    )
    parser.add_argument("--on", choices=("interpreter", "kernel"), default="interpreter", help="where to run it")
    parser.add_argument("--json", action="store_true", help="print one JSON object a packet, each on a line")


def _add_fuzz(commands: Commands, handler: Handler) -> None:
    parser = _add(
        commands,
        "fuzz",
        handler,
        "Run generated packets through the interpreter and the running kernel, and compare what they show.",
        "exit status: 0 no difference found  1 a difference  2 unusable input or usage  4 nothing can be compared",
    )
    parser.add_argument("file", metavar="FILE", help="an object file (.bpf.o or .bpf.o:PROGRAM)")
    parser.add_argument("--against", choices=("kernel",), required=True, help="what to compare the interpreter with")
    parser.add_argument(
        "--packets", type=_count, metavar="N", help=f"so many packets (default: {DEFAULT_FUZZED:,}, or --seconds)"
    )
    parser.add_argument("--seconds", type=_seconds, metavar="S", help="stop after this time")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of all random choices (default: 0)")
    parser.add_argument("--pcap", metavar="FILE", help="begin with the packets of a pcap or pcapng file")
    _add_interface(parser)
    _add_tail_calls(parser)
    _add_snapshots(parser)
    _add_types(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")


def _add_show(commands: Commands, handler: Handler) -> None:
    parser = _add(commands, "show", handler, "Print what was understood of an object file or a device table.")
    parser.set_defaults(refuse=parser.error)
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="an object file (.bpf.o or .bpf.o:PROGRAM) or a device table"
    )
    parser.add_argument("--helpers", action="store_true", help="list the kernel's helper functions that are modelled")
    _add_tail_calls(parser)
    parser.add_argument("--svg", metavar="OUT", help="draw the parse graph, or a program's control flow, to this file")


def _add_interface(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interface", metavar="NAME", help="what is given and compared (specs/interfaces; default: the inputs say)"
    )


def _add_tail_calls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tail-call",
        action="append",
        default=[],
        type=_tail_call,
        metavar="MAP[INDEX]=PROGRAM",
        help="a program array holds this program of the object; may be repeated (MAP[]: it holds nothing)",
    )


def _add_snapshots(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--map-snapshot",
        action="append",
        default=[],
        type=_map_snapshot,
        metavar="[MAP=]FILE",
        help="a map holds what this file says (bpftool map dump -j); without MAP the file's name is the map's",
    )


def _add_types(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--btf",
        metavar="FILE",
        help="types that CO-RE relocations are made for, e.g. /sys/kernel/btf/vmlinux (default: the object's own)",
    )


def _map_snapshot(text: str) -> list[Snapshot]:
    from equiv.bpf.map_snapshot import read_snapshots

    try:
        return read_snapshots(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _tail_call(text: str) -> TailCall:
    from equiv.bpf.tail_calls import parse_tail_call

    try:
        return parse_tail_call(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(error.message) from None


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def _packet(text: str) -> bytes:
    digits = text.removeprefix("0x").replace(":", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a packet in hexadecimal") from None


def _setting(text: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    try:
        if not name or not equals:
            raise ValueError
        return name, int(value, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER") from None
