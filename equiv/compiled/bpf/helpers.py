"""Helper functions in native code, by number; each gives r0 (`equiv.bpf.interpret.helpers` is the reference).

Wherever the interpreter would say that a call is wrong or not modelled, these ask it. What is not here is for it, too.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Final

from equiv.bpf.interpret.contexts import ETHERNET_SIZE, XDP_FRAME_SIZE
from equiv.bpf.interpret.helpers.xdp_changes import LONGEST_FRAME, MAX_METADATA
from equiv.compiled.bpf import maps
from equiv.compiled.bpf.checksums import HELPERS as CHECKSUMS
from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.memory import access
from equiv.compiled.bpf.packet import at_packet, check_context, make_linear, moved, written
from equiv.compiled.bpf.place import STACK_HI

Helper = Callable[[Emit], str]
MOST_COPIED: Final = 0xFFFF
_REDIRECT: Final = {"xdp": 4, "tc": 7}


def _skb_load_bytes(emit: Emit) -> str:
    code = emit.code
    check_context(emit)
    offset, to, size = code.resized(emit.get32(2), 32, 64), emit.get(3), code.resized(emit.get32(4), 32, 64)
    return _copy_out(emit, offset, to, size, code.op("icmp ule", "i64", offset, 0x7FFFFFFF), emit.length)


def _skb_load_bytes_relative(emit: Emit) -> str:
    code = emit.code
    check_context(emit)
    offset, to, size = code.resized(emit.get32(2), 32, 64), emit.get(3), code.resized(emit.get32(4), 32, 64)
    header = emit.get32(5)
    network = code.op("icmp eq", "i32", header, 1)
    known = code.either(network, code.op("icmp eq", "i32", header, 0))
    start = code.op("add", "i64", offset, code.select(network, "i64", ETHERNET_SIZE, 0))
    allowed = code.both(known, code.op("icmp ule", "i64", offset, 0xFFFF))
    return _copy_out(emit, start, to, size, allowed, code.load("i64", emit.last))


def _copy_out(emit: Emit, offset: str, to: str, size: str, allowed: str, length: str) -> str:
    """Copy packet bytes to the program's memory, or clear that and fail."""
    code, result = emit.code, emit.code.slot("i64")
    code.require(code.op("icmp ne", "i64", size, 0), emit.ask)
    buffer = access(emit, to, size, write=True, read=False, whole=False)
    inside, outside, on = code.label("inside"), code.label("outside"), code.label("on")
    end = code.op("add", "i64", offset, size)
    code.branch(code.both(allowed, code.op("icmp ule", "i64", end, length)), inside, outside)
    code.begin(inside)
    code.move(buffer, code.at(emit.packet, offset), size)
    code.store("i64", 0, result)
    code.goto(on)
    code.begin(outside)
    code.fill(buffer, 0, size)
    code.store("i64", -errno.EFAULT, result)
    code.begin(on)
    return code.load("i64", result)


def _skb_store_bytes(emit: Emit) -> str:
    code, result = emit.code, emit.code.slot("i64")
    check_context(emit)
    offset, source = code.resized(emit.get32(2), 32, 64), emit.get(3)
    size, flags = code.resized(emit.get32(4), 32, 64), emit.get(5)
    code.require(code.op("icmp ne", "i64", size, 0), emit.ask)
    code.require(code.op("icmp ule", "i64", size, MOST_COPIED), emit.ask)
    content = access(emit, source, size, write=False, read=True, whole=False)
    moved(emit)
    valid, invalid, fits, on = (code.label(name) for name in ("valid", "invalid", "fits", "on"))
    fails = code.label("fails")
    code.branch(code.op("icmp ult", "i64", flags, 4), valid, invalid)
    code.begin(invalid)
    code.store("i64", -errno.EINVAL, result)
    code.goto(on)
    code.begin(valid)
    code.require(code.op("icmp ule", "i64", offset, 0x7FFFFFFF), fails)
    make_linear(emit, code.op("add", "i64", offset, size), fits, fails)
    code.begin(fits)
    code.move(at_packet(emit, offset), content, size)
    forget = code.op("icmp ne", "i64", code.op("and", "i64", flags, 2), 0)
    before = code.load("i64", emit.fields["hash"])
    code.store("i64", code.select(forget, "i64", 0, before), emit.fields["hash"])
    code.store("i64", 0, result)
    code.goto(on)
    code.begin(fails)
    code.store("i64", -errno.EFAULT, result)
    code.begin(on)
    return code.load("i64", result)


def _skb_pull_data(emit: Emit) -> str:
    code, result = emit.code, emit.code.slot("i64")
    check_context(emit)
    size = code.resized(emit.get32(2), 32, 64)
    moved(emit)
    fits, fails, on = code.label("fits"), code.label("fails"), code.label("on")
    make_linear(emit, size, fits, fails)
    code.begin(fits)
    code.store("i64", 0, result)
    code.goto(on)
    code.begin(fails)
    code.store("i64", -errno.ENOMEM, result)
    code.begin(on)
    return code.load("i64", result)


