"""`equiv trust`: which programs may be handed to a device."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from equiv.commands.common import Commands, add_command, seconds
from equiv.errors import EquivError, InputError, Place

if TYPE_CHECKING:
    from equiv.trust.decide import Subject
    from equiv.trust.device import DeviceReport
    from equiv.trust.log import Head

STATUSES = """\
exit status of trust:
  0  every program asked about is trusted, and there is at least one
  1  some program is not
  2  nothing is trusted: the catalogue, the report or the arguments cannot be used
  other numbers: nothing is trusted either"""


def add(commands: Commands) -> None:
    """Add the command and its options."""
    parser = add_command(
        commands, "trust", _execute, "Say which programs may be handed to a device, and why others may not.", STATUSES
    )
    parser.add_argument(
        "--kernel",
        nargs="+",
        required=True,
        metavar="FILE",
        help="`running`: what the running kernel holds; or object files (FILE or FILE:PROGRAM)",
    )
    device = parser.add_mutually_exclusive_group(required=True)
    device.add_argument(
        "--device", metavar="FILE", help="what the device's driver reports (specs/device-report.schema.json)"
    )
    device.add_argument("--device-command", metavar="COMMAND", help="a command that prints it; run without a shell")
    parser.add_argument("--catalogue", required=True, metavar="FILE", help="the catalogue (equiv catalogue --help)")
    parser.add_argument(
        "--root", required=True, metavar="FINGERPRINT", help="of the catalogue's root key, or a file that holds it"
    )
    seen = parser.add_mutually_exclusive_group()
    seen.add_argument("--head", metavar="N:HASH", help="a record that the catalogue must have (equiv catalogue head)")
    seen.add_argument(
        "--remember", metavar="FILE", help="keep the catalogue's last record here; never accept an older one"
    )
    parser.add_argument(
        "--affirm", action="append", default=[], metavar="TEXT", help="this assumption holds; repeat it"
    )
    parser.add_argument(
        "--select",
        action="append",
        default=[],
        metavar="ID|TAG|NAME",
        help="of the running kernel, only these programs; repeat it",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=60,
        metavar="SECONDS",
        help="for checking one certificate (default: 60; 0: no limit)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON (specs/trust.schema.json)")


def _execute(options: argparse.Namespace) -> int:
    from equiv.report.trust import refused_as_json
    from equiv.trust.policy import now

    time = now()
    try:
        return _answered(options, time)
    except EquivError as error:
        if options.json:
            sys.stdout.write(refused_as_json(error, time))
        raise


def _answered(options: argparse.Namespace, time: str) -> int:
    """Ask, print, and give the exit status. Raises EquivError where nothing is trusted."""
    from equiv.report.trust import as_json, lines
    from equiv.trust.decide import Setting, decide
    from equiv.trust.log import read_log

    head = _head(options)
    log = read_log(options.catalogue, read_root(options.root), head)
    report = _report(options)
    setting = Setting(log, report, frozenset(options.affirm), time, options.timeout or None)
    answers = [decide(subject, setting) for subject in _subjects(options)]
    if options.remember and (head is None or log.head != head):
        _remember(options.remember, str(log.head))
    if options.json:
        sys.stdout.write(as_json(answers, log, time))
    else:
        from equiv.report.style import style_for

        print("\n".join(lines(answers, style_for(sys.stdout))))
    return 0 if answers and all(answer.trusted for answer in answers) else 1


def read_root(text: str) -> str:
    """A fingerprint as it was given: itself, or a file whose first word it is. Raises InputError."""
    import re

    from equiv.inputs import read_input

    digits = re.compile("[0-9a-f]{64}")
    if digits.fullmatch(text):
        return text
    _require_own(text)
    words = read_input(text, 1 << 20).decode("utf-8", "replace").split()
    if not words or not digits.fullmatch(words[0]):
        raise InputError("holds no fingerprint: 64 hexadecimal digits in small letters", Place(text))
    return words[0]


def _require_own(path: str) -> None:
    """Raises InputError for a file that decides what is trusted, and that anybody may write."""
    import os
    import stat

    from equiv.inputs import open_input

    with open_input(path) as stream:
        mode = os.fstat(stream.fileno()).st_mode
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise InputError("others than its owner may write it", Place(path), "chmod go-w, and see that it is right")


def _head(options: argparse.Namespace) -> Head | None:
    """The record that must be there: as given, or as remembered."""
    import os

    from equiv.inputs import read_input

    if options.head:
        return _parsed_head(options.head, "--head")
    if not options.remember or not os.path.lexists(options.remember):
        return None
    _require_own(options.remember)
    return _parsed_head(read_input(options.remember, 1 << 20).decode("utf-8", "replace").strip(), options.remember)


def _parsed_head(text: str, where: str) -> Head:
    import re

    from equiv.trust.log import Head

    match = re.fullmatch(r"(\d{1,9}):([0-9a-f]{64})", text, re.ASCII)
    if match is None:
        raise InputError("holds no record's number and hash (N:HASH)", Place(where), "equiv catalogue head prints it")
    return Head(int(match[1]), match[2])


def _remember(path: str, head: str) -> None:
    from pathlib import Path

    from equiv.report.files import replacing

    with replacing(path) as temporary:
        Path(temporary).write_text(f"{head}\n", encoding="ascii")


def _report(options: argparse.Namespace) -> DeviceReport:
    from equiv.trust.device import read_report, report_of_command

    return read_report(options.device) if options.device else report_of_command(options.device_command)


def _subjects(options: argparse.Namespace) -> list[Subject]:
    from equiv.trust.subjects import in_files, running

    if options.kernel == ["running"]:
        return running(options.select)
    if options.select:
        options.refuse("--select is of --kernel running; name programs as FILE:PROGRAM")
    return in_files(options.kernel)
