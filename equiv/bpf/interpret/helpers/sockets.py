"""Sockets that are looked up: the input says whether there is one, and what its fields hold (D101).

A socket is known by the helper that found it and by all that the helper looked at, as bytes; `Input.oracles` gives the
answers by these (D63).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from equiv.bpf.helper_table.sockets import DERIVED
from equiv.bpf.interpret.alu import M32, M64, sign_extend
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper, check_context
from equiv.bpf.interpret.helpers.oracles import ask
from equiv.bpf.interpret.memory import Region
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

LARGEST, LARGEST_KERNEL = 512, 1 << 14
CONNECTION: Final = "connection."
"""What connections are told from sockets by (D404)."""


@dataclass(slots=True, eq=False)
class Socket:
    """Who found it and by what; reads of its fields go here."""

    run: Run
    name: str
    key: bytes

    def load(self, offset: int, size: int) -> int:
        largest = LARGEST_KERNEL if self.name.startswith(CONNECTION) or ".skc_to_" in self.name else LARGEST
        if not 0 <= offset <= largest - size or offset % size:
            raise Fault(f"reads {size} bytes at offset {offset} of a socket")
        content = bytes(
            ask(self.run, f"{self.name.removeprefix(CONNECTION)}.field", self.key + at.to_bytes(2, "big")) & 0xFF
            for at in range(offset, offset + size)
        )
        return int.from_bytes(content, self.run.memory.order)

    def store(self, offset: int, size: int, value: int) -> None:
        if self.name.startswith(CONNECTION):
            raise NotRunnable("writes to a connection")
        raise Fault("writes to a socket")


def found(run: Run, name: str, key: bytes) -> int:
    """The address of the socket that the helper `name` finds by `key`, or 0."""
    if not ask(run, name, key) & 1:
        return 0
    for region in run.memory.regions.values():
        known = region.virtual
        if isinstance(known, Socket) and (known.name, known.key) == (name, key):
            return region.base
    base = run.memory.reserve()
    run.memory.add(Region("socket", base, bytearray(), 0, 0, virtual=Socket(run, name, key), name=name))
    return base


def _lookup(name: str) -> Helper:
    def helper(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
        check_context(run, a)
        size = c & M32
        words = size.to_bytes(4, "big") + (d & M64).to_bytes(8, "big") + (e & M64).to_bytes(8, "big")
        return found(run, name, run.memory.read_bytes(b, size) + words)

    return helper


def socket_at(run: Run, address: int) -> Socket:
    """The socket that a helper is given by its address."""
    region = run.memory.regions.get(address >> 32)
    if region is None or region.base != address or not isinstance(region.virtual, Socket):
        raise Fault("passes something else for a socket")
    return region.virtual


def _derived(name: str) -> Helper:
    def helper(run: Run, a: int, *_: int) -> int:
        socket = socket_at(run, a)
        return found(run, f"{socket.name}.{name}", socket.key)

    return helper


def _release(run: Run, a: int, *_: int) -> int:
    socket_at(run, a)
    return 0


def _cookie(name: str, width: int) -> Helper:
    def helper(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
        socket = socket_at(run, a)
        sizes = (c & M32, e & M32)
        headers = run.memory.read_bytes(b, sizes[0]) + run.memory.read_bytes(d, sizes[1])
        asked = socket.key + headers + b"".join(size.to_bytes(4, "big") for size in sizes)
        return sign_extend(ask(run, f"{socket.name}.{name}", asked), width)

    return helper


def _assign(run: Run, a: int, b: int, c: int, *_: int) -> int:
    check_context(run, a)
    if not b:
        raise NotRunnable("takes a socket away from the packet")
    socket = socket_at(run, b)
    if "sk.assign" in run.effects:
        raise NotRunnable("gives the packet to two sockets")
    flags = (c & M64).to_bytes(8, "big")
    identity = ask(run, f"{socket.name}.identity", socket.key)
    run.effects["sk.assign"] = (identity & M64).to_bytes(8, "big") + flags
    return sign_extend(ask(run, f"{socket.name}.assign", socket.key + flags), 32)


HELPERS: Final[dict[int, Helper]] = {
    84: _lookup("sk_lookup_tcp"),
    85: _lookup("sk_lookup_udp"),
    86: _release,
    95: _derived("sk_fullsock"),
    96: _derived("tcp_sock"),
    98: _derived("get_listener_sock"),
    99: _lookup("skc_lookup_tcp"),
    100: _cookie("tcp_check_syncookie", 32),
    110: _cookie("tcp_gen_syncookie", 64),
    124: _assign,
    **{number: _derived(f"skc_to_{kind}") for number, kind in DERIVED.items()},
}
