"""Helpers that change an skb, as the symbolic machine models them (net/core/filter.c, D61).

Memory never runs out; the skb is no GSO packet and its checksum is not left to the device (assumptions).
"""

from __future__ import annotations

from equiv.bpf import cells, checksum, packet
from equiv.bpf.access import packet_field
from equiv.bpf.context import field_value, set_field, set_observed, skb_protocol
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import (
    EFAULT,
    EINVAL,
    ENOMEM,
    Helper,
    argument,
    check_context,
    constant_argument,
    error,
    memory,
    size_argument,
)
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD, ZERO, Value
from equiv.term import Term, bvadd, bvand, bvxor, conj, const, disj, eq, extract, ite, resize, signed, ule, ult

ENOTSUPP = 524
LONGEST_SKB = 16064
"""BPF_SKB_MAX_LEN: SKB_MAX_ALLOC with pages of 4096 bytes."""
ETHERNET_HEADER = 14
IPV4, IPV6 = 0x0800, 0x86DD
RECOMPUTE_CSUM, INVALIDATE_HASH = 1, 2
FIXED_GSO, NO_CSUM_RESET = 1, 32
ENCAP_L3_IPV6, ENCAP_L3, ENCAP_L4, ENCAP_L2_ETH, ENCAPSULATION = 4, 6, 24, 64, 0x5E
DECAP_L3_IPV4, DECAP_L3 = 128, 384
ENCAP_L2_SHIFT = 56
ENCAP_L2_MASK = 0xFF << ENCAP_L2_SHIFT
EALREADY = 114
OTHERHOST = 3
"""PACKET_OTHERHOST, include/uapi/linux/if_packet.h."""
ENCAPSULATED = "encapsulation"
"""Effect: the flags that mark encapsulation, with the room that was made above bit 16; later offloads go by it."""
MARK_MANGLED_0, MARK_ENFORCE = 0x20, 0x40


def make_linear(env: Environment, state: State, size: Term) -> None:
    """From now on at least `size` bytes, which the packet has, are linear."""
    if env.interface.split == "linear":
        return
    end = env.packet_end(state)
    state.linear = ite(ult(end, size), size, end)


def insert(env: Environment, state: State, at: int, size: int) -> None:
    """Put `size` zeros at offset `at`, which is in the linear part."""
    _resize(env, state, size)
    packet.move(state, at, const(size, WORD), zero=True)


def remove(env: Environment, state: State, at: int, size: int) -> None:
    """Take `size` linear bytes out at offset `at`."""
    _resize(env, state, -size)
    packet.move(state, at, const(-size, WORD), zero=True)


def _resize(env: Environment, state: State, by: int) -> None:
    length, end = env.length(state), env.packet_end(state)
    if env.interface.split != "linear":
        state.linear = bvadd(end, const(by, WORD))
    state.length = bvadd(length, const(by, WORD))


def is_protocol(env: Environment, state: State, *numbers: int) -> Term:
    """Width 1: skb->protocol is one of these EtherTypes."""
    present = extract(15, 0, field_value(env, state, "protocol"))
    return disj(*(eq(present, cells.in_memory_order(const(number, 16), env.little)) for number in numbers))


def set_protocol(env: Environment, state: State, protocol: Term) -> None:
    """Change skb->protocol, 16 bits. What is observed is in which bits it differs from what it was at first."""
    set_field(env, state, "protocol", resize(protocol, 32))
    changed = bvxor(protocol, skb_protocol(env.little))
    state.effects = {**state.effects, "protocol.changed": cells.in_memory_order(changed, env.little)}


def _pull_data(env: Environment, state: State) -> Value:
    check_context(state)
    size = argument(state, 2)
    if not state.ask("long enough", ule(size, env.length(state))):
        return error(ENOMEM)
    make_linear(env, state, size)
    return ZERO


def _store_bytes(env: Environment, state: State) -> Value:
    check_context(state)
    offset, size = argument(state, 2), size_argument(state, 4, "bpf_skb_store_bytes")
    flags = constant_argument(state, 5, "bpf_skb_store_bytes")
    content = memory(env, state, 3, size)
    if flags & ~(RECOMPUTE_CSUM | INVALIDATE_HASH):
        return error(EINVAL)
    if not state.ask("in packet", _reaches(env, state, offset, size, 0x7FFFFFFF)):
        return error(EFAULT)
    make_linear(env, state, bvadd(offset, const(size, WORD)))
    packet.store_bytes(state, offset, content, env.little)
    if flags & INVALIDATE_HASH:
        set_field(env, state, "hash", const(0, 32))
    return ZERO


