"""Helper functions of the kernel, by number, over one run's memory and context (D60).

`equiv.bpf.helper_table` says what each does; this is how the interpreter does it. What is not here is not modelled,
and calling it ends the run with NotRunnable.
"""

from __future__ import annotations

from typing import Final

from equiv.bpf.interpret.helpers import (
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
from equiv.bpf.interpret.helpers.common import Helper

__all__ = ["HELPERS"]

HELPERS: Final[dict[int, Helper]] = {
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
