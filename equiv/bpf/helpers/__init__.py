"""Helper functions as the symbolic machine models them, by number (D33, D60).

`equiv.bpf.helper_table` says what each does; here is how, in terms. Error codes are negative errno values as 64-bit
numbers. What is not here ends the run, naming the helper.
"""

from __future__ import annotations

from equiv.bpf.environment import Environment
from equiv.bpf.helper_names import helper_name
from equiv.bpf.helper_table import TABLE, has_helper
from equiv.bpf.helpers import (
    environment,
    maps,
    oracles,
    packet_reads,
    redirects,
    skb_changes,
    sockets,
    time_stamps,
    vlan,
    xdp_changes,
)
from equiv.bpf.helpers.common import Helper
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import STALE, Value

__all__ = ["HELPERS", "call_helper"]

HELPERS: dict[int, Helper] = {
    **maps.HELPERS,
    **packet_reads.HELPERS,
    **xdp_changes.HELPERS,
    **redirects.HELPERS,
    **skb_changes.HELPERS,
    **vlan.HELPERS,
    **environment.HELPERS,
    **oracles.HELPERS,
    **sockets.HELPERS,
    **time_stamps.HELPERS,
}


def call_helper(env: Environment, state: State, number: int) -> Value:
    """What the helper returns; its effects are made on `state`."""
    helper = HELPERS.get(number)
    if helper is None:
        raise stuck(f"calls {helper_name(number)}, which is not modelled")
    if not has_helper(env.interface.program_type, number):
        raise fault(f"calls {helper_name(number)}, which this program type has not")
    result = helper(env, state)
    if TABLE[number].moves_packet:
        state.replace_values("pkt", STALE)
    return result
