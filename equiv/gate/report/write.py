"""Writes a run's reports to the files that were asked for, each whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from equiv.errors import InputError, Place
from equiv.gate.report.tally import Tally
from equiv.report.files import expect_writable, replacing

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""The variable that names the file to which a step of GitHub's CI adds its summary."""


def expect_all_writable(junit: str | None, sarif: str | None, summary: str | None, pages: str | None) -> None:
    """Find out before the run that its reports could not be written. Raises InputError."""
    for path in filter(None, (junit, sarif, summary)):
        expect_writable(path)
    if pages and Path(pages).exists() and not Path(pages).is_dir():
        raise InputError("cannot write: it is no folder", Place(pages))


def write_reports(tally: Tally, junit: str | None, sarif: str | None, summary: str | None, pages: str | None) -> None:
    """Write what was asked for. Without a file for the summary, GitHub's is added to, where there is one."""
    if junit:
        from equiv.gate.report.junit import render as junit_text

        _write(junit, junit_text(tally))
    if sarif:
        from equiv.gate.report.sarif import render as sarif_text

        _write(sarif, sarif_text(tally).encode("ascii"))
    step = os.environ.get(STEP_SUMMARY)
    if summary or step:
        from equiv.gate.report.summary import render as summary_text

        text = summary_text(tally).encode("utf-8", "backslashreplace")
        if summary:
            _write(summary, text)
        elif step:
            _append(step, text)
    if pages:
        from equiv.gate.report.pages import write_pages

        write_pages(tally, pages)


def _write(path: str, data: bytes) -> None:
    with replacing(path) as temporary:
        Path(temporary).write_bytes(data)


def _append(path: str, data: bytes) -> None:
    """Other steps write there, too."""
    try:
        with open(path, "ab") as stream:
            stream.write(data)
    except OSError as error:
        raise InputError(f"cannot write: {error.strerror}", Place(path)) from error
