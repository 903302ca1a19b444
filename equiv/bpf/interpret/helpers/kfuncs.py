"""Functions of the kernel that programs call by name: the input says what the interpreter finds (D404)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32
from equiv.bpf.interpret.faults import UNSET, Fault
from equiv.bpf.interpret.helpers.common import Helper, check_context
from equiv.bpf.interpret.helpers.oracles import ask
from equiv.bpf.interpret.helpers.sockets import CONNECTION, Socket, socket_at
from equiv.bpf.interpret.memory import Region

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

ERROR, DIRECTION = 4, 9


def _lookup(name: str) -> Helper:
    def kfunc(run: Run, a: int, b: int, c: int, d: int, e: int) -> int:
        check_context(run, a)
        tuple_size, size = c & M32, e & M32
        options = run.memory.read_bytes(d, size) if size else b""
        given = run.memory.read_bytes(b, tuple_size) if tuple_size else b""
        key = given + options + tuple_size.to_bytes(4, "big") + size.to_bytes(4, "big")
        found = ask(run, name, key) & 1
        if found:
            at, written = DIRECTION, (ask(run, f"{name}.direction", key) & 0xFF).to_bytes(1, "big")
        else:
            at, written = ERROR, (ask(run, f"{name}.error", key) & M32).to_bytes(4, "big")
        if at + len(written) <= size:
            run.memory.write_bytes(d, options[:at] + written + options[at + len(written) :])
        return _connection(run, name, key) if found else 0

    return kfunc


def _connection(run: Run, name: str, key: bytes) -> int:
    base = run.memory.reserve()
    held = Socket(run, f"{CONNECTION}{name}", key)
    run.memory.add(Region("socket", base, bytearray(), 0, 0, virtual=held, name=name))
    return base


def _release(run: Run, a: int, *_: int) -> int:
    if not socket_at(run, a).name.startswith(CONNECTION):
        raise Fault("gives back something else as a connection")
    return UNSET


CALLS: Final[dict[str, Helper]] = {
    "bpf_skb_ct_lookup": _lookup("skb_ct_lookup"),
    "bpf_xdp_ct_lookup": _lookup("xdp_ct_lookup"),
    "bpf_ct_release": _release,
}
