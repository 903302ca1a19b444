"""What the interpreter's helpers have in common: their context argument, and the packet's bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from equiv.bpf.interpret.contexts import SkbContext, XdpContext
from equiv.bpf.interpret.faults import Fault
from equiv.machine.concrete import NotRunnable

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
    start = packet.origin + offset
    if packet.defined is not None and 0 in packet.defined[start : start + size]:
        raise NotRunnable("reads bytes of the packet whose contents are not known")
    if packet.read is not None and packet.input_start is not None:
        packet.read.update(range(start - packet.input_start, start + size - packet.input_start))
    return bytes(packet.data[start : start + size])


def set_packet_bytes(run: Run, offset: int, content: bytes) -> None:
    """Store bytes into the packet as helpers do, paged data too."""
    packet = run.context.packet
    start = packet.origin + offset
    packet.data[start : start + len(content)] = content
    if packet.defined is not None:
        packet.defined[start : start + len(content)] = b"\x01" * len(content)
