"""One run of the gate: what is known is looked up, the rest is done, everything is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Protocol

from equiv.errors import EquivError
from equiv.gate.answer import Answer, failed
from equiv.gate.cache import Cache
from equiv.gate.job import Contents, Job, job_of
from equiv.gate.judge import Judged, judge
from equiv.gate.local import Load, Started, perform_all
from equiv.gate.model import Manifest, Pair
from equiv.gate.needs import Hashes, Need, read_need
from equiv.gate.paths import Folder
from equiv.gate.task import Done, Source, Task


class Watcher(Protocol):
    """Is told how far a run has come, from several threads."""

    def started(self, pair: Pair) -> None: ...

    def ended(self, judged: Judged) -> None: ...


class Silent:
    """Nobody watches."""

    def started(self, pair: Pair) -> None:
        pass

    def ended(self, judged: Judged) -> None:
        pass


Perform = Callable[[Sequence[Task], Load, Started], Iterator[tuple[int, Done]]]
"""Does tasks somewhere; gives what each came to, by its number, as they end."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is made. `retry_unknown`: what was unknown before is asked again."""

    today: date
    cache: Cache | None = None
    verify: bool = False
    retry_unknown: bool = False
    jobs: int = 1
    perform: Perform | None = None
    """Where tasks are done; None: here, `jobs` at a time."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A pair that needs work."""

    place: int
    job: Job
    needs: tuple[Need, ...]
    known: Answer | None


def run_gate(manifest: Manifest, pairs: Sequence[Pair], settings: Settings, watcher: Watcher) -> list[Judged]:
    """All `pairs` of the manifest judged, in their order. Raises InputError where the cache cannot be written."""
    folder = Folder(manifest.folder, manifest.outside)
    hashes = Hashes(folder)
    judged: dict[int, Judged] = {}
    waiting: list[_Open] = []

    def settle(place: int, answer: Answer, source: Source = "checked", notes: tuple[str, ...] = ()) -> None:
        judged[place] = judge(pairs[place], answer, settings.today, source, notes)
        watcher.ended(judged[place])

    for place, pair in enumerate(pairs):
        try:
            needs = hashes.needs(pair)
        except EquivError as error:
            settle(place, failed(error.exit_status, str(error)))
            continue
        job = job_of(pair, needs)
        known = settings.cache.get(job.key) if settings.cache is not None else None
        if known is not None and known.verdict == "unknown" and (settings.retry_unknown or settings.verify):
            known = None
        if known is not None and not settings.verify:
            settle(place, known, "cache")
        else:
            waiting.append(_Open(place, job, needs, known))
    tasks = [Task(each.job, each.known, settings.verify) for each in waiting]

    def load(number: int) -> Contents:
        return {need.sha256: read_need(folder, need.path) for need in waiting[number].needs}

    def started(number: int) -> None:
        watcher.started(pairs[waiting[number].place])

    perform = settings.perform or partial(perform_all, jobs=settings.jobs)
    for number, done in perform(tasks, load, started) if tasks else ():
        each = waiting[number]
        if settings.cache is not None and (each.known is None or done.notes):
            settings.cache.put(each.job.key, done.answer)
        settle(each.place, done.answer, done.source, done.notes)
    return [judged[place] for place in range(len(pairs))]
