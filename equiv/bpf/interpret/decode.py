"""From instructions to closures, once per program: `step(run, registers) -> next slot` (RFC 9669, sections 4 and 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from equiv.bpf import insn as op
from equiv.bpf.helper_names import helper_name
from equiv.bpf.interpret.alu import (
    ATOMIC_UPDATES,
    COMPARISONS,
    M32,
    M64,
    OPERATIONS,
    SIGNED_OPERATIONS,
    sign_extend,
    signed,
    swap_bytes,
)
from equiv.bpf.interpret.faults import UNSET, Fault, unmodelled
from equiv.bpf.interpret.helpers import HELPERS
from equiv.bpf.interpret.helpers.common import Helper
from equiv.bpf.interpret.helpers.kfuncs import CALLS
from equiv.bpf.interpret.loops import start_loop, start_visiting
from equiv.bpf.program import ByteOrder, ExternRef, FunctionRef, Insn, MapRef, MapValueRef
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

Step = Callable[["Run", list[int]], int]

DONE: Final = -(1 << 62)
"""The next slot after the entry function's exit."""
UNSIGNED: Final = frozenset({op.JEQ, op.JNE, op.JGT, op.JGE, op.JLT, op.JLE})
PAGE: Final = 4096
"""No region lies in the first so many bytes of its 4 GiB, nor in the last."""
_SIZES: Final = {op.W: 4, op.H: 2, op.B: 1, op.DW: 8}


def decode(index: int, insn: Insn | None, order: ByteOrder, following: Insn | None = None) -> Step:
    """What the instruction at slot `index` does, which `following` comes after.

    What no kernel accepts becomes a step that faults.
    """
    if insn is None:
        return _failing(Fault("jumps into the middle of a wide instruction"))
    reason = op.malformed(insn)
    if reason:
        return _failing(Fault(reason))
    other = op.low_difference(insn, following)
    if other is not None:
        return _low_difference(index + 1, insn, other)
    match insn.opcode & op.CLASS_MASK:
        case op.ALU:
            return _alu(index + 1, insn, 32, order)
        case op.ALU64:
            return _alu(index + 1, insn, 64, order)
        case op.JMP:
            return _jump(index, insn, 64)
        case op.JMP32:
            return _jump(index, insn, 32)
        case op.LD:
            return _ld(index, insn)
        case op.LDX:
            return _ldx(index + 1, insn)
        case op.ST:
            return _store(index + 1, insn)
        case _:
            return _atomic(index + 1, insn) if insn.opcode & op.MODE_MASK == op.ATOMIC else _store(index + 1, insn)


def _failing(error: Fault | NotRunnable) -> Step:
    kind, message = type(error), str(error)

    def step(run: Run, r: list[int]) -> int:
        raise kind(message)

    return step


UNRELOCATED: Final = _failing(
    NotRunnable("uses a CO-RE relocation, which depends on the kernel that it is loaded into")
)
"""The step of an instruction whose immediate or offset a loader would adjust."""


def _alu(after: int, insn: Insn, width: int, order: ByteOrder) -> Step:
    code = insn.opcode & op.CODE_MASK
    if code == op.END:
        return _end(after, insn, width, order)
    if code == op.NEG:
        return _negate(after, insn, width)
    if code == op.MOV and insn.opcode & op.SOURCE_MASK:
        return _move(after, insn, width)
    if insn.off == 1:
        operation = SIGNED_OPERATIONS[width][code >> 4]
    else:
        operation = OPERATIONS[width][code >> 4]
    dst, src = insn.dst, insn.src
    # An immediate is sign-extended to the operation's width.
    value = insn.imm & (M64 if width == 64 else M32)

    def immediate(run: Run, r: list[int]) -> int:
        r[dst] = operation(r[dst], value)
        return after

    def immediate32(run: Run, r: list[int]) -> int:
        r[dst] = operation(r[dst] & M32, value)
        return after

    def set_immediate(run: Run, r: list[int]) -> int:
        r[dst] = value
        return after

    def register(run: Run, r: list[int]) -> int:
        r[dst] = operation(r[dst], r[src] & M64)
        return after

    def register32(run: Run, r: list[int]) -> int:
        r[dst] = operation(r[dst] & M32, r[src] & M32)
        return after

    if code == op.SUB and (insn.opcode & op.SOURCE_MASK or width == 32):
        return _subtract(after, insn, width)
    if insn.opcode & op.SOURCE_MASK:
        return register if width == 64 else register32
    if code == op.MOV:
        return set_immediate
    return immediate if width == 64 else immediate32


