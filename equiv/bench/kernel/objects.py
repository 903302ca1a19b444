"""Object files of others: those that a folder holds, and those that Linux's samples and selftests build."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equiv.errors import InputError, Place

SELFTESTS: Final = "tools/testing/selftests/bpf"
SOURCES: Final = (f"{SELFTESTS}/progs", "samples/bpf")
PACKET_SIDE: Final = re.compile(r'SEC\("\??(xdp|tc|tcx|classifier|socket|flow_dissector|action)')
COMMON: Final = "samples/bpf/xdp_sample.bpf.c"
"""What samples count in; those that do are linked with it (samples/bpf/Makefile, `LINKED_SKELS`)."""
COMPILER: Final = "clang-16"
FOLDERS: Final = re.compile(r"(?<![\w/])/?(?:[\w.+-]+/)+(?=[\w.+-]+\.[cho]\b)")
"""Where a source or object file is, which differs from machine to machine."""
TYPES_OF_THE_KERNEL: Final = Path("/sys/kernel/btf/vmlinux")


@dataclass(frozen=True, slots=True)
class Built:
    """Object files that were built, and how many sources did not build."""

    objects: list[Path]
    failed: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """Object files by the name of their group, and what a report should say of where they come from."""

    groups: dict[str, list[Path]]
    notes: list[str]


def gather(corpora: str, folders: Sequence[str], linux_source: str | None, jobs: int, resources: ExitStack) -> Gathered:
    """The corpora's objects, those in `folders` (each `DIR` or `NAME=DIR`), and what a Linux tree builds.

    What is built is gone when `resources` is closed. Raises InputError for a folder without objects.
    """
    groups = {"corpora": in_folder(corpora)}
    notes = []
    for text in folders:
        name, equals, folder = text.partition("=")
        groups[name] = in_folder(folder if equals else text)
    if linux_source:
        into = Path(resources.enter_context(tempfile.TemporaryDirectory()))
        built = build_linux(linux_source, into, jobs)
        groups["linux"] = built.objects
        notes.append(
            f"of Linux's samples and selftests with packet-side programs, {len(built.objects)} files build and "
            f"{built.failed} do not"
        )
    return Gathered(groups, notes)


def in_one_line(text: str) -> str:
    """The first and, of a verifier's log, the last line, without the folders that files are in."""
    text = FOLDERS.sub("", text)
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return ": ".join(dict.fromkeys([lines[0], lines[-1]])) if lines else ""


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
    (into / "gnu").mkdir(exist_ok=True)
    (into / "gnu" / "stubs-32.h").touch()  # glibc's header asks for it where a target is not x86-64; it holds nothing
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
        common = build(root / COMMON) if (root / COMMON).is_file() else None
    objects = [_linked(path, common) for path in built if path is not None and path != common]
    return Built(objects, built.count(None))


def _linked(path: Path, common: Path | None) -> Path:
    """The object with the one that samples share linked in, as their Makefile has it; else as it is."""
    bpftool = _bpftool()
    if common is None or bpftool is None or b"\0rx_cnt\0" not in path.read_bytes():
        return path
    target = path.with_name(path.name.replace(".bpf.o", ".linked.o"))
    command = [bpftool, "gen", "object", str(target), str(path), str(common)]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    return target if done.returncode == 0 else path


def _bpftool() -> str | None:
    return shutil.which("bpftool") or shutil.which("bpftool", path="/usr/sbin:/sbin")


def _packet_side(root: Path) -> Iterator[Path]:
    for folder in SOURCES:
        for source in sorted((root / folder).glob("*.c")):
            if PACKET_SIDE.search(source.read_text("utf-8", "replace")):
                yield source


def _write_types(target: Path) -> None:
    bpftool = _bpftool()
    if bpftool is None or not TYPES_OF_THE_KERNEL.exists():
        return
    command = [bpftool, "btf", "dump", "file", str(TYPES_OF_THE_KERNEL), "format", "c"]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode == 0:
        target.write_bytes(done.stdout)
