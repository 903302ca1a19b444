"""A second process that looks for a difference (D380): what it finds ends the proof, its end is never an answer."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from equiv import api, seeking
from equiv.errors import InternalError
from equiv.memory import rss_bytes
from equiv.proof import engine
from equiv.question import pose
from equiv.seeking import Report, Seeker, Task
from tests.processes import PATIENCE, children, is_running, wait_until

CORPORA = Path(__file__).parent.parent / "corpora"
PROGRAM = str(CORPORA / "tcp-options" / "tcp-options.bpf.o")
TABLE = str(CORPORA / "tcp-options" / "tcp-options.dev")
BROKEN = str(CORPORA / "tcp-options" / "tcp-options.nop-length.dev")
DEFECTIVE = partial(Report, error=InternalError("wrong there"))


def task(right: str = BROKEN, fuzzing: bool = False) -> Task:
    return Task(pose(PROGRAM, right, api.question_for()), "z3", 0, False, fuzzing)


@pytest.fixture
def only_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process nobody looks for differences, and the other one is waited for."""
    monkeypatch.setattr(seeking, "AFTER", 0.0)
    monkeypatch.setattr(engine, "CHUNK", 1)
    monkeypatch.setattr(engine.Engine, "_look_early", lambda *_: False)
    monkeypatch.setattr(engine.Engine, "_search", lambda *_: False)
    monkeypatch.setattr(Seeker, "has_found", waiting)


def waiting(seeker: Seeker, real: Callable[[Seeker], bool] = Seeker.has_found) -> bool:
    """What has_found says in the end."""
    wait_until(lambda: real(seeker) or seeker._is_over)
    return real(seeker)


@pytest.fixture
def nobody_left() -> Iterator[None]:
    """What was started is gone in the end. Other tests' processes, a fork server for one, may be there all along."""
    before = children()
    yield
    assert children() <= before


@pytest.mark.usefixtures("nobody_left", "only_elsewhere")
def test_what_the_other_process_finds_is_the_answer() -> None:
    result = api.check(PROGRAM, BROKEN, kernel=False, two_processes=True, timeout=PATIENCE)
    assert result.verdict == "different"
    assert result.counterexamples[0].confirmed_by == ("interpreter",)
    assert result.fuzzed is None


@pytest.mark.usefixtures("nobody_left")
def test_one_that_finds_nothing_leaves_the_proof_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "AFTER", 0.0)
    monkeypatch.setattr(engine, "CHUNK", 1)
    monkeypatch.setattr(engine.Engine, "_search", lambda *_: pytest.fail("the other process does that"))
    result = api.check(PROGRAM, TABLE, two_processes=True, certificate=True)
    assert result.verdict == "equivalent"
    assert result.certificate is not None


@pytest.mark.parametrize("interpreter", ["/bin/false", "/nowhere/python"])
def test_one_that_cannot_be_started_is_made_up_for(monkeypatch: pytest.MonkeyPatch, interpreter: str) -> None:
    monkeypatch.setattr(seeking, "AFTER", 0.0)
    monkeypatch.setattr(engine, "CHUNK", 1)
    monkeypatch.setattr(engine.Engine, "_look_early", lambda *_: False)
    monkeypatch.setattr(sys, "executable", interpreter)
    asked = []
    search = engine.Engine._search

    def searching(self: engine.Engine, *rest: object) -> bool:
        asked.append(rest)
        return search(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.Engine, "_search", searching)
    assert api.check(PROGRAM, BROKEN, kernel=False, two_processes=True).verdict == "different"
    assert asked


def test_a_defect_there_is_one_here() -> None:
    seeker = Seeker(DEFECTIVE)
    assert seeker.is_at_work(PATIENCE)
    try:
        with pytest.raises(InternalError, match="wrong there"):
            waiting(seeker)
    finally:
        seeker.close()


@pytest.mark.usefixtures("nobody_left")
def test_a_process_is_started_late_and_only_once() -> None:
    before = children()
    seeker = Seeker(DEFECTIVE)
    assert not seeker.is_at_work(seeking.AFTER / 2)
    assert children() <= before
    assert seeker.is_at_work(seeking.AFTER)
    assert len(children() - before) == 1
    assert seeker.is_at_work(seeking.AFTER)
    assert len(children() - before) == 1
    seeker.close()


def test_campaigns_there_come_with_their_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "TURNS", ("fuzz",))
    report = task(fuzzing=True)()
    assert report.counterexamples
    assert report.figures is not None
    assert report.figures.packets


def test_without_fuzzing_there_is_no_campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "TURNS", ("fuzz",))
    assert task(fuzzing=False)() == Report()


def test_who_holds_much_does_not_search_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeking, "MOST_BYTES", 0)
    monkeypatch.setattr(seeking, "SLICE", 0.001)
    asked = []
    monkeypatch.setattr(engine.Engine, "seek", lambda _, until: asked.append(until))
    assert task()() == Report()
    assert not asked


def test_it_ends_with_the_process_that_started_it() -> None:
    code = (
        "import time; from functools import partial; from equiv.seeking import Seeker\n"
        "seeker = Seeker(partial(time.sleep, 600)); seeker.is_at_work(1e9); time.sleep(2)\n"
        "print(seeker._process.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=CORPORA.parent, text=True) as starter:
        assert starter.stdout is not None
        other = int(starter.stdout.readline())
        assert is_running(other)
        starter.send_signal(signal.SIGKILL)
    wait_until(lambda: not is_running(other))


def test_in_the_end_it_is_looked_for_here_too_and_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said of this pair on the way cannot be; the search here soon has nothing left."""
    monkeypatch.setattr(seeking, "AFTER", 0.0)
    monkeypatch.setattr(Seeker, "has_found", lambda _: False)
    monkeypatch.setattr(engine, "LAST_SECONDS", (1e9, 1e9))
    labels = CORPORA / "tail-labels"
    result = api.check(str(labels / "tail-labels.bpf.o"), str(labels / "loop-labels.bpf.o"), two_processes=True)
    assert result.verdict == "equivalent"


@pytest.mark.usefixtures("only_elsewhere")
def test_what_the_first_process_holds_does_not_count() -> None:
    """Linux says of a process that another one started that it has held as much as that."""
    much = bytearray(b"x") * (seeking.MOST_BYTES + (1 << 28))
    assert rss_bytes() > seeking.MOST_BYTES
    assert api.check(PROGRAM, BROKEN, kernel=False, two_processes=True, timeout=PATIENCE).verdict == "different"
    del much