def _subtract(after: int, insn: Insn, width: int) -> Step:
    """A difference: of addresses too, as far as it does not depend on where regions are (D180).

    In 32 bits the kernel subtracts numbers from addresses as well, and leaves the low half of one.
    """
    dst, src, mask = insn.dst, insn.src, M64 if width == 64 else M32
    by_register = bool(insn.opcode & op.SOURCE_MASK)

    def subtract(run: Run, r: list[int]) -> int:
        a, b = r[dst], r[src] if by_register else insn.imm & mask
        apart = (a ^ b) >> 32
        if apart and (run.memory.is_address(b) or (width == 32 and run.memory.is_address(a))):
            raise NotRunnable("subtracts an address from something else: the result depends on the kernel")
        r[dst] = (a - b) & mask
        return after

    return subtract


def _move(after: int, insn: Insn, width: int) -> Step:
    dst, src, bits = insn.dst, insn.src, insn.off
    mask = M64 if width == 64 else M32

    def move(run: Run, r: list[int]) -> int:
        value = r[src]
        if value is UNSET:  # even a copy reads the register
            raise Fault("uses a register that was not written")
        r[dst] = value
        return after

    def move32(run: Run, r: list[int]) -> int:
        r[dst] = _low_half(run, r[src])
        return after

    def move_sign_extended(run: Run, r: list[int]) -> int:
        r[dst] = signed(r[src], bits) & mask
        return after

    if bits:
        return move_sign_extended
    return move if width == 64 else move32


def _low_difference(after: int, insn: Insn, other: int) -> Step:
    """A copy of the low half of an address from which the next instruction subtracts another: both at once (D331)."""
    dst, src = insn.dst, insn.src

    def step(run: Run, r: list[int]) -> int:
        a, b = r[src] & M64, r[other] & M64
        if run.memory.is_address(a) and not (a ^ b) >> 32:
            r[dst] = (a - b) & M32
            return after + 1
        r[dst] = _low_half(run, a)
        return after

    return step


def _low_half(run: Run, value: int) -> int:
    """The low half of a register; that of an address, copied alone, is nothing to compute with (D180)."""
    if value > M32 and run.memory.is_address(value):
        return unmodelled("computes with the low half of an address: the result depends on the kernel")
    return value & M32


def _negate(after: int, insn: Insn, width: int) -> Step:
    dst, mask = insn.dst, M64 if width == 64 else M32

    def negate(run: Run, r: list[int]) -> int:
        _expect_number(run, r[dst])
        r[dst] = -r[dst] & mask
        return after

    return negate


def _end(after: int, insn: Insn, width: int, order: ByteOrder) -> Step:
    """Byte swaps. ALU64: always; ALU: where the named order (X: big, K: little) is not the host's."""
    dst, bits = insn.dst, insn.imm
    mask = (1 << bits) - 1
    wanted = "big" if insn.opcode & op.SOURCE_MASK else "little"

    def swap(run: Run, r: list[int]) -> int:
        _expect_number(run, r[dst])
        r[dst] = swap_bytes(r[dst], bits)
        return after

    def truncate(run: Run, r: list[int]) -> int:
        _expect_number(run, r[dst])
        r[dst] &= mask
        return after

    return swap if width == 64 or wanted != order else truncate


def _expect_number(run: Run, value: int) -> None:
    """See that what is swapped or negated is no address, as verifiers allow privileged programs (`check_alu_op`)."""
    if value > M32 and run.memory.is_address(value):
        raise NotRunnable("computes with an address as a number: the result depends on the kernel")


