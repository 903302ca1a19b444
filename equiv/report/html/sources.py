"""Source text on a page with a path's lines marked: a table's or parser's file, or the lines that an object tells.

A program's C source is not looked for: its object says of every instruction what the line was, so those lines are as
trustworthy as the object, and there is nothing else to read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from equiv.bpf.program import Program
from equiv.machine.concrete import TraceStep
from equiv.report.html.inputs import Found
from equiv.result import Side

MAX_LINES = 3000
CONTEXT = 12
"""Of a longer file, so many lines around those of the path are shown."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line; `times` the path came here, `last` where it ended. `gap`: lines are left out before it."""

    number: int
    text: str
    times: int = 0
    last: bool = False
    gap: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """One file of one side. `partial` says that it holds only the lines that code was made from."""

    key: str
    file: str
    lines: tuple[Line, ...]
    partial: bool = False


def listings(side: Side, found: Found, path: Sequence[TraceStep], key: str) -> tuple[Listing, ...]:
    """The files of one side that a path goes through, or what there is of them; none where there is no text."""
    if found.loaded is None:
        return ()
    if found.loaded.program is not None:
        return tuple(_of_program(found.loaded.program, path, key))
    if not found.text:
        return ()
    steps = [step for step in path if step.file == side.path]
    lines = dict(enumerate(found.text, 1))
    if lines.get(len(lines)) == "":
        del lines[len(lines)]
    return (Listing(key, side.path, tuple(_marked(lines, steps, whole=True))),)


def _of_program(program: Program, path: Sequence[TraceStep], key: str) -> Iterable[Listing]:
    files: dict[str, dict[int, str]] = {}
    for line in program.lines:
        if line.line:
            files.setdefault(line.file, {})[line.line] = line.text
    visited = {step.file for step in path}
    shown = [file for file in files if file in visited] or list(files)[:1]
    for number, file in enumerate(shown[:8]):
        steps = [step for step in path if step.file == file]
        yield Listing(f"{key}-{number}", file, tuple(_marked(files[file], steps, whole=False)), partial=True)


def _marked(lines: Mapping[int, str], steps: Sequence[TraceStep], whole: bool) -> Iterable[Line]:
    """The lines in order. `whole` says that their numbers have no gaps of their own."""
    times = Counter(step.line for step in steps)
    end = steps[-1].line if steps else 0
    numbers = sorted(lines)
    if len(numbers) > MAX_LINES:
        near = {number + more for number in times for more in range(-CONTEXT, CONTEXT + 1)}
        numbers = [number for number in numbers if number in near or number <= CONTEXT][:MAX_LINES]
    previous = 0
    for number in numbers:
        gap = number != previous + 1 and (previous > 0 or whole)
        yield Line(number, lines[number].rstrip("\r\n"), times[number], number == end, gap)
        previous = number


def anchors(shown: Iterable[Listing]) -> dict[tuple[str, int], str]:
    """Where on the page each line is, by file and number."""
    return {(listing.file, line.number): f"{listing.key}-{line.number}" for listing in shown for line in listing.lines}
