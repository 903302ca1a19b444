"""Tasks on this machine: so many at a time, each in processes of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from equiv.gate.answer import failed
from equiv.gate.job import Contents
from equiv.gate.task import Done, Task, perform

Load = Callable[[int], Contents]
"""The bytes that the files of a task have, by its number."""
Started = Callable[[int], None]


def perform_all(tasks: Sequence[Task], load: Load, started: Started, jobs: int) -> Iterator[tuple[int, Done]]:
    """What each task came to, as they end. When the caller stops asking, what runs is ended."""
    stop = threading.Event()
    done: queue.SimpleQueue[int] = queue.SimpleQueue()
    with ThreadPoolExecutor(min(jobs, max(len(tasks), 1))) as pool:

        def work(number: int) -> Done:
            if stop.is_set():
                return Done(failed(5, "stopped"))
            started(number)
            return perform(tasks[number], _Lazily(load, number), stop.is_set)

        futures: list[Future[Done]] = []
        try:
            for number in range(len(tasks)):
                futures.append(pool.submit(work, number))
                futures[-1].add_done_callback(lambda _, number=number: done.put(number))  # type: ignore[misc]
            for _ in tasks:
                number = _next(done)
                yield number, futures[number].result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


def _next(done: queue.SimpleQueue[int]) -> int:
    while True:
        try:
            return done.get(timeout=1)  # an endless wait would not let Ctrl-C through everywhere
        except queue.Empty:
            continue


class _Lazily(dict[str, bytes]):
    """The files of one task, read when the first of them is wanted: by then most tasks still wait."""

    def __init__(self, load: Load, number: int) -> None:
        super().__init__()
        self._load = load
        self._number = number

    def __missing__(self, digest: str) -> bytes:
        self.update(self._load(self._number))
        return self.get(digest, b"")
