"""Map helpers of the symbolic machine (D31)."""

from __future__ import annotations

from equiv.bpf import cells, map_access
from equiv.bpf.access import load_number
from equiv.bpf.environment import Environment
from equiv.bpf.helpers.common import E2BIG, EEXIST, EINVAL, ENOENT, Helper, constant_argument, error
from equiv.bpf.program import MapSpec
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Unusable, Value, describe
from equiv.term import Term, const, extract


def _map(env: Environment, state: State) -> MapSpec:
    match state.regs[1]:
        case Pointer(region, _) if region.kind == "map":
            return env.map_spec(region.name)
        case value:
            raise fault(f"passes {describe(value)} for a map")


def _key(env: Environment, state: State, spec: MapSpec) -> Term:
    if spec.type not in map_access.ARRAYS | map_access.HASHES:
        raise stuck(f"uses map {spec.name} of type {spec.type}, which is not modelled")
    if spec.type in map_access.ARRAYS and spec.key_size != 4:
        raise fault(f"array map {spec.name} has keys of {spec.key_size} bytes")
    number = load_number(env, state, state.regs[2], 0, spec.key_size)
    return number if spec.type in map_access.ARRAYS else cells.in_memory_order(number, env.little)


def _map_lookup_elem(env: Environment, state: State) -> Value:
    spec = _map(env, state)
    if spec.name in state.spoiled:
        raise stuck(f"looks up map {spec.name} after an update whose success depends on the map's state")
    key = _key(env, state, spec)
    if state.ask("has key", map_access.present(spec, key)):
        return Pointer(map_access.value_region(spec.name, key), ZERO)
    return ZERO


def _map_update_elem(env: Environment, state: State) -> Value:
    spec = _map(env, state)
    key = _key(env, state, spec)
    flags = constant_argument(state, 4, "bpf_map_update_elem")
    if spec.type in map_access.HASHES:
        state.spoiled |= {spec.name}
        return Unusable(f"the result of updating map {spec.name} depends on the map's state")
    if flags > 2:
        raise stuck(f"calls bpf_map_update_elem with flags {flags:#x}")
    value = load_number(env, state, state.regs[3], 0, spec.value_size)
    # Order of the checks: array_map_update_elem, kernel/bpf/arraymap.c.
    if not state.ask("has key", map_access.present(spec, key)):
        return error(E2BIG)
    if flags == 1:
        return error(EEXIST)
    bytes_in_memory = cells.in_memory_order(value, env.little)
    region = map_access.value_region(spec.name, key)
    for at in range(0, spec.value_size, 8):
        size = min(8, spec.value_size - at)
        low = 8 * (spec.value_size - at - size)
        piece = cells.in_memory_order(extract(low + 8 * size - 1, low, bytes_in_memory), env.little)
        map_access.store_value(env, state, Pointer(region, const(at, WORD)), size, piece)
    return ZERO


def _map_delete_elem(env: Environment, state: State) -> Value:
    spec = _map(env, state)
    key = _key(env, state, spec)
    if spec.type in map_access.ARRAYS:
        return error(EINVAL)
    if spec.name in state.spoiled:
        raise stuck(f"deletes from map {spec.name} after an update whose success depends on the map's state")
    found = state.ask("has key", map_access.present(spec, key))
    state.spoiled |= {spec.name}
    return ZERO if found else error(ENOENT)


HELPERS: dict[int, Helper] = {
    1: _map_lookup_elem,
    2: _map_update_elem,
    3: _map_delete_elem,
}
