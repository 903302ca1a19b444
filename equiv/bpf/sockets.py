"""Sockets that helpers find: unknown objects, whose fields are unknown functions of what was asked (D101)."""

from __future__ import annotations

from equiv.bpf import cells
from equiv.bpf.environment import Environment
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import Pointer, Value, constant_offset
from equiv.term import Term, concat, const, select

LARGEST = 512
"""Bytes of a socket that may be read (`struct bpf_sock` has 80, `struct bpf_tcp_sock` 116)."""


def ask(env: Environment, name: str, width: int, *given: Term) -> Term:
    """The answer, of `width` bits, to a question that is made of these terms."""
    env.noted.add(
        "looking up the same socket finds the same on both sides and during a run, and its fields stay as they are"
    )
    return select(f"oracle.{name}", concat(const(1, 8), *given), width)


def load_field(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    """`size` bytes of a socket's fields, as the context access of `struct bpf_sock` shows them."""
    key, offset = pointer.region.key, constant_offset(pointer.offset)
    assert key is not None
    if offset is None:
        raise stuck("reads a socket at an offset that depends on the input")
    if not 0 <= offset <= LARGEST - size or offset % size:
        raise fault(f"reads {size} bytes at offset {offset} of a socket")
    name = f"{pointer.region.name}.field"
    whole = concat(*(ask(env, name, 8, key, const(at, 16)) for at in range(offset, offset + size)))
    return cells.in_memory_order(whole, env.little)
