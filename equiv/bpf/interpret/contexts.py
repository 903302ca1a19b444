"""Program contexts: what a program reads and writes through r1, field by field, as the kernel translates it.

Layouts are those of include/uapi/linux/bpf.h; access rules those of net/core/filter.c (`xdp_is_valid_access`,
`sk_filter_is_valid_access`, `tc_cls_act_is_valid_access`, `flow_dissector_is_valid_access`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.memory import Memory, Region
from equiv.bpf.program import ByteOrder
from equiv.bpf.time_stamps import AT_INGRESS, UNCLEAR
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import Interface

ETHERNET_SIZE: Final = 14
XDP_HEADROOM: Final = 256
"""Bytes in front of an XDP frame (XDP_PACKET_HEADROOM)."""
XDP_FRAME_SIZE: Final = 40
"""Bytes at the start of the headroom that metadata may not reach (`sizeof(struct xdp_frame)`, 64-bit kernels)."""
CB: Final = (48, 20)
FLOW_KEYS_SIZE: Final = 56
NO_QUEUE_MAPPING: Final = 0xFFFF

XDP_FIELDS: Final = {
    "data": (0, 4),
    "data_end": (4, 4),
    "data_meta": (8, 4),
    "ingress_ifindex": (12, 4),
    "rx_queue_index": (16, 4),
    "egress_ifindex": (20, 4),
}
"""Offset and size in bytes of the fields of `struct xdp_md`."""

SKB_FIELDS: Final = {
    "len": (0, 4),
    "pkt_type": (4, 4),
    "mark": (8, 4),
    "queue_mapping": (12, 4),
    "protocol": (16, 4),
    "vlan_present": (20, 4),
    "vlan_tci": (24, 4),
    "vlan_proto": (28, 4),
    "priority": (32, 4),
    "ingress_ifindex": (36, 4),
    "ifindex": (40, 4),
    "tc_index": (44, 4),
    "hash": (68, 4),
    "tc_classid": (72, 4),
    "data": (76, 4),
    "data_end": (80, 4),
    "napi_id": (84, 4),
    "data_meta": (140, 4),
    "flow_keys": (144, 8),
    "tstamp": (152, 8),
    "wire_len": (160, 4),
    "gso_segs": (164, 4),
    "sk": (168, 8),
    "gso_size": (176, 4),
    "tstamp_type": (180, 1),
    "hwtstamp": (184, 8),
}
"""Offset and size in bytes of the fields of `struct __sk_buff`; without `cb` and the socket's."""

_POINTERS: Final = frozenset({"data", "data_end", "data_meta", "flow_keys"})
_HIDDEN: Final[Mapping[str, frozenset[str]]] = {
    "tc": frozenset({"flow_keys"}),
    "socket_filter": frozenset(
        {"data", "data_end", "data_meta", "flow_keys", "tc_classid", "tstamp", "wire_len", "hwtstamp", "tstamp_type"}
    ),
    "flow_dissector": frozenset(SKB_FIELDS) - {"data", "data_end", "flow_keys"},
    "xdp": frozenset({"egress_ifindex"}),
}
_WRITABLE: Final = frozenset({"mark", "priority", "tc_index", "tc_classid", "queue_mapping", "tstamp"})
_SIXTEEN_BITS: Final = frozenset({"tc_index", "tc_classid", "queue_mapping"})
"""Fields that the kernel keeps in 16 bits (`struct sk_buff`, `struct qdisc_skb_cb`): what is written is truncated."""
_UNMODELLED: Final = frozenset({"sk"})
_LARGEST_STAMP_TYPE: Final = 2


def protocol_of(packet: bytes, order: ByteOrder) -> int:
    """`skb->protocol` as a program reads it, after `eth_type_trans` (net/ethernet/eth.c): network order in memory.

    Frames without an EtherType are ETH_P_802_3 (1) where the payload begins with 0xffff, else ETH_P_802_2 (4).
    """
    if len(packet) < ETHERNET_SIZE:
        return 0
    ethertype = packet[12:14]
    if int.from_bytes(ethertype, "big") < 0x0600:
        ethertype = b"\x00\x01" if packet[14:16] == b"\xff\xff" else b"\x00\x04"
    return int.from_bytes(ethertype, order)


