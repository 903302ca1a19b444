"""How many low bits of each register the rest of a run may look at: the classical analysis of demanded bits.

Compilers keep a 16-bit sum in a 64-bit register and mask it where it is used. Until then the register holds bits that
nothing depends on; frozen states leave them out (D191), so that two sides agree that differ only in them.

Invariant: two runs that differ only in higher bits of a register, where it holds a number, never come to differ in
anything else. More bits than needed is harmless.
"""

from __future__ import annotations

from collections import deque

from equiv.bpf import insn as isa
from equiv.bpf.cfg import ControlFlow
from equiv.bpf.program import Insn, Program

WORD, HALF = 64, 32

Widths = tuple[int, ...]
"""For r0 to r10: how many low bits are looked at later, 0 to 64."""

_NONE: Widths = (0,) * 11


def significance(program: Program, flow: ControlFlow) -> tuple[Widths, ...]:
    """The widths before each slot, in the function that the slot belongs to."""
    before: list[Widths] = [_NONE] * len(program.insns)
    predecessors: dict[int, list[int]] = {}
    slots = [slot for slot, insn in enumerate(program.insns) if insn is not None]
    for slot in slots:
        for successor in flow.successors[slot]:
            predecessors.setdefault(successor, []).append(slot)
    pending = deque(reversed(slots))
    queued = set(pending)
    while pending:
        slot = pending.popleft()
        queued.discard(slot)
        insn = program.insns[slot]
        assert insn is not None
        after = _NONE
        for successor in flow.successors[slot]:
            after = tuple(map(max, after, before[successor]))
        found = _transfer(insn, after)
        if found != before[slot]:
            before[slot] = found
            for predecessor in predecessors.get(slot, ()):
                if predecessor not in queued:
                    queued.add(predecessor)
                    pending.append(predecessor)
    return tuple(before)


def _transfer(insn: Insn, after: Widths) -> Widths:
    """What is looked at before one instruction, given what is after it."""
    widths = list(after)
    kind = isa.insn_class(insn)
    if kind in (isa.ALU, isa.ALU64):
        of_dst, of_src = _operands(insn, after[insn.dst], WORD if kind == isa.ALU64 else HALF)
        widths[insn.dst] = of_dst
        if insn.opcode & isa.SOURCE_MASK and insn.opcode & isa.CODE_MASK != isa.END:
            widths[insn.src] = max(widths[insn.src], of_src)
        return tuple(widths)
    written, read = isa.registers_written(insn), isa.registers_read(insn)
    if isa.is_call(insn):
        read |= isa.CALLER_SAVED
    for register in range(11):
        if written >> register & 1:
            widths[register] = 0
        if read >> register & 1:
            widths[register] = max(widths[register], _looked_at(insn, kind, register))
    return tuple(widths)


def _looked_at(insn: Insn, kind: int, register: int) -> int:
    """Bits of a register that an instruction other than ALU depends on."""
    if kind == isa.JMP32:
        return HALF
    is_plain_store = kind == isa.STX and insn.opcode & isa.MODE_MASK == isa.MEM
    if is_plain_store and register == insn.src and register != insn.dst:
        return 8 * isa.MEMORY_SIZE[insn.opcode & isa.SIZE_MASK]
    return WORD


def _operands(insn: Insn, result: int, size: int) -> tuple[int, int]:
    """Bits of dst and of src (where there is one) that the `result` low bits of dst after the instruction depend on.

    `size` is the operation's width; ALU clears the bits above it. What is in dst alone is part of src's where both are
    the same register, as the larger of the two counts.
    """
    code = insn.opcode & isa.CODE_MASK
    has_src = bool(insn.opcode & isa.SOURCE_MASK)
    low = min(result, size)
    if not low:
        return 0, 0
    match code:
        case isa.ADD | isa.SUB | isa.MUL | isa.OR | isa.XOR | isa.NEG:
            return low, low
        case isa.AND:
            if has_src:
                return low, low
            mask = insn.imm & (1 << size) - 1
            return min(low, mask.bit_length()), 0
        case isa.MOV:
            return 0, min(low, insn.off) if insn.off else low
        case isa.END:
            return min(insn.imm, WORD), 0
        case isa.LSH if not has_src:
            return max(low - (insn.imm & size - 1), 0), 0
        case isa.RSH | isa.ARSH if not has_src:
            return min(low + (insn.imm & size - 1), size), 0
    return size, size
