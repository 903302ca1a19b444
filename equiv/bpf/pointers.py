"""Arithmetic and comparison of pointers, as far as no result depends on where the kernel put an object (D32, D330)."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import insn as op
from equiv.bpf.environment import Environment
from equiv.bpf.state import State, not_a_number, stuck
from equiv.bpf.values import WORD, Pointer, Region, Unusable, Value, constant_offset
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

PAGE = 4096
"""Bytes at either end of the address space in which no object is: NULL's page, and that of ERR_PTR (linux/err.h)."""

_ABOVE = {op.JEQ: FALSE, op.JNE: TRUE, op.JGT: TRUE, op.JGE: TRUE, op.JLT: FALSE, op.JLE: FALSE}
"""What comparisons without sign give of an address and a number in the first page, by the operation."""
_BELOW = {op.JEQ: FALSE, op.JNE: TRUE, op.JGT: FALSE, op.JGE: FALSE, op.JLT: TRUE, op.JLE: TRUE}
"""The same of an address and a number in the last page."""
_SWAPPED = {op.JEQ: op.JEQ, op.JNE: op.JNE, op.JGT: op.JLT, op.JGE: op.JLE, op.JLT: op.JGT, op.JLE: op.JGE}
"""`a op b` as `b op a`."""


def placed(region: Region) -> str:
    """The assumption under which an address in `region` is looked at as a number of 32 bits (D330)."""
    return f"{region} does not lie near or across a multiple of 4 GiB in memory"


def compare_low(env: Environment, state: State, code: int, a: Value | None, b: Value | None) -> Term | None:
    """The guard of a comparison of 32 bits of which an operand is an address; None where it is not known.

    Compilers test `data` of a context against 0 that way. An allocation has no multiple of 4 GiB in it, so addresses
    in one object have the same high half (D330).
    """
    if isinstance(a, Pointer) and isinstance(b, Pointer):
        known = code in _LESS or code in (op.JEQ, op.JNE)
        if not known or not same_region(a.region, b.region):
            return None
        env.noted.add(placed(a.region))
        return _compare_offsets(state, code, a.offset, b.offset)
    pointer = a if isinstance(a, Pointer) else b
    found = _against_number(code, a, b, 32)
    if found is not None and isinstance(pointer, Pointer):
        env.noted.add(placed(pointer.region))
    return found


def _against_number(code: int, a: Value | None, b: Value | None, width: int) -> Term | None:
    """The guard where one is an address and the low `width` bits of the other a number in the first or last page."""
    if isinstance(b, Pointer):
        if code not in _SWAPPED:
            return None
        code, a, b = _SWAPPED[code], b, a
    if not isinstance(a, Pointer) or not isinstance(b, Term) or not b.is_const:
        return None
    number = b.value & (1 << width) - 1
    if number < PAGE:
        return _ABOVE.get(code)
    return _BELOW.get(code) if number > (1 << width) - PAGE else None


_LESS = {  # comparisons as "x < y" or its negation: (swap operands, negate)
    op.JLT: (False, False),
    op.JGE: (False, True),
    op.JGT: (True, False),
    op.JLE: (True, True),
}


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
    settled = _against_number(code, a, b, WORD)
    if settled is not None:
        return settled
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