def _field_at(fields: Mapping[str, tuple[int, int]], offset: int, size: int, structure: str) -> tuple[str, int]:
    for name, (start, width) in fields.items():
        if start <= offset and offset + size <= start + width:
            return name, offset - start
    raise Fault(f"accesses {size} bytes at offset {offset} of struct {structure}, which is no field")


@dataclass(slots=True, eq=False)
class XdpContext:
    """`struct xdp_md` over one linear frame."""

    packet: Region
    given: Mapping[str, int]
    headroom: int = XDP_HEADROOM

    @property
    def length(self) -> int:
        """Bytes of the packet now."""
        return self.packet.end - self.packet.origin

    def load(self, offset: int, size: int) -> int:
        name, within = _field_at(XDP_FIELDS, offset, size, "xdp_md")
        if within or size != 4 or name in _HIDDEN["xdp"]:
            raise Fault(f"may not read {size} bytes of xdp_md.{name}")
        match name:
            case "data":
                return self.packet.base + self.packet.origin
            case "data_end":
                return self.packet.base + self.packet.end
            case "data_meta":
                return self.packet.base + self.packet.start
        return self.given.get(name, 0) & 0xFFFFFFFF

    def store(self, offset: int, size: int, value: int) -> None:
        raise Fault("writes to struct xdp_md")


@dataclass(slots=True, eq=False)
class SkbContext:
    """`struct __sk_buff` over one skb, of which the first `packet.end - packet.origin` bytes are linear."""

    kind: str
    order: ByteOrder
    packet: Region
    fields: dict[str, int]
    cb: bytearray
    keys: Region | None = None
    network: int = ETHERNET_SIZE
    """Offset of the network header from the packet's first byte."""
    ingress: bool = False
    """Whether the packet is on its way in."""
    aware: bool | None = False
    """Whether the program that runs reads tstamp_type (D400)."""

    @property
    def length(self) -> int:
        """Bytes of the packet now, paged ones too."""
        return len(self.packet.data)

    def load(self, offset: int, size: int) -> int:
        if offset % size:
            raise Fault("misaligned access to struct __sk_buff")
        if CB[0] <= offset and offset + size <= sum(CB):
            if self.kind == "flow_dissector":
                raise Fault("may not read __sk_buff.cb")
            return int.from_bytes(self.cb[offset - CB[0] : offset - CB[0] + size], self.order)
        name, within = _field_at(SKB_FIELDS, offset, size, "__sk_buff")
        width = SKB_FIELDS[name][1]
        if name in _HIDDEN[self.kind] or (name in _POINTERS and (within or size != width)):
            raise Fault(f"may not read {size} bytes of __sk_buff.{name} in this type of program")
        if name in _UNMODELLED:
            raise NotRunnable(f"reads __sk_buff.{name}")
        content = self._value(name).to_bytes(8 if name in _POINTERS else width, self.order)
        return int.from_bytes(content if name in _POINTERS else content[within : within + size], self.order)

    def _value(self, name: str) -> int:
        match name:
            case "data" | "data_meta":
                return self.packet.base + self.packet.origin
            case "data_end":
                return self.packet.base + self.packet.end
            case "len":
                return self.length
            case "flow_keys" if self.keys is not None:
                return self.keys.base
            case "tstamp" if self._hides_delivery_time() and self.fields.get("tstamp_type", 0):
                return 0
        return self.fields.get(name, 0)

    def _hides_delivery_time(self) -> bool:
        """Whether the program takes tstamp for the time of arrival (`bpf_convert_tstamp_read`, D400)."""
        if self.aware is None:
            raise NotRunnable(UNCLEAR)
        return self.ingress and not self.aware

    def store(self, offset: int, size: int, value: int) -> None:
        if offset % size:
            raise Fault("misaligned access to struct __sk_buff")
        if CB[0] <= offset and offset + size <= sum(CB) and self.kind != "flow_dissector":
            self.cb[offset - CB[0] : offset - CB[0] + size] = value.to_bytes(size, self.order)
            return
        name, within = _field_at(SKB_FIELDS, offset, size, "__sk_buff")
        if self.kind != "tc" or name not in _WRITABLE or within or size != SKB_FIELDS[name][1]:
            raise Fault(f"may not write {size} bytes of __sk_buff.{name} in this type of program")
        if name == "queue_mapping" and value >= NO_QUEUE_MAPPING:
            return  # tc's write is skipped: such a queue does not exist
        if name == "tstamp" and self._hides_delivery_time():
            self.fields["tstamp_type"] = 0
        self.fields[name] = value & 0xFFFF if name in _SIXTEEN_BITS else value


