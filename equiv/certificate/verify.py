"""Discharging all obligations of a relation: what `equiv verify` does once inputs and question are the right ones."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from equiv.certificate.check import Checker, Rejected
from equiv.certificate.obligation import Obligation, relevant
from equiv.solve.backend import Backend, Status
from equiv.solve.sums import abstracted
from equiv.term import Term

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


class Prover(Protocol):
    """Whoever shows that obligations hold."""

    @property
    def queries(self) -> int:
        """How many questions that took so far."""
        ...

    def prove(self, obligation: Obligation, seconds: float) -> Status:
        """`unsat` if the obligation holds, `sat` if it does not, `unknown` if that was not found in the time given."""
        ...


class BySolver:
    """Asks a solver."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def queries(self) -> int:
        return self._backend.queries

    def prove(self, obligation: Obligation, seconds: float) -> Status:
        status: Status = "unknown"
        for conditions in ways_to_deny(obligation):
            status = self._backend.check(conditions, timeout=seconds).status
            if status == "unsat":
                return status
        return status


def verify_relation(
    checker: Checker,
    prover: Prover,
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
            status = prover.prove(obligation, min(left, OBLIGATION_SECONDS)) if left > 0 else "unknown"
            if status != "unsat":
                verdict = "rejected" if status == "sat" else "undecided"
                reason = f"{obligation.name}: " + (
                    "what it claims does not follow" if status == "sat" else "not proved in the time given"
                )
                break
    except Rejected as error:
        verdict, reason = "rejected", str(error)
    except RecursionError:
        verdict, reason = "undecided", "a term is nested too deeply"
    return Verified(
        verdict,
        reason,
        len(checker.relation.states),
        count,
        prover.queries,
        checker.punts,
        time.perf_counter() - started,
    )


def ways_to_deny(obligation: Obligation) -> Iterator[tuple[Term, ...]]:
    """Conditions of which it is enough that one lot cannot hold together; the last are just those of the obligation.

    A few assumptions are mostly enough, and long sums that both sides have need not be taken apart (D64).
    """
    few = Obligation(obligation.name, relevant(obligation.assumptions, obligation.goals), obligation.goals)
    if (simpler := abstracted(few.denied())) is not None:
        yield simpler.terms
    if len(few.assumptions) < len(obligation.assumptions):
        yield few.denied()
    yield obligation.denied()
