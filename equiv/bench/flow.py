"""Linux's flow dissector as eBPF, built in many ways from a kernel tree: against each other, and against tables.

Nothing of it is in this project: `--linux-source` says where Debian's kernel source lies, and clang builds it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import combinations
from pathlib import Path
from shutil import which

from equiv.bench.flow_tables import GRAPH, ROWS, write_broken_tables
from equiv.bench.manifest import Pair
from equiv.bench.markdown import megabytes, summary, table
from equiv.bench.measure import Row
from equiv.bench.programs.builds import REFERENCE, Build
from equiv.bpf.load import load_program
from equiv.bpf.tail_calls import parse_tail_call
from equiv.errors import EquivError, InputError, Place
from equiv.gate.model import Expected

SOURCE = "tools/testing/selftests/bpf/progs/bpf_flow.c"
NEEDED = (SOURCE, "tools/include/uapi")
"""What of a kernel tree is needed."""
ENTRY = "_dissect"
SLOTS = tuple(f"jmp_table[{number}]=flow_dissector_{number}" for number in range(6))
"""What user space puts into the program array: see `jmp_table` in the source and its test."""

COMPILERS = ("clang-16", "clang-14", "clang-19")
LEVELS = ("-O2", "-O1", "-O3", "-Os")
CPUS = ("v3", "v1", "v2", "v4")
BUILDS = tuple(Build(compiler, level, cpu) for compiler in COMPILERS for level in LEVELS for cpu in CPUS)
"""The reference first."""

BUILT, TABLED, PAGED, OBSERVED, BROKEN = "builds", "tables", "paged", "observed", "broken"
"""Corpora of the kinds of pairs."""
PAIRED = "pairs"
"""Every two builds; only where `--only` asks for them, as they follow from the others."""
OTHER_WAYS = tuple(Build(compiler, "-O2", "v3") for compiler in COMPILERS)
"""Builds that are compared with each other for paged skbs, and with the map that the program writes, as well."""
OWN_MAP = "last_dissection"


def flow_pairs(tree: str, into: Path, tables: Path | None = None, only: Sequence[str] = ()) -> list[Pair]:
    """Build the dissector in every way that the compilers here can: the reference against each, itself first.

    With the folder `tables`, each build also against the parse graph and the TCAM rows there, those against each other,
    and the reference against the broken ones. Each build against the graph for paged skbs too, some against the rows
    and the reference, and with what the program writes to its map. Every two builds where `only` (as in `select`) names
    such pairs. Builds of the same instructions as an earlier one are left out, and those that no pair that `only` names
    needs. Raises InputError where the tree has no such source, or where the reference cannot be built.
    """
    if not (Path(tree) / SOURCE).exists():
        raise InputError(f"no {SOURCE} in this kernel tree", Place(tree))
    (into / "gnu").mkdir(exist_ok=True)
    (into / "gnu" / "stubs.h").touch()  # glibc's header asks for it where a target is not x86-64; it holds nothing
    builds = list(_builds(tree, into, only))
    if not builds or builds[0][0] != REFERENCE:
        raise InputError(f"{REFERENCE.name} cannot build {SOURCE}", Place(tree), "install clang-16 and libbpf-dev")
    reference = builds[0][1]
    pairs = [_pair(BUILT, reference, build.name, f"{made}:{ENTRY}") for build, made in builds]
    if any(pattern.startswith(f"{PAIRED}/") for pattern in only):
        pairs += [
            replace(_pair(PAIRED, one, "", f"{other}:{ENTRY}"), id=f"{PAIRED}/{this.name}={that.name}")
            for (this, one), (that, other) in combinations(builds, 2)
        ]
    if tables is None:
        return pairs
    for name in (GRAPH, ROWS):
        pairs += [_pair(TABLED, made, f"{name} {build.name}", str(tables / name)) for build, made in builds]
    graph, rows = str(tables / GRAPH), str(tables / ROWS)
    pairs += _other_ways(builds, graph, rows)
    pairs.append(Pair(f"{TABLED}/{GRAPH}={ROWS}", TABLED, graph, rows, "equivalent", "flow_dissector"))
    pairs += [
        _pair(BROKEN, reference, broken.name, str(path), "different", broken.bug)
        for broken, path in write_broken_tables(tables, into)
    ]
    return pairs


def _other_ways(builds: Sequence[tuple[Build, Path]], graph: str, rows: str) -> Iterator[Pair]:
    """Paged skbs: builds against the first of them, the reference, and the tables; what programs leave in their map."""
    reference = builds[0][1]
    for build, made in builds:
        if build in OTHER_WAYS:
            against = _pair(PAGED, reference, build.name, f"{made}:{ENTRY}")
            yield replace(against, interface="flow_dissector_paged")
        for name, path in ((GRAPH, graph), (ROWS, rows)):
            if name == GRAPH or build in OTHER_WAYS:
                against = replace(_pair(PAGED, made, name, path), id=f"{PAGED}/{build.name}={name}")
                yield replace(against, interface="flow_dissector_paged")
    for build, made in builds[1:]:
        if build not in OTHER_WAYS:
            continue
        yield replace(_pair(OBSERVED, reference, build.name, f"{made}:{ENTRY}"), observe=(OWN_MAP,))


def _pair(
    corpus: str,
    left: Path,
    name: str,
    right: str,
    expected: Expected = "equivalent",
    bug: str = "",
) -> Pair:
    return Pair(
        id=f"{corpus}/{REFERENCE.name}={name}" if corpus != TABLED else f"{corpus}/{name}",
        corpus=corpus,
        left=f"{left}:{ENTRY}",
        right=right,
        expected=expected,
        interface="flow_dissector",
        bug=bug,
        tail_calls=SLOTS,
    )


def _is_needed(build: Build, only: Sequence[str]) -> bool:
    names = [BUILT, TABLED, f"{BUILT}/{REFERENCE.name}={build.name}"]
    names += [f"{TABLED}/{table} {build.name}" for table in (GRAPH, ROWS)]
    names += [PAGED, f"{PAGED}/{build.name}={GRAPH}"]
    if build in OTHER_WAYS:
        names += [f"{PAGED}/{build.name}={ROWS}"]
        names += [f"{PAGED}/{REFERENCE.name}={build.name}"]
        names += [OBSERVED, f"{OBSERVED}/{REFERENCE.name}={build.name}"]
    if build == REFERENCE or not only or any(pattern.startswith(f"{PAIRED}/") for pattern in only):
        return True
    return any(fnmatchcase(name, pattern) for name in names for pattern in only)


def _builds(tree: str, into: Path, only: Sequence[str]) -> Iterator[tuple[Build, Path]]:
    """Each build with its object, but for those of which an earlier one has the instructions."""
    seen = set()
    for build in BUILDS:
        made = _built(tree, build, into) if _is_needed(build, only) else None
        if made is None:
            continue
        instructions = _instructions(made)
        if instructions not in seen:
            seen.add(instructions)
            yield build, made


def _instructions(made: Path) -> object:
    try:
        return load_program(str(made), ENTRY, [parse_tail_call(slot) for slot in SLOTS]).insns
    except EquivError:
        return made  # the check will say what is wrong with it


def _built(tree: str, build: Build, into: Path) -> Path | None:
    if which(build.compiler) is None:
        return None
    target = into / f"bpf_flow.{build.name.replace(' ', '')}.bpf.o"
    flags = ["-g", build.level, "-target", "bpf", f"-mcpu={build.cpu}", "-Wno-everything", "-I", str(into.resolve())]
    flags += ["-I", "tools/testing/selftests/bpf", "-I", "tools/include/uapi"]
    flags += ["-idirafter", "/usr/include/x86_64-linux-gnu"]
    command = [build.compiler, *flags, "-c", SOURCE, "-o", str(target.resolve())]
    done = subprocess.run(command, cwd=tree, capture_output=True, check=False, timeout=120)
    return target if done.returncode == 0 else None


COLUMNS = ("verdict", "joint states", "queries", "processor s", "seconds", "MB", "certificate kB", "verified in s")


def flow_report(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The report as Markdown, with `head` on top."""
    lines = [
        *head,
        "",
        "*processor s*: what the process took of the processor, whatever else the machine did.",
        "",
        f"`{SOURCE}`, entered at `{ENTRY}`, `jmp_table` filled as its test does: 7 programs that call each",
        "other through tail calls, up to 33 of them in a run, in a cyclic graph. Every packet of 14 to 65,535 bytes in",
        "one linear piece; all flow keys and the return code are compared, writes to `last_dissection` are not.",
        "*Paged*: any split between the linear part and pages; line 234 then compares an address on the stack with the",
        "packet's, which is an assumption between programs, and a warning against a table (D192).",
        "Builds whose instructions are those of another are left out. The tables are `corpora/linux-flow-dissector`.",
        "",
        "## Summary",
        "",
        *summary(rows),
    ]
    builds = [(row.id.partition("=")[2], *_costs(row), row.reason) for row in rows if row.corpus == BUILT]
    if builds:
        lines += ["", f"## Builds against {REFERENCE.name}", "", *table(("build", *COLUMNS, "remark"), builds)]
    tabled = [(row.id.partition("/")[2], *_costs(row), row.reason) for row in rows if row.corpus == TABLED]
    if tabled:
        lines += ["", "## Builds against the tables", "", *table(("table and build", *COLUMNS, "remark"), tabled)]
        lines += ["", *_what_follows([row for row in rows if row.corpus == TABLED])]
    paired = [(row.id.partition("/")[2], *_costs(row), row.reason) for row in rows if row.corpus == PAIRED]
    if paired:
        lines += ["", "## Every two builds", "", *table(("builds", *COLUMNS, "remark"), paired)]
    ways = [(row.id, *_costs(row), row.reason) for row in rows if row.corpus in (PAGED, OBSERVED)]
    if ways:
        title = f"## Paged skbs, and `--observe-map {OWN_MAP}`"
        lines += ["", title, "", *table(("pair", *COLUMNS, "remark"), ways)]
        paged = [row for row in rows if row.corpus == PAGED and row.right.endswith((GRAPH, ROWS))]
        lines += ["", *_what_follows(paged, "; line 234 compares as is said there")] if len(paged) > 1 else []
    broken = [
        (row.id.partition("=")[2], *_costs(row)[:6], str(row.packet_size or ""), ", ".join(row.confirmed_by), row.bug)
        for row in rows
        if row.corpus == BROKEN
    ]
    if broken:
        titles = ("table", *COLUMNS[:6], "packet bytes", "confirmed by", "what is wrong with it")
        lines += ["", "## Broken tables", "", *table(titles, broken)]
    return "\n".join(lines) + "\n"


