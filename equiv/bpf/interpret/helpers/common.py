"""What the interpreter's helpers have in common: their context argument, and the packet's bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from equiv.bpf.interpret.contexts import SkbContext, XdpContext
from equiv.bpf.interpret.faults import Fault

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

Helper = Callable[["Run", int, int, int, int, int], int]
"""Takes the run and the values of r1 to r5; gives r0, unsigned 64 bits, errors as negative errno."""


def check_context(run: Run, address: int) -> None:
    if address != run.context_address:
        raise Fault("calls a helper with something that is not the context")


def skb_of(run: Run, address: int) -> SkbContext:
    check_context(run, address)
    if not isinstance(run.context, SkbContext):
        raise Fault("calls an skb helper in an XDP program")
    return run.context


def xdp_of(run: Run, address: int) -> XdpContext:
    check_context(run, address)
    if not isinstance(run.context, XdpContext):
        raise Fault("calls an XDP helper in a program of another type")
    return run.context


def packet_bytes(run: Run, offset: int, size: int) -> bytes:
    """Packet bytes as helpers read them, paged ones too; writes of the program to the linear part are seen."""
    packet = run.context.packet
    if packet.read is not None:
        packet.read.update(range(offset, offset + size))
    return bytes(packet.data[packet.origin + offset : packet.origin + offset + size])
