"""Linux's flow dissector as eBPF, built in many ways from a kernel tree: every build against one of them.

Nothing of it is in this project: `--linux-source` says where Debian's kernel source lies, and clang builds it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from shutil import which

from equiv.bench.manifest import Pair
from equiv.bench.markdown import COLUMNS, costs, summary, table
from equiv.bench.measure import Row
from equiv.bench.programs.builds import OTHERS, REFERENCE, Build
from equiv.errors import InputError, Place

SOURCE = "tools/testing/selftests/bpf/progs/bpf_flow.c"
ENTRY = "_dissect"
SLOTS = tuple(f"jmp_table[{number}]=flow_dissector_{number}" for number in range(6))
"""What user space puts into the program array: see `jmp_table` in the source and its test."""


def flow_pairs(tree: str, into: Path) -> list[Pair]:
    """Build the dissector in every way that the compilers here can; the reference against each, itself first.

    Raises InputError where the tree has no such source, or where the reference cannot be built.
    """
    if not (Path(tree) / SOURCE).exists():
        raise InputError(f"no {SOURCE} in this kernel tree", Place(tree))
    (into / "gnu").mkdir()
    (into / "gnu" / "stubs.h").touch()  # glibc's header asks for it where a target is not x86-64; it holds nothing
    reference = _built(tree, REFERENCE, into)
    if reference is None:
        raise InputError(f"{REFERENCE.name} cannot build {SOURCE}", Place(tree), "install clang-16 and libbpf-dev")
    others = [(REFERENCE, reference)]
    others += [(build, made) for build in OTHERS if (made := _built(tree, build, into)) is not None]
    return [
        Pair(
            id=f"flow-dissector/{REFERENCE.name}={build.name}",
            corpus="flow-dissector",
            left=f"{reference}:{ENTRY}",
            right=f"{made}:{ENTRY}",
            expected="equivalent",
            interface="flow_dissector",
            tail_calls=SLOTS,
        )
        for build, made in others
    ]


def _built(tree: str, build: Build, into: Path) -> Path | None:
    if which(build.compiler) is None:
        return None
    target = into / f"bpf_flow.{build.name.replace(' ', '')}.bpf.o"
    flags = ["-g", build.level, "-target", "bpf", f"-mcpu={build.cpu}", "-Wno-everything", "-I", str(into)]
    flags += ["-I", "tools/testing/selftests/bpf", "-I", "tools/include/uapi"]
    flags += ["-idirafter", "/usr/include/x86_64-linux-gnu"]
    command = [build.compiler, *flags, "-c", SOURCE, "-o", str(target)]
    done = subprocess.run(command, cwd=tree, capture_output=True, check=False, timeout=120)
    return target if done.returncode == 0 else None


def flow_report(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The report as Markdown, with `head` on top."""
    lines = [
        *head,
        "",
        f"`{SOURCE}`, entered at `{ENTRY}`, `jmp_table` filled as its test does: 7 programs that call each",
        "other through tail calls, up to 33 of them in a run, in a cyclic graph. Every packet of 14 to 65,535 bytes in",
        "one linear piece; all flow keys and the return code are compared, writes to `last_dissection` are not.",
        "",
        "## Summary",
        "",
        *summary(rows),
        "",
        "## Builds",
        "",
        *table(("build", *COLUMNS, "remark"), [(row.id.partition("=")[2], *costs(row), row.reason) for row in rows]),
    ]
    return "\n".join(lines) + "\n"
