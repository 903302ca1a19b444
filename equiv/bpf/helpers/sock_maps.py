"""Maps of sockets, SOCKMAP and SOCKHASH: what they hold is asked like any other lookup of a socket (D403)."""

from __future__ import annotations

from equiv.bpf import cells
from equiv.bpf.access import load_number
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.sockets import found, socket_in
from equiv.bpf.map_access import SOCKMAP, SOCKS
from equiv.bpf.program import MapSpec
from equiv.bpf.sockets import ask
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, ZERO, Value
from equiv.term import Term, concat, const, sign_extend, ult

CHANGED = "sock_map."
"""Prefix of effects that no interface observes: `sock_map.N.MAP.SOCKET` is the N-th change, key, socket and flags."""

MOST_CHANGES = 4


def holds_sockets(spec: MapSpec) -> bool:
    """Whether values of the map are sockets."""
    return spec.type in SOCKS


def _key(env: Environment, state: State, spec: MapSpec) -> Term:
    """The key in r2, its bytes in memory order."""
    with state.within("key"):
        number = load_number(env, state, state.regs[2], 0, spec.key_size)
    return cells.in_memory_order(number, env.little)


def _changes(state: State) -> list[str]:
    return sorted(name for name in state.effects if name.startswith(CHANGED))


def _maps(changes: list[str]) -> set[str]:
    return {name.split(".", 3)[2] for name in changes}


def lookup(env: Environment, state: State, spec: MapSpec) -> Value:
    """A socket, or NULL: an unknown function of map and key."""
    if spec.name in _maps(_changes(state)):
        raise stuck(f"looks up map {spec.name} after putting a socket into it")
    key = _key(env, state, spec)
    if spec.type == SOCKMAP:
        if spec.key_size != 4:
            raise fault(f"map {spec.name} has keys of {spec.key_size} bytes")
        number = cells.in_memory_order(key, env.little)
        if not state.ask("has key", ult(number, const(spec.max_entries, 32))):
            return ZERO
    return found(env, state, f"map_lookup_elem.{spec.name}", key)


def update(env: Environment, state: State, spec: MapSpec) -> Value:
    """0 or a negative errno: an unknown function of map, key, socket, flags, and of what was put anywhere before."""
    region, identity = socket_in(state, 3)
    before = _changes(state)
    if len(before) >= MOST_CHANGES:
        raise stuck(f"puts sockets into maps more than {MOST_CHANGES} times")
    given = concat(_key(env, state, spec), identity, state.scalar(4))
    name = f"{CHANGED}{len(before)}.{spec.name}.{region.name}"
    asked = [*(state.effects[change] for change in before), given]
    state.effects = {**state.effects, name: given}
    history = "|".join(change.removeprefix(CHANGED) for change in (*before, name))
    return sign_extend(WORD - 32, ask(env, f"map_update_elem.{history}", 32, *asked))
