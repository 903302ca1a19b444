"""Several processes work on one answer; the first to know it gives it."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

import equiv
from equiv.errors import InputError, InternalError, Place, ResourceLimit
from equiv.portfolio import race
from tests.processes import is_running, wait_until

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = str(ROOT / "corpora" / "five-tuple" / "five-tuple.bpf.o")
TWIN = str(ROOT / "corpora" / "five-tuple" / "five-tuple.vlan-depth.dev")

Tell = Callable[[str], None]


def answer(value: str, tell: Tell) -> str:
    tell(f"working on {value}")
    return value


def sleep(tell: Tell) -> str:
    time.sleep(600)
    return "slept"


def die(tell: Tell) -> str:
    os._exit(9)


def raise_input_error(tell: Tell) -> str:
    raise InputError("no state", Place("a.dev", 3), hint="look again")


def raise_something_else(tell: Tell) -> str:
    raise ZeroDivisionError("division by zero")


def known(value: str) -> bool:
    return value != "unknown"


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Iterator[None]:
    before = set(multiprocessing.active_children())
    yield
    assert set(multiprocessing.active_children()) <= before


def test_a_decisive_answer_does_not_wait_for_the_others() -> None:
    assert race([sleep, partial(answer, "yes")], known, None) == "yes"


def test_an_indecisive_answer_waits_for_a_decisive_one() -> None:
    assert race([partial(answer, "unknown"), partial(answer, "no")], known, None) == "no"


def test_of_indecisive_answers_the_first_tasks_counts() -> None:
    assert race([partial(answer, "unknown"), partial(answer, "unknown")], lambda _: False, None) == "unknown"
    assert race([partial(answer, "a"), partial(answer, "b")], lambda _: False, None) == "a"


def test_a_process_that_dies_does_not_spoil_the_answer_of_another() -> None:
    assert race([die, partial(answer, "yes")], known, None) == "yes"


def test_no_answer_at_all_is_a_limit() -> None:
    with pytest.raises(ResourceLimit, match="without an answer"):
        race([die, die], known, None)


def test_an_error_arrives_with_its_place_and_hint() -> None:
    with pytest.raises(InputError, match="no state") as caught:
        race([sleep, raise_input_error], known, None)
    assert (caught.value.place, caught.value.hint) == (Place("a.dev", 3), "look again")


def test_any_other_exception_is_a_defect() -> None:
    with pytest.raises(InternalError, match="ZeroDivisionError: division by zero"):
        race([sleep, raise_something_else], known, None)


def test_only_the_first_task_is_heard() -> None:
    heard: list[str] = []
    race([partial(answer, "a"), partial(answer, "b")], lambda _: False, heard.append)
    assert heard == ["working on a"]


def test_check_with_two_jobs_refutes_what_one_refutes() -> None:
    result = equiv.check(PROGRAM, TWIN, jobs=2, kernel=False, timeout=60)
    assert result.verdict == "different", result.reason
    assert result.counterexample is not None
    assert result.counterexample.differs == ("verdict",)


def test_check_with_two_jobs_proves_that_a_table_is_itself() -> None:
    assert equiv.check(TWIN, TWIN, jobs=2, kernel=False, timeout=60).verdict == "equivalent"


PARENT = """
import os, time
from equiv.portfolio import race

def report_and_sleep(tell):
    tell(os.getpid())
    time.sleep(600)

if __name__ == "__main__":
    race([report_and_sleep], bool, lambda pid: print(pid, flush=True))
"""


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as run:
        assert run.stdout is not None
        child = int(run.stdout.readline())
        run.kill()
    try:
        wait_until(lambda: not is_running(child))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
