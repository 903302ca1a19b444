"""One closure for each instruction slot, built once: what the symbolic machine does there.

Only ALU instructions are elsewhere (`alu`). A step asks all it needs to know before it writes to the state.
"""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import insn as op
from equiv.bpf import map_access
from equiv.bpf.access import load, load_number, packet_field, store
from equiv.bpf.alu import Step, alu_step, low_word
from equiv.bpf.cells import in_memory_order
from equiv.bpf.environment import Environment
from equiv.bpf.helpers import call_helper
from equiv.bpf.helpers.kfuncs import call_kfunc
from equiv.bpf.loop_step import after_iteration, each_step, is_loop, loop_step
from equiv.bpf.outcome import outcome
from equiv.bpf.pointers import SCALAR, compare, compare_low
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef
from equiv.bpf.state import Caller, Rejected, State, check_depth, fault, stuck
from equiv.bpf.tail_call_step import tail_call_step
from equiv.bpf.values import WORD, ZERO, Pointer, Region, Value, describe, stack
from equiv.machine.protocol import Branch, Done, Fork, Stop
from equiv.term import (
    Term,
    bvadd,
    bvand,
    bvor,
    bvxor,
    const,
    eq,
    extract,
    ite,
    negate,
    resize,
    sign_extend,
    ule,
    zero_extend,
)

LARGEST_OFFSET = 0x7FFFFFFF


def build_steps(env: Environment, describe_slot: Callable[[int], str]) -> list[Step]:
    """The step of each slot. `describe_slot` names a slot for people, as in the labels of branches."""
    count = len(env.program.insns)
    steps = []
    for index, insn in enumerate(env.program.insns):
        if insn is None:
            steps.append(_rejecting("jumps into the second half of a 64-bit load", True))
        elif index in env.program.core:
            steps.append(_rejecting(env.program.core[index], False))
        elif (complaint := op.malformed(insn)) is not None:
            steps.append(_rejecting(complaint, True))
        elif not 0 <= (op.jump_target(index, insn) or 0) < count:
            steps.append(_rejecting("jumps out of the program", True))
        else:
            steps.append(_step(env, insn, index, describe_slot))
    steps.append(_rejecting("runs past the program's last instruction", True))
    return steps


def _step(env: Environment, insn: Insn, index: int, describe_slot: Callable[[int], str]) -> Step:
    match insn.opcode & op.CLASS_MASK:
        case op.ALU | op.ALU64:
            return alu_step(insn, index, env.little, _following(env, index))
        case op.LDX:
            return _load_step(env, insn, index)
        case op.ST | op.STX if insn.opcode & op.MODE_MASK == op.ATOMIC:
            return _atomic_step(env, insn, index)
        case op.ST | op.STX:
            return _store_step(env, insn, index)
        case op.LD if insn.opcode == op.LD_IMM64:
            return _load_immediate_step(env, insn, index)
        case op.LD:
            return _packet_load_step(env, insn, index)
    match insn.opcode:
        case opcode if opcode == op.JMP | op.CALL:
            return _call_step(env, insn, index)
        case opcode if opcode == op.JMP | op.EXIT:
            return _exit_step(env)
    target = op.jump_target(index, insn)
    assert target is not None
    return _goto(target) if op.is_jump_always(insn) else _branch_step(env, insn, index, target, describe_slot)


def _following(env: Environment, index: int) -> Insn | None:
    """The instruction in the next slot, as far as it is known before the program is loaded."""
    insns = env.program.insns
    return insns[index + 1] if index + 1 < len(insns) and index + 1 not in env.program.core else None


def _rejecting(reason: str, is_fault: bool) -> Step:
    def step(state: State) -> Stop | None:
        raise Rejected(reason, is_fault)

    return step


# --- jumps ------------------------------------------------------------------------------------------------------


def _goto(target: int) -> Step:
    def step(state: State) -> Stop | None:
        state.pc = target
        return None

    return step


def _branch_step(env: Environment, insn: Insn, index: int, target: int, describe_slot: Callable[[int], str]) -> Step:
    code, dst, src, after = insn.opcode & op.CODE_MASK, insn.dst, insn.src, index + 1
    wide = insn.opcode & op.CLASS_MASK == op.JMP
    by_register = insn.opcode & op.SOURCE_MASK == op.X
    constant = const(insn.imm, 64 if wide else 32)
    relation = SCALAR[code]

    def condition(state: State) -> Term:
        a: Value | None = state.regs[dst]
        b: Value | None = state.regs[src] if by_register else constant
        if not wide:
            if type(a) is Pointer or type(b) is Pointer:
                settled = compare_low(env, state, code, a, b)
                if settled is not None:
                    return settled
            return relation(low_word(state.scalar(dst)), low_word(state.scalar(src)) if by_register else constant)
        if type(a) is Term and type(b) is Term:
            return relation(a, b)
        return compare(env, state, code, a, b)

    def step(state: State) -> Stop | None:
        guard = condition(state)
        taken = state.knows(guard)
        if taken is None:
            return fork(state, guard)
        state.pc = target if taken else after
        return None

    def fork(state: State, guard: Term) -> Fork:
        text = describe_slot(index)
        jumped, passed = state.copy(), state.copy()
        jumped.pc, passed.pc = target, after
        branches = (Branch(guard, jumped, f"{text} (jumps)"), Branch(negate(guard), passed, f"{text} (goes on)"))
        return Fork(state, branches)

    return step


