"""The program's context: which fields each program type may read and write, and what they hold (D33).

Offsets are those of `include/uapi/linux/bpf.h`; who may access what is `net/core/filter.c` (`xdp_is_valid_access`,
`tc_cls_act_is_valid_access`, `sk_filter_is_valid_access`, `flow_dissector_is_valid_access`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from equiv.bpf import cells
from equiv.bpf.environment import Environment
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.time_stamps import AT_INGRESS, REALTIME, UNCLEAR, awareness, entry_of
from equiv.bpf.values import CONTEXT, FLOW_KEYS, PACKET, WORD, ZERO, Pointer, Value, stack
from equiv.machine.inputs import context_field, packet_bytes, packet_length
from equiv.term import Term, bvxor, conj, const, eq, extract, ite, negate, resize, uge, ule, ult

Read = Callable[[Environment, State], Value]


@dataclass(frozen=True, slots=True)
class Field:
    """A context field: where, how many bytes, what reading gives (a number of `8 * size` bits, or a pointer).

    `written` makes the field's new value of its old one and what is stored, both full width; None: read-only.
    """

    name: str
    offset: int
    size: int
    read: Read
    written: Callable[[Term, Term], Term] | None = None


def _input(name: str, width: int = 32) -> Read:
    return lambda env, state: context_field(name, width)


def _constant(value: int, width: int = 32) -> Read:
    return lambda env, state: const(value, width)


def _packet_start(env: Environment, state: State) -> Value:
    return Pointer(PACKET, ZERO)


def _packet_end(env: Environment, state: State) -> Value:
    return Pointer(PACKET, env.packet_end(state))


def _metadata_start(env: Environment, state: State) -> Value:
    return Pointer(PACKET, const(-state.meta_size, WORD))


def _flow_keys(env: Environment, state: State) -> Value:
    return Pointer(FLOW_KEYS, ZERO)


def _length(env: Environment, state: State) -> Value:
    return extract(31, 0, env.length(state))


def _protocol(env: Environment, state: State) -> Value:
    return resize(skb_protocol(env.little), 32)


def _not_modelled(what: str) -> Read:
    def read(env: Environment, state: State) -> Value:
        raise stuck(f"reads the context field {what}")

    return read


TIME_STAMP, TIME_STAMP_TYPE = "tstamp", "tstamp_type"


def skb_protocol(little: bool) -> Term:
    """skb->protocol as `eth_type_trans` (net/ethernet/eth.c) sets it: 16 bits, the number in the machine's order.

    The EtherType where it is one (>= 0x0600); else ETH_P_802_3 for raw IPX (0xffff after the length) or ETH_P_802_2.
    """
    ether_type = packet_bytes(const(12, WORD), 2)
    has_payload = ule(const(16, WORD), packet_length())
    raw_ipx = conj(has_payload, eq(packet_bytes(const(14, WORD), 2), const(0xFFFF, 16)))
    other = ite(raw_ipx, const(0x0001, 16), const(0x0004, 16))
    value = ite(uge(ether_type, const(0x0600, 16)), ether_type, other)
    return cells.in_memory_order(value, little)


def _stored(old: Term, new: Term) -> Term:
    return new


def _stored_16_bits(old: Term, new: Term) -> Term:
    return resize(extract(15, 0, new), 32)


def _stored_queue(old: Term, new: Term) -> Term:
    """Values from NO_QUEUE_MAPPING (65535) on are ignored (bpf_convert_ctx_access)."""
    return ite(ult(new, const(0xFFFF, 32)), new, old)


XDP_FIELDS = (
    Field("data", 0, 4, _packet_start),
    Field("data_end", 4, 4, _packet_end),
    Field("data_meta", 8, 4, _metadata_start),
    Field("ingress_ifindex", 12, 4, _input("ingress_ifindex")),
    Field("rx_queue_index", 16, 4, _input("rx_queue_index")),
)

XDP_EGRESS = Field("egress_ifindex", 20, 4, _input("egress_ifindex"))
"""Only for programs attached to a device map."""

SKB_COMMON = (
    Field("len", 0, 4, _length),
    Field("pkt_type", 4, 4, _input("pkt_type")),
    Field("protocol", 16, 4, _protocol),
    Field("vlan_present", 20, 4, _constant(0)),
    Field("vlan_tci", 24, 4, _constant(0)),
    Field("vlan_proto", 28, 4, _constant(0)),
    Field("ingress_ifindex", 36, 4, _input("ingress_ifindex")),
    Field("ifindex", 40, 4, _input("ifindex")),
    Field("hash", 68, 4, _input("hash")),
    Field("napi_id", 84, 4, _input("napi_id")),
    Field("gso_segs", 164, 4, _input("gso_segs")),
    Field("sk", 168, 8, _not_modelled("sk")),
    Field("gso_size", 176, 4, _input("gso_size")),
)

SOCKET_FILTER_FIELDS = (
    *SKB_COMMON,
    Field("mark", 8, 4, _input("mark")),
    Field("queue_mapping", 12, 4, _input("queue_mapping")),
    Field("priority", 32, 4, _input("priority")),
    Field("tc_index", 44, 4, _input("tc_index")),
)

TC_FIELDS = (
    *SKB_COMMON,
    Field("mark", 8, 4, _input("mark"), _stored),
    Field("queue_mapping", 12, 4, _input("queue_mapping"), _stored_queue),
    Field("priority", 32, 4, _input("priority"), _stored),
    Field("tc_index", 44, 4, _input("tc_index"), _stored_16_bits),
    Field("tc_classid", 72, 4, _input("tc_classid"), _stored_16_bits),
    Field("data", 76, 4, _packet_start),
    Field("data_end", 80, 4, _packet_end),
    Field("data_meta", 140, 4, _packet_start),
    Field("tstamp", 152, 8, _input("tstamp", 64)),
    Field("wire_len", 160, 4, _input("wire_len")),
    Field("tstamp_type", 180, 1, _input("tstamp_type", 8)),
    Field("hwtstamp", 184, 8, _input("hwtstamp", 64)),
)

FLOW_DISSECTOR_FIELDS = (
    Field("data", 76, 4, _packet_start),
    Field("data_end", 80, 4, _packet_end),
    Field("flow_keys", 144, 8, _flow_keys),
)

QUEUE_MAPPING = const(12, WORD)
"""Offset of __sk_buff.queue_mapping."""

CB_OFFSET, CB_SIZE = 48, 20
"""__sk_buff.cb: five words of memory, accessed in any aligned size."""

CB = context_field("cb", 8 * CB_SIZE)
"""What cb holds when the program starts: bytes in memory order."""

FLOW_KEY_FIELDS = {0: 2, 2: 2, 4: 2, 6: 1, 7: 1, 8: 1, 9: 1, 10: 2, 12: 2, 14: 2, **{16 + 4 * i: 4 for i in range(10)}}
"""struct bpf_flow_keys: offset to size."""

SCHED_CLS = 3
"""`enum bpf_prog_type`: tc programs."""

N_PROTO, FLAGS = 10, 48
NHOFF, THOFF = 0, 2
ETHERNET_HEADER = 14
"""Bytes in front of the network header: what nhoff and thoff are at entry."""


def fields_of(env: Environment) -> tuple[Field, ...]:
    """The fields that the program may access."""
    match env.interface.context:
        case "xdp_md":
            on_device_map = env.program.section.startswith(("xdp/devmap", "xdp_devmap", "xdp.frags/devmap"))
            return (*XDP_FIELDS, XDP_EGRESS) if on_device_map else XDP_FIELDS
        case "flow_dissector":
            return FLOW_DISSECTOR_FIELDS
        case _:
            return TC_FIELDS if env.interface.program_type == SCHED_CLS else SOCKET_FILTER_FIELDS


def initial_state(env: Environment) -> State:
    """The state before the first instruction."""
    state = State()
    state.regs[1] = Pointer(CONTEXT, ZERO)
    if env.interface.context == "buffer":
        state.regs[1], state.regs[2] = Pointer(PACKET, ZERO), packet_length()
    state.regs[10] = Pointer(stack(0), ZERO)
    if env.interface.context == "flow_dissector":
        state.keys = {offset: (size, const(0, 8 * size)) for offset, size in FLOW_KEY_FIELDS.items()}
        for offset in (NHOFF, THOFF):
            state.keys[offset] = (2, const(ETHERNET_HEADER, 16))
        state.keys[N_PROTO] = (2, cells.in_memory_order(packet_bytes(const(12, WORD), 2), env.little))
        state.keys[FLAGS] = (4, context_field("flags", 32))
    return state


def load_context(env: Environment, state: State, offset: int, size: int) -> Value:
    """`size` bytes of the context at `offset`. Raises (as a fault) where the kernel refuses the access."""
    if _in_cb(env, offset, size):
        return _load_cb(env, state, offset, size)
    field = _field_at(env, offset, size)
    value = state.ctx[field.offset][1] if field.offset in state.ctx else field.read(env, state)
    if field.name == TIME_STAMP and isinstance(value, Term):
        value = _shown_stamp(env, state, value)
    if size == field.size:
        return value
    if not isinstance(value, Term):
        raise fault(f"reads a part of the context field {field.name}")
    return cells.part(value, field.size, offset - field.offset, size, env.little)


def store_context(env: Environment, state: State, offset: int, size: int, value: Term) -> None:
    """Write `value` to the context. Raises (as a fault) where the kernel refuses the access."""
    if _in_cb(env, offset, size):
        cells.store(state.ctx, offset, size, value, env.little)
        return
    field = _field_at(env, offset, size)
    if field.written is None:
        if field.name == TIME_STAMP and env.interface.program_type == SCHED_CLS and size == field.size:
            _store_stamp(env, state, value)
            return
        raise fault(f"writes the context field {field.name}, which is read-only")
    if size != field.size:
        raise fault(f"writes a part of the context field {field.name}")
    old = field_value(env, state, field.name)
    state.ctx[field.offset] = (size, field.written(old, value))


def _is_aware(env: Environment, state: State) -> bool:
    """Whether the program that runs reads tstamp_type: then it is shown the time stamp as it is (D400)."""
    if not env.stamp_aware:
        env.stamp_aware.update(awareness(env.program))
    aware = env.stamp_aware[entry_of(env.stamp_aware, state.pc)]
    if aware is None:
        raise stuck(UNCLEAR)
    if aware:
        env.noted.add(f"{env.program.place_at(state.pc)[0]} reads tstamp_type where the verifier says that it can come")
    return aware


def _at_ingress() -> Term:
    return eq(context_field(AT_INGRESS, 1), const(1, 1))


def _shown_stamp(env: Environment, state: State, stamp: Term) -> Term:
    """What a read of tstamp gives: `bpf_convert_tstamp_read`, net/core/filter.c (D400)."""
    if _is_aware(env, state):
        return stamp
    is_delivery = negate(eq(field_value(env, state, TIME_STAMP_TYPE), const(REALTIME, 8)))
    return ite(conj(_at_ingress(), is_delivery), const(0, 64), stamp)


def _store_stamp(env: Environment, state: State, stamp: Term) -> None:
    """A write to tstamp: `bpf_convert_tstamp_write`, net/core/filter.c (D400)."""
    if not _is_aware(env, state):
        kind = field_value(env, state, TIME_STAMP_TYPE)
        set_observed(env, state, TIME_STAMP_TYPE, ite(_at_ingress(), const(REALTIME, 8), kind))
    set_observed(env, state, TIME_STAMP, stamp)


def check_register(env: Environment, offset: Term) -> None:
    """Stop where storing a register wider than the field does more than store its low bits.

    The kernel compares the whole register with NO_QUEUE_MAPPING before it stores queue_mapping.
    """
    if env.interface.context == "__sk_buff" and offset is QUEUE_MAPPING:
        raise stuck("stores a register that may exceed 32 bits to the context field queue_mapping")


def field_value(env: Environment, state: State, name: str) -> Term:
    """The present value of a context field that holds a number."""
    for field in fields_of(env):
        if field.name == name:
            value = state.ctx[field.offset][1] if field.offset in state.ctx else field.read(env, state)
            if isinstance(value, Term):
                return value
    raise stuck(f"observes {name}, which {env.interface.name} programs cannot access")


def set_observed(env: Environment, state: State, name: str, value: Term) -> None:
    """Let a field hold `value` from now on; that it is another than the run began with is an effect, NAME.changed."""
    field = next(field for field in fields_of(env) if field.name == name)
    first = field.read(env, state)
    assert isinstance(first, Term)
    state.ctx[field.offset] = (field.size, value)
    state.effects = {**state.effects, f"{name}.changed": bvxor(value, first)}


def set_field(env: Environment, state: State, name: str, value: Term) -> None:
    """Let a context field hold `value` (its full width) from now on, as helpers do; programs may not write it."""
    field = next((field for field in fields_of(env) if field.name == name), None)
    if field is not None:
        state.ctx[field.offset] = (field.size, value)


def control_block(env: Environment, state: State) -> Term:
    """The bytes of cb in memory order, 160 bits."""
    value = _load_cb(env, state, CB_OFFSET, CB_SIZE)
    assert isinstance(value, Term)
    return cells.in_memory_order(value, env.little)


def _in_cb(env: Environment, offset: int, size: int) -> bool:
    if env.interface.context != "__sk_buff" or not CB_OFFSET <= offset < CB_OFFSET + CB_SIZE:
        return False
    if offset % size or offset + size > CB_OFFSET + CB_SIZE:
        raise fault("misaligned access to the context field cb")
    return True


def _load_cb(env: Environment, state: State, offset: int, size: int) -> Value:
    def missing(position: int) -> Term:
        return cells.part(CB, CB_SIZE, position - CB_OFFSET, 1, False)

    value = cells.load(state.ctx, offset, size, env.little, missing)
    assert value is not None
    return value


def _field_at(env: Environment, offset: int, size: int) -> Field:
    for field in fields_of(env):
        if field.offset <= offset and offset + size <= field.offset + field.size:
            if offset % size:
                break
            return field
    raise fault(f"invalid access to the context: {size} bytes at offset {offset} in a {env.interface.name} program")
