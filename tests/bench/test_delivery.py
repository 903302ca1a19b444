"""Where reports of benches go."""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from equiv.bench import progress
from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.progress import tell
from equiv.errors import InputError

REPORT, SUMMARY = "# Report\n", ["- 1 row"]


@dataclass(frozen=True)
class Row:
    id: str


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_output(parser, "reports/x.md")
    return parser.parse_args(arguments)


def test_output_without_a_name_is_the_usual_file() -> None:
    assert options().output is None
    assert options("--output").output == "reports/x.md"
    assert options("--output", "y.md").output == "y.md"


def test_a_report_that_could_not_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    require_output(options())
    require_output(options("--output", str(tmp_path / "x.md")))
    for wrong in (tmp_path / "none" / "x.md", tmp_path):
        with pytest.raises(InputError, match="cannot write"):
            require_output(options("--output", str(wrong)))


def test_people_get_the_report_or_what_it_comes_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deliver(REPORT, None, SUMMARY)
    assert capsys.readouterr().out == REPORT
    target = tmp_path / "x.md"
    deliver(REPORT, str(target), SUMMARY)
    assert capsys.readouterr().out == f"- 1 row\n- written: {target}\n"
    assert target.read_text("utf-8") == REPORT


def test_tools_get_the_rows_beside_a_file_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "x.md"
    deliver(REPORT, str(target), SUMMARY, as_json([Row("a")]))
    assert json.loads(capsys.readouterr().out) == [{"id": "a"}]
    assert target.read_text("utf-8") == REPORT


def test_how_far_a_bench_is_stands_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tell("1 of 2")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "is_terminal", lambda _: True)
    tell("1 of 2, last \x1b[2Jx")
    assert "\x1b[2J" not in capsys.readouterr().err
    tell("2 of 2", is_over=True)
    assert capsys.readouterr().err == "\r\x1b[K"
