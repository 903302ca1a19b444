"""bpf_skb_set_tstamp, as the symbolic machine models it (net/core/filter.c, D400)."""

from __future__ import annotations

from equiv.bpf.context import set_observed
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import EINVAL, EOPNOTSUPP, Helper, check_context, error
from equiv.bpf.helpers.skb_changes import IPV4, IPV6, is_protocol
from equiv.bpf.state import State, stuck
from equiv.bpf.time_stamps import REALTIME, TAI
from equiv.bpf.values import ZERO, Value
from equiv.term import const, eq, extract


def _set_tstamp(env: Environment, state: State) -> Value:
    """The time and its clock at once, as bpf_skb_set_tstamp of Linux 6.11 and later does it (D400)."""
    check_context(state)
    stamp, kind = state.scalar(2), extract(31, 0, state.scalar(3))
    if not kind.is_const:
        raise stuck("calls bpf_skb_set_tstamp with a clock that depends on the input")
    if not state.ask("is IP", is_protocol(env, state, IPV4, IPV6)):
        return error(EOPNOTSUPP)
    if kind.value > TAI or (kind.value != REALTIME and state.ask("no time", eq(stamp, ZERO))):
        return error(EINVAL)
    set_observed(env, state, "tstamp", stamp)
    set_observed(env, state, "tstamp_type", const(kind.value, 8))
    return ZERO


HELPERS: dict[int, Helper] = {192: _set_tstamp}
