"""What a register or stack slot of the symbolic machine can hold: a scalar term, a pointer, or nothing usable."""

from __future__ import annotations

from typing import Literal, NamedTuple

from equiv.term import Term, const, signed

WORD = 64
"""Width of registers and of pointer offsets, in bits."""

ZERO = const(0, WORD)
ONE = const(1, WORD)

RegionKind = Literal[
    "stack", "pkt", "ctx", "keys", "map value", "map", "rodata", "function", "sock", "record", "map key"
]


class Region(NamedTuple):
    """One object in memory that pointers point into.

    `name` is the map's or function's, `frame` the stack frame's depth (0: the entry function's), `key` the map value's
    key: a number of 32 bits for arrays, for hashes the key's bytes with the lowest address most significant. Of
    memory for user space it is the size; `map key` is memory that holds it.
    """

    kind: RegionKind
    name: str = ""
    frame: int = 0
    key: Term | None = None

    def __str__(self) -> str:
        match self.kind:
            case "pkt":
                return "the packet"
            case "ctx":
                return "the context"
            case "keys":
                return "the flow keys"
            case "stack":
                return "the stack"
            case "map key":
                return "a key that is visited"
            case "record":
                return "memory for user space"
            case "sock":
                return "a connection" if self.name.startswith("connection.") else "a socket"
            case _:
                return f"{self.kind} {self.name}"


class Pointer(NamedTuple):
    """The address `offset` bytes (64 bits, two's complement) past the start of `region`.

    Offset 0 is the packet's first byte (metadata is below), the context's, key structure's or value's first byte, and
    just past the highest byte of a stack frame (all of the stack is below).
    """

    region: Region
    offset: Term


class Unusable(NamedTuple):
    """A value that exists but that nothing may depend on. `fault`: the verifier rejects its use; else not modelled."""

    reason: str
    fault: bool = False


Value = Term | Pointer | Unusable

PACKET = Region("pkt")
CONTEXT = Region("ctx")
FLOW_KEYS = Region("keys")

STALE = Unusable("uses a packet pointer from before a helper that may move the packet", fault=True)


def stack(frame: int) -> Region:
    """The stack frame of the function at call depth `frame`."""
    return Region("stack", frame=frame)


def constant_offset(offset: Term) -> int | None:
    """The offset as a signed number where it is constant."""
    return signed(offset.value, WORD) if offset.is_const else None


def describe(value: Value | None) -> str:
    """The value's kind in words, for messages."""
    match value:
        case None:
            return "an uninitialised register"
        case Pointer(region, _):
            return f"a pointer to {region}"
        case Unusable(reason, _):
            return reason
        case _:
            return "a number"
