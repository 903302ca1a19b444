"""Helpers that ask the kernel's tables: unknown functions of their arguments, shared by both sides (D63).

The function's argument is one number: all that the helper looks at, in order, numbers of fixed width and memory byte by
byte. `equiv.bpf.interpret.helpers.oracles` builds the same number on its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from equiv.bpf import cells
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import Helper, check_buffer, check_context, fill, memory, size_argument
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD, Value
from equiv.term import Term, concat, const, extract, select, sign_extend

LONGEST_TUNNEL = 52
"""Bytes of tunnel data that are compared."""

FIB_SIZE, FIB_KEPT = 64, 6
"""sizeof(struct bpf_fib_lookup), and how many of its first bytes are never written."""


def _ask(env: Environment, name: str, width: int, given: Sequence[Term]) -> Term:
    env.noted.add(f"bpf_{name.partition('.')[0]} gives both sides the same where they ask the same")
    return select(f"oracle.{name}", concat(const(1, 8), *given), width)


def _bytes(term: Term) -> list[Term]:
    return [extract(low + 7, low, term) for low in range(term.width - 8, -1, -8)]


def _word(state: State, register: int) -> Term:
    return extract(31, 0, state.scalar(register))


def _fib_lookup(env: Environment, state: State) -> Value:
    check_context(state)
    if size_argument(state, 3, "bpf_fib_lookup") != FIB_SIZE:
        raise stuck(f"calls bpf_fib_lookup with other parameters than {FIB_SIZE} bytes")
    check_buffer(state, 2, FIB_SIZE)
    parameters = memory(env, state, 2, FIB_SIZE)
    given = [*parameters, _word(state, 4)]
    answer = _bytes(_ask(env, "fib_lookup.parameters", 8 * (FIB_SIZE - FIB_KEPT), given))
    fill(env, state, 2, [*parameters[:FIB_KEPT], *answer])
    return sign_extend(32, _ask(env, "fib_lookup", 32, given))


def _check_mtu(env: Environment, state: State) -> Value:
    check_context(state)
    check_buffer(state, 3, 4)
    length = cells.in_memory_order(env.length(state), False)
    given = [_word(state, 2), *memory(env, state, 3, 4), _word(state, 4), state.scalar(5), length]
    fill(env, state, 3, _bytes(_ask(env, "check_mtu.mtu", 32, given)))
    return sign_extend(32, _ask(env, "check_mtu", 32, given))


def _get_tunnel_key(env: Environment, state: State) -> Value:
    check_context(state)
    _unset(state)
    size = size_argument(state, 3, "bpf_skb_get_tunnel_key")
    check_buffer(state, 2, size)
    given = [_word(state, 3), state.scalar(4)]
    fill(env, state, 2, _bytes(_ask(env, f"skb_get_tunnel_key.key{size}", 8 * size, given)))
    return sign_extend(32, _ask(env, "skb_get_tunnel_key", 32, given))


def _set_tunnel_key(env: Environment, state: State) -> Value:
    return _set_tunnel(env, state, "key", state.scalar(4))


def _set_tunnel_opt(env: Environment, state: State) -> Value:
    return _set_tunnel(env, state, "opt", const(0, WORD))


def _set_tunnel(env: Environment, state: State, what: str, flags: Term) -> Value:
    """What is set is observed, and whether it can be set is asked."""
    check_context(state)
    size = size_argument(state, 3, f"bpf_skb_set_tunnel_{what}")
    if size > LONGEST_TUNNEL:
        raise stuck(f"sets tunnel data of {size} bytes")
    content = memory(env, state, 2, size)
    padded = [*content, *[const(0, 8)] * (LONGEST_TUNNEL - size)]
    effect = concat(*padded, const(size, 32), flags)
    state.effects = {**state.effects, f"tunnel.{what}": effect}
    return sign_extend(32, _ask(env, f"skb_set_tunnel_{what}", 32, [const(size, 32), flags]))


def _get_tunnel_opt(env: Environment, state: State) -> Value:
    check_context(state)
    _unset(state)
    size = size_argument(state, 3, "bpf_skb_get_tunnel_opt")
    check_buffer(state, 2, size)
    given = [_word(state, 3)]
    fill(env, state, 2, _bytes(_ask(env, f"skb_get_tunnel_opt.opt{size}", 8 * size, given)))
    return sign_extend(32, _ask(env, "skb_get_tunnel_opt", 32, given))


def _get_xfrm_state(env: Environment, state: State) -> Value:
    check_context(state)
    size = size_argument(state, 4, "bpf_skb_get_xfrm_state")
    check_buffer(state, 3, size)
    given = [_word(state, 2), const(size, 32), state.scalar(5)]
    fill(env, state, 3, _bytes(_ask(env, f"skb_get_xfrm_state.state{size}", 8 * size, given)))
    return sign_extend(32, _ask(env, "skb_get_xfrm_state", 32, given))


def _unset(state: State) -> None:
    if any(name.startswith("tunnel.") for name in state.effects):
        raise stuck("asks for the tunnel after setting it")


def _gen_syncookie(version: int, header: int) -> Helper:
    name = f"tcp_raw_gen_syncookie_ipv{version}"

    def helper(env: Environment, state: State) -> Value:
        size = size_argument(state, 3, f"bpf_{name}")
        return _ask(env, name, WORD, [*memory(env, state, 1, header), *memory(env, state, 2, size)])

    return helper


def _check_syncookie(version: int, header: int) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        given = [*memory(env, state, 1, header), *memory(env, state, 2, 20)]
        return sign_extend(32, _ask(env, f"tcp_raw_check_syncookie_ipv{version}", 32, given))

    return helper


def _probe_read(name: str, keeps: bool) -> Helper:
    """What the kernel's memory holds at an address, a number; with `keeps`, some of the buffer may stay as it was."""

    def helper(env: Environment, state: State) -> Value:
        size = size_argument(state, 2, f"bpf_{name}", zero=True)
        address = state.scalar(3)
        if state.packet or state.length is not None or state.ctx or state.effects or state.values or state.meta:
            raise stuck("reads the kernel's memory after changing some of it")
        check_buffer(state, 1, size)
        given = [const(size, 32), address, *(memory(env, state, 1, size) if keeps else ())]
        if size:
            fill(env, state, 1, _bytes(_ask(env, f"{name}.bytes{size}", 8 * size, given)))
        return sign_extend(32, _ask(env, name, 32, given))

    return helper


def _ancestor_cgroup(env: Environment, state: State) -> Value:
    check_context(state)
    return _ask(env, "skb_ancestor_cgroup_id", WORD, [_word(state, 2)])


HELPERS: dict[int, Helper] = {
    20: _get_tunnel_key,
    21: _set_tunnel_key,
    29: _get_tunnel_opt,
    30: _set_tunnel_opt,
    66: _get_xfrm_state,
    69: _fib_lookup,
    163: _check_mtu,
    83: _ancestor_cgroup,
    113: _probe_read("probe_read_kernel", False),
    115: _probe_read("probe_read_kernel_str", True),
    204: _gen_syncookie(4, 20),
    205: _gen_syncookie(6, 40),
    206: _check_syncookie(4, 20),
    207: _check_syncookie(6, 40),
}
