"""Which bytes of its own stack frame each instruction of a function may read, and which it surely overwrites.

A forward analysis follows pointers that are derived from r10 as sets of constant offsets. Everything it does not
follow counts as a read of the whole frame; a function that stores a pointer into its own frame anywhere is `opaque`:
all its bytes count as read by every instruction.

A second bit per register, *foreign*, follows what may be a pointer into a caller's frame, as only the arguments bring
it in. A callee that may store such a value where it does not vanish with its own frame *leaks*; then the caller whose
pointer it was is opaque. (The kernel's verifier refuses such a store; nothing here relies on that.) Only 8-byte loads
and stores carry pointers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from equiv.bpf import insn as isa
from equiv.bpf.cfg import Block, Function
from equiv.bpf.helper_effects import HELPER_ARITY, HELPER_MEMORY, MAX_ARITY, MemoryArgument
from equiv.bpf.program import FunctionRef, Insn, MapRef, Program

FRAME_SIZE = 512
"""Bytes of a stack frame: r10 - 512 up to r10."""

WHOLE_FRAME = (1 << FRAME_SIZE) - 1

_MAX_OFFSETS = 8
_REGISTERS = 11


@dataclass(frozen=True, slots=True)
class StackPointer:
    """r10 plus one of `offsets` (None: anything); where not `certain`, perhaps no pointer into this frame at all."""

    offsets: frozenset[int] | None
    certain: bool


Value = StackPointer | int | str | None
"""What a register holds: a pointer into this frame, a constant, the map of that name, or anything else (None)."""

State = tuple[tuple[Value, ...], int]
"""Registers r0 to r10, and the mask of those that may be foreign."""

_SOMEWHERE = StackPointer(None, False)


@dataclass(frozen=True, slots=True)
class FrameUse:
    """`reads` and `overwrites`: byte masks by slot (bit i: r10 - 512 + i), missing where 0.

    `lends` are calls that are given a pointer into the frame. `leaks` and `returns_foreign` concern callers' frames.
    """

    opaque: bool
    reads: Mapping[int, int]
    overwrites: Mapping[int, int]
    lends: frozenset[int]
    leaks: bool
    returns_foreign: bool


def frame_bytes(offset: int, size: int) -> int:
    """The mask of `size` bytes from r10 + `offset`; bytes outside the frame are left out."""
    start, end = max(offset, -FRAME_SIZE), min(offset + size, 0)
    return ((1 << (end - start)) - 1) << (start + FRAME_SIZE) if start < end else 0


def frame_use(
    program: Program, function: Function, blocks: Sequence[Block], callees: Mapping[int, FrameUse], is_entry: bool
) -> FrameUse:
    """Analyse one function; `callees` holds the result for every function that it calls, by first slot."""
    spills_foreign = False
    while True:
        analysis = _Analysis(program, callees, spills_foreign)
        analysis.run(function, blocks, is_entry)
        if analysis.spilled_foreign == spills_foreign:
            break
        spills_foreign = True
    return FrameUse(
        analysis.opaque,
        analysis.reads,
        analysis.overwrites,
        frozenset(analysis.lends),
        # What an opaque function loads may be anything it ever stored.
        analysis.leaks or analysis.opaque,
        analysis.returns_foreign or analysis.opaque,
    )


class _Analysis:
    """One pass to a fixed point, and then once over each block for the results. Owned by `frame_use`."""

    def __init__(self, program: Program, callees: Mapping[int, FrameUse], frame_holds_foreign: bool) -> None:
        self.program = program
        self.callees = callees
        self.frame_holds_foreign = frame_holds_foreign
        self.has_callbacks = any(
            insn is not None and isa.is_wide(insn) and isinstance(insn.ref, FunctionRef) for insn in program.insns
        )
        self.opaque = False
        self.leaks = False
        self.returns_foreign = False
        self.spilled_foreign = frame_holds_foreign
        self.reads: dict[int, int] = {}
        self.overwrites: dict[int, int] = {}
        self.lends: set[int] = set()

    def run(self, function: Function, blocks: Sequence[Block], is_entry: bool) -> None:
        by_start = {block.start: block for block in blocks}
        frame_pointer = StackPointer(frozenset({0}), True)
        start: State = ((*[None] * (_REGISTERS - 1), frame_pointer), 0 if is_entry else isa.CALLER_SAVED)
        states: dict[int, State] = {function.entry: start}
        pending = [function.entry]
        while pending:
            block = by_start[heappop(pending)]
            state = self._through(block, states[block.start])
            for successor in block.successors:
                known = states.get(successor)
                joined = state if known is None else _join(known, state)
                if joined != known:
                    states[successor] = joined
                    if successor not in pending:
                        heappush(pending, successor)
        self.reads.clear()
        self.overwrites.clear()
        for at, state in states.items():
            self._through(by_start[at], state)

    def _through(self, block: Block, state: State) -> State:
        values, foreign = list(state[0]), state[1]
        for slot in range(block.start, block.end):
            insn = self.program.insns[slot]
            if insn is not None:
                foreign = self._step(slot, insn, values, foreign)
        return tuple(values), foreign

    def _step(self, slot: int, insn: Insn, values: list[Value], foreign: int) -> int:
        """Change `values` as the instruction does, note its accesses; the new foreign mask."""
        kind = insn.opcode & isa.CLASS_MASK
        match kind:
            case isa.ALU | isa.ALU64:
                return _alu(insn, values, foreign)
            case isa.LDX:
                return self._load(slot, insn, insn.dst, insn.src, values, foreign)
            case isa.ST | isa.STX:
                return self._store(slot, insn, values, foreign)
            case isa.LD if isa.is_wide(insn):
                values[insn.dst] = insn.ref.map_name if isinstance(insn.ref, MapRef) else None
                return foreign & ~(1 << insn.dst)
            case isa.LD:
                return _after_call(values, foreign)
        if isa.is_call(insn):
            return self._call(slot, insn, values, foreign)
        if isa.is_exit(insn) and foreign & 1:
            self.returns_foreign = True
        return foreign

    def _load(self, slot: int, insn: Insn, dst: int, src: int, values: list[Value], foreign: int) -> int:
        base, size = values[src], isa.access_size(insn)
        carries = size == 8 and (foreign >> src & 1 or (isinstance(base, StackPointer) and self.frame_holds_foreign))
        self._read(slot, base, insn.off, size)
        values[dst] = None
        return foreign | 1 << dst if carries else foreign & ~(1 << dst)

    def _store(self, slot: int, insn: Insn, values: list[Value], foreign: int) -> int:
        base, size = values[insn.dst], isa.access_size(insn)
        atomic = insn.opcode & isa.MODE_MASK == isa.ATOMIC
        if insn.opcode & isa.CLASS_MASK == isa.STX:
            if isinstance(values[insn.src], StackPointer):
                self.opaque = True
            elif size == 8 and foreign >> insn.src & 1:
                self.spilled_foreign |= isinstance(base, StackPointer)
                self.leaks |= not (isinstance(base, StackPointer) and base.certain)
        if not atomic:
            self._overwrite(slot, base, insn.off, size)
            return foreign
        if insn.imm & isa.FETCH:
            return self._load(slot, insn, 0 if insn.imm == isa.CMPXCHG else insn.src, insn.dst, values, foreign)
        self._read(slot, base, insn.off, size)
        return foreign

    def _call(self, slot: int, insn: Insn, values: list[Value], foreign: int) -> int:
        arity = HELPER_ARITY.get(insn.imm, MAX_ARITY) if isa.is_helper_call(insn) else MAX_ARITY
        arguments = range(1, arity + 1)
        given = {r for r in arguments if isinstance(values[r], StackPointer)}
        foreign_given = foreign & isa.CALLER_SAVED
        if given:
            self.lends.add(slot)
        if isa.is_local_call(insn):
            callee = self.callees[slot + 1 + insn.imm]
            self.opaque |= callee.leaks and bool(given)
            self.leaks |= callee.leaks and bool(foreign_given)
            if given:
                self.reads[slot] = WHOLE_FRAME
            foreign = _after_call(values, foreign)
            if callee.returns_foreign:
                values[0] = _SOMEWHERE if given else None
                foreign |= 1 if foreign_given else 0
            return foreign
        described = HELPER_MEMORY.get(insn.imm, ()) if isa.is_helper_call(insn) else ()
        for argument in described:
            if argument.register in given:
                given.discard(argument.register)
                self._memory_argument(slot, argument, values)
        if given:
            self.reads[slot] = WHOLE_FRAME
        if self.has_callbacks and not described:
            # The helper may pass its arguments on to a function of the program, which may do with them what it likes.
            self.opaque |= bool(given)
            self.leaks |= bool(foreign_given)
        return _after_call(values, foreign)

    def _memory_argument(self, slot: int, argument: MemoryArgument, values: list[Value]) -> None:
        size: int | None = None
        if isinstance(argument.size, int):
            known = values[argument.size]
            size = known if isinstance(known, int) and 0 <= known < 1 << 31 else None
        elif isinstance(argument.size, tuple):
            (size,) = argument.size
        elif isinstance(name := values[1], str):
            spec = self.program.maps[name]
            size = spec.key_size if argument.size == "key" else spec.value_size
        if argument.access in ("read", "change"):
            self._read(slot, values[argument.register], 0, size)
        elif argument.access == "write" and size is not None:
            self._overwrite(slot, values[argument.register], 0, size)

    def _read(self, slot: int, base: Value, offset: int, size: int | None) -> None:
        if not isinstance(base, StackPointer):
            return
        if base.offsets is None or size is None:
            self.reads[slot] = WHOLE_FRAME
            return
        for start in base.offsets:
            self.reads[slot] = self.reads.get(slot, 0) | frame_bytes(start + offset, size)

    def _overwrite(self, slot: int, base: Value, offset: int, size: int) -> None:
        if isinstance(base, StackPointer) and base.certain and base.offsets is not None and len(base.offsets) == 1:
            (start,) = base.offsets
            self.overwrites[slot] = self.overwrites.get(slot, 0) | frame_bytes(start + offset, size)


def _after_call(values: list[Value], foreign: int) -> int:
    values[:6] = [None] * 6
    return foreign & ~(1 | isa.CALLER_SAVED)


def _alu(insn: Insn, values: list[Value], foreign: int) -> int:
    code, wide = insn.opcode & isa.CODE_MASK, insn.opcode & isa.CLASS_MASK == isa.ALU64
    unary = code in (isa.NEG, isa.END)
    by_register = bool(insn.opcode & isa.SOURCE_MASK) and not unary
    left = values[insn.dst]
    right: Value = values[insn.src] if by_register else None if unary else insn.imm
    old, moved = foreign >> insn.dst & 1, code == isa.MOV
    tainted = (foreign >> insn.src & 1 if by_register else 0) | (0 if moved else old)
    operands = (right,) if moved else (left, right)
    result: Value = None
    if wide and moved and not insn.off:
        result = right
    elif not wide and moved and isinstance(right, int) and not insn.off:
        result = right & 0xFFFFFFFF
    elif wide and code in (isa.ADD, isa.SUB):
        result = _sum(left, right, code)
    elif any(isinstance(operand, StackPointer) for operand in operands):
        result = _SOMEWHERE
    values[insn.dst] = result
    return foreign & ~(1 << insn.dst) | tainted << insn.dst


def _sum(left: Value, right: Value, code: int) -> Value:
    if code == isa.ADD and isinstance(left, int):
        left, right = right, left
    if isinstance(right, int):
        distance = right if code == isa.ADD else -right
        if isinstance(left, int):
            return left + distance
        if isinstance(left, StackPointer):
            if left.offsets is None:
                return left
            return StackPointer(frozenset(offset + distance for offset in left.offsets), left.certain)
    if isinstance(left, StackPointer) or isinstance(right, StackPointer):
        return _SOMEWHERE
    return None


def _join(first: State, second: State) -> State:
    values = tuple(a if a is b or a == b else _join_values(a, b) for a, b in zip(first[0], second[0], strict=True))
    return values, first[1] | second[1]


def _join_values(first: Value, second: Value) -> Value:
    if isinstance(first, StackPointer) and isinstance(second, StackPointer):
        certain = first.certain and second.certain
        if first.offsets is None or second.offsets is None:
            return StackPointer(None, certain)
        offsets = first.offsets | second.offsets
        return StackPointer(offsets if len(offsets) <= _MAX_OFFSETS else None, certain)
    if isinstance(first, StackPointer):
        return StackPointer(first.offsets, False)
    if isinstance(second, StackPointer):
        return StackPointer(second.offsets, False)
    return None
