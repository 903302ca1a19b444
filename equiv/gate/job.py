"""One pair as something that can be sent anywhere and be answered there: arguments, files by hash, limits (D151).

The check runs in a new folder that holds the files whose hashes are listed and nothing else. So what it read is what
was hashed, and a file that nobody thought of is missing rather than silently part of the answer.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import equiv
from equiv.errors import InputError, Place
from equiv.gate.answer import ROOM, Answer, failed
from equiv.gate.identity import code_identity, executor
from equiv.gate.model import Limits, Options, Pair, moved
from equiv.gate.needs import Need
from equiv.gate.paths import OUTSIDE
from equiv.gate.process import Ended, run
from equiv.report.style import clean

GRACE_SECONDS = 60.0
"""How much longer than its time limit a check may take, to start, to replay and to write, before it is ended."""
_STATUS = {"equivalent": 0, "different": 1, "unknown": 3}
MAX_REASON = 1000

Contents: TypeAlias = Mapping[str, bytes]
"""Files' bytes by hash."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is asked: `options` and sides as they are called in the folder, `files` by path there, each with its hash.

    `code` is whose answer is wanted, `executor` on which kernel differences are replayed ('': on none).
    """

    left: str
    right: str | None
    options: Options
    files: Mapping[str, str]
    limits: Limits
    code: str
    executor: str

    @property
    def key(self) -> str:
        """SHA-256 in hex of all that the answer depends on."""
        said = {**asdict(self), "form": 1}
        return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()

    def arguments(self) -> list[str]:
        """Those of `equiv check`, behind the command's name."""
        sides = [self.left, *([self.right] if self.right is not None else [])]
        options = replace(self.options, kernel=self.options.kernel and bool(self.executor))
        return [f"--timeout={self.limits.timeout:g}", *options.arguments(), "--", *sides]


def job_of(pair: Pair, needs: Sequence[Need]) -> Job:
    """The pair as it is called in a folder of its own."""
    return Job(
        _placed(pair.left),
        None if pair.right is None else _placed(pair.right),
        moved(pair.options, _placed),
        {_placed(need.path): need.sha256 for need in needs},
        pair.limits,
        code_identity(),
        executor(pair.options.kernel),
    )


def _placed(path: str) -> str:
    """Where a file lies in the folder."""
    return f"{OUTSIDE}{path}" if path.startswith("/") else path


# --- answering -----------------------------------------------------------------------------------------------------


def answer(job: Job, contents: Contents, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """Check the pair, in a process of its own."""
    with _room(job, contents) as (inputs, outputs):
        certificate = outputs / "certificate.json"
        command = ["check", "--json", "--one-process", f"--certificate={certificate}", *job.arguments()]
        ended = _run(command, inputs, job, stopped)
        found = _answer(job, ended, certificate)
        return replace(found, seconds=ended.seconds, peak_rss_bytes=ended.peak_rss_bytes)


def recheck(job: Job, known: Answer, contents: Contents, stopped: Callable[[], bool] = lambda: False) -> Answer:
    """`known`, if it is shown to hold once more: its certificate by another solver, its packet by both interpreters.

    Otherwise an error that says what does not. `unknown` cannot be shown: it is one.
    """
    with _room(job, contents) as (inputs, outputs):
        certificate, task = outputs / "certificate.json", outputs / "task.json"
        certificate.write_bytes(known.certificate or b"")
        task.write_text(json.dumps({**asdict(job), "certificate": str(certificate), "result": known.result}))
        ended = _run(["recheck", str(task)], inputs, job, stopped)
    held = ended.by == "itself" and ended.status == 0
    found = known if held else failed(5, _why(ended, job.limits))
    return replace(found, seconds=ended.seconds, peak_rss_bytes=ended.peak_rss_bytes)


@contextmanager
def _room(job: Job, contents: Contents) -> Iterator[tuple[Path, Path]]:
    """A folder with the job's files and nothing else, and an empty one. Raises InputError for bytes not asked for."""
    with tempfile.TemporaryDirectory(prefix=ROOM) as folder:
        inputs, outputs = Path(folder, "in"), Path(folder, "out")
        inputs.mkdir()
        outputs.mkdir()
        for path, digest in job.files.items():
            data = contents[digest]
            if sha256(data).hexdigest() != digest:
                raise InputError("these are not the bytes that it had when the gate began", Place(path))
            target = inputs / path
            if not target.resolve().is_relative_to(inputs.resolve()):
                raise InputError("leads out of the folder that a check runs in", Place(path))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        yield inputs, outputs


def _run(arguments: list[str], folder: Path, job: Job, stopped: Callable[[], bool]) -> Ended:
    # -P: what lies in the folder must not be taken for Python modules.
    command = [sys.executable, "-P", "-m", "equiv.worker", *arguments]
    kept = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(each)]
    modules = [str(Path(equiv.__file__).resolve().parents[1]), *kept]
    # A fixed seed for hashes: the same question takes the same way everywhere.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(modules), "PYTHONHASHSEED": "0"}
    seconds = job.limits.timeout + GRACE_SECONDS
    return run(command, str(folder), seconds, job.limits.memory * 1_000_000, stopped, environment)


