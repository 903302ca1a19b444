"""One pair, measured in a process of its own: what it answers, how long that takes, how much memory it needs."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from equiv.bench.manifest import Pair
from equiv.report.style import clean

PACKAGE = Path(__file__).parent.parent

ERROR = "error"
"""The verdict of a pair that could not be checked."""
GRACE_SECONDS = 60.0
"""How much longer than its time limit a check may take, to start, to replay and to write, before it is killed."""
_ANSWERED = _VERIFIED = (0, 1, 3)  # exit statuses that come with a result, of `check` and of `verify`


@dataclass(frozen=True, slots=True)
class Limits:
    """How the checks are run. `timeout` in seconds of engine time; `certificates`: whether those are checked, too."""

    timeout: float = 120.0
    kernel: bool = True
    solver: str = "z3"
    certificates: bool = True
    one_process: bool = False
    """Whether a check has one process only: where several checks run at a time, a second one would slow the others."""


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
    certificate: str = ""
    """What `equiv verify` says of the certificate; '' where there is none, as the two sides are not equivalent."""
    certificate_bytes: int = 0
    obligations: int = 0
    verify_seconds: float | None = None
    """Wall time of the whole process that checked the certificate."""
    verify_peak_rss_bytes: int = 0
    processor_seconds: float = 0.0
    """What the process that checked took of the processor."""
    place: str = ""
    """Where in a side what stopped the proof is: file and line as far as known, function and instruction."""

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one, and its certificate holds if it should have one."""
        return self.verdict == self.expected and (self.verdict != "equivalent" or self.certificate == "holds")

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
    """Check one pair in a new process; if the two sides are equivalent, check the certificate in another."""
    if not limits.certificates:
        check = run_measured(check_command(pair, limits), limits.timeout + GRACE_SECONDS)
        return _row(pair, check, check.answer(_ANSWERED))
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "certificate.json")
        check = run_measured(check_command(pair, limits, file), limits.timeout + GRACE_SECONDS)
        answer = check.answer(_ANSWERED)
        row = _row(pair, check, answer)
        if row.verdict != "equivalent":
            return row
        command = [sys.executable, "-m", "equiv", "verify", "--json", "--timeout", str(limits.timeout)]
        verification = run_measured([*command, "--", file, pair.left, pair.right], limits.timeout + GRACE_SECONDS)
        found = verification.answer(_VERIFIED)
        return replace(
            row,
            reason=row.reason if found["verdict"] == "holds" else f"certificate: {found['reason']}",
            certificate=found["verdict"],
            certificate_bytes=os.path.getsize(file),
            obligations=found.get("obligations", 0),
            verify_seconds=verification.seconds,
            verify_peak_rss_bytes=verification.peak_rss_bytes,
        )


def _row(pair: Pair, check: Ended, answer: dict[str, Any]) -> Row:
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
        seconds=check.seconds,
        engine_seconds=statistics.get("seconds", 0.0),
        solver_seconds=statistics.get("solver_seconds", 0.0),
        peak_rss_bytes=check.peak_rss_bytes,
        phases=statistics.get("phases", {}),
        confirmed_by=tuple(example["confirmed_by"]) if example else (),
        packet_size=example["inputs"]["length"] if example else None,
        processor_seconds=check.processor_seconds,
        place=_place(answer),
    )


def _place(answer: dict[str, Any]) -> str:
    """The place of the cause that the answer gives as its reason; "" where it has none."""
    causes = (cause for cause in answer.get("unknown", ()) if cause["reason"] == answer["reason"])
    place = next((cause.get("place") for cause in causes), None)
    if not place:
        return ""
    file, line, function = (place.get(name) for name in ("file", "line", "function"))
    parts = [f"{Path(file).name}:{line}"] if file and line else []
    if place.get("insn") is not None:
        parts.append(f"{function or place.get('program')} instruction {place['insn']}")
    return clean(", ".join(parts))


@dataclass(frozen=True, slots=True)
class Ended:
    """One process that has ended: its exit status (negative: the signal that killed it), what it wrote and took."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    peak_rss_bytes: int
    processor_seconds: float = 0.0

    def answer(self, statuses: tuple[int, ...]) -> dict[str, Any]:
        """The JSON that it wrote, if it ended with one of `statuses`; in its place, what went wrong."""
        if self.status in statuses:
            result: dict[str, Any] = json.loads(self.out)
            return result
        said = [line for line in self.err.decode("utf-8", "replace").splitlines() if line.strip()]
        how = f"killed by signal {-self.status}" if self.status < 0 else f"exit status {self.status}"
        return {"verdict": ERROR, "reason": clean(": ".join([how, *said[:1]]))}


@cache
def _write_byte_code() -> None:
    """As installing does. Else each process may compile half of equiv anew, and take twice as long to start."""
    compileall.compile_dir(PACKAGE, quiet=2)


def run_measured(command: Sequence[str], most: float) -> Ended:
    """Run a command; it is killed after `most` seconds."""
    _write_byte_code()
    # Files, not pipes: nobody has to read while the process is waited for. This process must stay small: on Linux, a
    # new process's peak is at least that of the one that started it.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        killer = threading.Timer(most, process.kill)
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
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return Ended(process.returncode, out.read(), err.read(), seconds, peak, usage.ru_utime + usage.ru_stime)


def check_command(pair: Pair, limits: Limits, certificate: str = "") -> list[str]:
    """The command that checks a pair and, if a file is given for it, writes its certificate."""
    command = [sys.executable, "-m", "equiv", "check", "--json"]
    command += ["--certificate", certificate] if certificate else []
    command += ["--timeout", str(limits.timeout), "--solver", limits.solver]
    command += ["--interface", pair.interface] if pair.interface else []
    command += [] if limits.kernel else ["--no-kernel"]
    command += ["--one-process"] if limits.one_process else []
    command += ["--no-fuzz"] if pair.left == pair.right else []  # nothing to be found, whatever stops the proof
    command += ["--relation", pair.relation] if pair.relation else []
    command += ["--outputs", pair.outputs] if pair.outputs else []
    command += [argument for name in pair.observe for argument in ("--observe-map", name)]
    command += [argument for text in pair.tail_calls for argument in ("--tail-call", text)]
    return [*command, *pair.others, "--", pair.left, pair.right]
