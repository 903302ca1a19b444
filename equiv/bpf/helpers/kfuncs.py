"""Functions of the kernel that programs call by name, as the symbolic machine models them (D404).

A connection that is found is an object like a socket: known by what was asked, its fields unknown functions of that.
"""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf.environment import Environment
from equiv.bpf.helper_table.kfuncs import KFUNCS
from equiv.bpf.helpers.common import check_buffer, check_context, fill, memory, size_argument
from equiv.bpf.helpers.sockets import socket_in
from equiv.bpf.sockets import CONNECTION
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import ZERO, Pointer, Region, Value
from equiv.term import Term, concat, const, eq, extract, select

ERROR, DIRECTION = 4, 9
"""Offsets in `struct bpf_ct_opts`: an s32 and a u8."""


def _lookup(name: str) -> Callable[[Environment, State], Value]:
    def kfunc(env: Environment, state: State) -> Value:
        check_context(state)
        sizes = [size_argument(state, register, f"bpf_{name}", zero=True) for register in (3, 5)]
        check_buffer(state, 4, sizes[1])
        options = memory(env, state, 4, sizes[1])
        key = concat(*memory(env, state, 2, sizes[0]), *options, *(const(size, 32) for size in sizes))

        def ask(what: str, width: int) -> Term:
            return select(f"oracle.{name}{what}", concat(const(1, 8), key), width)

        found = state.ask("finds a connection", eq(ask("", 1), const(1, 1)))
        env.noted.add(f"bpf_{name} gives both sides the same where they ask the same, and connections stay as they are")
        written = {DIRECTION: ask(".direction", 8)} if found else _bytes_at(ERROR, ask(".error", 32))
        if max(written) < sizes[1]:
            fill(env, state, 4, [written.get(at, byte) for at, byte in enumerate(options)])
        return Pointer(Region("sock", f"{CONNECTION}{name}", key=key), ZERO) if found else ZERO

    return kfunc


def _bytes_at(offset: int, number: Term) -> dict[int, Term]:
    """The four bytes of a number, which is in memory order, at `offset`."""
    return {offset + i: extract(31 - 8 * i, 24 - 8 * i, number) for i in range(4)}


def _release(env: Environment, state: State) -> Value | None:
    region, _ = socket_in(state, 1)
    if not region.name.startswith(CONNECTION):
        raise fault("gives back something else as a connection")
    return None


CALLS: dict[str, Callable[[Environment, State], Value | None]] = {
    "bpf_skb_ct_lookup": _lookup("skb_ct_lookup"),
    "bpf_xdp_ct_lookup": _lookup("xdp_ct_lookup"),
    "bpf_ct_release": _release,
}


def call_kfunc(env: Environment, state: State, name: str) -> Value | None:
    """What the function returns, None where that is nothing; its effects are made on `state`."""
    call = CALLS.get(name)
    if call is None:
        raise stuck(f"calls the kernel function {name}, which is not modelled")
    if env.interface.program_type > 0 and env.interface.program_type not in KFUNCS[name].programs:
        raise fault(f"calls {name}, which this program type has not")
    return call(env, state)
