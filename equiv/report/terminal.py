"""A check's result as text for people: the verdict, then why, then what was assumed; statistics on request."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from equiv.machine.concrete import Input, Observation, TraceStep
from equiv.report.figures import figures
from equiv.report.observables import ABSENT, VERDICT, Row, comparable, compare
from equiv.report.style import PLAIN, Style, clean, shorten
from equiv.result import Counterexample, PuntClass, Result, Side, Statistics, UnknownCause

INDENT = "  "
MAX_STEPS = 24
"""Longer paths are shown by their beginning and, twice as much of it, their end."""
MAX_PUNTED = 8


KINDS = {
    "bpf": "program",
    "dev": "device table",
    "p4": "P4 parser",
    "bmv2": "BMv2 parser",
    "automaton": "P4 automaton",
    "property": "property",
}
"""What each kind of input is called."""


def render_result(result: Result, style: Style = PLAIN, verbose: bool = False, explained: bool = False) -> str:
    """The whole report, ending in a newline. `verbose` adds statistics and leaves nothing out of paths.

    `explained` puts each difference into a sentence.
    """
    lines = [_headline(result, style), *wrapped(clean(result.reason), style)]
    if explained:
        from equiv.report.explain import explain

        lines += section("in words", (explain(result, found) for found in result.counterexamples), style)
    lines += ["", f"left       {_side(result.left)}"]
    lines.append(
        f"property   {clean(result.right.path)}"
        if result.right.kind == "property"
        else f"right      {_side(result.right)}"
    )
    lines.append(f"interface  {clean(result.interface)}")
    for number, found in enumerate(result.counterexamples, 1):
        title = "counterexample" if len(result.counterexamples) == 1 else f"counterexample {number}"
        lines += ["", *_counterexample(title, found, result, style, verbose)]
    lines += section("not shown because", (_cause(cause) for cause in result.unknown), style)
    lines += section("assumptions", map(clean, result.assumptions or ("none",)), style)
    lines += section("warnings", map(clean, result.warnings), style)
    if result.fuzzed:
        lines += section("fuzzing", figures(result.fuzzed, verbose), style)
    lines += section("handed to the host, not compared", _punted(result.punted, verbose), style)
    if verbose:
        lines += section("statistics", statistics_lines(result.statistics, result.seed), style)
    return "\n".join(lines) + "\n"


def _headline(result: Result, style: Style) -> str:
    paint = {"equivalent": style.green, "different": style.red, "unknown": style.yellow}[result.verdict]
    return paint(result.verdict)


def _side(side: Side) -> str:
    return f"{clean(side.title)}  ({KINDS[side.kind]}, sha256 {side.sha256[:16]})"


def wrapped(text: str, style: Style, first: str = "", rest: str = "") -> list[str]:
    """`text` in lines of the terminal's width."""
    return textwrap.wrap(
        text,
        style.columns,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def section(title: str, items: Iterable[str], style: Style) -> list[str]:
    """A heading and its items, nothing at all if there are none."""
    lines = [line for item in items for line in wrapped(item, style, f"{INDENT}- ", f"{INDENT}  ")]
    return ["", style.bold(title), *lines] if lines else []


def _cause(cause: UnknownCause) -> str:
    where = f"{clean(str(cause.place))}: " if cause.place else ""
    side = f"{clean(cause.side)}: " if cause.side else ""
    line = f": {clean(cause.place.excerpt.strip())}" if cause.place and cause.place.excerpt.strip() else ""
    return f"{side}{where}{clean(cause.reason)}{line}"


def _punted(classes: Sequence[PuntClass], verbose: bool) -> Iterable[str]:
    shown = classes if verbose else classes[:MAX_PUNTED]
    for punt in shown:
        path = " → ".join(map(clean, punt.path)) or "every packet"
        example = f"; for example {shorten(punt.example.hex(' ', -2), 60)}" if punt.example is not None else ""
        yield f"{clean(punt.side)}: {path}{example}"
    if len(classes) > len(shown):
        yield f"{len(classes) - len(shown)} more (-v shows all)"


def _counterexample(title: str, found: Counterexample, result: Result, style: Style, verbose: bool) -> list[str]:
    from equiv.report.packet import hex_dump, render_layers

    lines = _what_differs(title, found, result, style)
    size = len(found.input.packet)
    lines += ["", style.bold(f"packet, {size} byte{'s' if size != 1 else ''}, those that mattered in [brackets]")]
    if result.interface != "buffer":
        lines += [INDENT + line for line in render_layers(found.input.packet, style)]
    lines += [INDENT + line for line in hex_dump(found.input.packet, found.relevant, style)]
    lines += section("further inputs", input_lines(found.input), style)
    for name, side, observation in (("left", result.left, found.left), ("right", result.right, found.right)):
        if observation.path:
            lines += ["", style.bold(f"path on the {name}: {clean(side.title)}")]
            lines += [INDENT + line for line in path_lines(observation.path, style, verbose)]
    confirmed = ", ".join(map(clean, found.confirmed_by)) or "nothing"
    lines += ["", f"{style.bold('confirmed by')} {confirmed}"]
    lines += [f"{INDENT}- {clean(note)}" for note in found.notes]
    lines += [line for name, seen in found.kernel.items() for line in _kernel(name, seen, found)]
    return lines


def _what_differs(title: str, found: Counterexample, result: Result, style: Style) -> list[str]:
    """The observables that differ, or the conditions that are violated with all that was observed."""
    seen = comparable(found.left, found.right, result.fields)
    violated = [name for name in found.differs if name not in seen]
    if not violated:
        rows = compare(found.left, found.right, found.differs, result.fields, result.errors)
        return [style.bold(f"{title}: what differs (marked *)"), *side_by_side(rows, style)]
    lines = [style.bold(f"{title}: what is violated (marked *)")]
    lines += [style.bold(f"* {clean(text)}") for text in violated]
    rows = compare(
        found.left, found.right, [name for name in found.differs if name in seen], result.fields, result.errors
    )
    if result.right.kind == "property":
        width = max(len(row.name) for row in rows)
        return [*lines, *(f"  {row.name:{width}}  {row.left}" for row in rows)]
    return lines + side_by_side([replace(row, shown=True) for row in rows], style)


def _kernel(name: str, seen: Observation, found: Counterexample) -> list[str]:
    """What the kernel showed, where that is not what the interpreter showed."""
    interpreted = {"left": found.left, "right": found.right}.get(name)
    if interpreted is None or (seen.code, seen.values) == (interpreted.code, interpreted.values):
        return []
    rows = compare(interpreted, seen, [n for n, v in seen.values.items() if interpreted.values.get(n) != v])
    lines = [f"{INDENT}- the kernel showed something else on the {clean(name)} than the interpreter:"]
    return lines + [f"{INDENT}  {row.name}: interpreter {row.left}, kernel {row.right}" for row in rows if row.differs]


def side_by_side(rows: Sequence[Row], style: Style) -> list[str]:
    """Name, left, right in columns; differing lines begin with `*`. Wide values go one below the other."""
    shown = [row for row in rows if row.differs or row.part or row.shown or row.name == VERDICT]
    names = max((len(row.name) + 2 * row.part for row in shown), default=0)
    left = max((len(row.left) for row in shown), default=0)
    right = max((len(row.right) for row in shown), default=0)
    wide = names + left + right + 8 > style.columns
    lines = []
    if not wide:
        left = max(left, len("left"))
        lines.append(style.faint(f"  {'':{names}}  {'left':{left}}  right"))
    for row in shown:
        mark = "*" if row.differs else " "
        name = f"{'  ' * row.part}{row.name}".ljust(names)
        if wide and row.left != row.right:
            both = [("left ", row.left), ("right", row.right)]
            there = [f"{side} {value}" for side, value in both if value != ABSENT or not row.shown] or ["neither"]
            text = [f"{mark} {name}  {there[0]}", *(f"  {'':{names}}  {more}" for more in there[1:])]
        elif wide:
            text = [f"{mark} {name}  both  {row.left}"]
        else:
            text = [f"{mark} {name}  {row.left:{left}}  {row.right}"]
        lines += [style.bold(line) if row.differs else line for line in text]
    others = [row for row in rows if row not in shown]
    equal = sum(row.equal for row in others)
    if equal:
        lines.append(style.faint(f"  {equal} more observable{'' if equal == 1 else 's'} equal on both sides"))
    if len(others) > equal:
        lines.append(style.faint(f"  {len(others) - equal} more not compared: not with these verdicts"))
    return [line.rstrip() for line in lines]


def input_lines(given: Input) -> Iterable[str]:
    """What the run was given besides the packet's bytes."""
    if given.linear is not None and given.linear != len(given.packet):
        yield f"linear part of the skb: {given.linear} of {len(given.packet)} bytes"
    for name, value in sorted(given.context.items()):
        yield f"context {clean(name)} = {value} ({value:#x})"
    for name, contents in sorted(given.maps.items()):
        for key, data in sorted(contents.items()):
            yield f"map {clean(name)}: key {key.hex(' ', -4)} holds {shorten(data.hex(' ', -4), 80)}"


def path_lines(path: Sequence[TraceStep], style: Style, verbose: bool = False) -> list[str]:
    """`file:line  text`, one line for steps that repeat a place.

    Unless `verbose`, lines of brackets only and the middle of a long path are left out.
    """
    told: Iterable[TraceStep] = (step for step in path if step.text.strip() or step.line)
    if not verbose:
        told = without_noise(told)
    steps = [(step, len(list(group))) for step, group in groupby(told)]
    if not verbose and len(steps) > MAX_STEPS:
        head, tail = MAX_STEPS // 3, MAX_STEPS - MAX_STEPS // 3
        lines = _steps(steps[:head], style)
        lines.append(style.faint(f"… {len(steps) - head - tail} more (-v shows all) …"))
        return lines + _steps(steps[-tail:], style)
    return _steps(steps, style)


def without_noise(path: Iterable[TraceStep]) -> Iterator[TraceStep]:
    """The steps but for those at `}` and the like; what was decided at one line in several steps is told once."""
    held: TraceStep | None = None
    for step in path:
        if step.text.strip() and not step.text.strip(" \t{}();"):
            continue
        if held is not None and held != step:
            line, gap, note = held.text.rpartition("  [")
            again, _, more = step.text.rpartition("  [")
            if gap and more and (held.file, held.line, line) == (step.file, step.line, again):
                held = replace(held, text=f"{line}{gap}{note.removesuffix(']')}, {more}")
                continue
        if held is not None:
            yield held
        held = step
    if held is not None:
        yield held


def _steps(steps: Sequence[tuple[TraceStep, int]], style: Style) -> list[str]:
    names = _short_names(step.file for step, _ in steps)
    places = [clean(names[step.file] + (f":{step.line}" if step.line else "")) for step, _ in steps]
    width = max(map(len, places), default=0)
    lines = []
    for place, (step, times) in zip(places, steps, strict=True):
        repeated = f"  (× {times})" if times > 1 else ""
        text = _shorten_line(clean(step.text.strip()), max(style.columns - width - 4 - len(repeated), 40))
        lines.append(f"{style.faint(place.ljust(width))}  {text}{repeated}".rstrip())
    return lines


def _shorten_line(text: str, columns: int) -> str:
    """Cut a source line, but not what is said behind it: `if (a … [12: not taken]`."""
    line, gap, note = text.rpartition("  [")
    return shorten(line, columns - len(gap + note)) + gap + note if gap else shorten(text, columns)


def _short_names(files: Iterable[str]) -> dict[str, str]:
    """Files without their folders, unless two of them would look alike."""
    names = {file: file.rpartition("/")[2] for file in files}
    return names if len(set(names.values())) == len(names) else {file: file for file in names}


def statistics_lines(statistics: Statistics, seed: int) -> Iterable[str]:
    """What the proof cost."""
    yield f"{statistics.seconds:.3f} s of engine time, {statistics.solver_seconds:.3f} s of it in the solver"
    yield (
        f"{statistics.joint_states} joint states, {statistics.joins} joins, {statistics.explorations} explorations, "
        f"{statistics.refinements} refinements"
    )
    terms = f", {statistics.terms} terms" if statistics.terms else ""
    yield f"{statistics.solver_queries} solver queries{terms}"
    yield f"peak memory {statistics.peak_rss_bytes / 1e6:.1f} MB"
    if statistics.phases:
        yield "phases: " + ", ".join(f"{clean(name)} {seconds:.3f} s" for name, seconds in statistics.phases.items())
    yield f"seed {seed}"
