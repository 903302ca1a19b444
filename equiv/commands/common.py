"""What several commands take: shared options, the types of their values, the command's parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from equiv.errors import InputError

if TYPE_CHECKING:
    from equiv.bpf.map_snapshot import Snapshot
    from equiv.bpf.tail_calls import TailCall

Handler = Callable[[argparse.Namespace], int]
Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"

EXIT_STATUSES = """\
exit status of check:
  0  equivalent    1  different    2  unusable input or usage    3  unknown
  4  the input uses something that is not supported              5  a defect in equiv"""


class Parser(argparse.ArgumentParser):
    """Says in two lines what is wrong with a command line, as of any other input; --help shows usage in full."""

    def error(self, message: str) -> NoReturn:
        from equiv.report.style import clean

        self.exit(2, f"error: {clean(message)}\nhint: {self.prog} --help\n")


def add_command(
    commands: Commands, name: str, handler: Handler, text: str, epilog: str = ""
) -> argparse.ArgumentParser:
    """The parser of one command; `text` is a sentence, `epilog` stands behind the options in its help."""
    parser = commands.add_parser(
        name,
        help=text[0].lower() + text[1:].rstrip("."),
        description=text,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(handler=handler, refuse=parser.error)
    parser.add_argument("--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def add_verbose(parser: argparse.ArgumentParser, what: str) -> None:
    """The option `-v`, which shows `what`, too."""
    parser.add_argument("-v", "--verbose", action="store_true", help=f"show {what}, too")


def add_interface(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--interface", metavar="NAME", help="what is given and compared (specs/interfaces; default: the inputs say)"
    )


def add_tail_calls(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tail-call",
        action="append",
        default=[],
        type=_tail_call,
        metavar="MAP[INDEX]=PROGRAM",
        help="a program array holds this program of the object; may be repeated (MAP[]: it holds nothing)",
    )


def add_snapshots(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--map-snapshot",
        action="append",
        default=[],
        type=_map_snapshot,
        metavar="[MAP=]FILE",
        help="a map holds what this file says (bpftool map dump -j); without MAP the file's name is the map's",
    )


def add_types(parser: argparse.ArgumentParser) -> None:
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


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return value


def count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a positive number")
    return int(text)


def packet(text: str) -> bytes:
    digits = text.removeprefix("0x").replace(":", "")
    try:
        return bytes.fromhex(digits)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a packet in hexadecimal") from None


def setting(text: str) -> tuple[str, int]:
    name, equals, value = text.partition("=")
    try:
        if not name or not equals:
            raise ValueError
        return name, int(value, 0)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER") from None
