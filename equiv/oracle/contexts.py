"""What a test run can be given as context, and what it gives back (net/bpf/test_run.c)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from equiv.bpf.context_use import ContextUse
from equiv.bpf.program import ByteOrder
from equiv.bpf.time_stamps import AT_INGRESS, TSTAMP
from equiv.machine.concrete import Input, NotRunnable

ETHERNET_SIZE: Final = 14
LOOPBACK: Final = 1
"""The interface that test runs pretend the packet came from, unless told otherwise: `lo` of this network namespace."""

XDP_MD: Final = struct.Struct("=6I")
SKB_SIZE: Final = 192
FLOW_KEYS_SIZE: Final = 56
FLOW_KEYS_FLAGS: Final = 48

SKB_OFFSETS: Final = {
    "pkt_type": 4,
    "mark": 8,
    "queue_mapping": 12,
    "protocol": 16,
    "vlan_present": 20,
    "vlan_tci": 24,
    "vlan_proto": 28,
    "priority": 32,
    "ingress_ifindex": 36,
    "ifindex": 40,
    "tc_index": 44,
    "cb": 48,
    "hash": 68,
    "tc_classid": 72,
    "data_end": 80,
    "napi_id": 84,
    "tstamp": 152,
    "wire_len": 160,
    "gso_segs": 164,
    "gso_size": 176,
    "tstamp_type": 180,
    "hwtstamp": 184,
}
"""Byte offsets in `struct __sk_buff`."""
SKB_SIZES: Final = {"cb": 20, "tstamp": 8, "hwtstamp": 8, "tstamp_type": 1}
"""Sizes in bytes of the fields that are not 4."""

ACCEPTED: Final = ("mark", "priority", "ingress_ifindex", "ifindex", "tstamp", "gso_segs", "gso_size", "hwtstamp")
"""Fields that `convert___skb_to_skb` takes from the caller, beside cb and wire_len."""
PROBED: Final = ("tc_index", "tc_classid", "queue_mapping")
"""Writable fields that a test run neither takes nor gives back; see `equiv.oracle.probe`."""

NO_QUEUE_MAPPING: Final = 0xFFFF

EXPERIMENTAL: Final = b"\x88\xb5"
"""An EtherType for local experiments (ETH_P_802_EX1)."""
SHORTEST_BEHIND_ETHERNET: Final = {b"\x08\x00": 20, b"\x86\xdd": 40}
"""By EtherType, the sizes in bytes below which an skb test run refuses what follows the Ethernet header."""

HOST, MULTICAST, OTHERHOST = 0, 2, 3
PKT_TYPE_ADDRESSES: Final = {HOST: bytes(6), MULTICAST: b"\x01" + bytes(5), OTHERHOST: b"\x02" + bytes(5)}
"""Destination addresses that make `eth_type_trans` set each pkt_type on `lo`, whose address and broadcast are zero."""


@dataclass(frozen=True, slots=True)
class SkbRun:
    """What a test run of an skb program gets: the frame, and `struct __sk_buff`.

    `shorten` is the length that the frame must be cut to before the program runs; 0: it is right as it is.
    """

    frame: bytes
    context: bytes
    shorten: int = 0


def pkt_type_of(frame: bytes) -> int:
    """The pkt_type that `eth_type_trans` gives a frame on `lo`; not even ff:ff:ff:ff:ff:ff is broadcast there."""
    if frame[0] & 1:
        return MULTICAST
    return HOST if frame[:6] == bytes(6) else OTHERHOST


def ethertype_protocol(frame: bytes) -> bytes:
    """`skb->protocol` in memory order as `eth_type_trans` sets it."""
    if frame[12] >= 6:
        return frame[12:14]
    return b"\x00\x01" if frame[14:16] == b"\xff\xff" else b"\x00\x04"


def xdp_context(given: Input, use: ContextUse) -> bytes:
    """`struct xdp_md` for a run: without metadata, data_end as the kernel wants it."""
    ifindex, queue = given.context.get("ingress_ifindex", 0), given.context.get("rx_queue_index", 0)
    if ifindex == 0 and use.reads(12, 4):
        raise NotRunnable(f"a test run cannot have ingress_ifindex 0: it has that of lo, {LOOPBACK}")
    if queue and not ifindex:
        if use.reads(16, 4):
            raise NotRunnable("a test run can have an rx_queue_index only with an ingress_ifindex")
        queue = 0
    return XDP_MD.pack(0, len(given.packet), 0, ifindex if use.reads(12, 8) else 0, queue if use.reads(12, 8) else 0, 0)


def flow_context(given: Input) -> bytes | None:
    """`struct bpf_flow_keys` for a run: its flags only."""
    flags = given.context.get("flags", 0)
    if not flags:
        return None
    content = bytearray(FLOW_KEYS_SIZE)
    content[FLOW_KEYS_FLAGS : FLOW_KEYS_FLAGS + 4] = struct.pack("=I", flags & 0xFFFFFFFF)
    return bytes(content)


def skb_run(given: Input, use: ContextUse, *, ethernet: bool, probed: bool, order: ByteOrder) -> SkbRun:
    """The frame and context for a run whose program sees `given`.

    `ethernet`: the program's data begins at the Ethernet header (tc). Elsewhere (socket filters) a test run's data
    begins behind it, so the frame gets a header in front that gives the wanted protocol and pkt_type.
    Raises NotRunnable where a field that the program may read would have another value.
    """
    wanted = dict(given.context)
    protocol_read = use.reads(SKB_OFFSETS["protocol"], 4)
    frame = given.packet if ethernet else _header(given, protocol_read, order) + given.packet
    if len(frame) < ETHERNET_SIZE:
        raise NotRunnable("a test run takes no packet shorter than an Ethernet header")
    actual = {
        "pkt_type": pkt_type_of(frame),
        "protocol": int.from_bytes(ethertype_protocol(frame), order),
        "ifindex": LOOPBACK,
    }
    default = {"protocol": _protocol(given, order), "wire_len": len(given.packet)}
    content = bytearray(SKB_SIZE)
    for name in ACCEPTED:
        value = wanted.get(name, 0)
        if (value and use.reads(SKB_OFFSETS[name], SKB_SIZES.get(name, 4))) or (
            value and name in ("mark", "priority", "tstamp")
        ):
            _put(content, name, value, order)
            actual[name] = value
    if wanted.get(AT_INGRESS) and (use.reads(TSTAMP, 8) or use.writes(TSTAMP, 8)):
        raise NotRunnable("a test run is not at ingress, where another tstamp may be read (D400)")
    start, size = SKB_OFFSETS["cb"], SKB_SIZES["cb"]
    content[start : start + size] = (wanted.get("cb", 0) & ((1 << 8 * size) - 1)).to_bytes(size, "big")
    shorten = 0
    shortest = ETHERNET_SIZE + SHORTEST_BEHIND_ETHERNET.get(frame[12:14], 0)
    if len(frame) < shortest:
        if not ethernet:
            raise NotRunnable("an skb test run takes no IPv4 or IPv6 packet shorter than its fixed header")
        shorten, frame = len(frame), frame.ljust(shortest, b"\x00")
    if actual["ifindex"] != LOOPBACK and use.reads(SKB_OFFSETS["pkt_type"], 4):
        raise NotRunnable("a test run's pkt_type is known on lo only")
    if probed and wanted.get("queue_mapping", 0) & 0xFFFF == NO_QUEUE_MAPPING:
        raise NotRunnable(f"a test run cannot have queue_mapping {NO_QUEUE_MAPPING}, which no program may set")
    actual["wire_len"] = len(frame) if ethernet else len(given.packet)
    if wanted.get("wire_len", len(given.packet)) != len(given.packet):
        _put(content, "wire_len", wanted["wire_len"], order)
        actual["wire_len"] = wanted["wire_len"]
    if given.linear is not None and given.linear < len(given.packet) and ethernet:
        if shorten:
            raise NotRunnable("an skb test run takes no truncated IPv4 or IPv6 packet that is not linear")
        _put(content, "data_end", given.linear, order)
    for name, offset in SKB_OFFSETS.items():
        if name in ("cb", "data_end") or (name == "protocol" and not protocol_read) or (probed and name in PROBED):
            continue
        value = wanted.get(name, default.get(name, 0))
        if value != actual.get(name, 0) and use.reads(offset, SKB_SIZES.get(name, 4)):
            raise NotRunnable(f"a test run cannot have {name} {value:#x}: it would be {actual.get(name, 0):#x}")
    return SkbRun(frame, bytes(content), shorten)


def _put(content: bytearray, name: str, value: int, order: ByteOrder) -> None:
    size = SKB_SIZES.get(name, 4)
    offset = SKB_OFFSETS[name]
    content[offset : offset + size] = (value & ((1 << 8 * size) - 1)).to_bytes(size, order)


def _protocol(given: Input, order: ByteOrder) -> int:
    if len(given.packet) < ETHERNET_SIZE:
        return 0
    return int.from_bytes(ethertype_protocol(given.packet), order)


def _header(given: Input, protocol_read: bool, order: ByteOrder) -> bytes:
    """An Ethernet header that makes `eth_type_trans` set the wanted protocol and pkt_type, as far as one does.

    Where the program does not look, it is no protocol whose packets a test run wants to be of some length.
    """
    protocol = given.context.get("protocol", _protocol(given, order)) & 0xFFFF
    kind = given.context.get("pkt_type", 0)
    destination = PKT_TYPE_ADDRESSES.get(kind, bytes(6))
    wire = protocol.to_bytes(2, order) if protocol_read else EXPERIMENTAL
    return destination + bytes(6) + (wire if wire[0] >= 6 else bytes(2))


def skb_values(context: bytes, order: ByteOrder) -> Mapping[str, int | bytes]:
    """What a test run gives back in `struct __sk_buff`."""
    return {
        "mark": int.from_bytes(context[8:12], order),
        "priority": int.from_bytes(context[32:36], order),
        "cb": context[48:68],
        "tstamp": int.from_bytes(context[152:160], order),
    }