# --- memory -----------------------------------------------------------------------------------------------------


def _load_step(env: Environment, insn: Insn, index: int) -> Step:
    dst, src, offset, size, after = insn.dst, insn.src, insn.off, op.access_size(insn), index + 1
    with_sign = insn.opcode & op.MODE_MASK == op.MEMSX
    extend = sign_extend if with_sign else zero_extend
    more = WORD - 8 * size

    def finish(state: State, value: Value) -> Stop | None:
        if type(value) is Term:
            value = extend(more, value) if more else value
        elif with_sign:
            raise stuck(f"sign-extends {describe(value)}: the result depends on kernel addresses")
        state.regs[dst] = value
        state.pc = after
        return None

    def step(state: State) -> Stop | None:
        return finish(state, load(env, state, state.regs[src], offset, size))

    def from_own_frame(state: State) -> Stop | None:
        found = state.stacks[-1].get(offset)
        if found is None or found[0] != size:
            return step(state)
        return finish(state, found[1])

    return from_own_frame if src == op.FRAME_POINTER else step


def _store_step(env: Environment, insn: Insn, index: int) -> Step:
    dst, src, offset, size, after = insn.dst, insn.src, insn.off, op.access_size(insn), index + 1
    constant = const(insn.imm, WORD) if insn.opcode & op.CLASS_MASK == op.ST else None

    def step(state: State) -> Stop | None:
        store(env, state, state.regs[dst], offset, size, state.regs[src] if constant is None else constant)
        state.pc = after
        return None

    return step


ATOMIC: dict[int, Callable[[Term, Term], Term]] = {
    op.ATOMIC_ADD: bvadd,
    op.ATOMIC_OR: bvor,
    op.ATOMIC_AND: bvand,
    op.ATOMIC_XOR: bvxor,
    op.XCHG & ~op.FETCH: lambda old, new: new,
}


def _atomic_step(env: Environment, insn: Insn, index: int) -> Step:
    """Read, modify, write (RFC 9669, section 5.3). Programs run alone: nothing comes between."""
    dst, src, offset, size, after = insn.dst, insn.src, insn.off, op.access_size(insn), index + 1
    top = 8 * size - 1
    allowed = ("stack", "map value", "pkt") if env.interface.context == "buffer" else ("stack", "map value")

    def step(state: State) -> Stop | None:
        base, operand = state.regs[dst], extract(top, 0, state.scalar(src))
        expected = extract(top, 0, state.scalar(0)) if insn.imm == op.CMPXCHG else None
        if isinstance(base, Pointer) and base.region.kind not in allowed:
            raise fault(f"atomic operation on {base.region}")
        old = load_number(env, state, base, offset, size)
        if expected is not None:
            new = ite(eq(old, expected), operand, old)
        else:
            new = ATOMIC[insn.imm & ~op.FETCH](old, operand)
        store(env, state, base, offset, size, resize(new, WORD))
        if insn.imm & op.FETCH:
            state.regs[0 if expected is not None else src] = resize(old, WORD)
        state.pc = after
        return None

    return step


def _load_immediate_step(env: Environment, insn: Insn, index: int) -> Step:
    dst, after = insn.dst, index + 2
    value: Value
    match insn.ref:
        case None if insn.src == 0:
            value = const(insn.imm64, WORD)
        case MapRef(name):
            value = Pointer(Region("map", name), ZERO)
        case MapValueRef(name, offset):
            frozen = env.map_spec(name).frozen
            region = Region("rodata", name) if frozen else map_access.data_section(name)
            value = Pointer(region, const(offset, WORD))
        case FunctionRef(_, name):
            value = Pointer(Region("function", name), ZERO)
        case ExternRef(name):
            return _rejecting(f"refers to {name}, which the kernel or a loader would supply", False)
        case _:
            return _rejecting("loads an address that the object does not relocate", False)

    def step(state: State) -> Stop | None:
        state.regs[dst] = value
        state.pc = after
        return None

    return step


