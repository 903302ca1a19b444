"""Helpers that move or resize the packet, as the symbolic machine models them (net/core/filter.c)."""

from __future__ import annotations

from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import EACCES, EINVAL, ENOMEM, Helper, argument, check_context, error
from equiv.bpf.state import State, stuck
from equiv.bpf.values import ZERO, Value
from equiv.machine.inputs import packet_length
from equiv.term import extract, ite, signed, ule, ult

SURE_METADATA = 216
"""Bytes of metadata that fit XDP_PACKET_HEADROOM (256) beside struct xdp_frame (40). Beyond, it is up to the driver."""


def _skb_pull_data(env: Environment, state: State) -> Value:
    """bpf_skb_pull_data, net/core/filter.c: afterwards at least that many bytes are linear. Memory never runs out."""
    check_context(state)
    size = argument(state, 2)
    fits = state.ask("long enough", ule(size, packet_length()))
    if not fits:
        return error(ENOMEM)
    end = env.packet_end(state)
    state.linear = ite(ult(end, size), size, end)
    return ZERO


def _xdp_adjust_meta(env: Environment, state: State) -> Value:
    """bpf_xdp_adjust_meta, net/core/filter.c; the size rules are those of xdp_metalen_invalid, include/net/xdp.h."""
    check_context(state)
    delta = extract(31, 0, state.scalar(2))
    if not delta.is_const:
        raise stuck("calls bpf_xdp_adjust_meta with a size that depends on the input")
    size = state.meta_size - signed(delta.value, 32)
    if size > SURE_METADATA:
        raise stuck(f"asks for {size} bytes of metadata: whether there is room depends on the driver")
    if size < 0:
        return error(EINVAL)
    if size % 4:
        return error(EACCES)
    state.meta_size = size
    return ZERO


HELPERS: dict[int, Helper] = {
    39: _skb_pull_data,
    54: _xdp_adjust_meta,
}
