"""Discharging all obligations of a relation: what `equiv verify` does once inputs and question are the right ones."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from equiv.certificate.check import Checker, Rejected
from equiv.certificate.obligation import Obligation, relevant
from equiv.solve.backend import Backend

Verdict = Literal["holds", "rejected", "undecided"]

OBLIGATION_SECONDS = 60.0
"""How long the solver may take for one obligation."""


@dataclass(frozen=True, slots=True)
class Verified:
    """`reason` says what failed. `obligations` counts those that did not hold at once; `seconds` is all of it."""

    verdict: Verdict
    reason: str
    joint_states: int
    obligations: int
    queries: int
    punts: int
    seconds: float


def verify_relation(
    checker: Checker,
    backend: Backend,
    *,
    seconds: float | None = None,
    on_obligation: Callable[[Obligation], None] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> Verified:
    """Prove what the relation claims, within `seconds` (None: no limit). Every obligation is handed on before that."""
    started = time.perf_counter()
    count = 0
    verdict: Verdict = "holds"
    reason = ""
    try:
        for obligation in checker.obligations():
            count += 1
            if on_obligation is not None:
                on_obligation(obligation)
            if on_progress is not None:
                on_progress(count)
            left = OBLIGATION_SECONDS if seconds is None else seconds - (time.perf_counter() - started)
            status = _prove(obligation, backend, min(left, OBLIGATION_SECONDS)) if left > 0 else "unknown"
            if status != "unsat":
                verdict = "rejected" if status == "sat" else "undecided"
                reason = f"{obligation.name}: " + (
                    "what it claims does not follow" if status == "sat" else "not proved in the time given"
                )
                break
    except Rejected as error:
        verdict, reason = "rejected", str(error)
    return Verified(
        verdict,
        reason,
        len(checker.relation.states),
        count,
        backend.queries,
        checker.punts,
        time.perf_counter() - started,
    )


def _prove(obligation: Obligation, backend: Backend, seconds: float) -> str:
    """`unsat` if the obligation holds, `sat` if it does not. A few assumptions are mostly enough."""
    few = Obligation(obligation.name, relevant(obligation.assumptions, obligation.goals), obligation.goals)
    status = backend.check(few.denied(), timeout=seconds).status
    if status == "unsat" or len(few.assumptions) == len(obligation.assumptions):
        return status
    return backend.check(obligation.denied(), timeout=seconds).status
