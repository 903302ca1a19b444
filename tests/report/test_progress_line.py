"""The progress line."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from equiv.report import progress
from equiv.report.progress import ProgressLine


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _step(phase: str = "explore") -> SimpleNamespace:
    return SimpleNamespace(phase=phase, done=3, pending=4, queries=5, seconds=1.2)


def test_nothing_is_shown_within_the_first_second(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 1000.0)
    stream = _Terminal()
    line = ProgressLine(stream)
    line(_step())
    line.clear()
    assert stream.getvalue() == ""


def test_later_one_line_is_drawn_and_taken_away_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    stream = _Terminal()
    line = ProgressLine(stream)
    line(_step("explore\x1b[31m"))
    assert "explore\\x1b[31m: 3 joint states done, 4 to go" in stream.getvalue()
    assert "\n" not in stream.getvalue()
    line.clear()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_files_and_pipes_get_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    stream = io.StringIO()
    line = ProgressLine(stream)
    line(_step())
    line.clear()
    assert stream.getvalue() == ""
