"""Which context fields a program may read or write, and where it may read a byte at an offset of the context.

A may-analysis: for every slot, which registers and stack slots may hold the context pointer. Where an offset is not
plain, every field counts. Saying "may" too often only makes the kernel's judgement unavailable, never wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from equiv.bpf import insn as op
from equiv.bpf.program import FunctionRef, Insn, Program

ANY_OFFSET = range(4096)


@dataclass(slots=True)
class ContextUse:
    """Byte offsets of the context that may be read and written, and helpers (by number) that may be called."""

    read: set[int] = field(default_factory=set)
    written: set[int] = field(default_factory=set)
    helpers: set[int] = field(default_factory=set)
    packet_loads: bool = False
    bytes_read: set[int] = field(default_factory=set)
    """Offsets at which a byte is read through a register that holds the context's start."""
    bytes_perhaps: set[int] = field(default_factory=set)
    """Offsets at which a byte is read through one that may hold something else as well."""

    def reads(self, offset: int, size: int) -> bool:
        return not self.read.isdisjoint(range(offset, offset + size))

    def writes(self, offset: int, size: int) -> bool:
        return not self.written.isdisjoint(range(offset, offset + size))


@dataclass(frozen=True, slots=True)
class _Holders:
    """Who may hold the context: registers at its start and registers somewhere inside it, as bit masks.

    `spills` are offsets from r10 that may hold it; `anywhere` is set once it was stored through another register.
    """

    exact: int
    inside: int = 0
    spills: frozenset[int] = frozenset()
    anywhere: bool = False

    def join(self, other: _Holders) -> _Holders:
        return _Holders(
            self.exact | other.exact,
            self.inside | other.inside,
            self.spills | other.spills,
            self.anywhere or other.anywhere,
        )


def context_use(program: Program, entries: Iterable[int] | None = None) -> ContextUse:
    """What `program`, and those that it may tail-call, may do with the context, given in r1 at their first slots.

    With `entries`, only those of the programs that begin there.
    """
    use = ContextUse()
    seen: dict[int, _Holders] = {}
    pending = deque((entry, _Holders(1 << 1)) for entry in (program.entries if entries is None else entries))
    while pending:
        slot, holders = pending.popleft()
        insn = program.insns[slot] if 0 <= slot < len(program.insns) else None
        if insn is None:
            continue
        known = seen.get(slot)
        joined = holders if known is None else known.join(holders)
        if joined == known:
            continue
        seen[slot] = joined
        _record(insn, joined, use)
        after = _after(insn, joined)
        if op.is_local_call(insn):
            target = insn.ref.target if isinstance(insn.ref, FunctionRef) else slot + 1 + insn.imm
            pending.append((target, _entering(joined)))
        pending.extend((following, after) for following in _following(slot, insn))
    return use


def _entering(holders: _Holders) -> _Holders:
    """A callee's view: its own stack frame holds nothing, but the caller's can be reached through pointers."""
    return _Holders(holders.exact, holders.inside, frozenset(), holders.anywhere or bool(holders.spills))


def _following(slot: int, insn: Insn) -> list[int]:
    if op.is_exit(insn):
        return []
    target = op.jump_target(slot, insn)
    after = slot + op.slots_of(insn)
    if target is None:
        return [after]
    return [target] if op.is_jump_always(insn) else [after, target]


def _record(insn: Insn, holders: _Holders, use: ContextUse) -> None:
    kind = insn.opcode & op.CLASS_MASK
    if kind in (op.LDX, op.ST, op.STX):
        base = insn.src if kind == op.LDX else insn.dst
        fields = use.read if kind == op.LDX else use.written
        if kind == op.LDX and op.access_size(insn) == 1:
            if holders.exact >> base & 1 and not holders.inside >> base & 1:
                use.bytes_read.add(insn.off)
            elif (holders.exact | holders.inside) >> base & 1:
                use.bytes_perhaps.add(insn.off)
        if holders.inside >> base & 1:
            fields.update(ANY_OFFSET)
        elif holders.exact >> base & 1:
            fields.update(range(insn.off, insn.off + op.access_size(insn)))
    elif op.is_helper_call(insn):
        use.helpers.add(insn.imm)
    elif op.is_packet_load(insn):
        use.packet_loads = True


def _after(insn: Insn, holders: _Holders) -> _Holders:
    kind = insn.opcode & op.CLASS_MASK
    if kind == op.STX and insn.opcode & op.MODE_MASK == op.MEM:
        return _after_store(insn, holders)
    exact = inside = False
    held = holders.exact | holders.inside
    if kind in (op.ALU, op.ALU64):
        code = insn.opcode & op.CODE_MASK
        by_register = bool(insn.opcode & op.SOURCE_MASK) and code != op.END
        if code == op.MOV:
            exact = by_register and bool(holders.exact >> insn.src & 1)
            inside = by_register and bool(holders.inside >> insn.src & 1)
        else:
            inside = bool(held >> insn.dst & 1 or (by_register and held >> insn.src & 1))
    elif kind == op.LDX and insn.opcode & op.SIZE_MASK == op.DW:
        exact = insn.off in holders.spills if insn.src == op.FRAME_POINTER else bool(holders.spills)
        inside = holders.anywhere
    elif op.is_local_call(insn):
        inside = bool(held & op.CALLER_SAVED) or holders.anywhere
    written = op.registers_written(insn)
    target = 1 if op.is_call(insn) else 1 << insn.dst
    return _Holders(
        holders.exact & ~written | (target if exact else 0),
        holders.inside & ~written | (target if inside else 0),
        holders.spills,
        holders.anywhere,
    )


def _after_store(insn: Insn, holders: _Holders) -> _Holders:
    exact, inside = holders.exact >> insn.src & 1, holders.inside >> insn.src & 1
    if insn.dst == op.FRAME_POINTER and not inside:
        spills = holders.spills | {insn.off} if exact else holders.spills - {insn.off}
        return _Holders(holders.exact, holders.inside, spills, holders.anywhere)
    anywhere = holders.anywhere or bool(exact or inside)
    return _Holders(holders.exact, holders.inside, holders.spills, anywhere)
