"""What one row of the helper table says (D60)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SOCKET_FILTER, SCHED_CLS, SCHED_ACT, XDP, FLOW_DISSECTOR = 1, 3, 4, 6, 22
"""`enum bpf_prog_type`, include/uapi/linux/bpf.h."""

TC = frozenset({SCHED_CLS, SCHED_ACT})
XDP_ONLY = frozenset({XDP})
TC_XDP = TC | XDP_ONLY
SKB = TC | {SOCKET_FILTER, FLOW_DISSECTOR}
EVERY = SKB | XDP_ONLY

ArgumentKind = Literal["context", "map", "scalar", "read", "write", "maybe", "change", "function", "pointer"]

Size = int | Literal["key", "value"] | tuple[int]
"""Bytes of memory behind an argument: the register that holds the number, the map's key or value size, or `(n,)`."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One of r1 to r5. `read`, `write`, `maybe` and `change` are addresses of memory of `size` bytes.

    "read": the helper looks at it. "write": all of it is overwritten whenever the helper returns. "maybe": it may be
    overwritten, and what is not keeps its contents. "change": the same, and the helper looks at it. `function` is a
    callback of the program, `pointer` anything else that is no number.
    """

    kind: ArgumentKind
    size: Size | None = None


CTX, MAP, NUM = Argument("context"), Argument("map"), Argument("scalar")
FUNCTION, POINTER = Argument("function"), Argument("pointer")


def reads(size: Size) -> Argument:
    """An address from which the helper reads `size` bytes."""
    return Argument("read", size)


def writes(size: Size) -> Argument:
    """An address at which the helper overwrites `size` bytes, whatever it returns."""
    return Argument("write", size)


def may_write(size: Size) -> Argument:
    """An address at which the helper may overwrite some of `size` bytes."""
    return Argument("maybe", size)


def changes(size: Size) -> Argument:
    """An address from which the helper reads `size` bytes, some of which it may overwrite."""
    return Argument("change", size)


Model = Literal["exact", "control", "input", "oracle", "unobserved"]
"""How far a helper is modelled. `exact`: its result and effect are functions of the inputs. `control`: likewise, but it
moves control, so both machines have it among their steps and not among their helpers. `input`: its result is an
input of its own, shared by both sides call by call (D62). `oracle`: an unknown function of its arguments, shared by
both sides (D63). `unobserved`: what it does is not compared; its result may not be used."""


@dataclass(frozen=True, slots=True)
class Helper:
    """One helper function. `programs` are the `enum bpf_prog_type`s that have it; `moves_packet` is the kernel's
    `bpf_helper_changes_pkt_data` (net/core/filter.c): packet pointers from before are invalid after the call."""

    number: int
    name: str
    arguments: tuple[Argument, ...]
    programs: frozenset[int]
    model: Model
    result: str
    effect: str
    source: str
    moves_packet: bool = False
