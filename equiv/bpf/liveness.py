"""Which registers and stack bytes the rest of a run may still look at: the classical backward analysis.

Invariant: what is not live is never read before it is written, on any path. Being live too often is harmless.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from equiv.bpf import insn as isa
from equiv.bpf.cfg import Block, ControlFlow, Function, control_flow
from equiv.bpf.frame_use import WHOLE_FRAME, FrameUse, frame_use
from equiv.bpf.helper_effects import HELPER_ARITY, MAX_ARITY
from equiv.bpf.program import Insn, Program
from equiv.errors import InputError, Place

_SHIFT = 16
_REGISTERS = (1 << _SHIFT) - 1
_KEPT_BY_CALLEE = 0b111_1100_0000

Cells = int
"""Registers in the low 16 bits, bit n for rn; above, the bytes of the frame, r10 - 512 first."""


@dataclass(frozen=True, slots=True)
class Liveness:
    """What is live just before each slot, in the frame of the function that the slot belongs to."""

    before: tuple[Cells, ...]
    lent: frozenset[int]

    def registers(self, slot: int) -> int:
        """Live registers before `slot`, bit n for rn."""
        return self.before[slot] & _REGISTERS

    def stack(self, slot: int) -> int:
        """Live bytes of the frame before `slot`: bit i for the byte at r10 - 512 + i."""
        return self.before[slot] >> _SHIFT

    def registers_during_call(self, slot: int) -> int:
        """Of the caller's registers, those live while the function called at `slot` runs: among r6 to r10."""
        return self.before[slot + 1] & _KEPT_BY_CALLEE

    def stack_during_call(self, slot: int) -> int:
        """Live bytes of the caller's frame while the function called at `slot` runs."""
        return WHOLE_FRAME if slot in self.lent else self.before[slot + 1] >> _SHIFT


def liveness(program: Program, flow: ControlFlow | None = None) -> Liveness:
    """Liveness for every slot of a loaded program."""
    flow = flow or control_flow(program)
    blocks: dict[int, list[Block]] = {function.entry: [] for function in flow.functions}
    for block in flow.blocks:
        blocks[flow.function_at(block.start).entry].append(block)
    before: list[Cells] = [0] * len(program.insns)
    uses: dict[int, FrameUse] = {}
    for function in callees_first(program, flow):
        own = blocks[function.entry]
        use = frame_use(program, function, own, uses, function.entry in program.entries)
        uses[function.entry] = use
        _function_liveness(program, flow, function, own, use, before)
    return Liveness(tuple(before), frozenset().union(*(use.lends for use in uses.values())))


def callees_first(program: Program, flow: ControlFlow) -> list[Function]:
    """Functions in an order in which each comes after all that it calls.

    Raises InputError for recursion: the verifier counts frames along the call graph, whatever the calls depend on
    (`check_max_stack_depth` in kernel/bpf/verifier.c).
    """
    by_entry = {function.entry: function for function in flow.functions}
    calls = {
        function.entry: {
            target
            for slot in range(function.entry, function.end)
            if (insn := program.insns[slot]) and (target := isa.call_target(slot, insn)) is not None
        }
        for function in flow.functions
    }
    callers: dict[int, list[int]] = {entry: [] for entry in by_entry}
    for caller, callees in calls.items():
        for callee in callees:
            callers[callee].append(caller)
    missing = {entry: len(callees) for entry, callees in calls.items()}
    ready = deque(entry for entry, count in missing.items() if not count)
    ordered = []
    while ready:
        entry = ready.popleft()
        ordered.append(by_entry[entry])
        for caller in callers[entry]:
            missing[caller] -= 1
            if not missing[caller]:
                ready.append(caller)
    if len(ordered) < len(by_entry):
        function = next(f for f in flow.functions if missing[f.entry])
        place = Place(program.path, program=program.name, insn=function.entry, function=function.name)
        raise InputError("the kernel's verifier rejects recursive calls", place)
    return ordered


def _function_liveness(
    program: Program,
    flow: ControlFlow,
    function: Function,
    blocks: list[Block],
    use: FrameUse,
    before: list[Cells],
) -> None:
    """Fill in `before` for the function's slots; its callees' are there already."""
    effects: dict[int, tuple[Cells, Cells]] = {}
    for slot in range(function.entry, function.end):
        insn = program.insns[slot]
        if insn is not None:
            gen, kill = _registers(slot, insn, before)
            if not use.opaque:
                gen |= use.reads.get(slot, 0) << _SHIFT
                kill |= use.overwrites.get(slot, 0) << _SHIFT
            effects[slot] = gen, kill
    summaries = {block.start: _summary(block, effects) for block in blocks}
    predecessors: dict[int, list[int]] = {block.start: [] for block in blocks}
    for block in blocks:
        for successor in block.successors:
            predecessors[successor].append(block.start)
    by_start = {block.start: block for block in blocks}
    live_in: dict[int, Cells] = {}
    pending = deque(sorted(by_start, key=lambda start: -flow.order[start]))
    queued = set(pending)
    while pending:
        start = pending.popleft()
        queued.discard(start)
        gen, kill = summaries[start]
        live = gen | _live_out(by_start[start], live_in) & ~kill
        if live != live_in.get(start):
            live_in[start] = live
            fresh = [p for p in predecessors[start] if p not in queued]
            pending.extend(fresh)
            queued.update(fresh)
    everything = WHOLE_FRAME << _SHIFT if use.opaque else 0
    interned: dict[Cells, Cells] = {}
    for block in blocks:
        live = _live_out(block, live_in)
        for slot in range(block.end - 1, block.start - 1, -1):
            if slot in effects:
                gen, kill = effects[slot]
                live = gen | live & ~kill
            before[slot] = interned.setdefault(live | everything, live | everything)


def _live_out(block: Block, live_in: dict[int, Cells]) -> Cells:
    live = 0
    for successor in block.successors:
        live |= live_in.get(successor, 0)
    return live


def _summary(block: Block, effects: dict[int, tuple[Cells, Cells]]) -> tuple[Cells, Cells]:
    """What a whole block reads before it writes it, and what it overwrites."""
    reads = overwrites = 0
    for slot in range(block.end - 1, block.start - 1, -1):
        if slot in effects:
            gen, kill = effects[slot]
            reads = gen | reads & ~kill
            overwrites |= kill
    return reads, overwrites


def _registers(slot: int, insn: Insn, before: list[Cells]) -> tuple[int, int]:
    """Registers that the instruction reads, and those whose old value is gone after it."""
    reads = isa.registers_read(insn)
    if isa.is_local_call(insn):
        reads = before[slot + 1 + insn.imm] & isa.CALLER_SAVED
    elif isa.is_call(insn):
        arity = HELPER_ARITY.get(insn.imm, MAX_ARITY) if isa.is_helper_call(insn) else MAX_ARITY
        reads = isa.CALLER_SAVED & ((2 << arity) - 1)
    return reads, isa.registers_written(insn)
