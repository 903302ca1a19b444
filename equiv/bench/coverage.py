"""`equiv bench coverage`: suites for both sides of equivalent pairs, run on the other side and on the kernel.

Every way of a table or program is covered by a packet, or proved unreachable; what is neither is listed as such.
"""

from __future__ import annotations

import argparse
import shlex
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.manifest import Pair
from equiv.bench.markdown import table
from equiv.bench.options import positive
from equiv.bench.progress import tell
from equiv.bench.soundness.command import equivalent_pairs
from equiv.bench.soundness.stand import question_of
from equiv.errors import EquivError, InputError
from equiv.loaded import Loaded
from equiv.machine.interface import Interface
from equiv.oracle import VerifierRejected, available
from equiv.question import pose
from equiv.report.style import clean, shorten
from equiv.suite.document import Read, Test
from equiv.suite.make import Suite, make_suite
from equiv.suite.replay import Replayed, replay

REPORT = "reports/coverage.md"
LONGEST = 110


@dataclass(frozen=True, slots=True)
class Row:
    """One side of a pair. `ran` says of each place where the suite was run: passed, failed, not run."""

    pair: str
    side: str
    file: str
    packets: int
    covered: int
    goals: int
    unreachable: tuple[str, ...]
    open: tuple[str, ...]
    ran: dict[str, tuple[int, int, int]]
    seconds: float
    error: str = ""

    @property
    def is_fine(self) -> bool:
        return not self.error and not any(failed for _, failed, _ in self.ran.values())


@dataclass(slots=True)
class Suites:
    """The suites so far, by what they were made of: many files are a side of several pairs.

    `seconds` is what the engine has for each.
    """

    seconds: float
    _made: dict[tuple[str, str, str, str], Suite] = field(default_factory=dict)

    def of(self, loaded: Loaded, interface: Interface) -> Suite:
        """The suite of a side. Raises as `make_suite` does."""
        name = loaded.path, loaded.sha256, loaded.program_name, repr(interface)
        if name not in self._made:
            self._made[name] = make_suite(loaded, interface, seconds=self.seconds)
        return self._made[name]


def measure(pair: Pair, suites: Suites) -> list[Row]:
    """Both sides of a pair, as far as suites are made of them."""
    posed = pose(pair.left, pair.right, question_of(pair))
    rows = []
    for side, loaded, other in (("left", posed.left, posed.right), ("right", posed.right, posed.left)):
        if (loaded.parser is None) is not (other.parser is None):  # a suite of one does not run on the other
            continue
        started = time.perf_counter()
        try:
            suite = suites.of(loaded, posed.interface)
            ran = _ran(suite, loaded, other, posed.interface)
        except EquivError as error:
            took = time.perf_counter() - started
            rows.append(Row(pair.id, side, loaded.path, 0, 0, 0, (), (), {}, took, error.message))
            continue
        rows.append(_row(pair, side, loaded, suite, ran, time.perf_counter() - started))
    return rows


def _ran(suite: Suite, loaded: Loaded, other: Loaded, interface: Interface) -> dict[str, tuple[int, int, int]]:
    tests = tuple(Test(item.given, item.expected) for item in suite.items)
    read = Read(loaded.path, loaded.sha256, loaded.kind, loaded.program_name, interface, (), tests)
    ran = {"the other side": _counts(replay(read, other, on_kernel=False))}
    program = loaded if loaded.program is not None else other
    if program.program is not None and available() is None:
        try:
            ran["kernel"] = _counts(replay(read, program, on_kernel=True))
        except (VerifierRejected, InputError, EquivError):
            ran["kernel"] = (0, 0, len(tests))
    return ran


def _counts(found: Replayed) -> tuple[int, int, int]:
    return found.passed + found.punted, len(found.failures), sum(found.not_run.values())


def _row(
    pair: Pair, side: str, loaded: Loaded, suite: Suite, ran: dict[str, tuple[int, int, int]], seconds: float
) -> Row:
    statuses = Counter[str](suite.statuses)
    said: dict[str, list[str]] = {"unreachable": [], "not reached": []}
    for goal, status in zip(suite.goals, suite.statuses):
        if status in said:
            where = f"line {goal.place.line}, " if goal.place.line else ""
            said[status].append(f"{where}{goal.kind}: {goal.text}")
    return Row(
        pair=pair.id,
        side=side,
        file=Path(loaded.path).name,
        packets=len(suite.items),
        covered=statuses["covered"],
        goals=len(suite.goals),
        unreachable=tuple(said["unreachable"]),
        open=tuple(said["not reached"]),
        ran=ran,
        seconds=seconds,
    )


