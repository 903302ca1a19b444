"""Ways to run a machine that several tests share."""

from __future__ import annotations

from equiv.machine.protocol import Done, Fork, Machine, Outcome
from equiv.term import Assignment, evaluate


def resumed(machine: Machine, assignment: Assignment) -> Outcome:
    """The outcome when every decision is left open and the run goes on from a snapshot of each."""
    state = machine.start()
    for _ in range(10_000):
        stop = machine.run(state, lambda _: None)
        if isinstance(stop, Done):
            return stop.outcome
        assert isinstance(stop, Fork)
        again = machine.run(machine.resume(machine.snapshot(stop.before)), lambda _: None)
        assert isinstance(again, Fork)
        taken = [b for b in again.branches if evaluate(b.guard, assignment)]
        assert len(taken) == 1, "guards exclude each other and leave nothing out"
        state = taken[0].state
    raise AssertionError("no end")
