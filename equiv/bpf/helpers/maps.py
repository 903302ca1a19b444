"""The map helpers of the symbolic machine: lookup, update, delete (D31, D52, D53)."""

from __future__ import annotations

from typing import NamedTuple

from equiv.bpf import cells, map_access, windows
from equiv.bpf.access import load_number
from equiv.bpf.environment import Environment
from equiv.bpf.helpers import sock_maps
from equiv.bpf.helpers.common import E2BIG, EEXIST, EINVAL, ENOENT, Helper, error
from equiv.bpf.program import MapSpec
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Region, Unusable, Value, describe
from equiv.term import TRUE, Term, concat, const, eq, extract, ult, var

ANY, NOEXIST, EXIST, LOCK = 0, 1, 2, 4

FEWEST_ENTRIES = 8
"""Hashes with fewer entries than this: whether another fits depends on which keys are there, which is not modelled."""

NO_ENOMEM = "memory for map entries never runs out"
LRU_FINDS_ROOM = "an update of a map of the LRU kind always finds an entry to put to use"
INNER_APART = "maps held by a map are none of the object's own, unless the object puts them there"


UNREAD = Unusable("uses a result that was thought to be dropped")
"""What changing a map gives on whose contents nothing depends: the change is left out (D52)."""


class Map(NamedTuple):
    """The map that a helper is given; `outer` is the key under which another map holds it (bytes), if one does."""

    spec: MapSpec
    outer: Term | None


def _map(env: Environment, state: State) -> Map:
    match state.regs[1]:
        case Pointer(region, _) if region.kind == "map":
            return Map(env.map_spec(region.name), region.key)
        case value:
            raise fault(f"passes {describe(value)} for a map")


def _key(env: Environment, state: State, given: Map) -> Term:
    """The key in r2, as `map_access.present` wants it."""
    spec = given.spec
    if spec.type in map_access.ARRAYS | map_access.SLOTTED and spec.key_size != 4:
        raise fault(f"array map {spec.name} has keys of {spec.key_size} bytes")
    with state.within("key"):
        number = load_number(env, state, state.regs[2], 0, spec.key_size)
    if spec.type == map_access.LPM_TRIE and spec.contents is None:
        _whole_prefix(env, spec, number)
    if spec.type in map_access.ARRAYS and given.outer is None:
        return number
    key = cells.in_memory_order(number, env.little)
    return key if given.outer is None else concat(given.outer, key)


def _whole_prefix(env: Environment, spec: MapSpec, number: Term) -> None:
    """Stop unless the key asks for all its bits: what shorter ones match depends on each other."""
    length = extract(31, 0, number) if env.little else extract(number.width - 1, number.width - 32, number)
    if not length.is_const or length.value != 8 * (spec.key_size - 4):
        raise stuck(f"looks up map {spec.name} with a prefix that is not the whole key")


def _map_lookup_elem(env: Environment, state: State) -> Value:
    """A pointer to the value, or to the map, or NULL."""
    given = _map(env, state)
    spec = given.spec
    if spec.kernel_pointers:
        raise stuck(f"looks up map {spec.name}, whose values hold pointers of the kernel")
    if sock_maps.holds_sockets(spec) and given.outer is None:
        return sock_maps.lookup(env, state, spec)
    key = _key(env, state, given)
    if spec.type in map_access.OF_MAPS:
        return _inner_map(env, state, spec, key)
    found = map_access.current_key(env, state, spec.name, key)
    return Pointer(map_access.value_region(spec.name, found), ZERO) if _is_there(env, state, spec, found)[1] else ZERO


def _is_there(env: Environment, state: State, spec: MapSpec, key: Term) -> tuple[bool, bool]:
    """Whether there was an entry under a current key when the run began, and whether there is one now."""
    known = state.presence.get((spec.name, key))
    if known is not None:
        return known
    if spec.name in state.spoiled:
        raise stuck(f"looks up map {spec.name} after a change that depends on the map's state")
    there = state.ask("has key", map_access.present(env, spec, key))
    return there, there


def _inner_map(env: Environment, state: State, spec: MapSpec, key: Term) -> Value:
    if spec.slots:
        index = cells.in_memory_order(key, env.little)
        for number, name in spec.slots.items():
            if state.ask(f"map {number}", eq(index, const(number, index.width))):
                return Pointer(Region("map", name), ZERO)
        return ZERO
    if spec.inner is None:
        raise stuck(f"looks up map {spec.name}: the object does not say what maps it holds")
    env.noted.add(INNER_APART)
    if state.ask("has key", map_access.present(env, spec, key)):
        return Pointer(Region("map", f"{spec.name}[]", key=key), ZERO)
    return ZERO


def _flags(state: State) -> int:
    flags = state.scalar(4)
    if not flags.is_const:
        raise stuck("calls bpf_map_update_elem with flags that depend on the input")
    if flags.value & LOCK:
        raise stuck(f"calls bpf_map_update_elem with flags {flags.value:#x}")
    return flags.value


def _changeable(state: State, spec: MapSpec) -> None:
    if windows.windows_over(state, spec.name):
        raise stuck(f"changes map {spec.name} after a write to it at an offset that depends on the input")
    if map_access.writable_by_user_space_only(spec):
        raise fault(f"changes map {spec.name}, which is read-only")
    if spec.type not in map_access.ARRAYS | map_access.HASHES | {map_access.LPM_TRIE}:
        raise stuck(f"changes map {spec.name} of type {spec.type}, which is not modelled")


