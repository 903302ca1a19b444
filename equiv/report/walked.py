"""The instructions that a run went through, told from the ways that its conditional jumps went."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from equiv.bpf import insn as isa
from equiv.bpf.program import FunctionRef, Program
from equiv.machine.concrete import TraceStep

BY_LINE = re.compile(r"(\d+): (taken|not taken)")
BY_BRANCH = re.compile(r"(\d+): .*: (taken|not taken)$")
MAX_SLOTS = 200_000
MAX_DEPTH = 64

Decision = tuple[int, bool]


def walked(program: Program, path: Sequence[TraceStep]) -> list[tuple[int, int]]:
    """Pairs of slots that the run went through one right after the other, as far as the steps of its path tell.

    Decisions that do not follow from what came before (the beginning of a long path is not told, functions that a
    helper calls) are taken as they are: with where they lead to, but not with how they were reached.
    """
    decisions = list(_decisions(path))
    found: list[tuple[int, int]] = []
    done, slot, stack, aside = 0, 0, list[int](), dict[Decision, None]()
    while len(found) < MAX_SLOTS:
        insn = program.insns[slot] if slot < len(program.insns) else None
        if insn is None:
            break
        if isa.is_conditional(insn):
            known = next((i for i in range(done, len(decisions)) if decisions[i][0] == slot), None)
            if known is None:
                break
            aside.update(dict.fromkeys(decisions[done:known]))
            following, done = _target(program, decisions[known]), known + 1
        elif isa.is_exit(insn):
            if not stack:
                break
            slot = stack.pop()
            continue
        elif isa.is_tail_call(insn):
            following = _after_tail_call(program, slot, decisions[done:])
            if following != slot + 1:
                stack.clear()
        elif isinstance(insn.ref, FunctionRef) and isa.is_call(insn) and len(stack) < MAX_DEPTH:
            stack.append(slot + 1)
            following = insn.ref.target
        elif isa.is_jump_always(insn):
            following = isa.jump_target(slot, insn) or slot + 1
        else:
            following = slot + (2 if insn.opcode == isa.LD_IMM64 else 1)
        found.append((slot, following))
        slot = following
    for other in aside | dict.fromkeys(decisions[done:]):  # each once, however often a result says it
        found += _alone(program, other)
    return found


def _decisions(path: Sequence[TraceStep]) -> Iterable[Decision]:
    """Slots of conditional jumps, and whether they were taken."""
    for step in path:
        whole = BY_BRANCH.match(step.text)
        if whole:
            yield int(whole[1][-9:]), whole[2] == "taken"
            continue
        _, gap, note = step.text.rpartition("  [")
        if gap:
            yield from ((int(slot[-9:]), way == "taken") for slot, way in BY_LINE.findall(note))


def _target(program: Program, decision: Decision) -> int:
    slot, taken = decision
    insn = program.insns[slot]
    jump = isa.jump_target(slot, insn) if taken and insn is not None else None
    return slot + 1 if jump is None else jump


def _alone(program: Program, decision: Decision) -> Iterable[tuple[int, int]]:
    """One decision and the slots that follow it up to the next one."""
    slot = decision[0]
    insn = program.insns[slot] if slot < len(program.insns) else None
    if insn is None or not isa.is_conditional(insn):
        return
    yield from _called_back(program, slot)
    target = _target(program, decision)
    yield slot, target
    yield from islice(_straight(program, target), len(program.insns))


def _called_back(program: Program, slot: int) -> Iterable[tuple[int, int]]:
    """From where the address of the function around `slot` is taken to its first decision, if a helper calls it."""
    entry = max((start for start in program.functions if start <= slot), default=0)
    taken = [
        at
        for at, insn in enumerate(program.insns)
        if insn is not None and insn.opcode == isa.LD_IMM64 and insn.ref == FunctionRef(entry, program.functions[entry])
    ]
    if taken:
        yield from ((at, entry) for at in taken)
        yield from islice(_straight(program, entry), len(program.insns))


def _straight(program: Program, slot: int) -> Iterable[tuple[int, int]]:
    """Slots from `slot` on up to a decision or an exit, calls passed over."""
    while slot < len(program.insns):
        insn = program.insns[slot]
        if insn is None or isa.is_conditional(insn) or isa.is_exit(insn) or isa.is_tail_call(insn):
            return
        following = slot + (2 if insn.opcode == isa.LD_IMM64 else 1)
        if isa.is_jump_always(insn):
            following = isa.jump_target(slot, insn) or following
        yield slot, following
        slot = following


def _after_tail_call(program: Program, slot: int, decisions: Sequence[Decision]) -> int:
    """Where a run goes on: in the program whose first decision comes next, or behind the call if it failed."""
    entries = dict.fromkeys(target for held in program.tail_calls.values() for target in held.values())
    for candidate in (*entries, slot + 1):
        first = _first_decision(program, candidate)
        if decisions and first == decisions[0][0]:
            return candidate
    quiet = [candidate for candidate in entries if _first_decision(program, candidate) is None]
    return quiet[0] if len(quiet) == 1 and not decisions else slot + 1


def _first_decision(program: Program, slot: int) -> int | None:
    """The slot of the first conditional jump from `slot` on; None where there is none."""
    last = [slot, *(following for _, following in islice(_straight(program, slot), len(program.insns)))][-1]
    insn = program.insns[last] if last < len(program.insns) else None
    return last if insn is not None and isa.is_conditional(insn) else None
