"""`equiv bench p4-growth`: how the work grows with the size of a parse graph.

Generated graphs (`p4_graphs`) are compared with themselves, with a variant that is written otherwise, and with one that
has a mistake. Each check runs in a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import shlex
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

from equiv.bench.delivery import add_output, as_json, deliver, require_output
from equiv.bench.environment import environment
from equiv.bench.markdown import table
from equiv.bench.p4_graphs import Graph, broken, graph, source, variant

REPORT = "reports/parse-graphs.md"
SIZES = ((2, 1), (8, 1), (128, 1), (8, 2), (128, 2), (2, 8), (16, 4), (32, 4), (64, 4), (128, 4), (128, 8))
"""Depth and fan-out."""
Observe = Literal["all", "accept"]
EXPECTED = {"itself": "equivalent", "variant": "equivalent", "broken": "different"}


@dataclass(frozen=True, slots=True)
class Row:
    """One check. `states` are the left graph's; reading both sides takes the `load` times, the check the others."""

    depth: int
    fan_out: int
    states: int
    against: str
    observe: Observe
    verdict: str
    reason: str
    joint_states: int
    solver_queries: int
    load_seconds: float
    load_cpu_seconds: float
    seconds: float
    cpu_seconds: float
    peak_rss_bytes: int

    @property
    def as_expected(self) -> bool:
        return self.verdict == EXPECTED[self.against]


def measure(depth: int, fan_out: int, against: str, observe: Observe, timeout: float) -> Row:
    """Check one graph in this process, which should do nothing else."""
    from equiv import api
    from equiv.p4.parser import ParserOptions

    left = graph(depth, fan_out)
    with TemporaryDirectory() as folder:
        paths = []
        for name, side in (("left", left), ("right", _other(left, against))):
            path = Path(folder) / f"{name}.p4"
            path.write_text(source(side), "utf-8")
            paths.append(str(path))
        started, first = time.perf_counter(), time.process_time()
        sides = [api.load(path) for path in paths]
        loaded, cpu = time.perf_counter(), time.process_time()
        result = api.check(*sides, parsers=ParserOptions(observe), timeout=timeout)
    return Row(
        depth,
        fan_out,
        len(left.states),
        against,
        observe,
        result.verdict,
        result.reason,
        result.statistics.joint_states,
        result.statistics.solver_queries,
        loaded - started,
        cpu - first,
        time.perf_counter() - loaded,
        time.process_time() - cpu,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def _other(of: Graph, against: str) -> Graph:
    match against:
        case "variant":
            return variant(of)
        case "broken":
            return variant(broken(of))
    return of


def report(rows: Sequence[Row], head: Sequence[str]) -> str:
    """The report as Markdown."""
    lines = [
        *head,
        "",
        "Layers of states; each extracts one of eight headers and selects by a field of it, with as many ways to the",
        "next layer as the fan-out says. A quarter of the states go on whatever a packet holds. The *variant* has",
        "other names and another order of states and of cases, and takes such states into those before; *broken* is a",
        "variant with one way that leads elsewhere. *all*: verdict, bits consumed, and all headers are compared;",
        "*accept*: the verdict. *load s*: processor time to read both sources; *s*: wall time of the check after that,",
        "*cpu s* its processor time.",
    ]
    for observe in ("all", "accept"):
        own = [row for row in rows if row.observe == observe]
        if own:
            lines += ["", f"## Compared: {observe}", "", *table(TITLES, [_cells(row) for row in own]), *_growth(own)]
    return "\n".join(lines) + "\n"


TITLES = (
    *("depth", "fan-out", "states", "against", "verdict", "joint states", "queries"),
    *("load s", "s", "cpu s", "cpu ms per state", "MB"),
)


def _cells(row: Row) -> tuple[str, ...]:
    return (
        str(row.depth),
        str(row.fan_out),
        str(row.states),
        row.against,
        row.verdict if row.as_expected else f"{row.verdict}: {row.reason}",
        str(row.joint_states),
        str(row.solver_queries),
        f"{row.load_cpu_seconds:.2f}",
        f"{row.seconds:.2f}",
        f"{row.cpu_seconds:.2f}",
        f"{1000 * row.cpu_seconds / row.states:.1f}",
        f"{row.peak_rss_bytes / 1e6:.0f}",
    )


def _growth(rows: Sequence[Row]) -> list[str]:
    """How much more the largest variant takes than a tenth of it, in words."""
    own = sorted((row for row in rows if row.against == "variant" and row.as_expected), key=lambda row: row.states)
    if len(own) < 2:
        return []
    last = own[-1]
    first = min(own, key=lambda row: abs(row.states - last.states / 8))
    more = last.states / first.states
    return [
        "",
        f"From {first.states} to {last.states} states (× {more:.1f}): joint states × "
        f"{last.joint_states / first.joint_states:.1f}, processor time × {last.cpu_seconds / first.cpu_seconds:.1f}.",
    ]


def main(arguments: list[str]) -> int:
    """Run the benchmark. Returns 0 if every verdict is as expected, else 1."""
    parser = argparse.ArgumentParser(prog="equiv bench p4-growth", description=__doc__, allow_abbrev=False)
    parser.add_argument("--timeout", type=float, default=300.0, metavar="SECONDS", help="of each check (default: 300)")
    parser.add_argument("--least", type=int, default=0, metavar="STATES", help="leave out smaller graphs")
    parser.add_argument("--most", type=int, default=2100, metavar="STATES", help="leave out larger graphs")
    parser.add_argument("--against", choices=tuple(EXPECTED), help="with what graphs are compared (default: all three)")
    parser.add_argument("--observe", choices=("all", "accept"), help="what is compared (default: one after the other)")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    add_output(parser, REPORT)
    options = parser.parse_args(arguments)
    require_output(options)
    observed: tuple[Observe, ...] = (options.observe,) if options.observe else ("all", "accept")
    sizes = [size for size in SIZES if options.least <= len(graph(*size).states) <= options.most]
    if not sizes:
        parser.error("no graph has so many states")
    rows: list[Row] = []
    for observe in observed:
        for depth, fan_out in sizes:
            for against in [options.against] if options.against else EXPECTED:
                with ProcessPoolExecutor(1, get_context("spawn")) as pool:
                    rows.append(pool.submit(measure, depth, fan_out, against, observe, options.timeout).result())
                if sys.stderr.isatty() or not rows[-1].as_expected:
                    row = rows[-1]
                    print(f"{depth} {fan_out} {against} {observe}: {row.verdict} {row.seconds:.1f} s", file=sys.stderr)
    command = shlex.join(["equiv", "bench", "p4-growth", *arguments])
    head = ["# Parse graphs", "", f"Written by `{command}`; do not edit.", ""]
    head += [f"- {name}: {value}" for name, value in environment().items()]
    said = [f"- {sum(row.as_expected for row in rows)} of {len(rows)} checks found what they must"]
    deliver(report(rows, head), options.output, said, as_json(rows) if options.json else None)
    return 0 if all(row.as_expected for row in rows) else 1
