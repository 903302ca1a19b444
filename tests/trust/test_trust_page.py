"""Every command of docs/trust.md does what the page says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from equiv import cli
from equiv.commands import trust
from equiv.oracle import available
from equiv.trust.reasons import Reason
from tests.trust import world as w

PAGE = (Path(__file__).parents[2] / "docs" / "trust.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(sh|sh kernel)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for source, name in ((w.PROGRAM, "parser.bpf.o"), (w.TABLE, "parser.dev"), (w.SOURCE, "parser.bpf.c")):
        shutil.copy(source, tmp_path / name)
    command = tmp_path / "bin" / "equiv"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m equiv "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{command.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(w.equiv.__file__).parents[1]))
    return tmp_path


def _run(folder: Path, text: str) -> str:
    done = subprocess.run(["sh", "-e", "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (text, done.stdout, done.stderr)
    return done.stdout


def test_commands_of_the_page_work_in_their_order(folder: Path) -> None:
    printed = [_run(folder, text) for kind, text in BLOCKS if kind == "sh"]
    assert len(printed) == 6
    assert printed[4].startswith("trusted      parser.bpf.o:five_tuple\n")


@pytest.mark.kernel
@pytest.mark.skipif(bool(os.geteuid() or available()), reason="needs root and bpf(2)")
@pytest.mark.skipif(not Path(BPFTOOL).exists() or not Path("/sys/fs/bpf").is_mount(), reason="needs bpftool")
def test_the_running_kernel_s_program_is_trusted_as_the_page_says(folder: Path) -> None:
    for kind, text in BLOCKS[: [kind for kind, _ in BLOCKS].index("sh kernel")]:
        assert kind == "sh"
        _run(folder, text)
    pin = Path(f"/sys/fs/bpf/equiv-page-{os.getpid()}")
    subprocess.run([BPFTOOL, "prog", "load", str(folder / "parser.bpf.o"), str(pin)], check=True)
    try:
        ((text,),) = [[text] for kind, text in BLOCKS if kind == "sh kernel"]
        number = subprocess.run([BPFTOOL, "-j", "prog", "show", "pinned", str(pin)], capture_output=True, check=True)
        identity = number.stdout.split(b'"id":')[1].split(b",")[0].decode()
        shown = _run(folder, text.replace("--select five_tuple", f"--select {identity}"))
    finally:
        pin.unlink()
    assert re.match(r"trusted      five_tuple \(id \d+, tag 8c61efb281cc30d8\)\n {13}entry [0-9a-f]{16}, ", shown)
    assert re.match(r"1:[0-9a-f]{64}\n", (folder / "catalogue.seen").read_text())


def test_the_unit_s_condition_is_a_command_that_equiv_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    (line,) = re.findall(r"^ExecCondition=/usr/bin/equiv (.*)$", PAGE, re.MULTILINE)
    seen = []
    monkeypatch.setattr(trust, "_execute", lambda options: seen.append(options) or 0)
    assert cli.main(shlex.split(line)) == 0
    assert (seen[0].kernel, seen[0].select, seen[0].device_command) == (
        ["running"],
        ["five_tuple"],
        "/usr/sbin/acme-ctl report",
    )


def test_every_reason_is_explained() -> None:
    assert [reason for reason in Reason.__args__ if f"`{reason}`" not in PAGE] == []