def _reaches(env: Environment, state: State, offset: Term, size: int, limit: int) -> Term:
    """Width 1: `offset` is at most `limit` and `size` bytes from there are in the packet."""
    inside = ule(bvadd(offset, const(size, WORD)), env.length(state))
    return inside if offset.hi <= limit else bvand(ule(offset, const(limit, WORD)), inside)


def _l3_csum_replace(env: Environment, state: State) -> Value:
    return _csum_replace(env, state, "bpf_l3_csum_replace", ~0xF, False)


def _l4_csum_replace(env: Environment, state: State) -> Value:
    return _csum_replace(env, state, "bpf_l4_csum_replace", ~0xFF, True)


def _csum_replace(env: Environment, state: State, name: str, unknown: int, layer4: bool) -> Value:
    check_context(state)
    offset, flags = argument(state, 2), constant_argument(state, 5, name)
    removed, added = state.scalar(3), state.scalar(4)
    if flags & unknown & ((1 << WORD) - 1):
        return error(EINVAL)
    if not state.ask("even", eq(extract(0, 0, offset), const(0, 1))):
        return error(EFAULT)
    if not state.ask("in packet", _reaches(env, state, offset, 2, 0xFFFF)):
        return error(EFAULT)
    old = packet_field(env, state, offset, 2)
    zero = const(0, 16)
    may_be_none = layer4 and bool(flags & MARK_MANGLED_0)
    match flags & 0xF:
        case 0:
            if not state.ask("nothing removed", eq(removed, ZERO)):
                make_linear(env, state, bvadd(offset, const(2, WORD)))
                return error(EINVAL)
            new = checksum.replaced_by_difference(old, extract(31, 0, added))
        case 2:
            narrow = checksum.replaced(old, extract(15, 0, removed), extract(15, 0, added))
            wide = [resize(extract(15, 0, term), 32) for term in (removed, added)]
            new = checksum.replaced(old, wide[0], wide[1]) if layer4 else narrow
        case 4:
            new = checksum.replaced(old, extract(31, 0, removed), extract(31, 0, added))
        case _:
            make_linear(env, state, bvadd(offset, const(2, WORD)))
            return error(EINVAL)
    if may_be_none:
        new = ite(eq(new, zero), const(0xFFFF, 16), new)
        if not flags & MARK_ENFORCE:
            new = ite(eq(old, zero), zero, new)
    make_linear(env, state, bvadd(offset, const(2, WORD)))
    packet.store(state, offset, 2, new, env.little)
    return ZERO


def _change_tail(env: Environment, state: State) -> Value:
    check_context(state)
    wanted, flags = argument(state, 2), constant_argument(state, 3, "bpf_skb_change_tail")
    if state.network != ETHERNET_HEADER or ENCAPSULATED in state.effects:
        raise stuck("resizes a packet whose headers have moved")
    if flags:
        return error(EINVAL)
    length = env.length(state)
    if state.ask("too long", ult(const(LONGEST_SKB, WORD), wanted)):
        return error(EINVAL)
    if state.ask("too short", ult(wanted, const(ETHERNET_HEADER, WORD))):
        return error(EINVAL)
    if state.ask("grows", ult(length, wanted)):
        packet.clear_from(state, length)
    state.length = wanted
    if env.interface.split != "linear":
        state.linear = wanted
    return ZERO


def _change_head(env: Environment, state: State) -> Value:
    check_context(state)
    size = size_argument(state, 2, "bpf_skb_change_head", zero=True)
    flags = constant_argument(state, 3, "bpf_skb_change_head")
    if flags or size > LONGEST_SKB:
        return error(EINVAL)
    if not state.ask("fits", ule(env.length(state), const(LONGEST_SKB - size, WORD))):
        return error(EINVAL)
    insert(env, state, 0, size)
    state.network += size
    return ZERO


