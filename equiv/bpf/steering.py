"""Which registers and stack bytes may still *steer* the run: decide a jump, an address, what a helper is asked.

The rest is only carried to an observable. Merging keeps states apart that differ in a constant that steers (a loop's
counter), and merges those that differ in one that is carried (a protocol number). A hint: being wrong costs speed.
"""

from __future__ import annotations

from collections import deque

from equiv.bpf import insn as isa
from equiv.bpf.cfg import ControlFlow
from equiv.bpf.frame_use import FrameUse, frame_use
from equiv.bpf.helper_effects import HELPER_ARITY, MAX_ARITY
from equiv.bpf.liveness import callees_first
from equiv.bpf.program import Insn, Program

_SHIFT = 16


def steering(program: Program, flow: ControlFlow) -> tuple[int, ...]:
    """Per slot, before it: registers that steer in the low 16 bits (bit n for rn), above them stack bytes (r10 - 512
    first)."""
    before = [0] * len(program.insns)
    predecessors: dict[int, list[int]] = {}
    uses: dict[int, FrameUse] = {}
    for function in callees_first(program, flow):
        blocks = [b for b in flow.blocks if flow.function_at(b.start).entry == function.entry]
        uses[function.entry] = frame_use(program, function, blocks, uses, function.entry in program.entries)
    for slot, insn in enumerate(program.insns):
        if insn is not None:
            for successor in flow.successors[slot]:
                predecessors.setdefault(successor, []).append(slot)
    pending = deque(slot for slot in range(len(program.insns) - 1, -1, -1) if program.insns[slot] is not None)
    queued = set(pending)
    while pending:
        slot = pending.popleft()
        queued.discard(slot)
        insn = program.insns[slot]
        assert insn is not None
        after = 0
        for successor in flow.successors[slot]:
            after |= before[successor]
        found = _transfer(slot, insn, after, uses[flow.function_at(slot).entry], before)
        if found | before[slot] != before[slot]:
            before[slot] |= found
            for predecessor in predecessors.get(slot, ()):
                if predecessor not in queued:
                    queued.add(predecessor)
                    pending.append(predecessor)
    return tuple(before)


def _transfer(slot: int, insn: Insn, after: int, use: FrameUse, before: list[int]) -> int:
    """What steers before one instruction, given what does after it."""
    reads, written = isa.registers_read(insn), isa.registers_written(insn)
    stack_reads, stack_writes = use.reads.get(slot, 0) << _SHIFT, use.overwrites.get(slot, 0) << _SHIFT
    match isa.insn_class(insn):
        case isa.JMP | 0x06:  # JMP32
            if isa.is_local_call(insn):
                return after & ~written | before[slot + 1 + insn.imm] & isa.CALLER_SAVED
            if isa.is_call(insn):
                arity = HELPER_ARITY.get(insn.imm, MAX_ARITY) if isa.is_helper_call(insn) else MAX_ARITY
                return after & ~written | isa.CALLER_SAVED & ((2 << arity) - 1) | stack_reads
            return after if isa.is_exit(insn) else after | reads
        case isa.ALU | 0x07:  # ALU64
            return after & ~written | (reads if after & written else 0)
        case isa.LDX | isa.LD:
            address = reads
            return after & ~written | address | (stack_reads if after & written else 0)
        case isa.ST | isa.STX:
            address = 1 << insn.dst
            value = reads & ~address if after & stack_writes or use.opaque else 0
            return after & ~stack_writes | address | value
    return after | reads
