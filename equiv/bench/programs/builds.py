"""One source, many builds: compilers, levels of optimisation and instruction sets."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from equiv.bench.manifest import Pair
from equiv.bench.programs.pairs import Unusable, programs_of
from equiv.bpf.load import load_object
from equiv.errors import EquivError

SOURCES: Final = "*.bpf.c"


@dataclass(frozen=True, slots=True)
class Build:
    """How a source is built: compiler, level of optimisation, `-mcpu`."""

    compiler: str
    level: str
    cpu: str

    @property
    def name(self) -> str:
        return f"{self.compiler} {self.level} {self.cpu}"


REFERENCE: Final = Build("clang-16", "-O2", "v3")
"""What the other builds are compared with."""
OTHERS: Final = (
    Build("clang-16", "-O1", "v3"),
    Build("clang-16", "-Os", "v3"),
    Build("clang-16", "-O2", "v1"),
    Build("clang-16", "-O2", "v2"),
    Build("clang-14", "-O2", "v3"),
    Build("clang-14", "-O1", "v1"),
    Build("clang-19", "-O2", "v3"),
    Build("clang-19", "-O2", "v4"),
    Build("clang-19", "-Os", "v1"),
)
"""One thing changed at a time, then several."""


@dataclass(frozen=True, slots=True)
class Builds:
    """Pairs of builds, files that cannot be read, and counts of what was left out."""

    pairs: list[Pair]
    unusable: list[Unusable]
    not_built: int
    alike: int
    missing: tuple[str, ...]
    """Compilers that are not installed."""


def built_twice(sources: list[Path], into: Path, jobs: int) -> Builds:
    """Build every source in every way, and pair each way with the reference, program by program.

    Pairs of which both have the same instructions are left out.
    """
    missing = sorted({b.compiler for b in (REFERENCE, *OTHERS) if shutil.which(b.compiler) is None})
    if REFERENCE.compiler in missing:
        return Builds([], [], 0, 0, tuple(missing))
    ways = [REFERENCE, *(build for build in OTHERS if build.compiler not in missing)]
    wanted = [(source, build) for source in sources for build in ways]
    with ThreadPoolExecutor(jobs) as pool:
        made = dict(zip(wanted, pool.map(lambda each: _build(each[0], each[1], into), wanted), strict=True))
    pairs: list[Pair] = []
    unusable: list[Unusable] = []
    alike = 0
    for source in sources:
        seen: dict[str, set[str]] = {}
        for build in ways:
            reference, other = made[source, REFERENCE], made[source, build]
            if reference is None or other is None:
                continue
            title = f"builds/{source.name} ({build.name})"
            try:
                for pair, digest in _pairs(title, reference, other):
                    known = seen.setdefault(pair.left, set())
                    if build is not REFERENCE and digest not in known:
                        pairs.append(pair)
                    elif build is not REFERENCE:
                        alike += 1
                    known.add(digest)
            except EquivError as error:
                unusable.append(Unusable(title, error.message))
    return Builds(pairs, unusable, list(made.values()).count(None), alike, tuple(missing))


def sources_in(folder: str) -> list[Path]:
    """C sources of BPF programs in `folder` and below."""
    return sorted(Path(folder).rglob(SOURCES))


def _build(source: Path, build: Build, into: Path) -> Path | None:
    number = hashlib.sha256(str(source.absolute()).encode()).hexdigest()[:8]
    target = into / f"{source.name.removesuffix('.bpf.c')}-{number}.{build.name.replace(' ', '')}.bpf.o"
    flags = ["-g", build.level, "-target", "bpf", f"-mcpu={build.cpu}", "-Wno-everything"]
    flags += ["-idirafter", "/usr/include/x86_64-linux-gnu"]
    command = [build.compiler, *flags, "-c", source.name, "-o", str(target.absolute())]
    done = subprocess.run(command, cwd=source.parent, capture_output=True, check=False, timeout=120)
    return target if done.returncode == 0 else None


def _pairs(title: str, reference: Path, other: Path) -> Iterator[tuple[Pair, str]]:
    """A pair for each program that both have, with a digest of the second one's instructions."""
    present = programs_of(str(other))
    loaded = load_object(str(other)).programs
    for name, interface in programs_of(str(reference)).items():
        if name in present:
            digest = hashlib.sha256(repr(loaded[name].insns).encode()).hexdigest()
            left, right = f"{reference}:{name}", f"{other}:{name}"
            yield Pair(f"{title}:{name}", "builds", left, right, "equivalent", interface), digest
