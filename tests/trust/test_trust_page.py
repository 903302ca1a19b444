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


KERNEL = [kind for kind, _ in BLOCKS].index("sh kernel")


class Page:
    """A folder in which the page's commands are run, and what those before the kernel's printed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for source, name in ((w.PROGRAM, "parser.bpf.o"), (w.TABLE, "parser.dev"), (w.SOURCE, "parser.bpf.c")):
            shutil.copy(source, folder / name)
        command = folder / "bin" / "equiv"
        command.parent.mkdir()
        command.write_text(f'#!/bin/sh\nexec {sys.executable} -m equiv "$@"\n')
        command.chmod(0o755)
        self.printed = [self.run(text) for kind, text in BLOCKS[:KERNEL] if kind == "sh"]

    def run(self, text: str) -> str:
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        environment["PYTHONPATH"] = str(Path(w.equiv.__file__).parents[1])
        done = subprocess.run(
            ["sh", "-e", "-c", text], cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (text, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(tmp_path_factory.mktemp("page"))


def test_commands_of_the_page_lead_to_a_program_that_is_trusted(page: Page) -> None:
    assert len(page.printed) == 5
    assert page.printed[-1].startswith("trusted      parser.bpf.o:five_tuple\n")


@pytest.mark.kernel
@pytest.mark.skipif(bool(os.geteuid() or available()), reason="needs root and bpf(2)")
@pytest.mark.skipif(not Path(BPFTOOL).exists() or not Path("/sys/fs/bpf").is_mount(), reason="needs bpftool")
def test_the_running_kernel_s_program_is_trusted_as_the_page_says(page: Page) -> None:
    pin = Path(f"/sys/fs/bpf/equiv-page-{os.getpid()}")
    subprocess.run([BPFTOOL, "prog", "load", str(page.folder / "parser.bpf.o"), str(pin)], check=True)
    try:
        number = subprocess.run([BPFTOOL, "-j", "prog", "show", "pinned", str(pin)], capture_output=True, check=True)
        identity = number.stdout.split(b'"id":')[1].split(b",")[0].decode()
        # By its number, as others may have loaded the same program on this machine.
        shown = page.run(BLOCKS[KERNEL][1].replace("--select five_tuple", f"--select {identity}"))
    finally:
        pin.unlink()
    assert re.match(r"trusted      five_tuple \(id \d+, tag 8c61efb281cc30d8\)\n {13}entry [0-9a-f]{16}, ", shown)
    assert re.match(r"1:[0-9a-f]{64}\n", (page.folder / "catalogue.seen").read_text())


def test_commands_behind_it_work_too(page: Page) -> None:
    printed = [page.run(text) for kind, text in BLOCKS[KERNEL + 1 :] if kind == "sh"]
    assert re.fullmatch(r"2:[0-9a-f]{64}\n", printed[-1])


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