def _xdp_load_bytes(emit: Emit) -> str:
    code = emit.code
    check_context(emit)
    offset, size = code.resized(emit.get32(2), 32, 64), code.resized(emit.get32(4), 32, 64)
    code.require(code.op("icmp ne", "i64", size, 0), emit.ask)
    result, to = code.slot("i64"), emit.get(3)
    inside, fails, on = code.label("inside"), code.label("fails"), code.label("on")
    problem = _outside(emit, offset, size)
    code.store("i64", problem, result)
    # The buffer is left alone on failure, but must be one that could be written: on the stack that is sure.
    access(emit, to, size, write=False, read=False, whole=False)
    code.branch(code.op("icmp eq", "i64", problem, 0), inside, fails)
    code.begin(fails)
    code.require(code.op("icmp eq", "i64", code.op("lshr", "i64", to, 32), STACK_HI), emit.ask)
    code.goto(on)
    code.begin(inside)
    buffer = access(emit, to, size, write=True, read=False, whole=False)
    _need_known(emit, offset, size)
    code.move(buffer, at_packet(emit, offset), size)
    code.begin(on)
    return code.load("i64", result)


def _xdp_store_bytes(emit: Emit) -> str:
    code = emit.code
    check_context(emit)
    offset, size = code.resized(emit.get32(2), 32, 64), code.resized(emit.get32(4), 32, 64)
    code.require(code.op("icmp ne", "i64", size, 0), emit.ask)
    content = access(emit, emit.get(3), size, write=False, read=True, whole=False)
    result = code.slot("i64")
    inside, on = code.label("inside"), code.label("on")
    problem = _outside(emit, offset, size)
    code.store("i64", problem, result)
    code.branch(code.op("icmp eq", "i64", problem, 0), inside, on)
    code.begin(inside)
    code.move(at_packet(emit, offset), content, size)
    written(emit, offset, size)
    code.begin(on)
    return code.load("i64", result)


def _outside(emit: Emit, offset: str, size: str) -> str:
    """Why bytes of an XDP frame cannot be copied, a negative errno; 0: they can (bpf_xdp_pointer)."""
    code = emit.code
    large = code.either(code.op("icmp ugt", "i64", offset, MOST_COPIED), code.op("icmp ugt", "i64", size, MOST_COPIED))
    length = code.op("sub", "i64", code.load("i64", emit.last), code.load("i64", emit.origin))
    beyond = code.op("icmp ugt", "i64", code.op("add", "i64", offset, size), length)
    return code.select(large, "i64", -errno.EFAULT, code.select(beyond, "i64", -errno.EINVAL, 0))


def _need_known(emit: Emit, offset: str, size: str) -> None:
    if emit.has_holes:
        code = emit.code
        start = code.op("add", "i64", offset, code.load("i64", emit.origin))
        holes = code.at("%own", code.op("add", "i64", start, emit.memory.packet_shadow))
        code.require(code.call("i1", "known", f"ptr {holes}", f"i64 {size}"), emit.ask)


def _xdp_get_buff_len(emit: Emit) -> str:
    code = emit.code
    check_context(emit)
    return code.op("sub", "i64", code.load("i64", emit.last), code.load("i64", emit.origin))


def _delta(emit: Emit) -> str:
    return emit.code.resized(emit.get32(2), 32, 64, signed=True)


def _xdp_adjust_meta(emit: Emit) -> str:
    code, result, on = emit.code, emit.code.slot("i64"), emit.code.label("on")
    check_context(emit)
    origin = code.load("i64", emit.origin)
    start = code.op("add", "i64", code.load("i64", emit.first), _delta(emit))
    moved(emit)
    size = code.op("sub", "i64", origin, start)
    early = code.op("icmp slt", "i64", start, XDP_FRAME_SIZE)
    wrong = code.either(early, code.op("icmp sgt", "i64", start, origin))
    uneven = code.op("icmp ne", "i64", code.op("and", "i64", size, 3), 0)
    denied = code.either(uneven, code.op("icmp ugt", "i64", size, MAX_METADATA))
    code.store("i64", code.select(wrong, "i64", -errno.EINVAL, code.select(denied, "i64", -errno.EACCES, 0)), result)
    good = code.label("good")
    code.branch(code.op("icmp eq", "i64", code.load("i64", result), 0), good, on)
    code.begin(good)
    code.store("i64", start, emit.first)
    code.begin(on)
    return code.load("i64", result)


