"""The machine that has ended before it began: the other side of a check that is about one input only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from equiv.errors import Place
from equiv.machine.concrete import Observation
from equiv.machine.protocol import Decide, Done, Outcome, Snapshot
from equiv.term import const

NOTHING = Observation("", 0)
"""What a run of it shows."""


@dataclass(slots=True)
class Ended:
    """`equiv.machine.protocol.Machine` that returns 0 and shows nothing else. `name` is what reports call it."""

    name: str
    code_width: int = 32
    assumptions: tuple[str, ...] = ()

    def start(self) -> None:
        return None

    def run(self, state: object, decide: Decide) -> Done:
        del state, decide
        return Done(Outcome(const(0, self.code_width)))

    def snapshot(self, state: object, like: Collection[str] | None = None) -> Snapshot:
        del state, like
        return Snapshot("ended", {})

    def resume(self, snapshot: Snapshot) -> None:
        del snapshot

    def order(self, snapshot: Snapshot) -> int:
        del snapshot
        return 0

    def loop_end(self, snapshot: Snapshot) -> int:
        del snapshot
        return 0

    def place(self, snapshot: Snapshot) -> Place | None:
        del snapshot
        return None
