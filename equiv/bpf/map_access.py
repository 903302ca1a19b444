"""Maps of the symbolic machine: contents are inputs shared by both sides, writes lie over them (D31)."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import cells
from equiv.bpf.environment import Environment
from equiv.bpf.program import MapSpec
from equiv.bpf.state import State, fault, not_a_number, stuck
from equiv.bpf.values import WORD, Pointer, Region, Value, constant_offset
from equiv.machine.inputs import map_has_key, map_value_byte
from equiv.term import FALSE, TRUE, Term, bvadd, const, eq, extract, ite, ule, ult

# enum bpf_map_type, include/uapi/linux/bpf.h.
HASH = 1
ARRAY = 2
PERCPU_HASH = 5
PERCPU_ARRAY = 6
LRU_HASH = 9
LRU_PERCPU_HASH = 10

ARRAYS = frozenset({ARRAY, PERCPU_ARRAY})
HASHES = frozenset({HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH})

KEY_WIDTH = 32
"""Width of array indices and of offsets into map values."""

TABLE_LIMIT = 256
"""Most entries of a constant table that one load with a variable index may choose from."""

WIDEST_SEARCH = 1 << 16
"""Widest range of offsets that is searched for those entries."""


def value_region(name: str, key: Term) -> Region:
    """The value that map `name` has under `key`."""
    return Region("map value", name, key=key)


def data_section(name: str) -> Region:
    """The only value of a writable data section's map (`.data`, `.bss`)."""
    return value_region(name, const(0, KEY_WIDTH))


def present(spec: MapSpec, key: Term) -> Term:
    """Width 1: whether the map has a value under `key`."""
    if spec.type in ARRAYS:
        return ult(key, const(spec.max_entries, KEY_WIDTH)) if spec.max_entries < 1 << KEY_WIDTH else TRUE
    if spec.type in HASHES:
        return map_has_key(spec.name, key) if spec.max_entries else FALSE
    raise stuck(f"looks up map {spec.name} of type {spec.type}, which is not modelled")


def load_value(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    """`size` bytes at `pointer` into a map value, as a number."""
    _inside(env, state, pointer, size)
    return current_value(env, state, pointer, size)


def current_value(env: Environment, state: State, pointer: Pointer, size: int) -> Term:
    """The same where `pointer` is known to be inside; the map need not be one of the program's."""
    region = pointer.region
    assert region.key is not None
    _not_spoiled(state, region.name)
    key = _current_key(state, region.name, region.key)
    written = state.values.get((region.name, key), {})
    at = constant_offset(pointer.offset)
    if at is None:
        if written:
            raise stuck(f"reads {region} at an offset that depends on the input after writing to it")
        pieces = [_initial(region.name, key, bvadd(pointer.offset, const(i, WORD))) for i in range(size)]
        return cells.join(pieces, env.little)

    def missing(position: int) -> Term:
        return _initial(region.name, key, const(position, WORD))

    value = cells.load(written, at, size, env.little, missing)
    if isinstance(value, Term):
        return value
    raise not_a_number(value)


def store_value(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    """Write `size` bytes at `pointer` into a map value."""
    region = pointer.region
    assert region.key is not None
    _not_spoiled(state, region.name)
    at = constant_offset(_inside(env, state, pointer, size))
    if at is None:
        raise stuck(f"writes to {region} at an offset that depends on the input")
    key = _current_key(state, region.name, region.key)
    cells.store(state.values.setdefault((region.name, key), {}), at, size, value, env.little)


def _not_spoiled(state: State, name: str) -> None:
    if name in state.spoiled:
        raise stuck(f"accesses map {name} after an update whose success depends on the map's state")


def _inside(env: Environment, state: State, pointer: Pointer, size: int) -> Term:
    """The pointer's offset, for an access of `size` bytes within the value."""
    last = env.map_spec(pointer.region.name).value_size - size
    if last < 0 or not state.ask("in bounds", ule(pointer.offset, const(last, WORD))):
        raise fault(f"accesses {pointer.region} out of bounds")
    return pointer.offset


def _current_key(state: State, name: str, key: Term) -> Term:
    """The term under which what was written to this very value is kept: keys that may be equal fork."""
    if (name, key) in state.values:
        return key
    for number, (other, written) in enumerate(state.values):
        if other == name and state.ask(f"same key {number}", eq(key, written)):
            return written
    return key


def _initial(name: str, key: Term, offset: Term) -> Term:
    return map_value_byte(name, key, extract(KEY_WIDTH - 1, 0, offset))


def chosen(index: Term, last: int, entry: Callable[[int], int], width: int) -> Term:
    """`entry(index)` for an index from 0 to `last`, as a choice among those that `index` can be."""
    high = min(index.hi, last)
    if high - index.lo > WIDEST_SEARCH:
        raise stuck("reads a constant table whose index is not narrowly bounded")
    possible = [i for i in range(index.lo, high + 1) if not i & index.zeros and i & index.ones == index.ones]
    if not 0 < len(possible) <= TABLE_LIMIT:
        raise stuck("reads a constant table whose index is not narrowly bounded")
    result = const(entry(possible[-1]), width)
    for i in reversed(possible[:-1]):
        result = ite(eq(index, const(i, WORD)), const(entry(i), width), result)
    return result
