"""The command: arguments in, `equiv.api` calls, reports out. Every error that a user sees is rendered here.

Nothing heavy is imported before it is known to be needed, so `equiv --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from equiv.arguments import DEFAULT_FUZZED, Handler, command_line
from equiv.errors import EquivError, InternalError

if TYPE_CHECKING:
    from equiv.asked import Output
    from equiv.p4.parser import ParserOptions
    from equiv.p4.value_sets import Contents
    from equiv.result import Result

UNUSABLE, LIMIT, NOT_SUPPORTED, DEFECT = 2, 3, 4, 5
_WRITE_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF}
INTERRUPTED, NOBODY_READS = 128 + 2, 128 + 13  # as shells report SIGINT and SIGPIPE


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
        namespace = command_line(HANDLERS).parse_args(arguments)
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


HANDLERS: dict[str, Handler] = {"check": _check, "verify": _verify, "run": _run, "fuzz": _fuzz, "show": _show}
