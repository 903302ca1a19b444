"""What Linux says of processes, and waiting for what comes sooner or later, however slow the machine is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE = 120.0


def is_running(process: int) -> bool:
    """Whether it is there and has not ended; who has ended may wait for long to be asked how."""
    state = _stat(process)
    return bool(state) and state[0] not in "ZX"


def children() -> set[int]:
    """The processes that this one has started and not yet asked how they ended."""
    every = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdigit()]
    return {process for process in every if (state := _stat(process)) and int(state[1]) == os.getpid()}


def wait_until(holds: Callable[[], bool]) -> None:
    """Come back once it holds. Fails where it does not in two minutes."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        time.sleep(0.05)


def _stat(process: int) -> list[str]:
    """What proc(5) has behind the name of a process, its state first; nothing where it is gone."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
