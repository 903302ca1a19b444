"""What a check does and how long it takes: phases, counters."""

from __future__ import annotations

import time
from dataclasses import dataclass


@dataclass(slots=True)
class Stopwatch:
    """Adds the seconds spent in a `with` block to an entry of a table."""

    table: dict[str, float]
    name: str
    started: float = 0.0

    def __enter__(self) -> None:
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.table[self.name] = self.table.get(self.name, 0.0) + time.perf_counter() - self.started


@dataclass(slots=True)
class Counters:
    """What the exploration did, for statistics and progress."""

    explorations: int = 0
    joins: int = 0
    pending: int = 0
