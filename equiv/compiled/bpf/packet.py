"""What helpers do with the packet: find bytes of it, make them linear, invalidate the pointers that a program has."""

from __future__ import annotations

from equiv.compiled.bpf.emit import CONTEXT_ADDRESS, Emit
from equiv.compiled.bpf.place import MOST_MOVES, MOVED_HI


def check_context(emit: Emit) -> None:
    """The helper's first argument is the context, or the interpreter is asked."""
    emit.code.require(emit.code.op("icmp eq", "i64", emit.get(1), CONTEXT_ADDRESS), emit.ask)


def moved(emit: Emit) -> None:
    """Give the packet another address: pointers into it from before lead nowhere."""
    code = emit.code
    moves = code.load("i64", emit.moves)
    code.require(code.op("icmp ult", "i64", moves, MOST_MOVES), emit.ask)
    code.store("i64", code.op("add", "i64", moves, 1), emit.moves)
    code.store("i64", code.op("add", "i64", moves, MOVED_HI), emit.packet_hi)


def at_packet(emit: Emit, offset: str) -> str:
    """The native address of a byte of the packet."""
    code = emit.code
    return code.at(emit.packet, code.op("add", "i64", offset, code.load("i64", emit.origin)))


def make_linear(emit: Emit, size: str, fits: str, fails: str) -> None:
    """Go to `fits` where the skb has `size` bytes, which are linear then; else to `fails`."""
    code, yes = emit.code, emit.code.label("linear")
    code.branch(code.op("icmp ule", "i64", size, emit.length), yes, fails)
    code.begin(yes)
    last = code.load("i64", emit.last)
    code.store("i64", code.select(code.op("icmp ugt", "i64", size, last), "i64", size, last), emit.last)
    code.goto(fits)


def written(emit: Emit, offset: str, size: str) -> None:
    """Note that bytes of the packet are known now."""
    if emit.has_holes:
        code = emit.code
        start = code.op("add", "i64", offset, code.load("i64", emit.origin))
        code.fill(code.at("%own", code.op("add", "i64", start, emit.memory.packet_shadow)), 1, size)
