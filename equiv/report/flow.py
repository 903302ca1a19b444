"""A program's control flow as people think of it: boxes of source lines, not of instructions."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

from equiv.bpf import insn as isa
from equiv.bpf.cfg import Block, control_flow
from equiv.bpf.program import FunctionRef, Program
from equiv.report.disassembly import insn_text
from equiv.report.marked import CALL
from equiv.report.show_program import tail_call_targets
from equiv.report.style import clean
from equiv.report.svg import Drawing, Edge, Kind, Node

MAX_LINES = 6
"""Source lines, or instructions, shown in a box."""


@dataclass(slots=True)
class _Box:
    """Basic blocks that are drawn as one, `first` of them entered first."""

    first: int
    blocks: list[Block]
    texts: list[str] = field(default_factory=list)


def source_flow(program: Program) -> Drawing:
    """Boxes of source lines; those of one condition (`a && b`) and those that follow each other are one box.

    Without source lines boxes hold instructions, and arrows say when they are taken. A box's name is its first slot.
    """
    flow = control_flow(program)
    blocks = {block.start: block for block in flow.blocks if block.start in flow.reachable}
    boxes = _boxes(program, blocks)
    of_block = {block.start: box.first for box in boxes for block in box.blocks}
    entries = {function.entry: function.name for function in flow.functions}
    edges: dict[tuple[str, str], list[str]] = {}
    for box in boxes:
        for block in box.blocks:
            for target, label in _ways(program, block):
                if target in of_block and (of_block[target] != box.first or target == box.first):
                    lines = edges.setdefault((str(box.first), str(of_block[target])), [])
                    lines += [label] if label and label not in lines else []
    nodes = tuple(_node(program, box, entries) for box in boxes)
    title = f"{program.path}: {program.name}"
    return Drawing(title, nodes, tuple(Edge(*ends, tuple(label)) for ends, label in edges.items()))


def _boxes(program: Program, blocks: dict[int, Block]) -> list[_Box]:
    """The blocks in order, one box each but where two are one to a reader."""
    before: dict[int, set[int]] = defaultdict(set)
    for block in blocks.values():
        for target, _ in _ways(program, block):
            before[target].add(block.start)
    boxes: dict[int, _Box] = {}
    found: list[_Box] = []
    for start in sorted(blocks):
        block, texts = blocks[start], _texts(program, blocks[start])
        (previous,) = before[start] if len(before[start]) == 1 else (None,)
        box = boxes.get(previous) if previous is not None and previous != start else None
        if box is not None and previous is not None:
            alone = set(blocks[previous].successors) == {start} and not tail_call_targets(program, blocks[previous])
            same = bool(program.lines) and set(texts) <= set(box.texts)
            if alone or same:
                box.blocks.append(block)
                box.texts += [text for text in texts if text not in box.texts]
                boxes[start] = box
                continue
        boxes[start] = _Box(start, [block], list(dict.fromkeys(texts)))
        found.append(boxes[start])
    return found


def _texts(program: Program, block: Block) -> list[str]:
    if not program.lines:
        slots = range(block.start, block.end)
        return [insn_text(slot, insn) for slot in slots if (insn := program.insns[slot]) is not None]
    lines = (program.line_at(slot) for slot in range(block.start, block.end))
    told = (f"{line.line}  {line.text.strip()}" for line in lines if line and line.line and line.text.strip(" \t{}();"))
    return list(dict.fromkeys(told))


def _ways(program: Program, block: Block) -> list[tuple[int, str]]:
    """Slots that the block leads to; a label where no source line tells why."""
    last = block.end - 1 if program.insns[block.end - 1] is not None else block.end - 2
    insn = program.insns[last]
    target = isa.jump_target(last, insn) if insn is not None and isa.is_conditional(insn) else None
    found = []
    for successor in dict.fromkeys(block.successors):
        label = ""
        if insn is not None and target is not None and not program.lines and len(set(block.successors)) > 1:
            condition = insn_text(last, insn).removeprefix("if ").rpartition(" goto")[0]
            label = condition if successor == target else "else"
        found.append((successor, label))
    found += [(slot, names[0]) for slot, names in tail_call_targets(program, block).items()]
    for insn in program.insns[block.start : block.end]:
        if insn is not None and isinstance(insn.ref, FunctionRef):
            found.append((insn.ref.target, CALL))
    return found


def _node(program: Program, box: _Box, entries: dict[int, str]) -> Node:
    texts = box.texts
    if len(texts) > MAX_LINES:
        texts = [*texts[: MAX_LINES // 2], f"… {len(texts) - MAX_LINES + 1} more …", *texts[1 - MAX_LINES // 2 :]]
    slots = frozenset(slot for block in box.blocks for slot in range(block.start, block.end))
    leaves = any(not block.successors for block in box.blocks)
    kind: Kind = "start" if box.first in entries else "other" if leaves and len(box.blocks) == 1 else "state"
    name = entries.get(box.first)
    title = clean(name) if name else f"slot {box.first}"
    return Node(str(box.first), title, tuple(texts), kind, slots=slots)
