"""Maps of the symbolic machine: contents are inputs shared by both sides, writes lie over them (D31, D52, D53)."""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from equiv.bpf import cells, windows
from equiv.bpf.environment import Environment
from equiv.bpf.map_contents import byte_at, is_present
from equiv.bpf.program import MapSpec
from equiv.bpf.state import State, fault, not_a_number, stuck
from equiv.bpf.values import WORD, Pointer, Region, Unusable, Value, constant_offset
from equiv.machine.inputs import map_has_key, map_value_byte
from equiv.term import FALSE, TRUE, Term, bvadd, conj, const, eq, extract, ite, to_linear, ule, ult

# enum bpf_map_type, include/uapi/linux/bpf.h.
HASH = 1
ARRAY = 2
PERCPU_HASH = 5
PERCPU_ARRAY = 6
LRU_HASH = 9
LRU_PERCPU_HASH = 10
LPM_TRIE = 11
ARRAY_OF_MAPS = 12
HASH_OF_MAPS = 13
DEVMAP = 14
SOCKMAP = 15
CPUMAP = 16
XSKMAP = 17
SOCKHASH = 18
DEVMAP_HASH = 25

ARRAYS = frozenset({ARRAY, PERCPU_ARRAY})
HASHES = frozenset({HASH, PERCPU_HASH, LRU_HASH, LRU_PERCPU_HASH})
LRU = frozenset({LRU_HASH, LRU_PERCPU_HASH})
OF_MAPS = frozenset({ARRAY_OF_MAPS, HASH_OF_MAPS})
SLOTTED = frozenset({ARRAY_OF_MAPS, DEVMAP, CPUMAP, XSKMAP})
"""Maps by index whose entries may be empty."""
DEVICES = frozenset({DEVMAP, DEVMAP_HASH})
SOCKS = frozenset({SOCKMAP, SOCKHASH})
"""Maps whose values are sockets (D403)."""
READ_ONLY = DEVICES | OF_MAPS
"""Maps that programs can look up and not change."""

F_RDONLY_PROG = 1 << 7

KEY_WIDTH = 32
"""Width of array indices and of offsets into map values."""

TABLE_LIMIT = 256
"""Most entries of a constant table that one load with a variable index may choose from."""

MOST_PLACES = 64
"""Most offsets in a value that one access forks into."""

WIDEST_SEARCH = 1 << 16
"""Widest range of offsets that is searched for those entries."""


def value_region(name: str, key: Term) -> Region:
    """The value that map `name` has under `key`."""
    return Region("map value", name, key=key)


def data_section(name: str) -> Region:
    """The only value of a writable data section's map (`.data`, `.bss`)."""
    return value_region(name, const(0, KEY_WIDTH))


def is_inner(name: str) -> bool:
    """Whether the name is that of the maps that a map of maps holds."""
    return name.endswith("[]")


def present(env: Environment, spec: MapSpec, key: Term) -> Term:
    """Width 1: whether the map had a value under `key` when the run began.

    Keys are numbers for arrays, else bytes with the lowest address most significant; those of maps that are held by
    another are its key with theirs behind it, all of them bytes.
    """
    if not spec.max_entries:
        return FALSE
    if spec.contents is not None and spec.type not in ARRAYS:
        known = is_present(spec, key, env.little)
        return (
            conj(_below(cells.in_memory_order(key, env.little), spec.max_entries), known)
            if spec.type in SLOTTED
            else known
        )
    if spec.type in ARRAYS:
        number = cells.in_memory_order(extract(31, 0, key), env.little) if is_inner(spec.name) else key
        return _below(number, spec.max_entries)
    if spec.type in HASHES or spec.type in (HASH_OF_MAPS, DEVMAP_HASH, LPM_TRIE):
        return map_has_key(spec.name, key)
    if spec.type in SLOTTED:
        number = cells.in_memory_order(key, env.little)
        return conj(_below(number, spec.max_entries), map_has_key(spec.name, key))
    raise stuck(f"looks up map {spec.name} of type {spec.type}, which is not modelled")


def _below(number: Term, count: int) -> Term:
    return ult(number, const(count, KEY_WIDTH)) if count < 1 << KEY_WIDTH else TRUE


