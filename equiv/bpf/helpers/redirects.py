"""Redirects, as the symbolic machine models them: which target the verdict has (net/core/filter.c, D62).

What was set last counts, as in `struct bpf_redirect_info`; it is observed where the program's verdict is a redirect.
"""

from __future__ import annotations

from equiv.bpf import cells, map_access
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import EINVAL, Helper, check_context, constant_argument, error, memory, size_argument
from equiv.bpf.program import MapSpec
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Value, describe
from equiv.machine.inputs import context_field
from equiv.term import Term, concat, const, eq, extract, ite, resize, sign_extend

XDP_REDIRECT, TC_ACT_SHOT, TC_ACT_REDIRECT = 4, 2, 7
INGRESS, NEIGH, PEER, NEXTHOP = 1, 1 << 1, 1 << 2, 1 << 3
"""Flags in `struct bpf_redirect_info`; all but INGRESS are the kernel's own (net/core/filter.c)."""
NEXT_HOP, NEXT_HOP_SIZE = "redirect.nh", 20
"""Effect, and sizeof(struct bpf_redir_neigh)."""
INET, INET6 = 2, 10
ACTION, BROADCAST, EXCLUDE_INGRESS = 3, 8, 16
NAME_SIZE = 64
XDP = 6


def _set(state: State, target: Term, flags: int, map_name: str = "") -> None:
    name = map_name.encode()
    if len(name) > NAME_SIZE:
        raise stuck(f"redirects through map {map_name}, whose name is too long to be compared")
    state.effects = {
        **{name: done for name, done in state.effects.items() if name != NEXT_HOP},
        "redirect.to": extract(31, 0, target),
        "redirect.flags": const(flags, 64),
        "redirect.map": const(int.from_bytes(name.ljust(NAME_SIZE, b"\x00"), "big"), 8 * NAME_SIZE),
    }


def _redirect(env: Environment, state: State) -> Value:
    flags = constant_argument(state, 2, "bpf_redirect")
    if env.interface.program_type == XDP:
        if flags:
            return ZERO
        _set(state, state.scalar(1), 0)
        return const(XDP_REDIRECT, WORD)
    if flags & ~INGRESS:
        return const(TC_ACT_SHOT, WORD)
    _set(state, state.scalar(1), flags)
    return const(TC_ACT_REDIRECT, WORD)


def _redirect_peer(env: Environment, state: State) -> Value:
    if constant_argument(state, 2, "bpf_redirect_peer"):
        return const(TC_ACT_SHOT, WORD)
    _set(state, state.scalar(1), PEER)
    return const(TC_ACT_REDIRECT, WORD)


def _redirect_neigh(env: Environment, state: State) -> Value:
    """The neighbour is looked up from the packet, or from a next hop in the arguments (D402)."""
    size = size_argument(state, 3, "bpf_redirect_neigh", zero=True)
    if constant_argument(state, 4, "bpf_redirect_neigh") or 0 < size < NEXT_HOP_SIZE:
        return const(TC_ACT_SHOT, WORD)
    given = memory(env, state, 2, size)[:NEXT_HOP_SIZE]
    _set(state, state.scalar(1), NEIGH | (NEXTHOP if given else 0))
    if given:
        state.effects = {**state.effects, NEXT_HOP: _looked_at(env, concat(*given))}
    return const(TC_ACT_REDIRECT, WORD)


def _looked_at(env: Environment, given: Term) -> Term:
    """Of a next hop (160 bits, in memory order) what the kernel looks at when the packet leaves."""
    first, second = extract(159, 128, given), extract(127, 96, given)
    family = cells.in_memory_order(first, env.little)
    short = concat(first, second, const(0, 96))
    other = ite(eq(family, const(INET, 32)), short, concat(first, const(0, 128)))
    return ite(eq(family, const(INET6, 32)), given, other)


def _redirect_map(env: Environment, state: State) -> Value:
    match state.regs[1]:
        case Pointer(region, _) if region.kind == "map":
            spec = env.map_spec(region.name)
        case value:
            raise fault(f"passes {describe(value)} for a map")
    flags = constant_argument(state, 3, "bpf_redirect_map")
    key = extract(31, 0, state.scalar(2))
    allowed = ACTION | (BROADCAST | EXCLUDE_INGRESS if spec.type in map_access.DEVICES else 0)
    if flags & ~allowed:
        return ZERO
    if flags & BROADCAST:  # the key does not matter then
        _set(state, ZERO, flags & (BROADCAST | EXCLUDE_INGRESS), spec.name)
        return const(XDP_REDIRECT, WORD)
    if not state.ask("has key", map_access.present(env, spec, _key(env, spec, key))):
        return const(flags & ACTION, WORD)
    _set(state, resize(key, WORD), 0, spec.name)
    return const(XDP_REDIRECT, WORD)


def _key(env: Environment, spec: MapSpec, key: Term) -> Term:
    if spec.type not in map_access.SLOTTED | map_access.DEVICES or spec.type == map_access.ARRAY_OF_MAPS:
        raise fault(f"redirects through map {spec.name} of type {spec.type}")
    return cells.in_memory_order(key, env.little)


def _clone_redirect(env: Environment, state: State) -> Value:
    """A copy of the packet as it came in goes to a device, whatever the verdict (D332)."""
    check_context(state)
    flags = constant_argument(state, 3, "bpf_clone_redirect")
    if flags & ~INGRESS:
        return error(EINVAL)
    if "clone.to" in state.effects:
        raise stuck("sends a second copy of the packet")
    others = [name for name in state.effects if not name.startswith("redirect.")]
    if state.packet or state.length is not None or state.ctx or others:
        raise stuck("sends a copy of a packet that was changed")
    to = extract(31, 0, state.scalar(2))
    if state.ask("no device", eq(to, const(0, 32))):
        return error(EINVAL)
    state.effects = {**state.effects, "clone.to": to, "clone.flags": const(flags, WORD)}
    env.noted.add("bpf_clone_redirect gives the same on both sides where both send a copy to the same device")
    return sign_extend(32, context_field("helper.clone_redirect", 32))


HELPERS: dict[int, Helper] = {
    13: _clone_redirect,
    23: _redirect,
    51: _redirect_map,
    152: _redirect_neigh,
    155: _redirect_peer,
}
