"""The path of a run as people read it: one step per change of source line, with the ways its branches went."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import Insn, Program
from equiv.machine.concrete import TraceStep

MAX_STEPS: Final = 2_000

_RELATIONS: Final = {
    op.JEQ: "==", op.JNE: "!=", op.JSET: "&",
    op.JGT: ">", op.JGE: ">=", op.JLT: "<", op.JLE: "<=",
    op.JSGT: "s>", op.JSGE: "s>=", op.JSLT: "s<", op.JSLE: "s<=",
}  # fmt: skip


def path_of(program: Program, visited: Sequence[int]) -> tuple[TraceStep, ...]:
    """The last steps of a run that went through the slots `visited`, in order."""
    return _by_line(program, visited) if program.lines else _by_branch(program, visited)


def _decisions(program: Program, visited: Sequence[int]) -> list[bool | None]:
    """For each visited slot: whether its conditional jump was taken; None where there is none."""
    ways: list[bool | None] = []
    for slot, following in pairwise(visited):
        insn = program.insns[slot]
        ways.append(following != slot + 1 if insn is not None and op.is_conditional(insn) else None)
    ways.append(None)
    return ways


def _by_line(program: Program, visited: Sequence[int]) -> tuple[TraceStep, ...]:
    lines = _line_of_slots(program)
    steps: list[TraceStep] = []
    current: tuple[str, int] | None = None
    text, ways = "", list[str]()

    def flush() -> None:
        if current is not None:
            branches = f"  [{', '.join(ways)}]" if ways else ""
            steps.append(TraceStep(*current, text + branches))

    for slot, taken in zip(visited, _decisions(program, visited), strict=True):
        index = lines[slot]
        if index is None:
            continue
        line = program.lines[index]
        if (line.file, line.line) != current:
            flush()
            current, text, ways = (line.file, line.line), line.text.strip(), []
        if taken is not None:
            ways.append(f"{slot}: {'taken' if taken else 'not taken'}")
    flush()
    return tuple(steps[-MAX_STEPS:])


def _line_of_slots(program: Program) -> list[int | None]:
    """For each slot the index in `Program.lines` of its line."""
    found: list[int | None] = []
    index: int | None = None
    for slot in range(len(program.insns)):
        following = 0 if index is None else index + 1
        while following < len(program.lines) and program.lines[following].insn <= slot:
            index = following
            following += 1
        found.append(index)
    return found


def _by_branch(program: Program, visited: Sequence[int]) -> tuple[TraceStep, ...]:
    steps = []
    for slot, taken in zip(visited, _decisions(program, visited), strict=True):
        insn = program.insns[slot]
        if taken is not None and insn is not None:
            text = f"{slot}: {condition(insn)}: {'taken' if taken else 'not taken'}"
            steps.append(TraceStep(program.path, 0, text))
    return tuple(steps[-MAX_STEPS:])


def condition(insn: Insn) -> str:
    """A conditional jump's condition, like `if r1 != 8`; `w1` where it compares 32 bits."""
    register = "w" if insn.opcode & op.CLASS_MASK == op.JMP32 else "r"
    other = f"{register}{insn.src}" if insn.opcode & op.SOURCE_MASK else str(insn.imm)
    return f"if {register}{insn.dst} {_RELATIONS[insn.opcode & op.CODE_MASK]} {other}"