def _what_follows(rows: Sequence[Row], more: str = "") -> Iterator[str]:
    """What the proofs against the graph say of builds and tables not compared directly; `more` is said of them, too."""
    proved = [row for row in rows if row.as_expected and row.verdict == "equivalent"]
    builds = [row for row in proved if row.right.endswith(GRAPH)]
    by_rows = [row for row in proved if row.right.endswith(ROWS) and not row.left.endswith(GRAPH)]
    pairs = len(builds) * (len(builds) - 1) // 2
    count = len(builds)
    yield f"{count} builds are proved to do what `{GRAPH}` does, so all {pairs} pairs of them do the same: each gives"
    yield "the same verdict and keys as the graph for every packet, the graph hands none to the host, and the"
    yield f"assumptions are those of one interface{more}."
    if by_rows:
        yield f"{len(by_rows)} builds are proved to do what `{ROWS}` does, directly."
    if any(row.right.endswith(ROWS) and row.left.endswith(GRAPH) for row in proved):
        yield f"`{ROWS}` is proved to do what `{GRAPH}` does as well, so it does what each of the {count} builds does."


def _costs(row: Row) -> tuple[str, ...]:
    verdict = row.verdict if row.as_expected else f"**{row.verdict}** (not {row.expected})"
    numbers = (str(row.joint_states), str(row.solver_queries), f"{row.processor_seconds:.1f}", f"{row.seconds:.1f}")
    verified = "" if row.verify_seconds is None else f"{row.verify_seconds:.2f}"
    size = f"{row.certificate_bytes / 1e3:.0f}" if row.certificate_bytes else ""
    return (verdict, *numbers, megabytes(row), size, verified)
