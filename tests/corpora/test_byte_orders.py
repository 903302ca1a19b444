"""Big-endian objects: the same source built for either byte order does the same, where it keeps numbers as such."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

import equiv
from equiv.loaded import load
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import load_interface
from equiv.oracle import KernelProgram

CORPORA = Path(__file__).parents[2] / "corpora"
CLANG = "clang-16"
pytestmark = pytest.mark.skipif(shutil.which(CLANG) is None, reason=f"{CLANG} is not installed")


def built_big_endian(name: str, folder: Path) -> str:
    target = folder / f"{name}.bpf.o"
    flags = ["-g", "-O2", "-target", "bpfeb", "-I", str(CORPORA / "include")]
    flags += ["-idirafter", f"/usr/include/{platform.machine()}-linux-gnu"]
    subprocess.run([CLANG, *flags, "-c", str(CORPORA / name / f"{name}.bpf.c"), "-o", str(target)], check=True)
    return str(target)


@pytest.mark.parametrize("name", ["tc-mark", "flow-dissector", "socket-filter", "calls"])
def test_a_source_does_the_same_in_both_byte_orders(name: str, tmp_path: Path) -> None:
    big, little = built_big_endian(name, tmp_path), str(CORPORA / name / f"{name}.bpf.o")
    assert equiv.check(big, little, timeout=100).verdict == "equivalent"
    broken = {"tc-mark": "port", "flow-dissector": "first-fragment", "socket-filter": "options", "calls": "optional"}
    assert equiv.check(big, str(CORPORA / name / f"{name}.{broken[name]}.dev"), timeout=100).verdict == "different"


def test_numbers_left_in_memory_differ_between_byte_orders(tmp_path: Path) -> None:
    result = equiv.check(built_big_endian("five-tuple", tmp_path), str(CORPORA / "five-tuple" / "five-tuple.bpf.o"))
    assert result.verdict == "different" and result.counterexample and result.counterexample.differs == ("meta",)


def test_a_big_endian_program_is_not_run_by_a_little_endian_kernel(tmp_path: Path) -> None:
    loaded = load(built_big_endian("calls", tmp_path))
    assert loaded.program is not None and loaded.program.byte_order == "big"
    interface = load_interface(loaded.default_interface or "")
    assert loaded.execute(interface, Input(bytes(60))).verdict
    with pytest.raises(NotRunnable, match="big-endian program"), KernelProgram(loaded.program, interface):
        pass
