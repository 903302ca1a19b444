"""Arithmetic and comparison of pointers, as far as no result depends on where the kernel put an object (D32)."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import insn as op
from equiv.bpf.environment import Environment
from equiv.bpf.state import State, not_a_number, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Region, Unusable, Value, constant_offset
from equiv.machine.inputs import context_field
from equiv.term import FALSE, TRUE, Term, bvadd, bvand, bvsub, const, distinct, eq, negate, sle, slt, ule, ult

PACKET_ABOVE_STACK = "packet_above_stack"
"""Input of the context: 1 where packets are at higher addresses than the stack, 0 as on x86-64."""

PLACED = (
    "where the packet is compared with the stack, the one that is higher in memory is the same on both sides, and "
    "higher by more than pointers stray: the result depends on that"
)

ABOVE = (
    "an address on the stack is compared with the packet's, which no table can do; as on x86-64, the stack is higher"
)

SMALL = 1 << 62
"""Offsets below this are never negative, and sums of two of them do not wrap."""


def add_pointers(a: Value, b: Value) -> Value:
    """`a + b` where one of them is a pointer."""
    if isinstance(a, Pointer) and isinstance(b, Term):
        return Pointer(a.region, bvadd(a.offset, b))
    if isinstance(a, Term) and isinstance(b, Pointer):
        return Pointer(b.region, bvadd(b.offset, a))
    raise stuck("adds two pointers: the result depends on kernel addresses")


def subtract_pointers(a: Value, b: Value) -> Value:
    """`a - b` where one of them is a pointer."""
    if isinstance(a, Pointer) and isinstance(b, Term):
        return Pointer(a.region, bvsub(a.offset, b))
    if isinstance(a, Pointer) and isinstance(b, Pointer) and same_region(a.region, b.region):
        return bvsub(a.offset, b.offset)
    if isinstance(b, Pointer) and isinstance(a, Pointer):
        raise stuck(f"subtracts a pointer to {b.region} from one to {a.region}: the result depends on kernel addresses")
    raise stuck("subtracts a pointer from a number: the result depends on kernel addresses")


def same_region(a: Region, b: Region) -> bool:
    """Whether the two are surely one object. Map objects and functions are compared by identity nowhere."""
    return a == b


Relation = Callable[[Term, Term], Term]

SCALAR: dict[int, Relation] = {
    op.JEQ: eq,
    op.JNE: distinct,
    op.JGT: lambda a, b: ult(b, a),
    op.JGE: lambda a, b: ule(b, a),
    op.JLT: ult,
    op.JLE: ule,
    op.JSGT: lambda a, b: slt(b, a),
    op.JSGE: lambda a, b: sle(b, a),
    op.JSLT: slt,
    op.JSLE: sle,
    op.JSET: lambda a, b: distinct(bvand(a, b), const(0, a.width)),
}

NOT_AT_ZERO = "no packet begins at a multiple of 4 GiB in memory"


def compare_low(env: Environment, code: int, value: Value | None, constant: Term) -> Term | None:
    """A packet's address as a number of 32 bits against 0, as compilers test `data` of a context; else None.

    A packet lies in one allocation that no multiple of 4 GiB divides, behind some headroom.
    """
    if not isinstance(value, Pointer) or value.region.kind != "pkt" or code not in (op.JEQ, op.JNE):
        return None
    if not constant.is_const or constant.value or value.offset.hi >= SMALL:
        return None
    env.noted.add(NOT_AT_ZERO)
    return FALSE if code == op.JEQ else TRUE


_LESS = {  # comparisons as "x < y" or its negation: (swap operands, negate)
    op.JLT: (False, False),
    op.JGE: (False, True),
    op.JGT: (True, False),
    op.JLE: (True, True),
}

_NULL = {op.JEQ: FALSE, op.JNE: TRUE, op.JGT: TRUE, op.JLE: FALSE}
"""What a comparison of a valid pointer with 0 gives; such pointers are never NULL."""


def compare(env: Environment, state: State, code: int, a: Value | None, b: Value | None) -> Term:
    """The guard of a 64-bit comparison of which an operand is no number."""
    for value in (a, b):
        if value is None or isinstance(value, Unusable):
            raise not_a_number(value)
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        if same_region(a.region, b.region):
            return _compare_offsets(state, code, a.offset, b.offset)
        if code in _LESS and {a.region.kind, b.region.kind} == {"pkt", "stack"}:
            return _compare_objects(env, state.pc, code, a.region)
        raise stuck(f"compares a pointer to {a.region} with one to {b.region}: the result depends on kernel addresses")
    if b is ZERO and code in _NULL:
        return _NULL[code]
    if a is ZERO and code in (op.JEQ, op.JNE, op.JLT, op.JGE):
        return TRUE if code in (op.JNE, op.JLT) else FALSE
    raise stuck("compares a pointer with a number: the result depends on kernel addresses")


def _compare_objects(env: Environment, slot: int, code: int, left: Region) -> Term:
    """A stack address against a packet address: an input that all such comparisons share (D51)."""
    line = env.program.line_at(slot)
    where = f" ({line.file}:{line.line})" if line is not None else f" (instruction {slot})"
    env.noted.add((f"warning: {ABOVE}" if env.interface.stack_above else PLACED) + where)
    swap, opposite = _LESS[code]
    packet_above = FALSE if env.interface.stack_above else context_field(PACKET_ABOVE_STACK, 1)
    left_above = packet_above if left.kind == "pkt" else negate(packet_above)
    less = left_above if swap else negate(left_above)
    return negate(less) if opposite else less


def _compare_offsets(state: State, code: int, a: Term, b: Term) -> Term:
    """Two addresses in one object compare as their offsets do: objects do not wrap around the address space.

    Accepted programs keep offsets within 2^29 of the object (BPF_MAX_VAR_OFF), so that holds for addresses past an
    object's ends, too. Signed comparison of offsets is right in general; unsigned where neither can be negative.
    """
    if code == op.JEQ:
        return eq(a, b)
    if code == op.JNE:
        return distinct(a, b)
    if code not in _LESS:
        raise stuck("compares two pointers as signed numbers: the result depends on kernel addresses")
    swap, opposite = _LESS[code]
    x, y = (b, a) if swap else (a, b)
    less = ult if not_negative(state, x) and not_negative(state, y) else slt
    guard = less(x, y)
    return negate(guard) if opposite else guard


def not_negative(state: State, offset: Term) -> bool:
    """Whether the offset is known to be at least 0 and small."""
    if offset.hi < SMALL:
        return True
    if constant_offset(offset) is not None:
        return False
    return state.knows(ult(offset, const(SMALL, WORD))) is True
