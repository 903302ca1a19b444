"""Helpers that change an XDP frame, as the interpreter runs them (net/core/filter.c)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf import insn as op
from equiv.bpf.interpret.alu import M32, M64, signed
from equiv.bpf.interpret.contexts import ETHERNET_SIZE, XDP_FRAME_SIZE
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper, set_packet_bytes, xdp_of

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run
    from equiv.bpf.interpret.memory import Region

MAX_METADATA: Final = 252
"""Largest XDP metadata (`xdp_metalen_invalid`, include/net/xdp.h, since Linux 6.3); the headroom may allow less."""

ADJUST_META: Final = 54
HEADROOM: Final = "headroom"
"""Among the oracles: what memory in front of the packet holds, by the distance from its start."""
MOVED: Final = "moves of the packet's start"

LONGEST_FRAME: Final = 3520
"""Bytes of a page less XDP_PACKET_HEADROOM and skb_shared_info: how long a frame in one page can get (a test run's)."""


def _adjust_meta(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    packet = xdp_of(run, a).packet
    start = packet.start + signed(b, 32)
    run.memory.move(packet)
    if start < XDP_FRAME_SIZE or start > packet.origin:
        return -errno.EINVAL & M64
    size = packet.origin - start
    if size % 4 or size > MAX_METADATA:
        return -errno.EACCES & M64
    packet.start = start
    return 0


def _adjust_head(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    xdp, delta = xdp_of(run, a), signed(b, 32)
    packet = xdp.packet
    size = packet.origin - packet.start
    origin = packet.origin + delta
    run.memory.move(packet)
    if origin < XDP_FRAME_SIZE + size or origin > packet.end - ETHERNET_SIZE:
        return -errno.EINVAL & M64
    assert packet.defined is not None
    metadata = packet.data[packet.start : packet.origin], packet.defined[packet.start : packet.origin]
    if delta < 0:  # what was there before the packet came in, or its old metadata
        packet.defined[origin : packet.origin] = bytes(-delta)
        if (
            packet.origin == xdp.headroom
            and not run.counts.get(MOVED)
            and not op.calls_helper(run.program.insns, ADJUST_META)
        ):
            _show_headroom(run, packet, origin)
    if delta:
        run.counts[MOVED] = 1
    packet.data[origin - size : origin], packet.defined[origin - size : origin] = metadata
    packet.start, packet.origin = origin - size, origin
    return 0


def _show_headroom(run: Run, packet: Region, origin: int) -> None:
    """What memory from `origin` to the packet's start holds, where the input says it (D334)."""
    assert packet.defined is not None
    answers, otherwise = run.given.oracles.get(HEADROOM, {}), run.given.context.get("helper.*")
    for at in range(origin, packet.origin):
        byte = answers.get(1 << 16 | packet.origin - at, otherwise)
        if byte is not None:
            packet.data[at], packet.defined[at] = byte & 0xFF, 1


def _adjust_tail(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    xdp, delta = xdp_of(run, a), signed(b, 32)
    packet = xdp.packet
    end = packet.end + delta
    room = run.given.context.get("tailroom", max(0, LONGEST_FRAME - len(run.given.packet)))
    run.memory.move(packet)
    if end - len(run.given.packet) - xdp.headroom > room or end < packet.origin + ETHERNET_SIZE:
        return -errno.EINVAL & M64
    assert packet.defined is not None
    if end > packet.end:
        packet.data[packet.end :], packet.defined[packet.end :] = bytes(delta), b"\x01" * delta
    else:
        del packet.data[end:], packet.defined[end:]
    packet.end = end
    return 0


def _store_bytes(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    xdp, offset, size = xdp_of(run, a), b & M32, d & M32
    if not size:
        raise Fault("calls a helper with a buffer of no bytes")
    content = run.memory.read_bytes(c, size)
    if offset > 0xFFFF or size > 0xFFFF:
        return -errno.EFAULT & M64
    if offset + size > xdp.length:
        return -errno.EINVAL & M64
    set_packet_bytes(run, offset, content)
    return 0


def _get_buff_len(run: Run, a: int, *_: int) -> int:
    return xdp_of(run, a).length


HELPERS: Final[dict[int, Helper]] = {
    44: _adjust_head,
    54: _adjust_meta,
    65: _adjust_tail,
    188: _get_buff_len,
    190: _store_bytes,
}
