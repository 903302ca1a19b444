"""Helpers that change an skb, as the interpreter runs them (net/core/filter.c). Memory never runs out."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64, signed
from equiv.bpf.interpret.contexts import ETHERNET_SIZE, SkbContext
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper, packet_bytes, set_packet_bytes, skb_of
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

ENOTSUPP: Final = 524
"""The kernel's own, which user space has no name for."""
LONGEST_SKB: Final = 16064
"""BPF_SKB_MAX_LEN: SKB_MAX_ALLOC with pages of 4096 bytes."""
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"
NETWORK_HEADER: Final = {IPV4: 20, IPV6: 40}
"""Sizes of the fixed headers, by protocol."""
RECOMPUTE_CSUM, INVALIDATE_HASH = 1, 2
OTHERHOST: Final = 3


def _tc(run: Run, address: int) -> SkbContext:
    skb = skb_of(run, address)
    if skb.kind != "tc":
        raise Fault("calls a helper that only tc programs have")
    return skb


def _make_linear(skb: SkbContext, size: int) -> bool:
    """Whether the skb has `size` bytes; then they are linear."""
    if size > skb.length:
        return False
    skb.packet.end = max(skb.packet.end, size)
    return True


def _pull_data(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    skb, size = _tc(run, a), b & M32
    run.memory.move(skb.packet)
    return 0 if _make_linear(skb, size) else -errno.ENOMEM & M64


def _store_bytes(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    skb, offset, size, flags = _tc(run, a), b & M32, d & M32, e & M64
    if not size:
        raise Fault("calls a helper with a buffer of no bytes")
    content = run.memory.read_bytes(c, size)
    run.memory.move(skb.packet)
    if flags & ~(RECOMPUTE_CSUM | INVALIDATE_HASH):
        return -errno.EINVAL & M64
    if offset > 0x7FFFFFFF or not _make_linear(skb, offset + size):
        return -errno.EFAULT & M64
    set_packet_bytes(run, offset, content)
    if flags & INVALIDATE_HASH:
        skb.fields["hash"] = 0
    return 0


def _end_around(total: int) -> int:
    """A sum of 32-bit numbers with its carries added back in, folded to 16 bits."""
    while total >> 32:
        total = (total & M32) + (total >> 32)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _replaced(old: int, removed: int, added: int, width: int) -> int:
    """A checksum after a field of `width` bits changed: csum_replace2 and csum_replace4, include/net/checksum.h."""
    mask = (1 << width) - 1
    removed, added = removed & mask, added & mask
    if width == 32:
        once = (~old & M32) + (~removed & M32)
        once = (once & M32) + (once >> 32)
        return ~_end_around(once + added) & 0xFFFF
    once = (~old & 0xFFFF) + (~removed & 0xFFFF)
    once = (once & 0xFFFF) + (once >> 16)
    once += added
    return ~((once & 0xFFFF) + (once >> 16)) & 0xFFFF


def _l3_csum_replace(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    return _csum_replace(run, a, b, c, d, e, e & M64 & ~0xF, layer4=False)


def _l4_csum_replace(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
    return _csum_replace(run, a, b, c, d, e, e & M64 & ~0xFF, layer4=True)


def _csum_replace(run: Run, a: int, b: int, c: int, d: int, e: int, unknown: int, *, layer4: bool) -> int:
    skb, offset, removed, added, flags = _tc(run, a), b & M32, c & M64, d & M64, e & M64
    run.memory.move(skb.packet)
    if unknown:
        return -errno.EINVAL & M64
    if offset > 0xFFFF or offset & 1 or not _make_linear(skb, offset + 2):
        return -errno.EFAULT & M64
    old = int.from_bytes(packet_bytes(run, offset, 2), run.memory.order)
    zero_means_none = layer4 and flags & 0x20
    if zero_means_none and not flags & 0x40 and not old:
        return 0
    match flags & 0xF:
        case 0 if not removed:
            new = ~_end_around((added & M32) + (~old & M32)) & 0xFFFF
        case 2:
            new = _replaced(old, removed & 0xFFFF, added & 0xFFFF, 32 if layer4 else 16)
        case 4:
            new = _replaced(old, removed, added, 32)
        case _:
            return -errno.EINVAL & M64
    if zero_means_none and not new:
        new = 0xFFFF
    set_packet_bytes(run, offset, new.to_bytes(2, run.memory.order))
    return 0


def _change_tail(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    skb, length, flags = _tc(run, a), b & M32, c & M64
    if skb.network != ETHERNET_SIZE or run.effects.get("encapsulation"):
        raise NotRunnable("resizes a packet whose headers have moved")
    packet = skb.packet
    run.memory.move(packet)
    if flags or length > LONGEST_SKB or length < ETHERNET_SIZE:
        return -errno.EINVAL & M64
    packet.data[:] = packet.data[:length].ljust(length, b"\x00")
    packet.end = length
    return 0


def insert(skb: SkbContext, at: int, size: int) -> None:
    """Put `size` zeros at offset `at`, which is in the linear part."""
    packet = skb.packet
    packet.data[at:at] = bytes(size)
    packet.end += size
    packet.input_start = None


def remove(skb: SkbContext, at: int, size: int) -> None:
    """Take `size` linear bytes out at offset `at`."""
    packet = skb.packet
    del packet.data[at : at + size]
    packet.end -= size
    packet.input_start = None


def _change_head(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    skb, size, flags = _tc(run, a), b & M32, c & M64
    run.memory.move(skb.packet)
    if flags or skb.length + size > LONGEST_SKB:
        return -errno.EINVAL & M64
    insert(skb, 0, size)
    skb.network += size
    return 0


def _adjust_room(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    skb, delta, mode, flags = _tc(run, a), signed(b, 32), c & M32, d & M64
    if flags & ~(0x1FF | 0xFF << 56) or (delta < 0 and flags & ~0x1A1):
        raise NotRunnable(f"calls bpf_skb_adjust_room with flags {flags:#x}")
    if skb.fields.get("gso_size"):
        raise NotRunnable("calls bpf_skb_adjust_room on a GSO packet")
    run.memory.move(skb.packet)
    protocol = skb.fields["protocol"].to_bytes(2, run.memory.order)
    if abs(delta) > 0xFFF:
        return -errno.EFAULT & M64
    if protocol not in NETWORK_HEADER or mode > 1:
        return -ENOTSUPP & M64
    smallest = NETWORK_HEADER[protocol]
    at = skb.network + (0 if mode else smallest)
    behind = skb.length - skb.network
    inner_protocol = protocol
    if flags & 0x180:
        if delta >= 0 or flags & 0x180 == 0x180:
            return -errno.EINVAL & M64
        inner_protocol = IPV4 if flags & 0x80 else IPV6
    if delta < 0:
        if -delta >= behind or behind + delta < NETWORK_HEADER[inner_protocol]:
            return -ENOTSUPP & M64
        if not _make_linear(skb, at - delta):
            return -errno.ENOMEM & M64
        remove(skb, at, -delta)
        skb.fields["protocol"] = int.from_bytes(inner_protocol, run.memory.order)
        return 0
    if skb.length + delta > LONGEST_SKB:
        return -ENOTSUPP & M64
    if at > skb.packet.end:
        raise NotRunnable("makes room in the paged part of an skb")
    if flags & 6:
        inner = flags >> 56
        if flags & 6 == 6 or flags & 24 == 24 or (flags & 64 and inner < ETHERNET_SIZE):
            return -errno.EINVAL & M64
        if run.effects.get("encapsulation"):
            return -errno.EALREADY & M64
        if inner > delta:
            return -errno.EINVAL & M64
        run.effects["encapsulation"] = flags & ~0x21 | delta << 16
        skb.fields["protocol"] = int.from_bytes(IPV6 if flags & 4 else IPV4, run.memory.order)
    insert(skb, at, delta)
    return 0


def _change_proto(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    skb, wanted, flags = _tc(run, a), (b & 0xFFFF).to_bytes(2, run.memory.order), c & M64
    if skb.fields.get("gso_size"):
        raise NotRunnable("calls bpf_skb_change_proto on a GSO packet")
    run.memory.move(skb.packet)
    if flags:
        return -errno.EINVAL & M64
    present = skb.fields["protocol"].to_bytes(2, run.memory.order)
    if (present, wanted) == (IPV4, IPV6):
        insert(skb, skb.network, 20)
    elif (present, wanted) == (IPV6, IPV4):
        if not _make_linear(skb, skb.network + 20):
            return -errno.ENOMEM & M64
        remove(skb, skb.network, 20)
    else:
        return -ENOTSUPP & M64
    skb.fields["protocol"] = int.from_bytes(wanted, run.memory.order)
    skb.fields["hash"] = 0
    return 0


def _change_type(run: Run, a: int, b: int, *_: int) -> int:
    skb, wanted = _tc(run, a), b & M32
    if skb.fields.get("pkt_type", 0) > OTHERHOST or wanted > OTHERHOST:
        return -errno.EINVAL & M64
    skb.fields["pkt_type"] = wanted
    return 0


def _set_hash_invalid(run: Run, a: int, *_: int) -> int:
    _tc(run, a).fields["hash"] = 0
    run.counts["set_hash_invalid"] = 1
    return 0


HELPERS: Final[dict[int, Helper]] = {
    9: _store_bytes,
    10: _l3_csum_replace,
    11: _l4_csum_replace,
    31: _change_proto,
    32: _change_type,
    38: _change_tail,
    39: _pull_data,
    41: _set_hash_invalid,
    43: _change_head,
    50: _adjust_room,
}
