"""Where what a bench found goes: its report to a file, whole or not at all; to people a summary, to tools the rows."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equiv.report.files import expect_writable, replacing


def add_output(parser: argparse.ArgumentParser, usual: str) -> None:
    """The option `--output`; `usual` is the file that the repository keeps this report in."""
    parser.add_argument(
        "--output", nargs="?", const=usual, metavar="FILE", help=f"write the report here (without FILE: {usual})"
    )


def require_output(options: argparse.Namespace) -> None:
    """Find out before the measuring whether the report can be written. Raises InputError."""
    if options.output is not None:
        expect_writable(options.output)


def as_json(rows: Sequence[Any]) -> str:
    """Rows, which are dataclasses, for other tools."""
    return json.dumps([asdict(row) for row in rows], indent=2) + "\n"


def deliver(report: str, output: str | None, summary: Iterable[str], rows: str | None = None) -> None:
    """Write `report` to the file `output` if there is one. Texts end with a line.

    On stdout: `rows` where they were asked for, the summary where a file was written, else the report.
    """
    if output is not None:
        with replacing(output) as temporary:
            Path(temporary).write_text(report, encoding="utf-8")
    if rows is not None:
        print(rows, end="")
    elif output is not None:
        print("\n".join([*summary, f"- written: {output}"]))
    else:
        print(report, end="")
