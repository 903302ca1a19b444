"""The map helpers over one run's memory and maps: lookup, update, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M64
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers import sock_maps
from equiv.bpf.interpret.helpers.common import Helper
from equiv.bpf.interpret.maps import MapState, OuterState
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run


def map_argument(run: Run, address: int) -> MapState:
    """The map that a helper is given by its address."""
    found = run.map_at.get(address)
    if found is None:
        raise Fault("calls a map helper with something that is not a map")
    return found


def _map_lookup_elem(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    """The address of a value, or of a map; 0 where there is none."""
    state = map_argument(run, a)
    if state.spec.kernel_pointers:
        raise NotRunnable(f"looks up map {state.spec.name}, whose values hold pointers of the kernel")
    key = run.memory.read_bytes(b, state.spec.key_size)
    if state.spec.type in sock_maps.SOCKS:
        return sock_maps.lookup(run, state, key)
    if isinstance(state, OuterState):
        return _lookup_map(run, state, key)
    region = state.lookup(key)
    return 0 if region is None else region.base


def _lookup_map(run: Run, outer: OuterState, key: bytes) -> int:
    name = outer.slot(key)
    if name is not None:
        return run.map_address(name)
    inner = outer.inner(key)
    return 0 if inner is None else run.address_of_map(f"{outer.spec.name}[{key.hex()}]", inner)


def _map_update_elem(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    """0 or a negative errno."""
    state = map_argument(run, a)
    key = run.memory.read_bytes(b, state.spec.key_size)
    if state.spec.type in sock_maps.SOCKS:
        return sock_maps.update(run, state, key, c, d)
    return state.update(key, run.memory.read_bytes(c, state.spec.value_size), d & M64) & M64


def _map_delete_elem(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    """0 or a negative errno."""
    state = map_argument(run, a)
    return state.delete(run.memory.read_bytes(b, state.spec.key_size)) & M64


HELPERS: Final[dict[int, Helper]] = {
    1: _map_lookup_elem,
    2: _map_update_elem,
    3: _map_delete_elem,
}
