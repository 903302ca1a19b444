"""One result as one page: what the template shows, worked out beforehand."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from equiv.machine.concrete import Observation, TraceStep
from equiv.report.explain import explain, headers_of
from equiv.report.html.drawings import Drawn, draw_side
from equiv.report.html.environment import environment
from equiv.report.html.inputs import Found, Origin, find
from equiv.report.html.outputs import Comparison, compare_sides, kernel_says
from equiv.report.html.packets import ShownPacket, show_packet
from equiv.report.html.sources import Listing, anchors, listings
from equiv.report.terminal import KINDS, input_lines, without_noise
from equiv.result import Counterexample, Result, Side, Statistics, UnknownCause

MAX_COUNTEREXAMPLES, MAX_STEPS, MAX_ITEMS = 20, 400, 500
NOUNS = {"equivalent": "equivalent", "different": "different", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a path, `times` in a row; `link` is the source line on the page, '' where it is not shown."""

    place: str
    text: str
    times: int
    link: str


@dataclass(frozen=True, slots=True)
class Path:
    """What one side did: `steps`, the graph with the way marked, its sources."""

    name: str
    side: Side
    verdict: str
    steps: tuple[Step, ...]
    left_out: int
    drawn: Drawn | None
    sources: tuple[Listing, ...]
    missing: str


@dataclass(frozen=True, slots=True)
class Example:
    """One counterexample."""

    number: int
    explanation: str
    comparison: Comparison
    packet: ShownPacket
    inputs: tuple[str, ...]
    paths: tuple[Path, ...]
    confirmed_by: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Punt:
    side: str
    path: tuple[str, ...]
    example: str


def render_page(result: Result, origin: Origin, index: str = "") -> str:
    """The whole page. `index` is the name of the page that lists this one among others."""
    sides = [("left", result.left), ("right", result.right)]
    found = {name: find(side, origin) for name, side in sides}
    shown = result.counterexamples[:MAX_COUNTEREXAMPLES]
    examples = [_example(number, example, result, found) for number, example in enumerate(shown, 1)]
    graphs = [] if examples else [_path(name, side, found[name], None, f"g-{name}") for name, side in sides]
    return (
        environment()
        .get_template("report.html")
        .render(
            result=result,
            index=index,
            headline=_headline(result),
            kinds=KINDS,
            sides=[(name, side, found[name]) for name, side in sides if side.kind != "property"],
            examples=examples,
            more_examples=len(result.counterexamples) - len(shown),
            graphs=[path for path in graphs if path.drawn or path.sources],
            causes=[_cause(cause) for cause in result.unknown[:MAX_ITEMS]],
            punts=[_punt(each.side, each.path, each.example) for each in result.punted[:MAX_ITEMS]],
            more_punts=max(len(result.punted) - MAX_ITEMS, 0),
            assumptions=result.assumptions[:MAX_ITEMS],
            warnings=result.warnings[:MAX_ITEMS],
            statistics=_statistics(result.statistics, result.seed),
            verify=_verify(result),
        )
    )


def _headline(result: Result) -> str:
    """The sentence at the top: what differs, else why the verdict is what it is."""
    found = result.counterexample
    return explain(result, found) if found else result.reason


def _example(number: int, found: Counterexample, result: Result, files: dict[str, Found]) -> Example:
    decoded = result.interface not in ("buffer", "p4") or headers_of(found, result) is not None
    paths = [
        _path(name, side, files[name], seen, f"x{number}-{name}")
        for name, side, seen in (("left", result.left, found.left), ("right", result.right, found.right))
        if side.kind != "property"
    ]
    return Example(
        number=number,
        explanation=explain(result, found),
        comparison=compare_sides(found, result),
        packet=show_packet(found.input.packet, found.relevant, result.element_width, decoded),
        inputs=tuple(input_lines(found.input))[:MAX_ITEMS],
        paths=tuple(paths),
        confirmed_by=found.confirmed_by[:MAX_ITEMS],
        notes=(*found.notes, *kernel_says(found))[:MAX_ITEMS],
    )


def _path(name: str, side: Side, found: Found, seen: Observation | None, key: str) -> Path:
    steps = seen.path if seen else ()
    sources = listings(side, found, steps, f"{key}-line")
    shown, left_out = _steps(steps, sources)
    drawn = draw_side(found.loaded, seen, f"{key}-graph") if found.loaded else None
    return Path(name, side, seen.verdict if seen else "", shown, left_out, drawn, sources, found.missing)


def _steps(path: Sequence[TraceStep], sources: Sequence[Listing]) -> tuple[tuple[Step, ...], int]:
    links = anchors(sources)
    told = without_noise(step for step in path if step.text.strip() or step.line)
    grouped = [(step, len(list(group))) for step, group in groupby(told)]
    kept = grouped[-MAX_STEPS:]
    names = {step.file: step.file.rpartition("/")[2] or step.file for step, _ in kept}
    if len(set(names.values())) < len(names):
        names = {file: file for file in names}
    steps = tuple(
        Step(
            f"{names[step.file]}:{step.line}" if step.line else names[step.file],
            step.text.strip(),
            times,
            links.get((step.file, step.line), ""),
        )
        for step, times in kept
    )
    return steps, len(grouped) - len(kept)


def _cause(cause: UnknownCause) -> dict[str, str]:
    place = cause.place
    return {
        "reason": cause.reason,
        "side": cause.side,
        "where": str(place) if place else "",
        "excerpt": place.excerpt.strip() if place else "",
    }


def _punt(side: str, path: Sequence[str], example: bytes | None) -> Punt:
    return Punt(side, tuple(path[:MAX_ITEMS]), "" if example is None else example.hex(" ", -4))


def _statistics(statistics: Statistics, seed: int) -> list[tuple[str, str]]:
    """Names and figures, in words."""
    phases = ", ".join(f"{name} {seconds:.3f} s" for name, seconds in statistics.phases.items())
    return [
        ("engine time", f"{statistics.seconds:.3f} s"),
        ("of it in the solver", f"{statistics.solver_seconds:.3f} s"),
        ("joint states", f"{statistics.joint_states:,}"),
        ("explorations", f"{statistics.explorations:,}"),
        ("joins", f"{statistics.joins:,}"),
        ("refinements", f"{statistics.refinements:,}"),
        ("solver queries", f"{statistics.solver_queries:,}"),
        ("terms", f"{statistics.terms:,}"),
        ("peak memory", f"{statistics.peak_rss_bytes / 1e6:.1f} MB"),
        ("seed", str(seed)),
        *([("phases", phases)] if phases else []),
    ]


def _verify(result: Result) -> str:
    """The command that checks the certificate, as a shell takes it."""
    if result.certified is None:
        return ""
    words = ["equiv", "verify", result.certified.file or "CERTIFICATE", result.left.title]
    if result.right.kind != "property":
        words.append(result.right.title)
    return shlex.join(words)