def _spoiled(state: State, spec: MapSpec, key: Term) -> Unusable:
    """After a change of a prefix tree: what it matched before is not known, nor how full it is."""
    state.spoiled |= {spec.name}
    map_access.retire(state, spec.name, key)
    map_access.retire(state, spec.name, key, others=True)
    return Unusable(f"the result of changing map {spec.name} depends on the map's state")


def _map_update_elem(env: Environment, state: State) -> Value:
    """0 or a negative errno. Order of the checks: array_map_update_elem, htab_map_update_elem (kernel/bpf)."""
    given = _map(env, state)
    if sock_maps.holds_sockets(given.spec) and given.outer is None:
        return sock_maps.update(env, state, given.spec)
    spec, flags = given.spec, _flags(state)
    _changeable(state, spec)
    key = _key(env, state, given)
    with state.within("value"):
        value = cells.in_memory_order(load_number(env, state, state.regs[3], 0, spec.value_size), env.little)
    if spec.name in env.unread:
        return UNREAD
    if flags > EXIST:
        return error(EINVAL)
    if spec.type == map_access.LPM_TRIE:
        return _spoiled(state, spec, key)
    found = map_access.current_key(env, state, spec.name, key)
    if spec.type in map_access.HASHES:
        return _update_hash(env, state, spec, found, value, flags)
    if not _is_there(env, state, spec, found)[1]:
        return error(E2BIG)
    if flags == NOEXIST:
        return error(EEXIST)
    _write(env, state, spec, found, value)
    return ZERO


def _update_hash(env: Environment, state: State, spec: MapSpec, key: Term, value: Term, flags: int) -> Value:
    if flags == ANY and spec.type in map_access.LRU and spec.name in state.spoiled:
        was = here = False  # or True: it makes no difference
    else:
        was, here = _is_there(env, state, spec, key)
    refused = EEXIST if here and flags == NOEXIST else ENOENT if not here and flags == EXIST else 0
    if not refused and not here and not _has_room(env, state, spec):
        refused = E2BIG
    if spec.type in map_access.LRU:  # it takes an entry before it looks, and may drop another for that
        env.noted.add(LRU_FINDS_ROOM)
        _forget_others(state, spec.name, key)
        map_access.overlay(state, spec.name, key)
        state.presence[spec.name, key] = was, here
    if refused:
        return error(refused)
    in_place = here and spec.type in (map_access.PERCPU_HASH, map_access.LRU_PERCPU_HASH)
    if not in_place:
        map_access.retire(state, spec.name, key)
    map_access.overlay(state, spec.name, key).clear()
    state.presence[spec.name, key] = was, True
    _write(env, state, spec, key, value)
    return ZERO


def _has_room(env: Environment, state: State, spec: MapSpec) -> bool:
    """Whether a hash takes another entry: how many it held when the run began is an input (D52)."""
    if spec.type in map_access.LRU:
        return True
    if map_access.is_inner(spec.name) or (spec.contents is None and spec.max_entries < FEWEST_ENTRIES):
        raise stuck(f"adds an entry to map {spec.name}: whether it fits depends on the map's state")
    env.noted.add(NO_ENOMEM)
    added = sum(now - was for (name, _), (was, now) in state.presence.items() if name == spec.name)
    most = min(spec.max_entries, 1 << min(8 * spec.key_size, WORD - 1))
    limit = spec.max_entries - added
    if spec.contents is not None:
        return len(spec.contents) < limit
    count = var(f"ctx.map.{spec.name}.count", WORD, 0, most)
    return state.ask("room", TRUE if limit > most else ult(count, const(limit, WORD)))


def _forget_others(state: State, name: str, key: Term) -> None:
    """An LRU map may have dropped any entry but that under `key`."""
    map_access.retire(state, name, key, others=True)
    for other in [other for other in state.values if other[0] == name and other[1] is not key]:
        del state.values[other]
        state.presence.pop(other, None)
    state.spoiled |= {name}


def _write(env: Environment, state: State, spec: MapSpec, key: Term, value: Term) -> None:
    """Overwrite the whole value; `value` has its bytes in memory order."""
    written = map_access.overlay(state, spec.name, key)
    for at in range(0, spec.value_size, 8):
        size = min(8, spec.value_size - at)
        low = 8 * (spec.value_size - at - size)
        piece = cells.in_memory_order(extract(low + 8 * size - 1, low, value), env.little)
        cells.store(written, at, size, piece, env.little)


def _map_delete_elem(env: Environment, state: State) -> Value:
    """0 or a negative errno."""
    given = _map(env, state)
    spec = given.spec
    _changeable(state, spec)
    key = _key(env, state, given)
    if spec.name in env.unread:
        return UNREAD
    if spec.type in map_access.ARRAYS:
        return error(EINVAL)
    if spec.type == map_access.LPM_TRIE:
        return _spoiled(state, spec, key)
    found = map_access.current_key(env, state, spec.name, key)
    was, here = _is_there(env, state, spec, found)
    if not here:
        return error(ENOENT)
    map_access.retire(state, spec.name, found)
    map_access.overlay(state, spec.name, found).clear()
    state.presence[spec.name, found] = was, False
    return ZERO


HELPERS: dict[int, Helper] = {
    1: _map_lookup_elem,
    2: _map_update_elem,
    3: _map_delete_elem,
}
