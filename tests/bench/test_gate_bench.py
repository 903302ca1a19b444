"""`equiv bench gate`: what it reports, and that it notices runs that differ."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from equiv.bench import gate
from equiv.bench.command import main
from tests.gate.project import PAIRS, project


@pytest.fixture
def runs() -> list[gate.Run]:
    pair: dict[str, Any] = {
        "id": "a=b",
        "verdict": "different",
        "outcome": "expected",
        "status": 0,
        "why": "because",
        "source": "checked",
        "certificate": None,
        "result": {"verdict": "different", "packet": "00", "statistics": {"seconds": 1}},
    }
    warm = {**copy.deepcopy(pair), "source": "cache"}
    warm["result"]["statistics"] = {"seconds": 2}
    return [gate.Run("cold", 9.0, 0, {"a=b": pair}), gate.Run("warm", 0.5, 0, {"a=b": warm})]


def test_runs_that_differ_in_what_they_took_are_the_same(runs: list[gate.Run]) -> None:
    assert gate._differing(runs) == []
    assert "**all runs found the same**" in gate._summary(runs)[0]


@pytest.mark.parametrize(("key", "value"), [("verdict", "unknown"), ("why", "x"), ("result", {"packet": "01"})])
def test_runs_that_differ_in_what_they_found_are_noticed(runs: list[gate.Run], key: str, value: object) -> None:
    runs[1].pairs["a=b"][key] = value
    assert gate._differing(runs) == ["a=b"]
    assert "**runs differ in 1 pairs**" in gate._summary(runs)[0]


def test_a_pair_that_a_run_left_out_is_noticed(runs: list[gate.Run]) -> None:
    runs[1].pairs.clear()
    assert gate._differing(runs) == ["a=b"]


def test_all_runs_of_a_small_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed")
    report = tmp_path / "gate.md"
    assert main(["gate", "--manifest", project(tmp_path, PAIRS), "--output", str(report)]) == 0
    text = report.read_text("utf-8")
    assert "2 pairs (2 expected); **all runs found the same**" in text
    assert "certificates: 1 of 1 are byte for byte the same" in text
    assert "a worker killed after 1 of 2 pairs" in text or "a worker killed after 2 of 2 pairs" in text
    assert text.count("\n| warm") == 3 and text.count("\n| cold") == 3
