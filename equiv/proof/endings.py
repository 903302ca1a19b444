"""Where two runs end together."""

from __future__ import annotations

from dataclasses import dataclass

from equiv.machine.protocol import Done, Fault, Stop, Stuck
from equiv.proof.entry import Arrival


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
