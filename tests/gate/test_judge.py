"""What passes the gate and what does not (D150)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from equiv.gate.answer import Answer, failed
from equiv.gate.judge import judge, worst
from equiv.gate.model import Allowance, Pair

TODAY = date(2030, 6, 15)
SAME = Answer("equivalent", 0, "same", {})
OTHER = Answer("different", 1, "other", {})
OPEN = Answer("unknown", 3, "out of time", {})


def pair(**said: Any) -> Pair:
    return Pair("a=b", "a", "b", **said)


def allowed(until: date) -> Pair:
    return pair(allowance=Allowance("too large", until))


@pytest.mark.parametrize(
    ("asked", "answer", "outcome", "status"),
    [
        (pair(), SAME, "expected", 0),
        (pair(), OTHER, "different", 1),
        (pair(), OPEN, "unknown", 3),
        (pair(expected="different"), OTHER, "expected", 0),
        (pair(expected="different"), SAME, "equivalent", 1),
        (pair(expected="different"), OPEN, "unknown", 3),
        (pair(), failed(2, "no such file"), "error", 2),
        (pair(), failed(4, "not modelled"), "error", 4),
        (pair(), failed(5, "killed"), "error", 5),
        (pair(expected="different"), failed(2, "no such file"), "error", 2),
        (allowed(TODAY), OPEN, "allowed", 0),
        (allowed(TODAY - timedelta(1)), OPEN, "expired", 3),
        (allowed(TODAY + timedelta(366)), OPEN, "allowed", 0),
        (allowed(TODAY + timedelta(367)), OPEN, "expired", 3),
        (allowed(TODAY), OTHER, "different", 1),
        (allowed(TODAY), failed(5, "killed"), "error", 5),
        (allowed(TODAY), SAME, "unused", 2),
    ],
)
def test_a_pair_passes_if_it_got_what_the_manifest_wants(
    asked: Pair, answer: Answer, outcome: str, status: int
) -> None:
    judged = judge(asked, answer, TODAY)
    assert (judged.outcome, judged.status, judged.passed) == (outcome, status, status == 0)


def test_an_allowance_says_why_and_until_when() -> None:
    assert judge(allowed(TODAY), OPEN, TODAY).why == "allowed until 2030-06-15 (too large): out of time"


@pytest.mark.parametrize(
    ("statuses", "counts"),
    [
        ([], 0),
        ([0, 0], 0),
        ([0, 3], 3),
        ([3, 2], 2),
        ([2, 4, 3], 4),
        ([4, 1, 2], 1),
        ([1, 5, 0], 5),
        ([0, 9], 5),
    ],
)
def test_the_worst_status_counts(statuses: list[int], counts: int) -> None:
    assert worst(statuses) == counts
