"""A program that the running kernel holds, compared with the one of the catalogue (D145)."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from equiv.bpf.load import load_object
from equiv.bpf.program import Program
from equiv.loaded import interface_for_section, load_interface
from equiv.oracle import available, inspect
from equiv.oracle.inspect import LoadedProgram
from equiv.trust.reasons import Refused
from equiv.trust.twin import require_same

CORPORA = Path(__file__).parents[2] / "corpora"
OBJECTS = sorted(CORPORA.glob("*/*.bpf.o"))
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"
PINNED = Path("/sys/fs/bpf")


def refuses() -> str | None:
    if os.geteuid() or available():
        return "needs root and bpf(2)"
    if not Path(BPFTOOL).exists():
        return "needs bpftool"
    return None if PINNED.is_mount() else f"{PINNED} is not mounted"


pytestmark = [pytest.mark.kernel, pytest.mark.skipif(refuses() is not None, reason=str(refuses()))]


@contextmanager
def loaded_by_libbpf(path: Path) -> Iterator[dict[str, LoadedProgram] | None]:
    """The object's programs by name while they are loaded; None where this kernel or libbpf does not take them."""
    folder = PINNED / f"equiv-twin-{os.getpid()}"
    # The maps are pinned as well: a program array is emptied when nobody else holds it.
    command = [BPFTOOL, "prog", "loadall", str(path), str(folder), "pinmaps", str(folder / "maps")]
    folder.mkdir()
    done = subprocess.run(command, capture_output=True)
    try:
        if done.returncode:
            yield None
            return
        found = {}
        for each in (each for each in folder.iterdir() if each.is_file()):
            shown = subprocess.run(
                [BPFTOOL, "-j", "prog", "show", "pinned", str(each)], capture_output=True, check=True
            )
            number = int(shown.stdout.split(b'"id":')[1].split(b",")[0])
            with inspect.held(inspect.PROG_GET_FD_BY_ID, number) as descriptor:
                found[each.name] = inspect.read_program(descriptor)
        yield found
    finally:
        if folder.exists():
            shutil.rmtree(folder)


def type_of(program: Program) -> int:
    return load_interface(interface_for_section(program.section) or "xdp").program_type


def test_every_object_that_libbpf_loads_is_the_one_in_its_file() -> None:
    compared, problems = 0, []
    for path in OBJECTS[::2]:
        with loaded_by_libbpf(path) as found:
            for name, running in (found or {}).items():
                program = load_object(str(path)).programs[name]
                try:
                    require_same(program, running, type_of(program))
                except Refused as error:
                    problems.append(f"{path.name}:{name}: {error.message}")
                compared += 1
    assert compared > 20
    assert problems == []