def load_value(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    """`size` bytes at `pointer` into a map value, as a number."""
    _inside(env, state, pointer, size)
    return current_value(env, state, pointer, size)


def current_value(env: Environment, state: State, pointer: Pointer, size: int) -> Term:
    """The same where `pointer` is known to be inside; the map need not be one of the program's."""
    region = pointer.region
    assert region.key is not None
    key = current_key(env, state, region.name, region.key)
    _not_spoiled(state, region.name, key)
    written = state.values.get((region.name, key), {})
    at = _place_in(env, state, pointer, size, "reads") if written else constant_offset(pointer.offset)
    if _is_section(env, region.name):
        held = windows.find(state, region.name, pointer.offset if at is None else const(at, WORD), size)
        if held is not None:
            written, at = held, 0
        elif at is None:
            at = windows.written_at(state, region.name, written, pointer.offset, size)
    if at is None:
        pieces = [initial_byte(env, region.name, key, bvadd(pointer.offset, const(i, WORD))) for i in range(size)]
        return cells.join(pieces, env.little)

    def missing(position: int) -> Term:
        return initial_byte(env, region.name, key, const(position, WORD))

    value = cells.load(written, at, size, env.little, missing)
    if isinstance(value, Term):
        return value
    raise not_a_number(value)


def store_value(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    """Write `size` bytes at `pointer` into a map value."""
    region = pointer.region
    assert region.key is not None
    if writable_by_user_space_only(env.map_spec(region.name)):
        raise fault(f"writes to {region}, which is read-only")
    _inside(env, state, pointer, size)
    at = _place_in(env, state, pointer, size, "writes to")
    key = current_key(env, state, region.name, region.key)
    _not_spoiled(state, region.name, key)
    if _is_section(env, region.name):
        held = windows.find(state, region.name, pointer.offset if at is None else const(at, WORD), size)
        if held is None and at is None:
            written = state.values.get((region.name, key), {})
            at = windows.written_at(state, region.name, written, pointer.offset, size)
        if held is None and at is None:
            windows.check_room(state, region.name)
            overlay(state, region.name, key)  # so that other keys of the map are told from it
            held = overlay(state, windows.name_of(region.name), extract(KEY_WIDTH - 1, 0, pointer.offset))
        if held is not None:
            cells.store(held, 0, size, value, env.little)
            return
    assert at is not None
    cells.store(overlay(state, region.name, key), at, size, value, env.little)


def _is_section(env: Environment, name: str) -> bool:
    """Whether the map is a data section, of which what is written may lie in windows (D407)."""
    spec = env.program.maps.get(name)
    return spec is not None and spec.initial is not None


def _place_in(env: Environment, state: State, pointer: Pointer, size: int, doing: str) -> int | None:
    """The pointer's offset as a number: where it depends on the input, those that it may be fork, if they are few.

    None where they are many and the map is a data section.
    """
    at = constant_offset(pointer.offset)
    if at is not None:
        return at
    atoms, start = to_linear(pointer.offset)
    step = gcd(*atoms.values())
    possible = range(start % step, env.map_spec(pointer.region.name).value_size - size + 1, step)
    if len(possible) <= MOST_PLACES:
        for number in possible:
            if state.ask(f"offset {number}", eq(pointer.offset, const(number, WORD))):
                return number
    if _is_section(env, pointer.region.name):
        return None
    raise stuck(f"{doing} {pointer.region} at an offset that depends on the input")


def writable_by_user_space_only(spec: MapSpec) -> bool:
    """Whether the verifier lets no program write to the map."""
    return spec.frozen or bool(spec.flags & F_RDONLY_PROG) or spec.type in READ_ONLY


def _not_spoiled(state: State, name: str, key: Term) -> None:
    if name in state.spoiled and (name, key) not in state.presence:
        raise stuck(f"accesses map {name} after a change that depends on the map's state")


def _inside(env: Environment, state: State, pointer: Pointer, size: int) -> Term:
    """The pointer's offset, for an access of `size` bytes within the value."""
    last = env.map_spec(pointer.region.name).value_size - size
    if last < 0 or not state.ask("in bounds", ule(pointer.offset, const(last, WORD))):
        raise fault(f"accesses {pointer.region} out of bounds")
    return pointer.offset


def current_key(env: Environment, state: State, name: str, key: Term) -> Term:
    """The term under which what was done to this very entry is kept: keys that may be equal fork."""
    if (name, key) in state.values:
        return key
    for number, (other, written) in enumerate(state.values):
        if other != name:
            continue
        if is_inner(name) and not _same_outer(env, state, name, key, written):
            raise stuck(f"accesses {name[:-2]} after a write to a map in it: two of its maps may be one")
        if state.ask(f"same key {number}", eq(key, written)):
            return written
    return key


def _same_outer(env: Environment, state: State, name: str, a: Term, b: Term) -> bool:
    """Whether two keys of maps that are held by another surely belong to one and the same of them."""
    low = 8 * env.map_spec(name).key_size
    return state.knows(eq(extract(a.width - 1, low, a), extract(a.width - 1, low, b))) is True


def overlay(state: State, name: str, key: Term) -> cells.Cells:
    """What was written to the entry under a current key; a place for it where nothing was.

    Places are in the order of snapshots, so that what an instruction has asked of them keeps its meaning: by map,
    constant keys by value, others as they came.
    """
    found = state.values.get((name, key))
    if found is None:
        found = state.values[name, key] = {}
        if len(state.values) > 1:
            state.values = dict(sorted(state.values.items(), key=lambda item: place_of(*item[0])))
    return found


def place_of(name: str, key: Term) -> tuple[str, int]:
    """What places in `State.values` are sorted by."""
    return name, key.value if key.is_const else 1 << key.width


def initial_byte(env: Environment, name: str, key: Term, offset: Term) -> Term:
    """A byte of the value that was there when the run began; `offset` has 64 bits."""
    spec = env.program.maps.get(name)
    if spec is not None and spec.contents is not None:
        at = constant_offset(offset)
        if at is None:
            raise stuck(f"reads map {name}, whose contents are known, at an offset that depends on the input")
        return byte_at(spec, key, at, env.little)
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


def retire(state: State, name: str, key: Term, *, others: bool = False) -> None:
    """Make pointers to the value under `key` unusable: it was replaced or deleted. With `others` those to the others.

    A pointer whose key may be the same is retired as well.
    """
    gone = Unusable(f"uses a value of map {name} that was replaced, deleted or dropped")

    def changed(value: Value | None) -> Value | None:
        if not isinstance(value, Pointer) or value.region.kind != "map value" or value.region.name != name:
            return value
        assert value.region.key is not None
        same = TRUE if value.region.key is key else eq(value.region.key, key)
        same_known = state.knows(same)
        return gone if (same_known is not True if others else same_known is not False) else value

    state.change_values(changed)
