"""What a campaign reached, in figures and words."""

from __future__ import annotations

from typing import Final

from equiv.bpf.program import Program
from equiv.compiled import batch
from equiv.compiled.pair import Side
from equiv.compiled.shape import Edge, Shape
from equiv.p4.parser import Parser
from equiv.result import Coverage
from equiv.table.model import Table

MOST_MISSED: Final = 1000


def coverage_of(side: Side, shape: Shape, subject: Program | Table | Parser) -> Coverage:
    """The figures of one side."""
    seen = side.seen.raw
    edges = side.source.edges
    missed = [place_of(edge, subject) for number, edge in enumerate(edges) if not seen[number]]
    return Coverage(
        reached=sum(1 for number in range(len(edges)) if seen[number]),
        total=len(edges),
        missed=tuple(missed[:MOST_MISSED]),
        verdicts=_verdicts(side, shape),
        bits=_bits(side, shape),
    )


def place_of(edge: Edge, subject: Program | Table | Parser) -> str:
    """An edge in words: where, and what happens there."""
    if not isinstance(subject, Program):
        return f"{subject.file}:{edge.at}: {edge.group}: {edge.text}"
    line = subject.line_at(edge.at)
    program, insn = subject.place_at(edge.at)
    where = f"{line.file}:{line.line}: " if line is not None else ""
    return f"{where}instruction {insn} of {program}: {edge.text}"


def _verdicts(side: Side, shape: Shape) -> dict[str, int]:
    content = side.values.raw
    labels = [*shape.interface.verdicts, shape.interface.else_label or "other"]
    counts = [int.from_bytes(content[8 * n : 8 * n + 8], "little") for n in range(len(labels))]
    found: dict[str, int] = {}
    for label, count in zip(labels, counts):
        if count:
            found[label] = found.get(label, 0) + count
    return found


def _bits(side: Side, shape: Shape) -> dict[str, tuple[int, int]]:
    """Of each output how many bits were both 0 and 1, of how many; outputs that never counted have none."""
    content, found = side.values.raw, {}
    for place, offset in batch.value_places(shape):
        room = -(-place.size // 8) * 8
        ones = int.from_bytes(content[offset : offset + place.size], "little")
        zeros = int.from_bytes(content[offset + room : offset + room + place.size], "little")
        width = min(place.width, 8 * place.size) if place.kind in ("int", "wide") else 8 * place.size
        if ones | zeros and not place.effect:
            found[place.name] = ((ones & zeros) & (1 << width) - 1).bit_count(), width
    return found