def _xdp_adjust_head(emit: Emit) -> str:
    code, result, on = emit.code, emit.code.slot("i64"), emit.code.label("on")
    check_context(emit)
    first, origin = code.load("i64", emit.first), code.load("i64", emit.origin)
    delta = _delta(emit)
    size = code.op("sub", "i64", origin, first)
    new = code.op("add", "i64", origin, delta)
    moved(emit)
    lowest = code.op("add", "i64", size, XDP_FRAME_SIZE)
    highest = code.op("sub", "i64", code.load("i64", emit.last), ETHERNET_SIZE)
    fits = code.both(code.op("icmp sge", "i64", new, lowest), code.op("icmp sle", "i64", new, highest))
    good, bad, back, keep = (code.label(name) for name in ("good", "bad", "back", "keep"))
    code.branch(fits, good, bad)
    code.begin(bad)
    code.store("i64", -errno.EINVAL, result)
    code.goto(on)
    code.begin(good)
    # Metadata in front of the packet would have to move with it; programs that do both are for the interpreter.
    code.require(code.op("icmp eq", "i64", size, 0), emit.ask)
    code.branch(code.op("icmp slt", "i64", delta, 0), back, keep)
    code.begin(back)
    holes = code.at("%own", code.op("add", "i64", new, emit.memory.packet_shadow))
    code.fill(holes, 0, code.op("sub", "i64", 0, delta))
    code.begin(keep)
    code.store("i64", new, emit.first)
    code.store("i64", new, emit.origin)
    code.store("i64", 0, result)
    code.begin(on)
    return code.load("i64", result)


def _xdp_adjust_tail(emit: Emit) -> str:
    code, result, on = emit.code, emit.code.slot("i64"), emit.code.label("on")
    check_context(emit)
    last, delta = code.load("i64", emit.last), _delta(emit)
    end = code.op("add", "i64", last, delta)
    moved(emit)
    # As much room as a test run's page has; other room would be said in the context, and that is not compiled.
    short = code.op("icmp ult", "i64", "%length", LONGEST_FRAME)
    room = code.select(short, "i64", code.op("sub", "i64", LONGEST_FRAME, "%length"), 0)
    grown = code.op("sub", "i64", code.op("sub", "i64", end, "%length"), emit.headroom)
    shortest = code.op("add", "i64", code.load("i64", emit.origin), ETHERNET_SIZE)
    fits = code.both(code.op("icmp sle", "i64", grown, room), code.op("icmp sge", "i64", end, shortest))
    good, bad, more, keep = (code.label(name) for name in ("good", "bad", "more", "keep"))
    code.branch(fits, good, bad)
    code.begin(bad)
    code.store("i64", -errno.EINVAL, result)
    code.goto(on)
    code.begin(good)
    code.branch(code.op("icmp sgt", "i64", delta, 0), more, keep)
    code.begin(more)
    code.fill(code.at(emit.packet, last), 0, delta)
    code.fill(code.at("%own", code.op("add", "i64", last, emit.memory.packet_shadow)), 1, delta)
    code.begin(keep)
    code.store("i64", end, emit.last)
    code.store("i64", 0, result)
    code.begin(on)
    return code.load("i64", result)


def _redirect(emit: Emit) -> str:
    """bpf_redirect(r1 device, r2 flags)."""
    code = emit.code
    target, flags = code.resized(emit.get32(1), 32, 64), emit.get(2)
    allowed = 1 if emit.kind == "tc" else 0
    fine = code.op("icmp ule", "i64", flags, allowed)
    for slot, value in zip(emit.redirect, (target, flags)):
        code.store("i64", code.select(fine, "i64", value, code.load("i64", slot)), slot)
    return code.select(fine, "i64", _REDIRECT[emit.kind], 2 if emit.kind == "tc" else 0)


_KINDS: Final = {
    **dict.fromkeys((1, 2, 3, 28), frozenset({"xdp", "tc", "socket_filter", "flow_dissector"})),
    **dict.fromkeys((26, 68), frozenset({"tc", "socket_filter"})),
    **dict.fromkeys((9, 10, 11, 39), frozenset({"tc"})),
    **dict.fromkeys((44, 54, 65, 188, 189, 190), frozenset({"xdp"})),
    23: frozenset({"xdp", "tc"}),
}
"""Which programs a helper is compiled for; a flow dissector's packet loads have limits of their own."""


def helper_for(number: int, kind: str) -> Helper | None:
    """The helper in programs of this kind, where it is compiled."""
    return _HELPERS[number] if kind in _KINDS.get(number, ()) else None


_HELPERS: Final[dict[int, Helper]] = {
    1: maps.lookup,
    2: maps.update,
    3: maps.delete,
    9: _skb_store_bytes,
    23: _redirect,
    26: _skb_load_bytes,
    39: _skb_pull_data,
    44: _xdp_adjust_head,
    54: _xdp_adjust_meta,
    65: _xdp_adjust_tail,
    68: _skb_load_bytes_relative,
    188: _xdp_get_buff_len,
    189: _xdp_load_bytes,
    190: _xdp_store_bytes,
    **CHECKSUMS,
}
