"""The input bytes of a plain function (interface `buffer`), which it may write: initial contents, overwritten (D40).

What was written is kept where written map values are, under a name that no map has.
"""

from __future__ import annotations

from equiv.bpf import cells
from equiv.bpf.environment import Environment
from equiv.bpf.pointers import SMALL
from equiv.bpf.state import State, fault, not_a_number, stuck
from equiv.bpf.values import WORD, Pointer, Value, constant_offset
from equiv.machine.inputs import packet_byte, packet_length
from equiv.term import Term, bvadd, conj, const, eq, ite, ule, ult

WRITTEN = ("", const(0, 32))
"""Key of `State.values` under which the written bytes are."""

MAX_CANDIDATES = 64
"""Written bytes among which a load at an offset that depends on the input may choose."""


def load(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    """`size` bytes at `pointer` as a number in the machine's byte order."""
    _inside(state, pointer, size)
    written = state.values.get(WRITTEN, {})
    at = constant_offset(pointer.offset)
    if at is None:
        pieces = [_byte(env, written, bvadd(pointer.offset, const(i, WORD))) for i in range(size)]
        return cells.join(pieces, env.little)
    value = cells.load(written, at, size, env.little, lambda offset: packet_byte(const(offset, WORD)))
    if isinstance(value, Term):
        return value
    raise not_a_number(value)


def store(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    """Write `size` bytes at `pointer`."""
    _inside(state, pointer, size)
    at = constant_offset(pointer.offset)
    if at is None:
        raise stuck("writes to the buffer at an offset that depends on the input")
    cells.store(state.values.setdefault(WRITTEN, {}), at, size, value, env.little)


def _inside(state: State, pointer: Pointer, size: int) -> None:
    offset = pointer.offset
    inside = ule(bvadd(offset, const(size, WORD)), packet_length())
    if offset.hi >= SMALL:
        inside = conj(ult(offset, const(SMALL, WORD)), inside)
    if not state.ask("in bounds", inside):
        raise fault(f"access out of bounds: {size} bytes are not known to lie in the buffer")


def _byte(env: Environment, written: cells.Cells, offset: Term) -> Term:
    """The byte at an offset that depends on the input: any of the written ones, or an initial one."""
    if sum(size for size, _ in written.values()) > MAX_CANDIDATES:
        raise stuck("reads the buffer at an offset that depends on the input after writing much of it")
    value = packet_byte(offset)
    for start, (size, held) in written.items():
        assert isinstance(held, Term)
        for i in range(size):
            here = eq(offset, const(start + i, WORD))
            value = ite(here, cells.part(held, size, i, 1, env.little), value)
    return value
