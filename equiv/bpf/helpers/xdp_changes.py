"""Helpers that change an XDP frame, as the symbolic machine models them (net/core/filter.c, D61)."""

from __future__ import annotations

from equiv.bpf import insn as op
from equiv.bpf import packet
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import (
    EACCES,
    EFAULT,
    EINVAL,
    Helper,
    argument,
    check_context,
    error,
    memory,
    size_argument,
)
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD, ZERO, Value
from equiv.machine.inputs import packet_length
from equiv.term import Term, bvadd, bvsub, const, extract, sign_extend, signed, sle, slt, ule, var

ETHERNET_HEADER = 14
ADJUST_META = 54

SURE_METADATA = 216
"""Bytes that fit XDP_PACKET_HEADROOM (256) beside struct xdp_frame (40). Beyond, it is up to the driver."""

TAILROOM = var("ctx.tailroom", WORD, 0, 0xFFFF)
"""By how many bytes the frame can grow at its end: the driver's, so an input that both sides share."""


def _adjust_meta(env: Environment, state: State) -> Value:
    """bpf_xdp_adjust_meta, net/core/filter.c; the size rules are those of xdp_metalen_invalid, include/net/xdp.h."""
    check_context(state)
    delta = extract(31, 0, state.scalar(2))
    if not delta.is_const:
        raise stuck("calls bpf_xdp_adjust_meta with a size that depends on the input")
    size = state.meta_size - signed(delta.value, 32)
    _check_headroom(state, state.head, size, "metadata")
    if size < 0:
        return error(EINVAL)
    if size % 4:
        return error(EACCES)
    state.meta_size = size
    return ZERO


def _check_headroom(state: State, head: Term, meta_size: int, what: str) -> None:
    """Stop unless a packet that starts at `head`, with that much metadata, surely fits the headroom."""
    if state.knows(sle(const(meta_size - SURE_METADATA, WORD), head)) is not True:
        raise stuck(f"asks for more {what} than surely fits: whether there is room depends on the driver")


def _adjust_head(env: Environment, state: State) -> Value:
    check_context(state)
    delta = sign_extend(32, extract(31, 0, state.scalar(2)))
    if state.meta_size and delta is not ZERO:
        raise stuck("moves the packet's start while there is metadata in front of it")
    length = env.length(state)
    shorter = bvsub(length, delta)
    if delta.is_const:
        grows = signed(delta.value, WORD) < 0
    else:
        grows = state.ask("grows", slt(delta, ZERO))
        if grows:
            raise stuck("moves the packet's start forward by an amount that depends on the input")
    head = bvadd(state.head, delta)
    if grows:
        _check_headroom(state, head, 0, "headroom")
    elif not state.ask("long enough", ule(bvadd(delta, const(ETHERNET_HEADER, WORD)), length)):
        return error(EINVAL)
    if delta is not ZERO:
        untouched = grows and packet.is_where_it_came(state) and not op.calls_helper(env.program.insns, ADJUST_META)
        packet.move(state, 0, bvsub(ZERO, delta), zero=False, headroom=untouched)
        if untouched:
            env.noted.add("what memory in front of the packet holds is the same on both sides")
    state.head, state.length = head, shorter
    return ZERO


def _adjust_tail(env: Environment, state: State) -> Value:
    check_context(state)
    delta = sign_extend(32, extract(31, 0, state.scalar(2)))
    length = env.length(state)
    if state.ask("grows", slt(ZERO, delta)):
        end = bvadd(length, delta)
        beyond = bvsub(bvadd(end, state.head), packet_length())
        if state.ask("has room", slt(TAILROOM, beyond)):
            return error(EINVAL)
        packet.clear_from(state, length)
        state.length = end
        return ZERO
    if not state.ask("long enough", sle(const(ETHERNET_HEADER, WORD), bvadd(length, delta))):
        return error(EINVAL)
    state.length = bvadd(length, delta)
    return ZERO


def _store_bytes(env: Environment, state: State) -> Value:
    """__bpf_xdp_store_bytes and bpf_xdp_pointer, net/core/filter.c."""
    check_context(state)
    offset, size = argument(state, 2), size_argument(state, 4, "bpf_xdp_store_bytes")
    content = memory(env, state, 3, size)
    if size > 0xFFFF or not state.ask("offset fits", ule(offset, const(0xFFFF, WORD))):
        return error(EFAULT)
    if not state.ask("in packet", ule(bvadd(offset, const(size, WORD)), env.length(state))):
        return error(EINVAL)
    packet.store_bytes(state, offset, content, env.little)
    return ZERO


def _get_buff_len(env: Environment, state: State) -> Value:
    check_context(state)
    return env.length(state)


HELPERS: dict[int, Helper] = {
    44: _adjust_head,
    54: _adjust_meta,
    65: _adjust_tail,
    188: _get_buff_len,
    190: _store_bytes,
}
