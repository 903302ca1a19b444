"""Map helpers of the interpreter; what they do to a map is in `equiv.bpf.interpret.maps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M64
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.helpers.common import Helper
from equiv.bpf.interpret.maps import MapState

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run


def _map(run: Run, address: int) -> MapState:
    found = run.map_at.get(address)
    if found is None:
        raise Fault("calls a map helper with something that is not a map")
    return found


def _map_lookup_elem(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    state = _map(run, a)
    region = state.lookup(run.memory.read_bytes(b, state.spec.key_size))
    return 0 if region is None else region.base


def _map_update_elem(run: Run, a: int, b: int, c: int, d: int, _e: int) -> int:
    state = _map(run, a)
    key = run.memory.read_bytes(b, state.spec.key_size)
    return state.update(key, run.memory.read_bytes(c, state.spec.value_size), d & M64) & M64


def _map_delete_elem(run: Run, a: int, b: int, _c: int, _d: int, _e: int) -> int:
    state = _map(run, a)
    return state.delete(run.memory.read_bytes(b, state.spec.key_size)) & M64


HELPERS: Final[dict[int, Helper]] = {
    1: _map_lookup_elem,
    2: _map_update_elem,
    3: _map_delete_elem,
}
