"""Helpers that move or resize the packet, as the interpreter runs them (net/core/filter.c)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64, signed
from equiv.bpf.interpret.contexts import XDP_FRAME_SIZE
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper, skb_of, xdp_of

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

MAX_METADATA: Final = 252
"""Largest XDP metadata (`xdp_metalen_invalid`, include/net/xdp.h, since Linux 6.3); the headroom may allow less."""


def _skb_pull_data(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    skb, size = skb_of(run, a), b & M32
    if skb.kind != "tc":
        raise Fault("calls bpf_skb_pull_data in a program of another type than tc")
    if size > skb.length:
        return -errno.ENOMEM & M64
    skb.packet.end = max(skb.packet.end, skb.packet.origin + size)
    return 0


def _xdp_adjust_meta(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    packet = xdp_of(run, a).packet
    start = packet.start + signed(b, 32)
    if start < XDP_FRAME_SIZE or start > packet.origin:
        return -errno.EINVAL & M64
    size = packet.origin - start
    if size % 4 or size > MAX_METADATA:
        return -errno.EACCES & M64
    packet.start = start
    return 0


HELPERS: Final[dict[int, Helper]] = {
    39: _skb_pull_data,
    54: _xdp_adjust_meta,
}
