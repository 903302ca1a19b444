"""Sockets that are looked up: unknown objects, the same on both sides where the same was asked (D101).

A socket's region is named after the helper that found it, and its key is all that the helper looked at. Every byte of
its fields is an unknown function of that key, and so is what else is asked of it.
`equiv.bpf.interpret.helpers.sockets` does the same on its own.
"""

from __future__ import annotations

from equiv.bpf.environment import Environment
from equiv.bpf.helper_table.sockets import DERIVED
from equiv.bpf.helpers.common import Helper, check_context, memory, size_argument
from equiv.bpf.sockets import ask
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Region, Unusable, Value, describe
from equiv.term import Term, concat, const, eq, sign_extend

ASSIGNED = "sk.assign"
"""Effect: which socket the packet was given to, 64 bits that tell it from others, and the flags."""


def found(env: Environment, state: State, name: str, key: Term) -> Value:
    """The socket that the helper `name` finds by `key`, or NULL."""
    if state.ask("finds a socket", eq(ask(env, name, 1, key), const(1, 1))):
        return Pointer(Region("sock", name, key=key), ZERO)
    return ZERO


def _lookup(name: str) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        check_context(state)
        size = size_argument(state, 3, f"bpf_{name}", zero=True)
        words = [const(size, 32), state.scalar(4), state.scalar(5)]
        return found(env, state, name, concat(*memory(env, state, 2, size), *words))

    return helper


def socket_in(state: State, register: int) -> tuple[Region, Term]:
    """The socket in a register, and its key."""
    match state.regs[register]:
        case Pointer(region, offset) if region.kind == "sock" and region.key is not None and offset is ZERO:
            return region, region.key
        case Unusable(reason, rejected):
            raise fault(reason) if rejected else stuck(reason)
        case value:
            raise fault(f"passes {describe(value)} for a socket")


def _derived(name: str) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        region, key = socket_in(state, 1)
        return found(env, state, f"{region.name}.{name}", key)

    return helper


def _release(env: Environment, state: State) -> Value:
    """The verifier sees to it that nobody looks at the socket afterwards."""
    socket_in(state, 1)
    return ZERO


def _cookie(name: str, width: int) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        region, key = socket_in(state, 1)
        sizes = [size_argument(state, register, f"bpf_{name}", zero=True) for register in (3, 5)]
        headers = [*memory(env, state, 2, sizes[0]), *memory(env, state, 4, sizes[1])]
        lengths = [const(size, 32) for size in sizes]
        return sign_extend(WORD - width, ask(env, f"{region.name}.{name}", width, key, *headers, *lengths))

    return helper


def _assign(env: Environment, state: State) -> Value:
    check_context(state)
    flags = state.scalar(3)
    if state.regs[2] is ZERO:
        raise stuck("takes a socket away from the packet")
    region, key = socket_in(state, 2)
    if ASSIGNED in state.effects:
        raise stuck("gives the packet to two sockets")
    state.effects = {**state.effects, ASSIGNED: concat(ask(env, f"{region.name}.identity", WORD, key), flags)}
    return sign_extend(32, ask(env, f"{region.name}.assign", 32, key, flags))


HELPERS: dict[int, Helper] = {
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
