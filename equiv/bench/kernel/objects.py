"""Object files of others: those that a folder holds, and those that Linux's samples and selftests build."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equiv.errors import InputError, Place

SELFTESTS: Final = "tools/testing/selftests/bpf"
SOURCES: Final = (f"{SELFTESTS}/progs", "samples/bpf")
PACKET_SIDE: Final = re.compile(r'SEC\("\??(xdp|tc|tcx|classifier|socket|flow_dissector|action)')
COMPILER: Final = "clang-16"
TYPES_OF_THE_KERNEL: Final = Path("/sys/kernel/btf/vmlinux")


@dataclass(frozen=True, slots=True)
class Built:
    """Object files that were built, and how many sources did not build."""

    objects: list[Path]
    failed: int


def in_folder(folder: str) -> list[Path]:
    """Object files in `folder` and below."""
    found = sorted(path for path in Path(folder).rglob("*.o") if path.is_file())
    if not found:
        raise InputError("holds no object files", Place(folder))
    return found


def build_linux(tree: str, into: Path, jobs: int) -> Built:
    """Build what of Linux's samples and selftests has packet-side programs, from an extracted tree.

    Headers are the tree's, libbpf's (libbpf-dev), and the running kernel's types, where bpftool can write them.
    """
    compiler = shutil.which(COMPILER)
    if compiler is None:
        raise InputError(f"{COMPILER} is not installed")
    root = Path(tree)
    if not (root / SELFTESTS).is_dir():
        raise InputError(f"not a Linux source tree: it has no {SELFTESTS}", Place(tree))
    _write_types(into / "vmlinux.h")
    includes = [SELFTESTS, "tools/include/uapi", "tools/include", *SOURCES]
    flags = ["-g", "-O2", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86", "-Wno-everything", "-I", str(into)]
    flags += [flag for folder in includes for flag in ("-I", folder)]
    flags += ["-idirafter", "/usr/include/x86_64-linux-gnu"]

    def build(source: Path) -> Path | None:
        target = into / f"{source.parent.name}-{source.stem}.o"
        command = [compiler, *flags, "-c", str(source.relative_to(root)), "-o", str(target)]
        done = subprocess.run(command, cwd=root, capture_output=True, check=False, timeout=300)
        return target if done.returncode == 0 else None

    sources = list(_packet_side(root))
    with ThreadPoolExecutor(jobs) as pool:
        built = list(pool.map(build, sources))
    return Built([path for path in built if path is not None], built.count(None))


def _packet_side(root: Path) -> Iterator[Path]:
    for folder in SOURCES:
        for source in sorted((root / folder).glob("*.c")):
            if PACKET_SIDE.search(source.read_text("utf-8", "replace")):
                yield source


def _write_types(target: Path) -> None:
    bpftool = shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")
    if bpftool is None or not TYPES_OF_THE_KERNEL.exists():
        return
    command = [bpftool, "btf", "dump", "file", str(TYPES_OF_THE_KERNEL), "format", "c"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode == 0:
        target.write_bytes(done.stdout)