def _answer(job: Job, ended: Ended, certificate: Path) -> Answer:
    if ended.by in ("time", "memory"):
        return Answer("unknown", 3, _why(ended, job.limits))
    if ended.by == "stopped" or ended.status not in (0, 1, 3):
        return failed(ended.status if ended.status in (2, 4) else 5, _why(ended, job.limits))
    if not ended.out and ended.status == 3:  # no room left to say more
        return Answer("unknown", 3, _why(ended, job.limits))
    outside = [path for path in job.files if path.startswith(f"{OUTSIDE}/")]
    text = ended.out.decode("ascii", "replace")
    for path in outside:
        text = text.replace(path, path.removeprefix(OUTSIDE))
    try:
        result = json.loads(text)
        verdict, reason = result["verdict"], str(result["reason"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return failed(5, f"no result: {type(error).__name__}: {error}; {_why(ended, job.limits)}")
    if _STATUS.get(verdict) != ended.status:
        return failed(5, f"its result is {verdict}, its exit status {ended.status}")
    proof = None
    if verdict == "equivalent":
        if not certificate.exists() or not isinstance(result.get("certificate"), dict):
            return failed(5, "equivalent, but without a certificate")
        proof = certificate.read_bytes()
        result["certificate"]["file"] = ""  # where it lay is of no interest, and never the same
    found = Answer(verdict, ended.status, reason, result, proof)
    return found if belongs(job, found) else failed(5, "its result is about something else")


def belongs(job: Job, found: Answer) -> bool:
    """Whether an answer is one to this job: in itself consistent, and about the same files."""
    if found.verdict == "error" or (found.verdict == "unknown" and found.result is None):
        return True
    try:
        result = found.result or {}
        sides = [result[side] for side in ("left", "right") if result[side]["kind"] != "property"]
        certified = found.certificate is not None
        return (
            result["verdict"] == found.verdict
            and _STATUS[found.verdict] == found.status
            and {side["sha256"] for side in sides} <= set(job.files.values())
            and certified is (found.verdict == "equivalent")
            and (not certified or result["certificate"]["sha256"] == sha256(found.certificate or b"").hexdigest())
        )
    except (KeyError, TypeError):
        return False


def _why(ended: Ended, limits: Limits) -> str:
    """What ended a process that did not answer."""
    match ended.by:
        case "time":
            return f"not done {GRACE_SECONDS:.0f} seconds after its time limit of {limits.timeout:g}: ended"
        case "memory":
            return f"needs more than {limits.memory} MB of memory: ended"
        case "stopped":
            return "stopped"
    said = [line.strip() for line in ended.err.splitlines() if line.strip()]
    text = clean(said[0].removeprefix("error: "))[:MAX_REASON] if said else ""
    if ended.status < 0:
        name = signal.Signals(-ended.status).name if -ended.status in set(signal.Signals) else f"signal {-ended.status}"
        return f"its process was killed ({name}){text and ': '}{text}"
    return text or f"exit status {ended.status}"
