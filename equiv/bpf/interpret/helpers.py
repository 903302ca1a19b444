"""Helper functions of the kernel, by number (include/uapi/linux/bpf.h), over one run's memory and context.

A helper takes the run and the values of r1..r5 and gives what goes to r0, unsigned 64 bits; errors are negative
errno. Whatever is not here is not modelled, and calling it ends the run with NotRunnable.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64, signed
from equiv.bpf.interpret.contexts import XDP_FRAME_SIZE, SkbContext, XdpContext
from equiv.bpf.interpret.faults import Fault, unmodelled
from equiv.bpf.interpret.maps import MapState
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

Helper = Callable[["Run", int, int, int, int, int], int]

ETHERNET_SIZE: Final = 14
MAX_METADATA: Final = 252
"""Largest XDP metadata (`xdp_metalen_invalid`, include/net/xdp.h, since Linux 6.3); the headroom may allow less."""


def _map(run: Run, address: int) -> MapState:
    found = run.map_at.get(address)
    if found is None:
        raise Fault("calls a map helper with something that is not a map")
    return found


def _check_context(run: Run, address: int) -> None:
    if address != run.context_address:
        raise Fault("calls a helper with something that is not the context")


def _skb(run: Run, address: int) -> SkbContext:
    _check_context(run, address)
    if not isinstance(run.context, SkbContext):
        raise Fault("calls an skb helper in an XDP program")
    return run.context


def _xdp(run: Run, address: int) -> XdpContext:
    _check_context(run, address)
    if not isinstance(run.context, XdpContext):
        raise Fault("calls an XDP helper in a program of another type")
    return run.context


def _map_lookup_elem(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    state = _map(run, a)
    region = state.lookup(run.memory.read_bytes(b, state.spec.key_size))
    return 0 if region is None else region.base


def _map_update_elem(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    state = _map(run, a)
    key = run.memory.read_bytes(b, state.spec.key_size)
    return state.update(key, run.memory.read_bytes(c, state.spec.value_size), d & M64) & M64


def _map_delete_elem(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    state = _map(run, a)
    return state.delete(run.memory.read_bytes(b, state.spec.key_size)) & M64


def _from_environment(name: str, mask: int = M64) -> Helper:
    """A helper whose result is not a function of the input and which changes nothing that is observed.

    The input may fix the result, as context field `helper.NAME`; else only using it is an error.
    """

    def helper(run: Run, *_: int) -> int:
        value = run.given.context.get(f"helper.{name}")
        if value is None:
            return unmodelled(f"uses the result of bpf_{name}, which is not a function of the packet")
        return value & mask

    return helper


def _perf_event_output(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    _check_context(run, a)
    run.memory.read_bytes(d, e & M32)
    return unmodelled("uses the result of bpf_perf_event_output, which is not a function of the packet")


def _trace_printk(run: Run, a: int, b: int, *_: int) -> int:
    text = run.memory.read_bytes(a, b & M32)
    if b"%" in text:
        return unmodelled("uses the result of bpf_trace_printk")
    return len(text.split(b"\x00")[0])


def _copy_or_clear(run: Run, to: int, size: int, content: bytes | None) -> int:
    """What the skb_load_bytes family does: copies, or clears the buffer and fails."""
    if not size:
        raise Fault("calls a helper with a buffer of no bytes")
    run.memory.write_bytes(to, bytes(size) if content is None else content)
    return -errno.EFAULT & M64 if content is None else 0


def _packet_bytes(run: Run, offset: int, size: int) -> bytes:
    """Packet bytes as helpers read them, paged ones too; writes of the program to the linear part are seen."""
    packet = run.context.packet
    if packet.read is not None:
        packet.read.update(range(offset, offset + size))
    return bytes(packet.data[packet.origin + offset : packet.origin + offset + size])


def _skb_load_bytes(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    skb, offset, size = _skb(run, a), b & M32, d & M32
    # Flow dissectors refuse offsets that do not fit 16 bits (bpf_flow_dissector_load_bytes).
    limit = 0xFFFF if skb.kind == "flow_dissector" else 0x7FFFFFFF
    inside = offset <= limit and offset + size <= skb.length
    if skb.kind == "flow_dissector" and run.given.context.get("no_skb"):
        inside = False  # the packet is given as a buffer; so it is in a test run
    return _copy_or_clear(run, c, size, _packet_bytes(run, offset, size) if inside else None)


def _skb_load_bytes_relative(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    skb, offset, size, header = _skb(run, a), b & M32, d & M32, e & M32
    if skb.kind == "flow_dissector":
        raise Fault("calls bpf_skb_load_bytes_relative in a flow dissector")
    start = {0: 0, 1: ETHERNET_SIZE}.get(header)
    # Unlike skb_load_bytes it reads the linear part only.
    inside = start is not None and offset <= 0xFFFF and start + offset + size <= skb.packet.end - skb.packet.origin
    content = _packet_bytes(run, start + offset, size) if inside and start is not None else None
    return _copy_or_clear(run, c, size, content)


def _skb_pull_data(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    skb, size = _skb(run, a), b & M32
    if skb.kind != "tc":
        raise Fault("calls bpf_skb_pull_data in a program of another type than tc")
    if size > skb.length:
        return -errno.ENOMEM & M64
    skb.packet.end = max(skb.packet.end, skb.packet.origin + size)
    return 0


def _xdp_load_bytes(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    xdp, offset, size = _xdp(run, a), b & M32, d & M32
    if not size:
        raise Fault("calls a helper with a buffer of no bytes")
    run.memory.check_writable(c, size)
    # bpf_xdp_pointer (net/core/filter.c); the buffer is left alone on failure.
    if offset > 0xFFFF or size > 0xFFFF:
        return -errno.EFAULT & M64
    if offset + size > xdp.length:
        return -errno.EINVAL & M64
    run.memory.write_bytes(c, _packet_bytes(run, offset, size))
    return 0


def _xdp_adjust_meta(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    packet = _xdp(run, a).packet
    start = packet.start + signed(b, 32)
    if start < XDP_FRAME_SIZE or start > packet.origin:
        return -errno.EINVAL & M64
    size = packet.origin - start
    if size % 4 or size > MAX_METADATA:
        return -errno.EACCES & M64
    packet.start = start
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
    1: _map_lookup_elem,
    2: _map_update_elem,
    3: _map_delete_elem,
    5: _from_environment("ktime_get_ns"),
    6: _trace_printk,
    7: _from_environment("get_prandom_u32", M32),
    8: _from_environment("get_smp_processor_id", M32),
    25: _perf_event_output,
    26: _skb_load_bytes,
    28: _csum_diff,
    39: _skb_pull_data,
    42: _from_environment("get_numa_node_id", M32),
    54: _xdp_adjust_meta,
    68: _skb_load_bytes_relative,
    118: _from_environment("jiffies64"),
    125: _from_environment("ktime_get_boot_ns"),
    160: _from_environment("ktime_get_coarse_ns"),
    189: _xdp_load_bytes,
}
"""The modelled helpers. bpf_csum_diff is that of Linux 6.13 and later: its result is folded to 16 bits."""
