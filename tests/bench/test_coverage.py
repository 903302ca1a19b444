"""What `equiv bench coverage` says of a pair is so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from equiv.bench import main

CORPORA = str(Path(__file__).parents[2] / "corpora")


def test_both_sides_of_a_pair_pass_and_all_is_reached_or_excluded(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--corpora", CORPORA, "--only", "gre", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["side"] for row in rows] == ["left", "right"]
    for row in rows:
        assert not row["open"]
        assert row["covered"] + len(row["unreachable"]) == row["goals"]
        passed, failed, _ = row["ran"]["the other side"]
        assert passed == row["packets"] and not failed


def test_the_report_lists_what_is_unreachable(tmp_path: Path) -> None:
    target = tmp_path / "coverage.md"
    assert main(["coverage", "--corpora", CORPORA, "--only", "gre", "--output", str(target)]) == 0
    text = target.read_text("utf-8")
    assert "## Unreachable, proved" in text
    assert "exit: start: truncation -> drop" in text


def test_a_run_that_is_cut_short_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["coverage", "--corpora", CORPORA, "--only", "mpls", "--total-seconds", "0.000001"]) == 1
    assert "**cut short**: 0 of 1 pairs" in capsys.readouterr().out
