"""Helpers that read the packet, as the interpreter runs them (net/core/filter.c)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper, packet_bytes, skb_of, xdp_of
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run


def _copy_or_clear(run: Run, to: int, size: int, content: bytes | None) -> int:
    """What the skb_load_bytes family does: copies, or clears the buffer and fails."""
    if not size:
        raise Fault("calls a helper with a buffer of no bytes")
    run.memory.write_bytes(to, bytes(size) if content is None else content)
    return -errno.EFAULT & M64 if content is None else 0


def _skb_load_bytes(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    skb, offset, size = skb_of(run, a), b & M32, d & M32
    # Flow dissectors refuse offsets that do not fit 16 bits (bpf_flow_dissector_load_bytes).
    limit = 0xFFFF if skb.kind == "flow_dissector" else 0x7FFFFFFF
    inside = offset <= limit and offset + size <= skb.length
    if skb.kind == "flow_dissector" and run.given.context.get("no_skb"):
        inside = False  # the packet is given as a buffer; so it is in a test run
    return _copy_or_clear(run, c, size, packet_bytes(run, offset, size) if inside else None)


def _skb_load_bytes_relative(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    skb, offset, size, header = skb_of(run, a), b & M32, d & M32, e & M32
    if skb.kind == "flow_dissector":
        raise Fault("calls bpf_skb_load_bytes_relative in a flow dissector")
    start = {0: 0, 1: skb.network}.get(header)
    # Unlike skb_load_bytes it reads the linear part only.
    inside = start is not None and offset <= 0xFFFF and start + offset + size <= skb.packet.end - skb.packet.origin
    content = packet_bytes(run, start + offset, size) if inside and start is not None else None
    return _copy_or_clear(run, c, size, content)


def _xdp_load_bytes(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    xdp, offset, size = xdp_of(run, a), b & M32, d & M32
    if not size:
        raise Fault("calls a helper with a buffer of no bytes")
    run.memory.check_writable(c, size)
    # bpf_xdp_pointer (net/core/filter.c); the buffer is left alone on failure.
    if offset > 0xFFFF or size > 0xFFFF:
        return -errno.EFAULT & M64
    if offset + size > xdp.length:
        return -errno.EINVAL & M64
    run.memory.write_bytes(c, packet_bytes(run, offset, size))
    return 0


def _fold(total: int) -> int:
    """A ones' complement sum as 16 bits; it is 0 only where every summand was."""
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _csum_diff(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    old_size, new_size, seed = b & M32, d & M32, e & M32
    if old_size % 4 or new_size % 4:
        # Linux before 6.13 gives -EINVAL, as the manual says; later it sums whatever there is.
        raise NotRunnable("calls bpf_csum_diff with a size that is no multiple of 4")

    def total(address: int, size: int) -> int:
        content = run.memory.read_bytes(address, size)
        return sum(int.from_bytes(content[i : i + 4], run.memory.order) for i in range(0, size, 4))

    if not old_size and not new_size:
        return _fold(seed)
    if not old_size:
        return _fold(seed + total(c, new_size))
    if not new_size:
        return _fold(~_fold32((~seed & M32) + total(a, old_size)) & M32)
    added, removed = _fold32(seed + total(c, new_size)), _fold32(total(a, old_size))
    return _fold(_fold32(added + (~removed & M32)))


def _fold32(total: int) -> int:
    while total >> 32:
        total = (total & M32) + (total >> 32)
    return total


HELPERS: Final[dict[int, Helper]] = {
    26: _skb_load_bytes,
    28: _csum_diff,
    68: _skb_load_bytes_relative,
    189: _xdp_load_bytes,
}
"""bpf_csum_diff is that of Linux 6.13 and later: its result is folded to 16 bits."""
