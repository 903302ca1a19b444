"""VLAN tags, pushed and popped, as the interpreter does it (net/core/skbuff.c: skb_vlan_push, skb_vlan_pop)."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M64
from equiv.bpf.interpret.contexts import ETHERNET_SIZE, SkbContext
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper, packet_bytes, set_packet_bytes, skb_of
from equiv.bpf.interpret.helpers.skb_changes import insert, remove

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

VLAN, VLAN_AD = b"\x81\x00", b"\x88\xa8"


def _tc(run: Run, address: int) -> SkbContext:
    skb = skb_of(run, address)
    if skb.kind != "tc":
        raise Fault("calls a helper that only tc programs have")
    return skb


def _push(run: Run, a: int, b: int, c: int, _d: int, _e: int) -> int:
    skb, order = _tc(run, a), run.memory.order
    protocol, tci = (b & 0xFFFF).to_bytes(2, order), c & 0xFFFF
    if protocol not in (VLAN, VLAN_AD):
        protocol = VLAN
    run.memory.move(skb.packet)
    if skb.fields.get("vlan_present"):
        insert(skb, 12, 4)
        outer = skb.fields["vlan_proto"].to_bytes(2, order)
        set_packet_bytes(run, 12, outer + skb.fields["vlan_tci"].to_bytes(2, "big"))
        skb.fields["protocol"] = skb.fields["vlan_proto"]
    skb.fields.update(vlan_present=1, vlan_proto=int.from_bytes(protocol, order), vlan_tci=tci)
    return 0


def _pop(run: Run, a: int, *_: int) -> int:
    skb, order = _tc(run, a), run.memory.order
    run.memory.move(skb.packet)
    if skb.fields.get("vlan_present"):
        skb.fields.update(vlan_present=0, vlan_proto=0, vlan_tci=0)
    else:
        if skb.fields["protocol"].to_bytes(2, order) not in (VLAN, VLAN_AD):
            return 0
        if _remove_tag(run, skb) is None:
            return -errno.ENOMEM & M64
    outer = skb.fields["protocol"]
    if outer.to_bytes(2, order) not in (VLAN, VLAN_AD):
        return 0
    tci = _remove_tag(run, skb)
    if tci is None:
        return -errno.ENOMEM & M64
    skb.fields.update(vlan_present=1, vlan_proto=outer, vlan_tci=tci)
    return 0


def _remove_tag(run: Run, skb: SkbContext) -> int | None:
    """Take the tag behind the addresses out and set skb->protocol: its TCI; None where the packet is too short."""
    if skb.length < 18:
        return None
    skb.packet.end = max(skb.packet.end, 18)
    tci = int.from_bytes(packet_bytes(run, 14, 2), "big")
    inner = packet_bytes(run, 16, 2)
    if int.from_bytes(inner, "big") < 0x0600:
        inner = b"\x00\x01" if bytes(skb.packet.data[18:20]) == b"\xff\xff" else b"\x00\x04"
    remove(skb, 12, 4)
    skb.network = max(skb.network - 4, ETHERNET_SIZE)
    skb.fields["protocol"] = int.from_bytes(inner, run.memory.order)
    return tci


HELPERS: Final[dict[int, Helper]] = {18: _push, 19: _pop}