def report(rows: Sequence[Row], command: str, cut: Sequence[str] = ()) -> str:
    """The report as Markdown; `cut` says, where it does not have all pairs, that it does not."""
    lines = ["# What packets can reach", "", f"Written by `{command}`; do not edit.", ""]
    lines += [f"- {name}: {value}" for name, value in environment().items()]
    lines += ["", "## Summary", "", *cut, *summary(rows), ""]
    lines += [
        "A goal is a state, row, select case, default or exit of a table, a way of a program's branch, or an edge of a",
        "comparison. *unreachable*: proved by the engine over all packets that the interface admits. *not reached*:",
        "neither covered nor proved. Each suite is run on the other side of its pair and, where a side is a program,",
        "on the running kernel: passed / failed / not run. A suite is made once: for further pairs *s* is less.",
        "",
    ]
    lines += table(
        ("file", "pair", "packets", "goals", "covered", "unreachable", "not reached", "other side", "kernel", "s"),
        (
            (
                *(row.file, row.pair, str(row.packets), str(row.goals), str(row.covered)),
                *(str(len(row.unreachable)), str(len(row.open)), _shown(row, "the other side"), _shown(row, "kernel")),
                f"{row.seconds:.1f}",
            )
            for row in rows
            if not row.error
        ),
    )
    for title, places in (("Unreachable, proved", "unreachable"), ("Not reached, and not proved", "open")):
        lines += ["", f"## {title}", ""]
        seen: set[str] = set()
        for row in rows:
            if getattr(row, places) and row.file not in seen:
                seen.add(row.file)
                lines += [f"- `{row.file}`", *(f"  - {_plain(text)}" for text in getattr(row, places))]
    if errors := [row for row in rows if row.error]:
        lines += ["", "## Without a suite", "", *table(("file", "why"), ((r.file, r.error) for r in errors))]
    return "\n".join(lines) + "\n"


def summary(rows: Sequence[Row]) -> list[str]:
    goals = sum(row.goals for row in rows)
    runs = [counts for row in rows for counts in row.ran.values()]
    kernel = [row.ran["kernel"] for row in rows if "kernel" in row.ran]
    return [
        f"- {len(rows)} sides of {len({row.pair for row in rows})} equivalent pairs, {goals} goals: "
        f"{sum(row.covered for row in rows)} covered, {sum(len(row.unreachable) for row in rows)} proved unreachable, "
        f"{sum(len(row.open) for row in rows)} neither",
        f"- {sum(row.packets for row in rows)} packets; run on the other side and the kernel, "
        f"{sum(passed for passed, _, _ in runs)} pass, **{sum(failed for _, failed, _ in runs)} fail**",
        f"- the kernel ran {sum(passed + failed for passed, failed, _ in kernel)} of them, "
        f"{sum(rest for _, _, rest in kernel)} it could not",
    ]


def _shown(row: Row, place: str) -> str:
    return " / ".join(map(str, row.ran[place])) if place in row.ran else ""


def _plain(text: str) -> str:
    return shorten(clean(text), LONGEST).replace("<", "&lt;")


def main(arguments: list[str]) -> int:
    """Run the bench. Returns 0 if every suite passes wherever it was run, else 1."""
    parser = argparse.ArgumentParser(prog="equiv bench coverage", description=__doc__, allow_abbrev=False)
    parser.add_argument("--corpora", default="corpora", metavar="DIR", help="folder of the corpora (default: corpora)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="a corpus or a pair, * allowed")
    parser.add_argument(
        "--seconds", type=positive, default=60.0, metavar="S", help="of the engine, for each side (default: 60)"
    )
    parser.add_argument(
        "--total-seconds",
        type=positive,
        metavar="S",
        help="begin no pair after this time; report what there is",
    )
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    parser.add_argument("--debug", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    require_output(options)
    pairs = equivalent_pairs(options.corpora, options.only)
    rows, done = _measured(pairs, options.seconds, options.total_seconds)
    if not rows and done == len(pairs):
        raise InputError("no suites are made for pairs of a parser and something else")
    cut = [f"- **cut short**: {done} of {len(pairs)} pairs were looked at"] if done < len(pairs) else []
    text = report(rows, shlex.join(["equiv", "bench", "coverage", *arguments]), cut)
    deliver(text, options.output, [*cut, *summary(rows)], as_json(rows) if options.json else None)
    return 0 if all(row.is_fine for row in rows) and not cut else 1


def _measured(pairs: Sequence[Pair], seconds: float, total: float | None) -> tuple[list[Row], int]:
    """Rows of as many pairs as there are before `total` seconds are over, or Ctrl-C; of how many that is."""
    until = None if total is None else time.monotonic() + total
    rows: list[Row] = []
    suites = Suites(seconds)
    for done, pair in enumerate(pairs):
        if until is not None and time.monotonic() >= until:
            return rows, done
        tell(f"{done} of {len(pairs)}: {pair.id}")
        try:
            rows += measure(pair, suites)
        except KeyboardInterrupt:
            return rows, done
    tell("", is_over=True)
    return rows, len(pairs)
