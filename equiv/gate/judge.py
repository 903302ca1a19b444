"""What is as it should be, and what the gate ends with (D150)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from equiv.gate.answer import Answer
from equiv.gate.model import Pair

WORST_FIRST = (5, 1, 4, 2, 3, 0)
"""Exit statuses: a defect in equiv, not the verdict that is wanted, not supported, unusable, unknown, all well."""
LONGEST = timedelta(days=366)
"""How far ahead an allowance may end: what never ends is no allowance."""

Outcome = Literal["expected", "allowed", "different", "equivalent", "unknown", "expired", "unused", "error"]


@dataclass(frozen=True, slots=True)
class Judged:
    """One pair with its answer. `status` is this pair's part of the exit status; `why` is a sentence for people.

    `source` says where the answer is from.
    """

    pair: Pair
    answer: Answer
    outcome: Outcome
    status: int
    why: str
    source: Literal["checked", "cache", "verified"] = "checked"
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.status == 0


def judge(
    pair: Pair,
    answer: Answer,
    today: date,
    source: Literal["checked", "cache", "verified"] = "checked",
    notes: tuple[str, ...] = (),
) -> Judged:
    """Compare the answer with what the manifest wants of the pair on the day `today`."""
    outcome, status, why = _judged(pair, answer, today)
    return Judged(pair, answer, outcome, status, why, source, notes)


def _judged(pair: Pair, answer: Answer, today: date) -> tuple[Outcome, int, str]:
    allowed = pair.allowance
    if answer.verdict == "error":
        return "error", answer.status, answer.reason
    if answer.verdict == "unknown":
        if allowed is None:
            return "unknown", 3, answer.reason
        if today > allowed.until:
            return "expired", 3, f"unknown was allowed until {allowed.until} ({allowed.reason}): {answer.reason}"
        if allowed.until > today + LONGEST:
            return "expired", 3, f"unknown is allowed for longer than a year, until {allowed.until}: {answer.reason}"
        return "allowed", 0, f"allowed until {allowed.until} ({allowed.reason}): {answer.reason}"
    if answer.verdict != pair.expected:
        if answer.verdict == "different":
            return "different", 1, answer.reason
        return "equivalent", 1, f"expected to be different{pair.bug and ': '}{pair.bug}"
    if allowed is not None:
        return "unused", 2, f"{answer.verdict}: `allow_unknown` is not needed any more; take it away"
    return "expected", 0, answer.reason


def worst(statuses: Iterable[int]) -> int:
    """The status that counts, among several; one that is not known counts as a defect."""
    found = {status if status in WORST_FIRST else 5 for status in statuses}
    return next((status for status in WORST_FIRST if status in found), 0)
