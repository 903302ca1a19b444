"""The kernel's tag of a program, computed and as the running kernel gives it (D142)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from equiv.bpf.load import load_object
from equiv.bpf.program import MapRef, MapValueRef, Program
from equiv.oracle import available
from equiv.trust.tags import kernel_tag
from tests.bpf.programs import EXIT, mov, program

CORPORA = Path(__file__).parents[2] / "corpora"
OBJECTS = sorted(CORPORA.glob("*/*.bpf.o"))
BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"
PINNED = Path("/sys/fs/bpf")


def test_tag_is_the_beginning_of_the_hash_of_the_instructions() -> None:
    tag = kernel_tag(program(mov(0, 2), EXIT))
    assert tag is not None
    # printf '\xb7\x00\x00\x00\x02\x00\x00\x00\x95\x00\x00\x00\x00\x00\x00\x00' | sha256sum; | sha1sum
    assert (tag.sha256, tag.sha1) == (SHA256, SHA1)


SHA256, SHA1 = "614b434cd8324ecc", "3b185187f1855c4c"


def test_tag_does_not_tell_maps_and_offsets_apart_and_the_program_hash_does() -> None:
    from equiv.loaded import Loaded
    from equiv.trust.hashes import program_hash

    original = load_object(str(CORPORA / "flow-table" / "flow-table.bpf.o")).programs
    for each in original.values():
        insns = [
            replace(insn, ref=MapRef("another"))
            if insn is not None and isinstance(insn.ref, MapRef | MapValueRef)
            else insn
            for insn in each.insns
        ]
        spec = next(iter(each.maps.values()))
        other = replace(each, insns=tuple(insns), maps={**each.maps, "another": replace(spec, name="another")})
        assert kernel_tag(other) == kernel_tag(each)
        hashes = {program_hash(Loaded("", "", "bpf", program=one)) for one in (each, other)}
        assert len(hashes) == 2


def _refuses() -> str | None:
    if os.geteuid() or available():
        return "needs root and bpf(2)"
    if not Path(BPFTOOL).exists():
        return "needs bpftool"
    return None if PINNED.is_mount() else f"{PINNED} is not mounted"


@contextmanager
def _loaded_by_libbpf(path: Path) -> Iterator[Path | None]:
    """The folder in which the object's programs are pinned; None where this kernel or libbpf does not take them."""
    folder = PINNED / f"equiv-test-{os.getpid()}"
    done = subprocess.run([BPFTOOL, "prog", "loadall", str(path), str(folder)], capture_output=True)
    try:
        yield folder if done.returncode == 0 else None
    finally:
        if folder.exists():
            shutil.rmtree(folder)


@pytest.mark.kernel
@pytest.mark.skipif(_refuses() is not None, reason=str(_refuses()))
def test_tag_is_what_bpftool_shows_of_every_object_that_libbpf_loads() -> None:
    shown, refused = 0, []
    for path in OBJECTS:
        programs = load_object(str(path)).programs
        with _loaded_by_libbpf(path) as folder:
            if folder is None:
                refused.append(path.name)
                continue
            for name, each in programs.items():
                tag = _shown_tag(folder, name)
                if tag is not None:
                    assert tag in _both(each), f"{path}:{name}"
                    shown += 1
    assert shown > len(OBJECTS) // 2, refused


def _both(each: Program) -> tuple[str, str]:
    tag = kernel_tag(each)
    assert tag is not None
    return tag.sha256, tag.sha1


def _shown_tag(folder: Path, name: str) -> str | None:
    pinned = folder / name.replace(".", "_")
    if not pinned.exists():
        return None
    done = subprocess.run([BPFTOOL, "-j", "prog", "show", "pinned", str(pinned)], capture_output=True, check=True)
    return str(json.loads(done.stdout)["tag"])
