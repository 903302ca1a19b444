"""What a program finds at the start, and its context's fields (`equiv.bpf.interpret.contexts` is the reference)."""

from __future__ import annotations

from typing import Final

from equiv.bpf.interpret.contexts import CB, ETHERNET_SIZE, FLOW_KEYS_SIZE, NO_QUEUE_MAPPING, SKB_FIELDS, XDP_FIELDS
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.compiled.bpf.emit import CONTEXT_ADDRESS, Emit
from equiv.compiled.bpf.place import KEYS_HI
from equiv.compiled.shape import CB_SIZE, SIXTEEN_BITS

_XDP_READ: Final = ("data", "data_end", "data_meta", "ingress_ifindex", "rx_queue_index")
_WRITABLE: Final = ("mark", "priority", "tc_index", "tc_classid", "queue_mapping", "tstamp")
_READ: Final = {
    "tc": frozenset(SKB_FIELDS) - {"flow_keys", "sk"},
    "socket_filter": frozenset(SKB_FIELDS)
    - {
        "data",
        "data_end",
        "data_meta",
        "flow_keys",
        "tc_classid",
        "tstamp",
        "wire_len",
        "hwtstamp",
        "tstamp_type",
        "sk",
    },
    "flow_dissector": frozenset({"data", "data_end", "flow_keys"}),
}
_WIDE: Final = frozenset({"data", "data_end", "data_meta", "flow_keys"})


def start(emit: Emit) -> None:
    """Lay out the packet, the flow keys and the context's fields; set the arguments."""
    code = emit.code
    emit.packet = emit.own(emit.memory.packet)
    emit.length = "%length"
    code.copy(code.at(emit.packet, emit.headroom), "%given", "%length")
    code.store("i64", emit.headroom, emit.first)
    code.store("i64", emit.headroom, emit.origin)
    code.store("i64", code.op("add", "i64", "%linear", emit.headroom), emit.last)
    if emit.has_holes:
        code.fill(emit.own(emit.memory.packet_shadow), 0, emit.headroom)
        code.fill(emit.own(emit.memory.packet_shadow + emit.headroom), 1, "%length")
    if emit.kind == "buffer":
        emit.set(1, emit.packet_base())
        emit.set(2, "%length")
        return
    emit.set(1, CONTEXT_ADDRESS)
    if emit.kind == "flow_dissector":
        _flow_keys(emit)
    elif emit.kind in ("tc", "socket_filter"):
        row = emit.shape.row
        for name in (*_WRITABLE, "hash"):
            emit.fields[name] = code.slot("i64")
            code.store("i64", code.load("i64", code.at("%row", row.names[name])), emit.fields[name])
        emit.cb = code.slot(f"[{CB_SIZE} x i8]")
        code.copy(emit.cb, code.at("%row", row.cb or 0), CB_SIZE)


def _flow_keys(emit: Emit) -> None:
    code, keys = emit.code, emit.own(emit.memory.keys)
    code.fill(keys, 0, FLOW_KEYS_SIZE)
    code.store("i16", ETHERNET_SIZE, keys)
    code.store("i16", ETHERNET_SIZE, code.at(keys, 2))
    for index in (12, 13):
        byte = code.load("i8", code.at(emit.packet, index))
        there = code.op("icmp ugt", "i64", "%length", index)
        code.store("i8", code.select(there, "i8", byte, 0), code.at(keys, index - 2))
    flags = code.load("i32", code.at("%row", emit.shape.row.names["flags"]))
    code.store("i32", flags, code.at(keys, 48))


def _protocol(emit: Emit) -> str:
    """skb->protocol, 16 bits in memory order: the EtherType, or what stands for a frame without one. It reads input."""
    code = emit.code
    ether = code.load("i16", code.at("%given", 12))
    is_type = code.op("icmp uge", "i16", code.swapped(ether, 16), 0x0600)
    raw = code.op("icmp eq", "i16", code.load("i16", code.at("%given", 14)), -1)
    raw = code.both(raw, code.op("icmp uge", "i64", "%length", 16))
    other = code.select(raw, "i16", 0x0100, 0x0400)
    there = code.op("icmp uge", "i64", "%length", ETHERNET_SIZE)
    return code.resized(code.select(there, "i16", code.select(is_type, "i16", ether, other), 0), 16, 64)


def field_at(emit: Emit, offset: int, size: int) -> tuple[str, int] | None:
    """The field that a load of `size` bytes at `offset` may read, and the byte within it."""
    if offset % size or emit.kind == "buffer":
        return None
    if emit.kind == "xdp":
        found = next((name for name in _XDP_READ if XDP_FIELDS[name] == (offset, size)), None)
        return None if found is None else (found, 0)
    if CB[0] <= offset and offset + size <= sum(CB):
        return None if emit.kind == "flow_dissector" else ("cb", offset - CB[0])
    for name in _READ[emit.kind]:
        start, width = SKB_FIELDS[name]
        if start <= offset and offset + size <= start + width:
            return None if name in _WIDE and (offset != start or size != width) else (name, offset - start)
    return None


def load_field(emit: Emit, name: str, within: int, size: int) -> str:
    """What a load of a field gives, zero-extended to 64 bits."""
    code = emit.code
    if name == "cb":
        return code.resized(code.load(f"i{8 * size}", code.at(emit.cb, within)), 8 * size, 64)
    value = _value(emit, name)
    if name in _WIDE:
        return value
    shifted = code.op("lshr", "i64", value, 8 * within) if within else value
    return code.op("and", "i64", shifted, (1 << 8 * size) - 1)


def _value(emit: Emit, name: str) -> str:
    code = emit.code
    match name:
        case "data":
            return code.op("add", "i64", emit.packet_base(), code.load("i64", emit.origin))
        case "data_end":
            return code.op("add", "i64", emit.packet_base(), code.load("i64", emit.last))
        case "data_meta":
            return code.op("add", "i64", emit.packet_base(), code.load("i64", emit.first))
        case "flow_keys":
            return str((KEYS_HI << 32) + BASE_IN_SLOT)
        case "len" | "wire_len":
            return emit.length
        case "protocol":
            return _protocol(emit)
    if name in emit.fields:
        return code.load("i64", emit.fields[name])
    return code.load("i64", code.at("%row", emit.shape.row.names[name]))


def store_field(emit: Emit, offset: int, size: int, value: str) -> bool:
    """Store the low bytes of `value` (64 bits) to a field; False where no program of this type may."""
    code = emit.code
    if offset % size or emit.kind not in ("tc", "socket_filter"):
        return False
    if CB[0] <= offset and offset + size <= sum(CB):
        code.store(f"i{8 * size}", code.resized(value, 64, 8 * size), code.at(emit.cb, offset - CB[0]))
        return True
    name = next((name for name in _WRITABLE if SKB_FIELDS[name] == (offset, size)), None)
    if name is None or emit.kind != "tc":
        return False
    low = code.op("and", "i64", value, (1 << 8 * size) - 1)
    if name in SIXTEEN_BITS:
        stored = code.op("and", "i64", low, 0xFFFF)
        if name == "queue_mapping":  # larger ones do not exist: the kernel skips the write
            exists = code.op("icmp ult", "i64", low, NO_QUEUE_MAPPING)
            stored = code.select(exists, "i64", stored, code.load("i64", emit.fields[name]))
        low = stored
    code.store("i64", low, emit.fields[name])
    return True
