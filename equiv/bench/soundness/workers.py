"""Groups of mutants in processes: what was set up once is forked for a few mutants at a time, and watched.

A mutant that makes its process die or hang costs that mutant, and is a row.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable, Container
from dataclasses import asdict
from itertools import islice
from typing import Final

from equiv.bench.soundness.rows import Asked, Group, Row
from equiv.bench.soundness.stand import Mutant, Stand
from equiv.errors import EquivError

AT_ONCE: Final = 16
"""Mutants that one process judges; then its memory is given back."""
GRACE_SECONDS: Final = 900.0
"""How much longer than the prover may take a mutant takes on a busy machine before it is given up."""

Done = Callable[[Row], None]


def judge_group(group: Group, asked: Asked, wanted: Container[int], done: Done) -> None:
    """Judge the mutants of a group whose numbers are `wanted`; `done` is told of each."""
    try:
        stand = Stand(group, asked)
    except EquivError as error:
        for number in group.numbers:
            if number in wanted:
                done(_failed(group, number, f"the pair cannot be set up: {error.message}", 0.0))
        return
    mutants = stand.mutants()
    while some := list(islice(mutants, AT_ONCE)):
        left = deque(mutant for mutant in some if mutant.number in wanted)
        while left:
            _some(stand, group, asked, left, done)


def _some(stand: Stand, group: Group, asked: Asked, left: deque[Mutant], done: Done) -> None:
    """Judge the next few in a process of their own; takes them from `left`."""
    reads, writes = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if not child:
        os.close(reads)
        _judge_and_leave(stand, group, list(left), writes)
    os.close(writes)
    wanted = len(left)
    buffer = b""
    started = time.monotonic()
    try:
        while wanted:
            ready, _, _ = select.select([reads], [], [], asked.timeout + GRACE_SECONDS)
            piece = os.read(reads, 1 << 16) if ready else b""
            if not piece:
                why = "its process died" if ready else "no answer in time"
                done(_failed(group, left.popleft().number, why, time.monotonic() - started))
                return
            *lines, buffer = (buffer + piece).split(b"\n")
            for line in lines:
                left.popleft()
                wanted -= 1
                done(read_row(line.decode()))
                started = time.monotonic()
    finally:
        os.close(reads)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _judge_and_leave(stand: Stand, group: Group, mutants: list[Mutant], writes: int) -> None:
    """In the forked process; never returns."""
    try:
        for mutant in mutants:
            started = time.monotonic()
            try:
                row = stand.judge(mutant)
            except Exception as error:  # a defect, whatever it is: a row, and the next mutant
                last = traceback.extract_tb(error.__traceback__)[-1]
                why = f"{type(error).__name__}: {error} ({os.path.basename(last.filename)}:{last.lineno})"
                row = _failed(group, mutant.number, why, time.monotonic() - started)
            os.write(writes, write_row(row).encode() + b"\n")
    finally:
        os._exit(0)


def _failed(group: Group, number: int, why: str, seconds: float) -> Row:
    return Row(
        number,
        group.pair.id,
        group.pair.corpus,
        group.side,
        "",
        "none",
        "",
        "failed",
        why,
        problem=why,
        seconds=seconds,
    )


ROW_BEGINS: Final = b'{"number": '
"""What every line that `write_row` writes begins with."""


def write_row(row: Row) -> str:
    """The row as one line of JSON."""
    return json.dumps(asdict(row))


def read_row(line: str) -> Row:
    """The row that `write_row` wrote. Raises ValueError, TypeError or KeyError where it is none."""
    held = json.loads(line)
    held["differs"] = tuple(held["differs"])
    return Row(**held)
