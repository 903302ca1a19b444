"""The command: arguments in, `equiv.api` calls, reports out. Every error that a user sees is rendered here.

Nothing heavy is imported before it is known to be needed, so `equiv --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from equiv.commands import COMMANDS
from equiv.commands.common import EXIT_STATUSES, Handler, Parser
from equiv.errors import EquivError, InternalError
from equiv.version import VERSION

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
    gc.freeze()  # or Python looks through all that there is once more, which ends with it anyway
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
        namespace, unknown = _command_line(arguments).parse_known_args(arguments)
        if unknown:  # the command's own parser shows what it takes
            namespace.refuse(f"unrecognized arguments: {' '.join(unknown)}")
        handler: Handler = namespace.handler
        return handler(namespace)
    except SystemExit as exit_:  # argparse: 0 after --help, 2 for wrong usage
        return exit_.code if isinstance(exit_.code, int) else UNUSABLE
    except InternalError as error:
        return _defect(error, debug)
    except EquivError as error:
        if debug:
            import traceback

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
    import traceback

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


def _bench(arguments: Sequence[str]) -> int:
    from equiv.bench import main as run_benchmark

    return run_benchmark(list(arguments))


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"equiv {VERSION}")
        parser.exit()


def _command_line(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of `equiv COMMAND …`; the namespace's `handler` does what the command says.

    Where `arguments` begin with a command, it knows that one only.
    """
    parser = Parser(
        prog="equiv",
        description="Prove or refute that an eBPF packet program and a device's parser table do the same.",
        epilog=EXIT_STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    parser.add_argument("--debug", action="store_true", help="show a traceback with an error")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    named = [name for name in COMMANDS if name in arguments[:1]]
    for name in named or COMMANDS:
        import_module(f"equiv.commands.{name}").add(commands)
    commands.add_parser("bench", help="measure equiv on pairs of programs (equiv bench --help)")
    return parser
