"""One process with bounds: it is ended when it takes too long or too much memory, and with the one that started it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

POLL_SECONDS = 0.05
MAX_OUTPUT = 256 << 20
"""More output than this, in bytes, is not read."""

Ending = Literal["itself", "time", "memory", "stopped"]


@dataclass(frozen=True, slots=True)
class Ended:
    """`by` says who ended it; `status` is negative for a signal. `peak_rss_bytes` is the most memory that it held."""

    status: int
    by: Ending
    out: bytes
    err: str
    seconds: float
    peak_rss_bytes: int


def run(
    command: Sequence[str],
    folder: str,
    seconds: float,
    memory: int,
    stopped: Callable[[], bool] = lambda: False,
    environment: dict[str, str] | None = None,
) -> Ended:
    """Run `command` in `folder` for at most `seconds`, with at most `memory` bytes, until `stopped` says so."""
    # Files, not pipes: nobody has to read while the process is waited for.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,  # never written to; it ends when this process does, see equiv.worker
            stdout=out,
            stderr=err,
            start_new_session=True,  # so that Ctrl-C comes to the gate alone, and whatever it starts can be ended
        )
        try:
            by, peak = _wait(process, started + seconds, memory, stopped)
        finally:
            if process.returncode is None:
                _end(process)
                process.wait()
            assert process.stdin is not None
            process.stdin.close()
        out.seek(0)
        err.seek(0)
        said = err.read(1 << 16).decode("utf-8", "replace")
        return Ended(process.returncode, by, out.read(MAX_OUTPUT), said, time.monotonic() - started, peak)


def _wait(
    process: subprocess.Popen[bytes], until: float, memory: int, stopped: Callable[[], bool]
) -> tuple[Ending, int]:
    """Wait until it ends, or end it; gives the most memory that it held, in bytes."""
    by: Ending = "itself"
    pause = 0.002
    while True:
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return by, usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        if by == "itself":
            if _resident(process.pid) > memory:
                by = "memory"
            elif time.monotonic() > until:
                by = "time"
            elif stopped():
                by = "stopped"
            if by != "itself":
                _end(process)
        time.sleep(pause)
        pause = min(pause * 1.5, POLL_SECONDS)


def _resident(pid: int) -> int:
    """Resident memory in bytes; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, 9)
    with contextlib.suppress(ProcessLookupError):
        process.kill()
