"""VLAN tags, pushed and popped, as the symbolic machine does it (net/core/skbuff.c: skb_vlan_push, skb_vlan_pop)."""

from __future__ import annotations

from equiv.bpf import cells, packet
from equiv.bpf.access import packet_field
from equiv.bpf.context import field_value, set_field
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import ENOMEM, Helper, check_context, error
from equiv.bpf.helpers.skb_changes import ETHERNET_HEADER, insert, is_protocol, make_linear, remove, set_protocol
from equiv.bpf.state import State
from equiv.bpf.values import WORD, ZERO, Value
from equiv.term import Term, concat, const, disj, eq, extract, ite, resize, uge, ule

VLAN, VLAN_AD = 0x8100, 0x88A8
TAGGED = 18


def _order(env: Environment, term: Term) -> Term:
    return cells.in_memory_order(term, env.little)


def _push(env: Environment, state: State) -> Value:
    check_context(state)
    given, tci = extract(15, 0, state.scalar(2)), extract(15, 0, state.scalar(3))
    known = disj(*(eq(given, _order(env, const(number, 16))) for number in (VLAN, VLAN_AD)))
    protocol = ite(known, given, _order(env, const(VLAN, 16)))
    if state.ask("has tag", eq(field_value(env, state, "vlan_present"), const(1, 32))):
        outer = extract(15, 0, field_value(env, state, "vlan_proto"))
        outer_tci = extract(15, 0, field_value(env, state, "vlan_tci"))
        insert(env, state, 12, 4)
        content = concat(_order(env, outer), outer_tci)
        packet.store_bytes(
            state, const(12, WORD), [extract(8 * i + 7, 8 * i, content) for i in (3, 2, 1, 0)], env.little
        )
        set_protocol(env, state, outer)
    _set_tag(env, state, protocol, tci)
    return ZERO


def _set_tag(env: Environment, state: State, protocol: Term, tci: Term) -> None:
    set_field(env, state, "vlan_present", const(1, 32))
    set_field(env, state, "vlan_proto", resize(protocol, 32))
    set_field(env, state, "vlan_tci", resize(tci, 32))
    state.effects = {**state.effects, "vlan.protocol": _order(env, protocol), "vlan.tci": tci}


def _pop(env: Environment, state: State) -> Value:
    check_context(state)
    length = env.length(state)
    if state.ask("has tag", eq(field_value(env, state, "vlan_present"), const(1, 32))):
        if not state.ask("another tag", is_protocol(env, state, VLAN, VLAN_AD)):
            _clear_tag(env, state)
            return ZERO
        if not state.ask("long enough", ule(const(TAGGED, WORD), length)):
            _clear_tag(env, state)
            return error(ENOMEM)
        _clear_tag(env, state)
    else:
        if not state.ask("tagged", is_protocol(env, state, VLAN, VLAN_AD)):
            return ZERO
        if not state.ask("long enough", ule(const(TAGGED, WORD), length)):
            return error(ENOMEM)
        inner = _inner_protocol(env, state)
        more = disj(*(eq(inner, const(number, 16)) for number in (VLAN, VLAN_AD)))
        two = state.ask("another tag", more)
        enough = two and state.ask("long enough for both", ule(const(TAGGED + 4, WORD), length))
        _remove_tag(env, state)
        if not two:
            return ZERO
        if not enough:
            return error(ENOMEM)
    protocol = extract(15, 0, field_value(env, state, "protocol"))
    tci = _remove_tag(env, state)
    _set_tag(env, state, protocol, tci)
    return ZERO


def _clear_tag(env: Environment, state: State) -> None:
    for name in ("vlan_present", "vlan_proto", "vlan_tci"):
        set_field(env, state, name, const(0, 32))
    state.effects = {**state.effects, "vlan.protocol": const(0, 16), "vlan.tci": const(0, 16)}


def _field(env: Environment, state: State, offset: int) -> Term:
    """Two packet bytes in network order."""
    return _order(env, packet_field(env, state, const(offset, WORD), 2))


def _inner_protocol(env: Environment, state: State) -> Term:
    """What vlan_set_encap_proto (include/linux/if_vlan.h) makes of the tag behind the addresses; network order."""
    inner = _field(env, state, 16)
    other = ite(eq(_field(env, state, TAGGED), const(0xFFFF, 16)), const(0x0001, 16), const(0x0004, 16))
    return ite(uge(inner, const(0x0600, 16)), inner, other)


def _remove_tag(env: Environment, state: State) -> Term:
    """Take the tag behind the addresses out and set skb->protocol: its TCI, 16 bits."""
    tci, inner = _field(env, state, 14), _inner_protocol(env, state)
    make_linear(env, state, const(TAGGED, WORD))
    remove(env, state, 12, 4)
    state.network = max(state.network - 4, ETHERNET_HEADER)
    set_protocol(env, state, _order(env, inner))
    return tci


HELPERS: dict[int, Helper] = {18: _push, 19: _pop}
