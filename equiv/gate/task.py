"""What one pair still needs: to be checked, or to be shown once more. Runs here or on another machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from equiv.errors import EquivError
from equiv.gate.answer import Answer, failed
from equiv.gate.identity import code_identity, executor
from equiv.gate.job import Contents, Job, answer, recheck

Source = Literal["checked", "cache", "verified"]


@dataclass(frozen=True, slots=True)
class Task:
    """`known` is what was found before and is to be shown again. `verify`: whatever is found is shown by other code."""

    job: Job
    known: Answer | None = None
    verify: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The answer, where it is from, and what people should know beside it."""

    answer: Answer
    source: Source = "checked"
    notes: tuple[str, ...] = ()


def perform(task: Task, contents: Contents, stopped: Callable[[], bool] = lambda: False) -> Done:
    """Do what the task needs. Never raises for what a pair may bring about: that is an answer, too."""
    if task.job.code != code_identity():
        return Done(failed(2, "another equiv is installed where it was to be checked; install the same version there"))
    if task.job.executor not in ("", executor(True)):
        why = f"differences are to be replayed on {task.job.executor}, and that does not run there; use --no-kernel"
        return Done(failed(2, why))
    try:
        return _perform(task, contents, stopped)
    except EquivError as error:
        return Done(failed(error.exit_status, str(error)))
    except (OSError, MemoryError) as error:
        return Done(failed(5, f"could not be checked: {type(error).__name__}: {error}"))


def _perform(task: Task, contents: Contents, stopped: Callable[[], bool]) -> Done:
    notes: tuple[str, ...] = ()
    if task.known is not None:
        again = recheck(task.job, task.known, contents, stopped)
        if again.verdict != "error":
            return Done(again, "verified")
        notes = (f"what the cache had did not hold, so it was checked anew: {again.reason}",)
    found = answer(task.job, contents, stopped)
    if not task.verify or found.verdict not in ("equivalent", "different"):
        return Done(found, "checked", notes)
    again = recheck(task.job, found, contents, stopped)
    if again.verdict == "error":
        return Done(failed(5, f"{found.verdict}, but that could not be shown again: {again.reason}"), "checked", notes)
    return Done(found, "verified", notes)
