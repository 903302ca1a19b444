"""Sockets that helpers find: unknown objects, whose fields are unknown functions of what was asked (D101)."""

from __future__ import annotations

from equiv.bpf import cells
from equiv.bpf.environment import Environment
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import Pointer, Value, constant_offset
from equiv.term import Term, concat, const, leaves, select

CONNECTION = "connection."
"""Names of connections that are found begin so (D404)."""

LARGEST, LARGEST_KERNEL = 512, 1 << 14
"""Bytes that may be read of a socket (`struct bpf_tcp_sock` has 116), and of a struct of the kernel's own."""

HELD = ".field"
"""Names of the functions that give fields of such objects end so."""


SAME_SOCKETS = (
    "looking up the same socket finds the same on both sides and during a run, and its fields stay as they are"
)


def ask(env: Environment, name: str, width: int, *given: Term) -> Term:
    """The answer, of `width` bits, to a question that is made of these terms."""
    env.noted.add(SAME_SOCKETS)
    return select(f"oracle.{name}", concat(const(1, 8), *given), width)


def is_held(value: Term) -> bool:
    """Whether a number comes from a field of an object: the kernel lets programs follow pointers in some."""
    return any(leaf.op == "select" and leaf.data.endswith(HELD) for leaf in leaves(value))


def _largest(name: str) -> int:
    return LARGEST_KERNEL if name.startswith(CONNECTION) or ".skc_to_" in name else LARGEST


def store_field(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    """Programs write to no socket, and of a connection to its mark only."""
    if pointer.region.name.startswith(CONNECTION):
        raise stuck("writes to a connection")
    raise fault(f"writes to {pointer.region}")


def load_field(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    """`size` bytes of a socket's fields, as the context access of `struct bpf_sock` shows them."""
    key, offset = pointer.region.key, constant_offset(pointer.offset)
    assert key is not None
    if offset is None:
        raise stuck("reads a socket at an offset that depends on the input")
    if not 0 <= offset <= _largest(pointer.region.name) - size or offset % size:
        raise fault(f"reads {size} bytes at offset {offset} of a socket")
    name = pointer.region.name.removeprefix(CONNECTION)
    if name is pointer.region.name:
        env.noted.add(SAME_SOCKETS)
    pieces = (concat(const(1, 8), key, const(at, 16)) for at in range(offset, offset + size))
    whole = concat(*(select(f"oracle.{name}{HELD}", piece, 8) for piece in pieces))
    return cells.in_memory_order(whole, env.little)
