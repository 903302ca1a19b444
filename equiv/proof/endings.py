"""Where two runs end together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from equiv.machine.protocol import Done, Fault, Stop, Stuck
from equiv.proof.entry import Arrival
from equiv.proof.finding import Reached
from equiv.term import Term


@dataclass(frozen=True, slots=True)
class Ending:
    """An arrival at which no pair of decisions is left: both ended, or one met something final."""

    kind: str
    """'outcomes', 'stuck', 'fault' or 'punt'."""
    left: Stop
    right: Stop
    arrival: Arrival
    side: str = ""

    @property
    def stop(self) -> Stop:
        return self.left if self.side == "L" else self.right


def ending_of(left: Stop, right: Stop) -> tuple[str, str]:
    """The kind of ending that two stops make, and the side that made it; '' where the run goes on."""
    for side, stop in (("L", left), ("R", right)):
        if isinstance(stop, Done) and stop.outcome.punt:
            return "punt", side
    for side, stop in (("L", left), ("R", right)):
        if isinstance(stop, Fault):
            return "fault", side
    for side, stop in (("L", left), ("R", right)):
        if isinstance(stop, Stuck):
            return "stuck", side
    if isinstance(left, Done) and isinstance(right, Done):
        return "outcomes", ""
    return "", ""


def depth(ending: Ending) -> int:
    """The order of the joint state that it was reached from; -1 at the start."""
    source = ending.arrival.source
    return -1 if source is None else source.order


def stuck_at(endings: Iterable[Ending]) -> tuple[Reached, ...]:
    """What is not modelled at these endings, each once, as far as nobody knows whether an input leads there."""
    found = {}
    for ending in endings:
        if isinstance(ending.stop, Stuck):
            found[ending.side, ending.stop.reason, ending.stop.place] = unfinished(ending, {})
    return tuple(found.values())


def unfinished(ending: Ending, conditions: dict[str, Term]) -> Reached:
    """What is left open of an ending whose `conditions` were neither shown nor excluded."""
    stop = ending.stop if ending.side else None
    if isinstance(stop, Stuck | Fault):
        return Reached(
            ending.side, f"{stop.reason} (not shown to be reachable or not, in the time given)", stop.place, None
        )
    names = ", ".join(conditions)
    return Reached(
        "", f"a possible difference in {names} was neither confirmed nor excluded in the time given", None, None
    )
