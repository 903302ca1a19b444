"""Several ways to one answer at a time: each in a process of its own, the first decisive answer counts.

In: tasks that can be pickled. Out: what one of them returned or raised. The processes are started afresh (`spawn`):
solvers keep threads, which a fork would lose. As always with `spawn`, a script needs its `__main__` guard.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Literal, TypeAlias, TypeVar

from equiv.errors import EquivError, InternalError, ResourceLimit

Answer = TypeVar("Answer")
News = TypeVar("News")

Task: TypeAlias = Callable[[Callable[[News], None]], Answer]
"""Works out an answer; tells its argument how far it has come."""

Message: TypeAlias = tuple[Literal["news", "answer", "error"], Any]


def race(
    tasks: Sequence[Task[News, Answer]], decisive: Callable[[Answer], bool], on_news: Callable[[News], None] | None
) -> Answer:
    """What the first task with a decisive answer returned; where none has one, what the first in order returned.

    An EquivError of any task is raised here: it is about the input, or a defect, neither of which may be outvoted.
    `on_news` hears the first task only. Raises ResourceLimit where no process lived to answer.
    """
    answers = gather(tasks, decisive, on_news)
    if not answers:
        raise ResourceLimit("every process ended without an answer; out of memory?")
    deciding = [number for number in sorted(answers) if decisive(answers[number])]
    return answers[deciding[0] if deciding else min(answers)]


def gather(
    tasks: Sequence[Task[News, Answer]], decisive: Callable[[Answer], bool], on_news: Callable[[News], None] | None
) -> dict[int, Answer]:
    """What the tasks returned, by their number, until one of them had a decisive answer; the others are ended then."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[Connection, int] = {}
    processes: list[BaseProcess] = []
    answers: dict[int, Answer] = {}
    try:
        for number, task in enumerate(tasks):
            ours, theirs = context.Pipe(duplex=False)
            process: BaseProcess = context.Process(
                target=_work, args=(task, theirs, number == 0 and on_news is not None)
            )
            process.start()
            theirs.close()  # so that the pipe ends when the process does
            pipes[ours] = number
            processes.append(process)
        while pipes:
            for ready in wait(list(pipes)):
                assert isinstance(ready, Connection)
                try:
                    kind, content = ready.recv()
                except EOFError:
                    del pipes[ready]
                    continue
                match kind:
                    case "answer":
                        answers[pipes[ready]] = content
                        if decisive(content):
                            return answers
                    case "error":
                        raise content
                    case "news" if on_news is not None:
                        on_news(content)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
    return answers


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _work(task: Task[Any, Any], pipe: Connection, talkative: bool) -> None:
    """What a process does: its task, then one message more than there was news."""
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def tell(news: object) -> None:
        if talkative:
            pipe.send(("news", news))

    message: Message
    try:
        message = ("answer", task(tell))
    except EquivError as error:
        message = ("error", error)
    except (MemoryError, KeyboardInterrupt):
        return  # ends the pipe without an answer
    except Exception as error:  # may not be picklable, and means the same in every process: a defect
        message = ("error", InternalError(f"{type(error).__name__}: {error}"))
    pipe.send(message)
