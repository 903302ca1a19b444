"""Every command of the tutorial, and of the page for vendors, is run, in order, and prints what the tutorial shows."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CLANG = next(filter(None, map(shutil.which, ("clang", "clang-19", "clang-16", "clang-14"))), None)
BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


def _tools(folder: Path) -> Path:
    """A folder with `equiv`, which runs this one, and `clang`."""
    folder.mkdir()
    made = folder / "equiv"
    made.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m equiv "$@"\n', "utf-8")
    made.chmod(made.stat().st_mode | stat.S_IXUSR)
    (folder / "clang").symlink_to(str(CLANG))
    return folder


def _pattern(shown: str) -> str:
    """`…` alone on a line stands for any lines, within a line for any text."""
    lines = shown.rstrip("\n").split("\n")
    parts = ["(?:.*\n)*" if line == "…" else f"{re.escape(line).replace('…', '.*')}\n" for line in lines]
    return "".join(parts)


@pytest.mark.parametrize("name", ["tutorial.md", "vendors.md"])
def test_commands_print_what_the_page_shows(name: str, tmp_path: Path) -> None:
    page = (ROOT / "docs" / name).read_text("utf-8")
    if "$ clang " in page and CLANG is None:
        pytest.skip("no clang is installed")
    tools = _tools(tmp_path / "bin")
    work = tmp_path / "work"
    work.mkdir()
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"}
    commands = 0
    for kind, file, text in BLOCK.findall(page):
        if file:
            (work / file).write_text(text, "utf-8")
        if kind != "console":
            continue
        for command, shown in COMMAND.findall(text):
            ran = subprocess.run(
                command, shell=True, cwd=work, env=environment, capture_output=True, text=True, check=False
            )
            assert re.fullmatch(_pattern(shown) if shown.strip() else "", ran.stdout), (command, ran.stdout, ran.stderr)
            assert ran.returncode == (1 if ran.stdout.startswith(("different", "failed")) else 0), (command, ran.stderr)
            commands += 1
    assert commands >= 2