def _jump(index: int, insn: Insn, width: int) -> Step:
    code, after = insn.opcode & op.CODE_MASK, index + 1
    target = after + (insn.imm if width == 32 and code == op.JA else insn.off)
    if code == op.CALL:
        return _call(after, insn)
    if code == op.EXIT:
        return _exit

    def always(run: Run, r: list[int]) -> int:
        return target

    if code == op.JA:
        return always
    dst, src = insn.dst, insn.src
    holds = COMPARISONS[width][code >> 4]
    mask = M64 if width == 64 else M32
    value = insn.imm & mask

    def immediate(run: Run, r: list[int]) -> int:
        return target if holds(r[dst] & mask, value) else after

    def register(run: Run, r: list[int]) -> int:
        return target if holds(r[dst] & mask, r[src] & mask) else after

    def immediate32(run: Run, r: list[int]) -> int:
        if r[dst] > M32:
            _expect_known(run, code, r[dst], value)
        return target if holds(r[dst] & M32, value) else after

    def register32(run: Run, r: list[int]) -> int:
        if r[dst] > M32 or r[src] > M32:
            _expect_known(run, code, r[dst], r[src])
        return target if holds(r[dst] & M32, r[src] & M32) else after

    if insn.opcode & op.SOURCE_MASK:
        return register if width == 64 else register32
    return immediate if width == 64 else immediate32


def _expect_known(run: Run, code: int, a: int, b: int) -> None:
    """See that a comparison of 32 bits does not depend on where regions are (D330)."""
    addresses = run.memory.is_address(a) + run.memory.is_address(b)
    if not addresses or (code in UNSIGNED and _is_known(a, b, addresses)):
        return
    raise NotRunnable("compares the low half of an address: the result depends on the kernel")


def _is_known(a: int, b: int, addresses: int) -> bool:
    """Whether both are in one region, or one is a number in the first or last page."""
    return a >> 32 == b >> 32 if addresses == 2 else any(n & M32 < PAGE or n & M32 > M32 + 1 - PAGE for n in (a, b))


def _exit(run: Run, r: list[int]) -> int:
    return run.leave()


def _call(after: int, insn: Insn) -> Step:
    if insn.src == op.PSEUDO_CALL:
        ref = insn.ref
        target = ref.target if isinstance(ref, FunctionRef) else after + insn.imm

        def call(run: Run, r: list[int]) -> int:
            return run.enter(target, after)

        return call
    if insn.src == op.PSEUDO_KFUNC_CALL or isinstance(insn.ref, ExternRef):
        name = insn.ref.name if isinstance(insn.ref, ExternRef) else f"number {insn.imm}"
        kfunc = CALLS.get(name)
        return _failing(NotRunnable(f"calls kernel function {name}")) if kfunc is None else _calling(kfunc, after)
    if op.is_tail_call(insn):
        return _tail_call(after)
    if insn.imm == op.LOOP:
        return lambda run, r: start_loop(run, r, after)
    if insn.imm == op.FOR_EACH:
        return lambda run, r: start_visiting(run, r, after)
    helper = HELPERS.get(insn.imm)
    if helper is None:
        return _failing(NotRunnable(f"calls {helper_name(insn.imm)}, which is not modelled"))
    return _calling(helper, after)


def _calling(helper: Helper, after: int) -> Step:
    def call_helper(run: Run, r: list[int]) -> int:
        r[0] = helper(run, r[1], r[2], r[3], r[4], r[5])
        r[1] = r[2] = r[3] = r[4] = r[5] = UNSET
        return after

    return call_helper


def _tail_call(after: int) -> Step:
    """Where it fails, r0 is not set either: bpf_tail_call returns nothing."""

    def step(run: Run, r: list[int]) -> int:
        target = run.tail_call(r[1], r[2], r[3])
        if target is not None:
            return target
        r[0] = r[1] = r[2] = r[3] = r[4] = r[5] = UNSET
        return after

    return step


