"""Tasks on a Dask cluster: the same jobs, sent with their files' bytes to whichever worker is free (D153).

Files need not be on the workers' machines. What must be is the same equiv: each worker compares its own code with what
is wanted, and each file with its hash. Workers that go away are a matter of the cluster: what they had is given to
others, until several have died of it.

Whoever can speak to the scheduler can have code run by the workers and by the gate (pickles go over the wire): see
docs/gate.md.
"""

from __future__ import annotations

import contextlib
import queue
import time
from asyncio import CancelledError
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from equiv.errors import InputError
from equiv.gate.answer import failed
from equiv.gate.job import Contents, Job, belongs
from equiv.gate.local import Load, Started
from equiv.gate.task import Done, Task, perform

if TYPE_CHECKING:
    from distributed import Client

CONNECT_SECONDS = 10
POLL_SECONDS = 2.0
NO_WORKER_SECONDS = 120.0
"""How long the gate waits for a cluster without any worker."""
RETRIES = 2
"""How often a task is tried again that raised what it never should. Lost workers are counted by the scheduler."""
WAITING_PER_THREAD = 2
"""How many tasks are sent ahead of what the workers' threads can do at once: files' bytes are sent with them."""


def perform_all(
    tasks: Sequence[Task], load: Load, started: Started, address: str, patience: float = NO_WORKER_SECONDS
) -> Iterator[tuple[int, Done]]:
    """What each task came to, as they end. Raises InputError where no scheduler answers at `address`.

    After `patience` seconds without a worker, what is left is given up.
    """
    client = _connect(address)
    try:
        yield from _Sending(client, tasks, load, started, patience).done()
    finally:
        with contextlib.suppress(Exception):
            client.close()


def remote(task: Task, contents: Contents) -> Done:
    """What a worker runs."""
    return perform(task, contents)


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise InputError("a cluster needs Dask", hint="pip install 'equiv[cluster]'") from error
    try:
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"no Dask scheduler answers at {address}: {said}", hint="tcp://HOST:8786") from error


def _lost(error: BaseException) -> Done:
    said = str(error).partition("\n")[0]
    return Done(failed(5, f"lost in the cluster: {type(error).__name__}: {said}"))


class _Sending:
    """Keeps the cluster supplied with tasks, and gives what comes back. Owns the futures."""

    def __init__(self, client: Client, tasks: Sequence[Task], load: Load, started: Started, patience: float) -> None:
        self._client = client
        self._tasks = tasks
        self._load = load
        self._started = started
        self._patience = patience
        self._next = 0
        self._waiting: dict[Any, int] = {}
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._alone_since: float | None = None

    def done(self) -> Iterator[tuple[int, Done]]:
        try:
            while self._next < len(self._tasks) or self._waiting:
                yield from self._send()
                if not self._waiting:
                    continue
                try:
                    future = self._ended.get(timeout=POLL_SECONDS)
                except queue.Empty:
                    if self._is_alone():
                        yield from self._give_up()
                        return
                    continue
                number = self._waiting.pop(future)
                yield number, self._result(future, self._tasks[number].job)
        finally:
            with contextlib.suppress(Exception):  # of a client that has lost its scheduler
                self._client.cancel(list(self._waiting), force=True)

    def _send(self) -> Iterator[tuple[int, Done]]:
        """Send as many tasks as the cluster can use now."""
        most = 4 + WAITING_PER_THREAD * sum(self._workers().values())
        while self._next < len(self._tasks) and len(self._waiting) < most:
            number, self._next = self._next, self._next + 1
            try:
                contents = dict(self._load(number))
            except InputError as error:
                yield number, Done(failed(error.exit_status, str(error)))
                continue
            key = f"equiv-gate-{number}-{self._tasks[number].job.key[:16]}"
            try:
                future = self._client.submit(
                    remote, self._tasks[number], contents, key=f"{key}-{id(self):x}", pure=False, retries=RETRIES
                )
            except Exception as error:
                yield number, _lost(error)
                continue
            self._waiting[future] = number
            self._started(number)
            future.add_done_callback(self._ended.put)

    def _result(self, future: Any, job: Job) -> Done:
        try:
            found = future.result(timeout=CONNECT_SECONDS)
        except (Exception, CancelledError) as error:  # whatever a cluster may raise is not about the pair
            return _lost(error)
        if not isinstance(found, Done) or not belongs(job, found.answer):
            return Done(failed(5, "a worker answered another question"))
        return found

    def _workers(self) -> dict[str, int]:
        """Threads of each worker, by its address; none while the scheduler does not answer."""
        try:
            return dict(self._client.nthreads())
        except Exception:  # of several kinds, from one version of Dask to the next
            return {}

    def _is_alone(self) -> bool:
        """Whether there has been no worker for too long, or no scheduler."""
        if self._client.status not in ("running", "connecting"):
            return True
        if self._workers():
            self._alone_since = None
            return False
        now = time.monotonic()
        self._alone_since = self._alone_since or now
        return now - self._alone_since > self._patience

    def _give_up(self) -> Iterator[tuple[int, Done]]:
        why = Done(failed(5, f"the cluster has no workers, or no scheduler, for {self._patience:.0f} seconds"))
        for number in (*self._waiting.values(), *range(self._next, len(self._tasks))):
            yield number, why
