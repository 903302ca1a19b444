"""The machine that numbers come from, as far as it matters to them."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from equiv import __version__

UNKNOWN = "not known"


def environment() -> dict[str, str]:
    """What and value, in the order in which a report shows them."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "machine": f"{_field('/proc/cpuinfo', 'model name')}, {_cores()}, {_memory()} of memory",
        "kernel": f"{platform.system()} {platform.release().partition('-')[0]} {platform.machine()}",
        "equiv": __version__,
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "z3": _package("z3-solver"),
        "clang": _clang(),
    }


def _field(file: str, name: str) -> str:
    """The first `name: value` of one of the kernel's text files."""
    try:
        lines = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return UNKNOWN
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), UNKNOWN)


def _cores() -> str:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return f"{count} core{'' if count == 1 else 's'}"


def _memory() -> str:
    kilobytes = _field("/proc/meminfo", "MemTotal").split()[0]
    return f"{int(kilobytes) * 1024 / 1e9:.1f} GB" if kilobytes.isdecimal() else "an unknown amount"


def _package(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return UNKNOWN


def _clang() -> str:
    """The installed compiler's version. The corpora's objects are committed; it has no part in a measurement."""
    command = shutil.which("clang") or shutil.which("clang-16")
    if command is None:
        return "not installed, and not needed: the objects are committed (compilers: corpora/Makefile)"
    shown = subprocess.run([command, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    return shown.splitlines()[0] if shown else UNKNOWN