def _packet_load_step(env: Environment, insn: Insn, index: int) -> Step:
    """LD_ABS and LD_IND (RFC 9669, section 5.5; bpf_gen_ld_abs, net/core/filter.c): r0 = network-order packet field.

    A load past the packet's end returns 0 from the function that it is in. Negative offsets count from headers (D41).
    """
    size, after = op.access_size(insn), index + 1
    indirect = insn.opcode & op.MODE_MASK == op.IND
    leave = _exit_step(env)

    def step(state: State) -> Stop | None:
        if env.interface.context != "__sk_buff":
            raise fault("uses a legacy packet load, which this program type has not")
        match state.regs[6]:
            case Pointer(region, _) if region.kind == "ctx":
                pass
            case value:
                raise fault(f"uses a legacy packet load with {describe(value)} in r6")
        offset = const(insn.imm, 32)
        if indirect:
            offset = bvadd(offset, extract(31, 0, state.scalar(insn.src)))
        place, in_header = _packet_place(env, state, offset, insn.imm)
        inside = False
        if place is not None:
            end = bvadd(place, const(size, WORD))
            inside = state.ask("in packet", ule(end, env.length(state)))
            if inside and in_header and not state.ask("linear", ule(end, env.packet_end(state))):
                raise stuck("reads a header that is not linear: what that gives depends on the kernel's version")
        for register in range(1, 6):
            state.regs[register] = None
        if place is None or not inside:
            state.regs[0] = ZERO
            return leave(state)
        value = packet_field(env, state, place, size)
        state.regs[0] = resize(in_memory_order(value, env.little), WORD)
        state.pc = after
        return None

    return step


NETWORK_HEADER, LINK_HEADER = 0xFFF00000, 0xFFE00000
"""SKF_NET_OFF and SKF_LL_OFF (include/uapi/linux/filter.h) as unsigned 32-bit numbers."""
ETHERNET_HEADER = 14


def _packet_place(env: Environment, state: State, offset: Term, constant: int) -> tuple[Term | None, bool]:
    """Where in the packet the offset of a legacy packet load is, 64 bits, and whether it counts from a header.

    None where no packet has anything (D41).
    """
    if state.ask("offset fits", ule(offset, const(LARGEST_OFFSET, 32))):
        return resize(offset, WORD), False
    if constant >= 0 and env.interface.program_type == 1:
        raise stuck("uses a legacy packet load in a socket filter at a negative offset that is not constant")
    if state.ask("network header", ule(const(NETWORK_HEADER, 32), offset)):
        return resize(bvadd(offset, const(state.network - NETWORK_HEADER, 32)), WORD), True
    if state.ask("link header", ule(const(LINK_HEADER, 32), offset)):
        return resize(bvadd(offset, const(-LINK_HEADER, 32)), WORD), True
    return None, False


# --- calls ------------------------------------------------------------------------------------------------------


def _call_step(env: Environment, insn: Insn, index: int) -> Step:
    if insn.src == op.PSEUDO_KFUNC_CALL or isinstance(insn.ref, ExternRef):
        return _kfunc_step(env, insn.ref.name if isinstance(insn.ref, ExternRef) else f"number {insn.imm}", index + 1)
    if insn.src == op.PSEUDO_CALL:
        if not isinstance(insn.ref, FunctionRef) or insn.ref.target not in env.program.functions:
            return _rejecting("calls a function that the object does not define", True)
        return _local_call_step(insn.ref, index)
    number, after = insn.imm, index + 1
    if number == op.TAIL_CALL:
        return tail_call_step(env, after)
    if number == op.LOOP:
        return loop_step(env, index)
    if number == op.FOR_EACH:
        return each_step(env, index)

    def step(state: State) -> Stop | None:
        result = call_helper(env, state, number)
        state.regs[0:6] = [result, None, None, None, None, None]
        state.pc = after
        return None

    return step


def _kfunc_step(env: Environment, name: str, after: int) -> Step:
    def step(state: State) -> Stop | None:
        result = call_kfunc(env, state, name)
        state.regs[0:6] = [result, None, None, None, None, None]
        state.pc = after
        return None

    return step


def _local_call_step(function: FunctionRef, index: int) -> Step:
    def step(state: State) -> Stop | None:
        check_depth(state, f"calls {function.name}: ")
        depth = len(state.stacks)
        state.callers = (*state.callers, Caller(index, tuple(state.regs[6:10])))
        state.stacks.append({})
        state.regs[6:] = [None, None, None, None, Pointer(stack(depth), ZERO)]
        state.regs[0] = None
        state.pc = function.target
        return None

    return step


def _exit_step(env: Environment) -> Step:
    def step(state: State) -> Stop | None:
        if not state.callers:
            return Done(outcome(env, state))
        result = state.regs[0]
        depth = len(state.stacks) - 1
        if isinstance(result, Pointer) and result.region == stack(depth):
            raise fault("returns a pointer to its own stack frame")
        if is_loop(state.callers[-1]):
            after_iteration(env, state, result)
            return None
        *outer, caller = state.callers
        state.callers = tuple(outer)
        state.stacks.pop()
        state.regs[1:6] = [None] * 5
        state.regs[6:] = [*caller.saved, Pointer(stack(depth - 1), ZERO)]
        state.pc = caller.call + 1
        return None

    return step