@dataclass(slots=True, eq=False)
class BufferContext:
    """No context: r1 points to the bytes themselves (interface `buffer`)."""

    packet: Region
    length: int


Context = XdpContext | SkbContext | BufferContext


@dataclass(frozen=True, slots=True)
class Started:
    """A context at entry: `arguments` go to r1 and following."""

    arguments: tuple[int, ...]
    context: Context
    keys: Region | None = None


def start_context(interface: Interface, given: Input, memory: Memory) -> Started:
    """Lay out the packet and the context of `given` in `memory`. Raises NotRunnable for what no packet can have."""
    length = len(given.packet)
    linear = length if given.linear is None else min(given.linear, length)
    reads: set[int] = set()
    if interface.context == "buffer":
        if linear < length:
            raise NotRunnable("a plain function has one buffer")
        packet = memory.add(Region("packet", memory.reserve(), bytearray(given.packet), 0, length, read=reads))
        return Started((packet.base, length), BufferContext(packet, length))
    context: XdpContext | SkbContext
    keys = None
    if interface.context == "xdp_md":
        if linear < length:
            raise NotRunnable("XDP frames in several fragments")
        data = bytearray(XDP_HEADROOM) + given.packet
        defined = bytearray(XDP_HEADROOM) + b"\x01" * length
        packet = Region(
            "packet", memory.reserve(), data, XDP_HEADROOM, len(data), defined=defined, read=reads, origin=XDP_HEADROOM
        )
        packet.input_start = XDP_HEADROOM
        context = XdpContext(packet, given.context)
    else:
        packet = Region("packet", memory.reserve(), bytearray(given.packet), 0, linear, read=reads)
        kind = interface.context if interface.context == "flow_dissector" else interface.name
        if interface.context == "flow_dissector":
            packet.writable = False
            keys = memory.allocate("keys", _initial_keys(given, memory.order))
        elif interface.program_type == 1:
            kind = "socket_filter"
        else:
            kind = "tc"
        context = SkbContext(
            kind,
            memory.order,
            packet,
            _initial_fields(given, memory.order),
            _initial_cb(given),
            keys,
            ingress=bool(given.context.get(AT_INGRESS, 0)),
        )
    memory.add(packet)
    region = memory.add(Region("context", memory.reserve(), bytearray(), 0, 0, virtual=context))
    return Started((region.base,), context, keys)


def _initial_fields(given: Input, order: ByteOrder) -> dict[str, int]:
    fields = {"protocol": protocol_of(given.packet, order), "wire_len": len(given.packet)}
    for name, value in given.context.items():
        if name in SKB_FIELDS and name not in _POINTERS and name != "len":
            width = 16 if name in _SIXTEEN_BITS else 8 * SKB_FIELDS[name][1]
            if name == "tstamp_type" and value > _LARGEST_STAMP_TYPE:
                raise NotRunnable(f"no skb has tstamp_type {value}: clocks have numbers 0 to {_LARGEST_STAMP_TYPE}")
            if value >> width:
                raise NotRunnable(f"no skb has {name} {value:#x}: the kernel keeps {width} bits")
            fields[name] = value
    fields["first_protocol"] = fields["protocol"]
    return fields


def is_changed(skb: SkbContext, given: Input) -> bool:
    """Whether an skb is no more what the run began with: its bytes, or a field that goes with a copy of it."""
    return (
        bytes(skb.packet.data) != given.packet
        or skb.fields != _initial_fields(given, skb.order)
        or skb.cb != _initial_cb(given)
    )


def _initial_cb(given: Input) -> bytearray:
    """The control block: one number of 160 bits, its most significant byte first in memory."""
    return bytearray((given.context.get("cb", 0) & ((1 << 8 * CB[1]) - 1)).to_bytes(CB[1], "big"))


def _initial_keys(given: Input, order: ByteOrder) -> bytes:
    """`struct bpf_flow_keys` as `bpf_flow_dissect` hands it over in a test run: past the Ethernet header."""
    keys = bytearray(FLOW_KEYS_SIZE)
    offset = ETHERNET_SIZE.to_bytes(2, order)
    keys[0:4] = offset + offset
    keys[10:12] = given.packet[12:14].ljust(2, b"\x00")
    keys[48:52] = (given.context.get("flags", 0) & 0xFFFFFFFF).to_bytes(4, order)
    return bytes(keys)
