"""What a driver reports that its device holds: in a file, or printed by a command (specs/device-report.schema.json).

The report is believed as far as it goes: who controls it could have the device do anything. It is read as strictly as
if it came from a stranger all the same.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from equiv.errors import InputError, Place
from equiv.inputs import read_input
from equiv.trust import strict
from equiv.trust.policy import NAME
from equiv.trust.sources import CLAIM
from equiv.trust.strict import Malformed

SCHEMA = "equiv-device/1"
MAX_BYTES = 1 << 20
COMMAND_SECONDS = 10.0
"""How long a driver's command may take."""


@dataclass(frozen=True, slots=True)
class ReportedTable:
    """One table that the device holds, by its hash, its file's SHA-256 or both; `source` is what it was built from."""

    function: str
    interface: str
    hash: str
    file_sha256: str
    source: str


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """`device` identifies the device: vendor, model, firmware, … `affirms` are assumptions that it meets."""

    device: Mapping[str, str]
    tables: tuple[ReportedTable, ...]
    affirms: tuple[str, ...]


def read_report(path: str) -> DeviceReport:
    """The report in a file. Raises InputError."""
    return parse_report(read_input(path, MAX_BYTES, "a device's report is not"), Place(path))


def report_of_command(command: str) -> DeviceReport:
    """The report that a command prints. It is run without a shell, its output and time are bounded.

    Raises InputError, also where the command fails.
    """
    return parse_report(_output_of(command, COMMAND_SECONDS), Place(f"output of {command}"))


def parse_report(data: bytes, place: Place) -> DeviceReport:
    """The report that `data` holds. Raises InputError."""
    document = strict.parse(data, "a device's report", place)
    try:
        return _read(document)
    except Malformed as error:
        raise InputError(f"not a device's report: {error}", place) from None


def _read(data: Any) -> DeviceReport:
    data = strict.fields(data, "the report", {"schema", "device", "tables"}, {"affirms"})
    if data["schema"] != SCHEMA:
        raise Malformed(f"its schema is not {SCHEMA}")
    device = strict.mapping(data["device"], "device")
    if not device:
        raise Malformed("it does not say which device it is about")
    return DeviceReport(
        device, strict.items(data["tables"], "tables", _table, 10_000), strict.texts(data.get("affirms", []), "affirms")
    )


def _table(data: Any, what: str) -> ReportedTable:
    data = strict.fields(data, what, {"function", "interface"}, {"hash", "file_sha256", "source"})
    if not data.keys() & {"hash", "file_sha256"}:
        raise Malformed(f"{what} has neither hash nor file_sha256")
    return ReportedTable(
        strict.text(data["function"], f"{what}.function", NAME),
        strict.text(data["interface"], f"{what}.interface", NAME),
        strict.sha256(data["hash"], f"{what}.hash") if "hash" in data else "",
        strict.sha256(data["file_sha256"], f"{what}.file_sha256") if "file_sha256" in data else "",
        strict.text(data["source"], f"{what}.source", CLAIM.pattern) if "source" in data else "",
    )


# --- commands ------------------------------------------------------------------------------------------------------


def _output_of(command: str, seconds: float) -> bytes:
    place = Place(command)
    try:
        words = shlex.split(command)
        if not words:
            raise InputError("the driver's command is empty")
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # so that what it starts ends with it
        )
    except (OSError, ValueError) as error:
        raise InputError(f"the driver's command cannot be run: {error}", place) from error
    try:
        return _read_bounded(process, time.monotonic() + seconds, place)
    finally:
        _end(process)


def _read_bounded(process: subprocess.Popen[bytes], until: float, place: Place) -> bytes:
    assert process.stdout is not None
    data = bytearray()
    descriptor = process.stdout.fileno()
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while True:
            left = until - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise InputError("the driver's command takes too long", place)
            part = os.read(descriptor, 1 << 16)
            if not part:
                break
            data += part
            if len(data) > MAX_BYTES:
                raise InputError(f"the driver's command prints more than {MAX_BYTES >> 20} MiB", place)
    try:
        status = process.wait(max(until - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        raise InputError("the driver's command does not end", place) from None
    if status:
        raise InputError(f"the driver's command failed with status {status}", place)
    return bytes(data)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Whatever is left of the command's session is killed."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
