"""One pair, measured in a process of its own: what it answers, how long that takes, how much memory it needs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from equiv.bench.manifest import Pair
from equiv.report.style import clean

ERROR = "error"
"""The verdict of a pair that could not be checked."""
GRACE_SECONDS = 60.0
"""How much longer than its time limit a check may take, to start, to replay and to write, before it is killed."""
_ANSWERED = (0, 1, 3)  # exit statuses that come with a result


@dataclass(frozen=True, slots=True)
class Limits:
    """How the checks are run. `timeout` in seconds of engine time."""

    timeout: float = 120.0
    kernel: bool = True
    solver: str = "z3"


@dataclass(frozen=True, slots=True)
class Row:
    """What one pair showed.

    `seconds` is the whole process's wall time, from before it is started until after it has ended; `engine_seconds` is
    the engine's part of it, `phases` the parts of that. `peak_rss_bytes` is the most memory that the process held.
    `verdict` may be `error`; `reason` then says why, and the numbers that only a result has are 0.
    `packet_size` is that of the counterexample's packet in bytes, None where there is no counterexample.
    """

    id: str
    corpus: str
    left: str
    right: str
    expected: str
    verdict: str
    reason: str
    bug: str
    joint_states: int
    explorations: int
    solver_queries: int
    seconds: float
    engine_seconds: float
    solver_seconds: float
    peak_rss_bytes: int
    phases: dict[str, float] = field(default_factory=dict)
    confirmed_by: tuple[str, ...] = ()
    packet_size: int | None = None

    @property
    def as_expected(self) -> bool:
        return self.verdict == self.expected

    @property
    def with_itself(self) -> bool:
        return self.left == self.right


def rows_as_json(rows: Sequence[Row]) -> str:
    """The rows as an indented JSON list, ending in a newline."""
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"


def measure_all(pairs: Sequence[Pair], limits: Limits, jobs: int, done: Callable[[Row], None]) -> list[Row]:
    """Measure `pairs`, `jobs` at a time; `done` is told of each as it ends, in the caller's thread."""
    with ThreadPoolExecutor(jobs) as pool:
        rows = []
        try:
            for row in pool.map(lambda pair: measure(pair, limits), pairs):
                done(row)
                rows.append(row)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        return rows


def measure(pair: Pair, limits: Limits) -> Row:
    """Check one pair in a new process."""
    # Files, not pipes: nobody has to read while the process is waited for. This process must stay small: on Linux, a
    # new process's peak is at least that of the one that started it.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(_command(pair, limits), stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        killer = threading.Timer(limits.timeout + GRACE_SECONDS, process.kill)
        killer.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            killer.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
        seconds = time.perf_counter() - started
        out.seek(0)
        err.seek(0)
        answer = _answer(process.returncode, out.read(), err.read())
    statistics = answer.get("statistics", {})
    example = answer.get("counterexample")
    return Row(
        id=pair.id,
        corpus=pair.corpus,
        left=pair.left,
        right=pair.right,
        expected=pair.expected,
        verdict=answer["verdict"],
        reason=answer["reason"],
        bug=pair.bug,
        joint_states=statistics.get("joint_states", 0),
        explorations=statistics.get("explorations", 0),
        solver_queries=statistics.get("solver_queries", 0),
        seconds=seconds,
        engine_seconds=statistics.get("seconds", 0.0),
        solver_seconds=statistics.get("solver_seconds", 0.0),
        peak_rss_bytes=usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
        phases=statistics.get("phases", {}),
        confirmed_by=tuple(example["confirmed_by"]) if example else (),
        packet_size=example["inputs"]["length"] if example else None,
    )


def _command(pair: Pair, limits: Limits) -> list[str]:
    command = [sys.executable, "-m", "equiv", "check", "--json"]
    command += ["--timeout", str(limits.timeout), "--solver", limits.solver]
    command += ["--interface", pair.interface] if pair.interface else []
    command += [] if limits.kernel else ["--no-kernel"]
    command += ["--relation", pair.relation] if pair.relation else []
    command += [argument for name in pair.observe for argument in ("--observe-map", name)]
    command += [argument for text in pair.tail_calls for argument in ("--tail-call", text)]
    return [*command, "--", pair.left, pair.right]


def _answer(status: int, out: bytes, err: bytes) -> dict[str, Any]:
    """The result that the process wrote; in its place, what went wrong."""
    if status in _ANSWERED:
        result: dict[str, Any] = json.loads(out)
        return result
    said = [line for line in err.decode("utf-8", "replace").splitlines() if line.strip()]
    how = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
    return {"verdict": ERROR, "reason": clean(": ".join([how, *said[:1]]))}
