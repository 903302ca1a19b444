"""CO-RE relocations against libbpf's: each program returns what one says of the running kernel's types (D100)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from equiv.bpf.core import read_types
from equiv.bpf.link import assemble
from equiv.bpf.source import read_source

SOURCE = Path(__file__).with_name("core.bpf.c")
TYPES = "/sys/kernel/btf/vmlinux"
BPF_FILES = Path("/sys/fs/bpf")
COMPILER = shutil.which("clang-16") or shutil.which("clang")
BPFTOOL = shutil.which("bpftool", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")

pytestmark = pytest.mark.skipif(
    not (COMPILER and BPFTOOL and os.path.exists(TYPES) and os.geteuid() == 0 and os.path.ismount(BPF_FILES)),
    reason="needs clang, bpftool, the kernel's types, root and a mounted /sys/fs/bpf",
)


@pytest.fixture
def pinned() -> Iterator[Path]:
    folder = BPF_FILES / f"equiv-core-{os.getpid()}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_every_kind_of_relocation_gives_what_libbpf_gives(tmp_path: Path, pinned: Path) -> None:
    target = tmp_path / "core.bpf.o"
    command = [str(COMPILER), "-g", "-O2", "-target", "bpf", "-mcpu=v3", "-c", str(SOURCE), "-o", str(target)]
    subprocess.run(command, check=True)
    subprocess.run([str(BPFTOOL), "prog", "loadall", str(target), str(pinned)], check=True)
    packet = tmp_path / "packet"
    packet.write_bytes(bytes(64))
    source, types = read_source(str(target)), read_types(TYPES, "little")
    shown, ours = {}, {}
    for name, entry in source.entries.items():
        run = [str(BPFTOOL), "prog", "run", "pinned", str(pinned / name), "data_in", str(packet)]
        printed = subprocess.run(run, check=True, capture_output=True, text=True).stdout
        found = re.search(r"Return value: (\d+)", printed)
        shown[name] = int(found[1]) if found else None
        program = assemble(source, name, entry, types=types)
        insn = program.insns[0]
        ours[name] = program.core or (insn.imm if insn else None)
    assert len(shown) > 25
    assert ours == shown
