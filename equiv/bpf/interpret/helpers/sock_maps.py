"""Maps of sockets as the interpreter runs them: the input says what is found, and how a change ends (D403)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M64, sign_extend
from equiv.bpf.interpret.helpers.oracles import ask
from equiv.bpf.interpret.helpers.sockets import found, socket_at
from equiv.bpf.interpret.maps import MapState
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

SOCKMAP, SOCKHASH = 15, 18
SOCKS: Final = frozenset({SOCKMAP, SOCKHASH})
MOST_CHANGES: Final = 4


@dataclass(frozen=True, slots=True)
class SockChange:
    """A socket was put into a map; `given` is the key, what the socket is known by, and the flags."""

    map_name: str
    socket: str
    given: bytes


def lookup(run: Run, state: MapState, key: bytes) -> int:
    """The address of a socket, or 0."""
    name = state.spec.name
    if any(change.map_name == name for change in run.sock_changes):
        raise NotRunnable(f"looks up map {name} after putting a socket into it")
    if state.spec.type == SOCKMAP and int.from_bytes(key, run.memory.order) >= state.spec.max_entries:
        return 0
    return found(run, f"map_lookup_elem.{name}", key)


def update(run: Run, state: MapState, key: bytes, address: int, flags: int) -> int:
    """0 or a negative errno."""
    socket = socket_at(run, address)
    if len(run.sock_changes) >= MOST_CHANGES:
        raise NotRunnable(f"puts sockets into maps more than {MOST_CHANGES} times")
    run.sock_changes.append(
        SockChange(state.spec.name, socket.name, key + socket.key + (flags & M64).to_bytes(8, "big"))
    )
    names = (f"{number}.{change.map_name}.{change.socket}" for number, change in enumerate(run.sock_changes))
    return sign_extend(ask(run, "map_update_elem." + "|".join(names), b"".join(c.given for c in run.sock_changes)), 32)
