"""What the symbolic machine's helpers have in common: their arguments, the buffers they fill, error codes."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import cells
from equiv.bpf.access import FLOW_KEYS_SIZE, STACK_SIZE, address, check_record, load_number, packet_field, write
from equiv.bpf.environment import Environment
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, Pointer, Value, describe
from equiv.term import Term, bvadd, conj, const, extract, resize, signed, ule

Helper = Callable[[Environment, State], Value]
"""Takes the arguments in r1 to r5 and gives what r0 holds; all it asks, it asks before it changes anything."""

ENOENT, E2BIG, EACCES, EFAULT, EEXIST, EINVAL, ENOMEM, EOPNOTSUPP = 2, 7, 13, 14, 17, 22, 12, 95


def error(code: int) -> Term:
    """`-code` as r0 holds it."""
    return const(-code, WORD)


def check_context(state: State) -> None:
    """Stop unless r1 is the context."""
    match state.regs[1]:
        case Pointer(region, _) if region.kind == "ctx":
            return
        case value:
            raise fault(f"passes {describe(value)} for the context")


def argument(state: State, register: int) -> Term:
    """A 32-bit argument, zero-extended to 64 bits."""
    return resize(extract(31, 0, state.scalar(register)), WORD)


def size_argument(state: State, register: int, what: str, *, zero: bool = False) -> int:
    """A constant number of bytes; 0 only where `zero` says so."""
    size = extract(31, 0, state.scalar(register))
    if not size.is_const:
        raise stuck(f"calls {what} with a size that depends on the input")
    if not size.value and not zero:
        raise fault(f"calls {what} with size 0")
    return size.value


def constant_argument(state: State, register: int, what: str) -> int:
    """Flags, 64 bits, that must be constant."""
    flags = state.scalar(register)
    if not flags.is_const:
        raise stuck(f"calls {what} with flags that depend on the input")
    return flags.value


def check_buffer(state: State, register: int, size: int) -> None:
    """Stop unless the register points to a buffer of `size` bytes that is written byte by byte without questions."""
    pointer = address(state.regs[register], 0)
    kind = pointer.region.kind
    if kind == "record":
        check_record(state, pointer, size)
        return
    if kind not in ("stack", "keys") or not pointer.offset.is_const:
        raise stuck(f"lets a helper write to {pointer.region}")
    offset = signed(pointer.offset.value, WORD)
    low, high = (-STACK_SIZE, 0) if kind == "stack" else (0, FLOW_KEYS_SIZE)
    if not low <= offset <= high - size:
        raise fault(f"lets a helper write outside {pointer.region}")


def fill(env: Environment, state: State, register: int, content: list[Term]) -> None:
    """Write bytes (in memory order) to the buffer that a register points to."""
    target = state.regs[register]
    for offset, byte in enumerate(content):
        write(env, state, address(target, offset), 1, byte)


def memory(env: Environment, state: State, register: int, size: int) -> list[Term]:
    """The `size` bytes behind the address in a register, in memory order."""
    if not size:
        return []
    state.about = f"r{register} "
    try:
        whole = cells.in_memory_order(load_number(env, state, state.regs[register], 0, size), env.little)
    finally:
        state.about = ""
    return [extract(8 * i + 7, 8 * i, whole) for i in reversed(range(size))]


def bytes_at(env: Environment, state: State, offset: Term, size: int) -> list[Term]:
    """Packet bytes from `offset` on, which must be inside, in memory order."""
    whole = cells.in_memory_order(packet_field(env, state, offset, size), env.little)
    return [extract(8 * i + 7, 8 * i, whole) for i in reversed(range(size))]


def inside(offset: Term, size: int, limit: int, end: Term) -> Term:
    """Width 1: `offset` is at most `limit` and `size` bytes from there lie before `end`."""
    return conj(ule(offset, const(limit, WORD)), ule(bvadd(offset, const(size, WORD)), end))
