"""Where two runs end, and under which condition their outcomes differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from equiv.machine.protocol import Done, Fault, Outcome, Stop, Stuck
from equiv.proof.entry import Arrival
from equiv.term import Term, conj, const, disj, distinct, eq


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


def difference(left: Outcome, right: Outcome, counts: Callable[[str], frozenset[int] | None]) -> dict[str, Term]:
    """Per observable, the condition (width 1) under which the two outcomes differ in it.

    `counts(name)` gives the return codes for which an observable is compared (empty: all), or None where it never is.
    """
    conditions = {"verdict": distinct(left.code, right.code)}
    for name in dict.fromkeys((*left.values, *right.values)):
        when = counts(name)
        if when is None:
            continue
        a, b = left.values.get(name), right.values.get(name)
        unequal = const(1, 1) if a is None or b is None or a.width != b.width else distinct(a, b)
        conditions[name] = _guarded(unequal, left.code, when)
    return {name: term for name, term in conditions.items() if not (term.is_const and term.value == 0)}


def _guarded(unequal: Term, code: Term, when: frozenset[int]) -> Term:
    if not when:
        return unequal
    return conj(unequal, disj(*(eq(code, const(c, code.width)) for c in sorted(when))))
