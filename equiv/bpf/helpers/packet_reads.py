"""Helpers that read the packet, as the symbolic machine models them (net/core/filter.c)."""

from __future__ import annotations

from equiv.bpf import checksum
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import (
    EFAULT,
    EINVAL,
    Helper,
    argument,
    bytes_at,
    check_buffer,
    check_context,
    error,
    fill,
    inside,
    memory,
    size_argument,
)
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD, ZERO, Value
from equiv.term import Term, bvadd, conj, const, extract, resize, ule


def _skb_load_bytes(env: Environment, state: State) -> Value:
    """bpf_skb_load_bytes and bpf_flow_dissector_load_bytes, net/core/filter.c: zeroes the buffer on failure."""
    check_context(state)
    offset, size = argument(state, 2), size_argument(state, 4, "bpf_skb_load_bytes")
    limit = 0xFFFF if env.interface.context == "flow_dissector" else 0x7FFFFFFF
    return _load_bytes(env, state, offset, size, inside(offset, size, limit, env.length(state)))


def _load_bytes(env: Environment, state: State, offset: Term, size: int, inside: Term) -> Value:
    check_buffer(state, 3, size)
    if state.ask("in packet", inside):
        fill(env, state, 3, bytes_at(env, state, offset, size))
        return ZERO
    fill(env, state, 3, [const(0, 8)] * size)
    return error(EFAULT)


def _skb_load_bytes_relative(env: Environment, state: State) -> Value:
    """bpf_skb_load_bytes_relative, net/core/filter.c: reads the linear part only."""
    check_context(state)
    size = size_argument(state, 4, "bpf_skb_load_bytes_relative")
    header = extract(31, 0, state.scalar(5))
    if not header.is_const or header.value > 1:
        raise stuck("calls bpf_skb_load_bytes_relative from a start that is not known")
    relative = argument(state, 2)
    offset = bvadd(relative, const(state.network * header.value, WORD))
    end = env.packet_end(state)
    inside = conj(ule(relative, const(0xFFFF, WORD)), ule(bvadd(offset, const(size, WORD)), end))
    return _load_bytes(env, state, offset, size, inside)


def _xdp_load_bytes(env: Environment, state: State) -> Value:
    """__bpf_xdp_load_bytes and bpf_xdp_pointer, net/core/filter.c: leaves the buffer alone on failure."""
    check_context(state)
    offset, size = argument(state, 2), size_argument(state, 4, "bpf_xdp_load_bytes")
    check_buffer(state, 3, size)
    if size > 0xFFFF or not state.ask("offset fits", ule(offset, const(0xFFFF, WORD))):
        return error(EFAULT)
    if not state.ask("in packet", ule(bvadd(offset, const(size, WORD)), env.length(state))):
        return error(EINVAL)
    fill(env, state, 3, bytes_at(env, state, offset, size))
    return ZERO


def _csum_diff(env: Environment, state: State) -> Value:
    """bpf_csum_diff, net/core/filter.c, as of Linux 6.13; before, the result was not folded."""
    old_size = size_argument(state, 2, "bpf_csum_diff", zero=True)
    new_size = size_argument(state, 4, "bpf_csum_diff", zero=True)
    if old_size % 4 or new_size % 4:
        raise stuck("calls bpf_csum_diff with a size that is no multiple of 4: what it gives depends on the kernel")
    seed = extract(31, 0, state.scalar(5))
    old = checksum.words(memory(env, state, 1, old_size), env.little)
    new = checksum.words(memory(env, state, 3, new_size), env.little)
    return resize(checksum.csum_diff(old, new, seed), WORD)


HELPERS: dict[int, Helper] = {
    26: _skb_load_bytes,
    28: _csum_diff,
    68: _skb_load_bytes_relative,
    189: _xdp_load_bytes,
}