def _adjust_room(env: Environment, state: State) -> Value:
    check_context(state)
    amount, mode = extract(31, 0, state.scalar(2)), extract(31, 0, state.scalar(3))
    flags = constant_argument(state, 4, "bpf_skb_adjust_room")
    if not amount.is_const or not mode.is_const:
        raise stuck("calls bpf_skb_adjust_room with a size or mode that depends on the input")
    delta = signed(amount.value, 32)
    plain = FIXED_GSO | NO_CSUM_RESET
    taken = plain | DECAP_L3
    if flags & ~(taken | ENCAPSULATION | ENCAP_L2_MASK) or (delta < 0 and flags & ~taken):
        raise stuck(f"calls bpf_skb_adjust_room with flags {flags:#x}")
    if abs(delta) > 0xFFF:
        return error(EFAULT)
    if not state.ask("is IP", is_protocol(env, state, IPV4, IPV6)) or mode.value > 1:
        return error(ENOTSUPP)
    smallest = 20 if state.ask("is IPv4", is_protocol(env, state, IPV4)) else 40
    at = state.network + (0 if mode.value else smallest)
    length = env.length(state)
    rest = smallest
    if flags & DECAP_L3:
        if delta >= 0 or flags & DECAP_L3 == DECAP_L3:
            return error(EINVAL)
        rest = 20 if flags & DECAP_L3_IPV4 else 40
    if delta < 0:
        needed = state.network + rest - delta
        if not state.ask("long enough", ule(const(needed, WORD), length)):
            return error(ENOTSUPP)
        if not state.ask("reaches", ule(const(at - delta, WORD), length)):
            return error(ENOMEM)
        make_linear(env, state, const(at - delta, WORD))
        remove(env, state, at, -delta)
        if rest != smallest:
            inner = const(IPV4 if rest == 20 else IPV6, 16)
            set_protocol(env, state, cells.in_memory_order(inner, env.little))
        return ZERO
    if not state.ask("fits", ule(length, const(LONGEST_SKB - delta, WORD))):
        return error(ENOTSUPP)
    if not state.ask("is linear", ule(const(at, WORD), env.packet_end(state))):
        raise stuck("makes room in the paged part of an skb")
    if flags & ENCAP_L3:
        refused = _encapsulate(env, state, flags, delta)
        if refused:
            return error(refused)
    insert(env, state, at, delta)
    return ZERO


def _encapsulate(env: Environment, state: State, flags: int, delta: int) -> int:
    """What bpf_skb_net_grow does besides making room: 0, or why it refuses."""
    inner = flags >> ENCAP_L2_SHIFT
    if flags & ENCAP_L3 == ENCAP_L3 or flags & ENCAP_L4 == ENCAP_L4:
        return EINVAL
    if flags & ENCAP_L2_ETH and inner < ETHERNET_HEADER:
        return EINVAL
    if ENCAPSULATED in state.effects:
        return EALREADY
    if inner > delta:
        return EINVAL
    known = const(flags & ~(FIXED_GSO | NO_CSUM_RESET) | delta << 16, 64)
    state.effects = {**state.effects, ENCAPSULATED: known}
    outer = const(IPV6 if flags & ENCAP_L3_IPV6 else IPV4, 16)
    set_protocol(env, state, cells.in_memory_order(outer, env.little))
    return 0


def _change_proto(env: Environment, state: State) -> Value:
    check_context(state)
    wanted, flags = extract(15, 0, state.scalar(2)), constant_argument(state, 3, "bpf_skb_change_proto")
    if not wanted.is_const:
        raise stuck("calls bpf_skb_change_proto with a protocol that depends on the input")
    if flags:
        return error(EINVAL)
    number = cells.in_memory_order(wanted, env.little).value
    if number == IPV6 and state.ask("is IPv4", is_protocol(env, state, IPV4)):
        if not state.ask("is linear", ule(const(state.network, WORD), env.packet_end(state))):
            raise stuck("makes room in the paged part of an skb")
        insert(env, state, state.network, 20)
    elif number == IPV4 and state.ask("is IPv6", is_protocol(env, state, IPV6)):
        end = const(state.network + 20, WORD)
        if not state.ask("long enough", ule(end, env.length(state))):
            return error(ENOMEM)
        make_linear(env, state, end)
        remove(env, state, state.network, 20)
    else:
        return error(ENOTSUPP)
    set_protocol(env, state, wanted)
    set_field(env, state, "hash", const(0, 32))
    return ZERO


def _change_type(env: Environment, state: State) -> Value:
    """PACKET_HOST to PACKET_OTHERHOST may become each other (`skb_pkt_type_ok`)."""
    check_context(state)
    old, new = field_value(env, state, "pkt_type"), extract(31, 0, state.scalar(2))
    last = const(OTHERHOST, 32)
    if not state.ask("types can change", conj(ule(old, last), ule(new, last))):
        return error(EINVAL)
    set_observed(env, state, "pkt_type", new)
    return ZERO


def _set_hash_invalid(env: Environment, state: State) -> Value:
    check_context(state)
    set_field(env, state, "hash", const(0, 32))
    return ZERO


HELPERS: dict[int, Helper] = {
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
