"""The context that a packet has where a test run of the kernel makes it, as far as nothing else is said."""

from __future__ import annotations

from dataclasses import replace

from equiv.machine.concrete import Input
from equiv.machine.interface import Interface
from equiv.oracle.contexts import LOOPBACK, pkt_type_of


def natural(interface: Interface, given: Input) -> Input:
    """`given` with the fields that the kernel's test run fills in, where it does not say them itself."""
    match interface.context:
        case "xdp_md":
            fields = {"ingress_ifindex": LOOPBACK}
        case "__sk_buff":
            fields = {"ifindex": LOOPBACK, "pkt_type": pkt_type_of(given.packet)}
        case _:
            fields = {}
    return replace(given, context={**fields, **given.context})