def _ld(index: int, insn: Insn) -> Step:
    if op.is_packet_load(insn):
        return _packet_load(index + 1, insn)
    dst, after = insn.dst, index + 2
    ref = insn.ref
    match ref:
        case ExternRef():
            return _failing(NotRunnable(f"uses {ref.name}, which the kernel would resolve"))
        case None if insn.src:
            return _failing(NotRunnable("loads an address that no relocation explains"))
        case None:
            value = insn.imm64 & M64

            def load_constant(run: Run, r: list[int]) -> int:
                r[dst] = value
                return after

            return load_constant
        case MapRef() | MapValueRef() | FunctionRef():
            address_of = ref

            def load_address(run: Run, r: list[int]) -> int:
                r[dst] = run.address_of(address_of)
                return after

            return load_address


def _packet_load(after: int, insn: Insn) -> Step:
    """LD_ABS and LD_IND: a number in network order at a packet offset; past the packet the function returns 0 (D41)."""
    size, indirect, imm, src = (
        _SIZES[insn.opcode & op.SIZE_MASK],
        insn.opcode & op.MODE_MASK == op.IND,
        insn.imm,
        insn.src,
    )

    def load(run: Run, r: list[int]) -> int:
        offset = signed(imm + (r[src] if indirect else 0), 32)
        value = run.packet_load(r[6], offset, size, constant=imm < 0)
        r[1] = r[2] = r[3] = r[4] = r[5] = UNSET
        if value is None:
            r[0] = 0
            return run.leave()
        r[0] = value
        return after

    return load


def _ldx(after: int, insn: Insn) -> Step:
    dst, src, off, size = insn.dst, insn.src, insn.off, _SIZES[insn.opcode & op.SIZE_MASK]

    def load(run: Run, r: list[int]) -> int:
        r[dst] = run.memory.load((r[src] + off) & M64, size)
        return after

    def load_sign_extended(run: Run, r: list[int]) -> int:
        r[dst] = sign_extend(run.memory.load((r[src] + off) & M64, size), 8 * size)
        return after

    return load_sign_extended if insn.opcode & op.MODE_MASK == op.MEMSX else load


def _store(after: int, insn: Insn) -> Step:
    dst, src, off, size = insn.dst, insn.src, insn.off, _SIZES[insn.opcode & op.SIZE_MASK]
    value = insn.imm & M64

    def store_immediate(run: Run, r: list[int]) -> int:
        run.memory.store((r[dst] + off) & M64, size, value)
        return after

    def store_register(run: Run, r: list[int]) -> int:
        run.memory.store((r[dst] + off) & M64, size, r[src])
        return after

    return store_immediate if insn.opcode & op.CLASS_MASK == op.ST else store_register


def _atomic(after: int, insn: Insn) -> Step:
    dst, src, off, size = insn.dst, insn.src, insn.off, _SIZES[insn.opcode & op.SIZE_MASK]
    mask = M64 if size == 8 else M32

    def compare_and_exchange(run: Run, r: list[int]) -> int:
        address = run.atomic_address(r[dst] + off, size)
        old = run.memory.load(address, size)
        if old == r[0] & mask:
            run.memory.store(address, size, r[src])
        r[0] = old
        return after

    def exchange(run: Run, r: list[int]) -> int:
        address = run.atomic_address(r[dst] + off, size)
        old = run.memory.load(address, size)
        run.memory.store(address, size, r[src])
        r[src] = old
        return after

    if insn.imm == op.CMPXCHG:
        return compare_and_exchange
    if insn.imm == op.XCHG:
        return exchange
    update = ATOMIC_UPDATES[insn.imm & ~op.FETCH]
    fetch = bool(insn.imm & op.FETCH)

    def update_memory(run: Run, r: list[int]) -> int:
        address = run.atomic_address(r[dst] + off, size)
        old = run.memory.load(address, size)
        run.memory.store(address, size, update(old, r[src]))
        if fetch:
            r[src] = old
        return after

    return update_memory
