"""The command: arguments in, `equiv.api` calls, reports out. Every error that a user sees is rendered here.

Nothing heavy is imported before it is known to be needed, so `equiv --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from equiv.errors import EquivError, InputError, InternalError

if TYPE_CHECKING:
    from equiv.asked import Output
    from equiv.bpf.map_snapshot import Snapshot
    from equiv.bpf.tail_calls import TailCall
    from equiv.p4.parser import ParserOptions
    from equiv.p4.value_sets import Contents
    from equiv.result import Result

EXIT_STATUSES = """\
exit status of check:
  0  equivalent    1  different    2  unusable input or usage    3  unknown
  4  the input uses something that is not supported              5  a defect in equiv"""

VERIFY_STATUSES = """\
exit status of verify:
  0  the certificate holds    1  rejected: it proves nothing    2  unusable: damaged, or about other inputs
  3  not checked to its end in the time given                   5  a defect in equiv"""

UNUSABLE, LIMIT, NOT_SUPPORTED, DEFECT = 2, 3, 4, 5
_WRITE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
INTERRUPTED, NOBODY_READS = 128 + 2, 128 + 13  # as shells report SIGINT and SIGPIPE

DEFAULT_FUZZED = 10_000
"""Packets that `fuzz` compares unless told otherwise."""
DEFAULT_TIMEOUT = 60.0
"""Seconds that `check` takes at most unless told otherwise: most pairs need one, and a command should come back."""

Handler = Callable[[argparse.Namespace], int]


def entry() -> NoReturn:
    """Run the command line of this process and exit."""
    if sys.stderr is None:  # closed by who started this; a file must not get its number
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    if sys.stdout is None:
        print("error: standard output is closed", file=sys.stderr)
        sys.exit(UNUSABLE)
    status = main(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError as error:
        status = _system_error(error)
    sys.exit(status)


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit status. Prints the verdict to stdout, errors and progress to stderr."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in arguments
    try:
        if arguments and arguments[0] == "bench":  # has options of its own
            return _bench(arguments[1:])
        namespace = _parser().parse_args(arguments)
        handler: Handler = namespace.handler
        return handler(namespace)
    except SystemExit as exit_:  # argparse: 0 after --help, 2 for wrong usage
        return exit_.code if isinstance(exit_.code, int) else UNUSABLE
    except InternalError as error:
        return _defect(error, debug)
    except EquivError as error:
        if debug:
            traceback.print_exc()
        _print_error(error)
        return error.exit_status
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        return _system_error(error)
    except MemoryError:
        print("error: out of memory", file=sys.stderr)
        return LIMIT
    except Exception as error:
        return _defect(error, debug)


def _print_error(error: EquivError) -> None:
    from equiv.report.errors import render_error
    from equiv.report.style import style_for

    print(render_error(error, style_for(sys.stderr)), file=sys.stderr)


def _defect(error: Exception, debug: bool) -> int:
    """An exception that nobody expected is a defect in equiv, whatever the input."""
    from equiv.report.style import clean

    if debug:
        traceback.print_exception(error)
    last = traceback.extract_tb(error.__traceback__)[-1]
    kind = "" if isinstance(error, InternalError) else f"{type(error).__name__}: "
    text = f"{kind}{clean(str(error))} ({Path(last.filename).name}:{last.lineno})"
    hint = "" if debug else "; please report it with what the same command prints with --debug"
    print(f"defect in equiv: {text}{hint}", file=sys.stderr)
    return DEFECT


def _system_error(error: OSError) -> int:
    """What the system refused: most often to take the output, since the reader has gone or the disk is full."""
    from equiv.report.style import clean

    try:
        sys.stdout.flush()
    except OSError:  # keep the interpreter from complaining when it flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return NOBODY_READS
    where = f"{clean(str(error.filename))}: " if error.filename else ""
    what = "cannot write the output: " if not where and error.errno in _WRITE_ERRORS else ""
    print(f"{where}error: {what}{error.strerror or clean(str(error))}", file=sys.stderr)
    return UNUSABLE


def _check(options: argparse.Namespace) -> int:
    from equiv import api
    from equiv.report.files import expect_writable
    from equiv.report.progress import ProgressLine

    if (options.right is None) is not bool(options.against):
        options.refuse("give a RIGHT side, or --against CONDITION in its place")
    for path in filter(None, (options.pcap, options.certificate)):
        expect_writable(path)
    progress = ProgressLine(sys.stderr)
    try:
        result = api.check(
            options.left,
            options.right,
            interface=options.interface,
            timeout=options.timeout or None,
            all_differences=options.all,
            solver=options.solver,
            seed=options.seed,
            jobs=options.jobs,
            observe_maps=tuple(options.observe_map),
            tail_calls=tuple(options.tail_call),
            snapshots=tuple(each for read in options.map_snapshot for each in read),
            btf=options.btf,
            kernel=False if options.no_kernel else None,
            parsers=_parser_options(options),
            relation=options.relation,
            assume=tuple(options.assume),
            against=tuple(options.against),
            outputs=_outputs(options),
            value_sets=_value_sets(options),
            right_linear=options.right_linear,
            certificate=options.certificate is not None,
            progress=progress,
        )
    finally:
        progress.clear()
    if options.json:
        from equiv.report.json_result import render_json

        sys.stdout.write(render_json(result))
    else:
        from equiv.report.style import style_for
        from equiv.report.terminal import render_result

        sys.stdout.write(render_result(result, style_for(sys.stdout), options.verbose))
    sys.stdout.flush()
    if options.pcap:
        from equiv.report.pcapng import write_counterexamples

        write_counterexamples(result, options.pcap)
        if not result.counterexamples:
            print(f"{options.pcap} not written: there is no packet to show", file=sys.stderr)
    if options.certificate:
        _write_certificate(result, options.certificate)
    return result.exit_status


def _write_certificate(result: Result, path: str) -> None:
    if result.certificate is None:
        print(f"{path} not written: only what is equivalent has a certificate", file=sys.stderr)
        return
    from equiv.report.files import replacing

    with replacing(path) as temporary:
        Path(temporary).write_bytes(result.certificate)


def _verify(options: argparse.Namespace) -> int:
    from equiv.report.verify import Asked, verify

    return verify(
        Asked(
            options.certificate,
            options.left,
            options.right,
            options.solver,
            options.timeout or None,
            options.proofs,
            options.by_proofs,
            options.json,
            options.verbose,
        )
    )


def _parser_options(options: argparse.Namespace) -> ParserOptions | None:
    if options.observe is None and not options.exact_end:
        return None
    from equiv.p4.parser import ParserOptions

    return ParserOptions(options.observe, options.exact_end or None)


def _value_sets(options: argparse.Namespace) -> tuple[Contents, ...]:
    if not options.value_set:
        return ()
    from equiv.p4.value_sets import read_contents

    said = [text.partition("=") for text in options.value_set]
    if not all(name and path for name, _, path in said):
        options.refuse("--value-set takes NAME=FILE")
    return tuple(read_contents(name, path) for name, _, path in said)


def _outputs(options: argparse.Namespace) -> tuple[Output, ...]:
    if not options.output and options.outputs is None:
        return ()
    from equiv.asked import Output, read_outputs

    return (*(read_outputs(options.outputs) if options.outputs is not None else ()), *map(Output, options.output))


def _run(options: argparse.Namespace) -> int:
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


def _fuzz(options: argparse.Namespace) -> int:
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


def _show(options: argparse.Namespace) -> int:
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


def _bench(arguments: Sequence[str]) -> int:
    from equiv.bench import main as run_benchmark

    return run_benchmark(list(arguments))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import version

        print(f"equiv {version('equiv')}")
        parser.exit()


def _parser() -> argparse.ArgumentParser:
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
    _add_check(commands)
    _add_verify(commands)
    _add_run(commands)
    _add_fuzz(commands)
    _add_show(commands)
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


def _add_check(commands: Commands) -> None:
    parser = _add(commands, "check", _check, "Prove or refute that two programs do the same.", EXIT_STATUSES)
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


def _add_verify(commands: Commands) -> None:
    parser = _add(
        commands, "verify", _verify, "Check a certificate against the two inputs that it is about.", VERIFY_STATUSES
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


def _add_run(commands: Commands) -> None:
    parser = _add(commands, "run", _run, "Run packets through one program or table and print what it shows.")
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


def _add_fuzz(commands: Commands) -> None:
    parser = _add(
        commands,
        "fuzz",
        _fuzz,
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


def _add_show(commands: Commands) -> None:
    parser = _add(commands, "show", _show, "Print what was understood of an object file or a device table.")
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
