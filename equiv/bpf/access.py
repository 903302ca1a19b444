"""Loads and stores of the symbolic machine: which object, is it inside, which bytes (RFC 9669, section 5)."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import cells, map_access, packet
from equiv.bpf.context import check_register, load_context, store_context
from equiv.bpf.environment import Environment
from equiv.bpf.pointers import SMALL
from equiv.bpf.sockets import is_held, load_field, store_field
from equiv.bpf.state import Rejected, State, fault, not_a_number, stuck
from equiv.bpf.values import WORD, Pointer, Region, Unusable, Value, constant_offset, describe
from equiv.machine.inputs import packet_byte, unwritten_byte
from equiv.term import Term, bvadd, conj, const, extract, negate, ule, ult

STACK_SIZE = 512
"""MAX_BPF_STACK."""

MOST_UNWRITTEN = 64
"""Bytes that nobody has written of which a run may read so many."""

UNWRITTEN = "stack"
"""What they are counted as in `State.counts`; no helper is called so."""

KEY_SIZE = 4
"""Bytes of an array's key."""

FLOW_KEYS_SIZE = 56
"""sizeof(struct bpf_flow_keys)."""


def load(env: Environment, state: State, base: Value | None, offset: int, size: int) -> Value:
    """The `size` bytes at `base + offset` as a number of `8 * size` bits in the machine's order, or a pointer there."""
    pointer = address(base, offset)
    return LOADS[pointer.region.kind](env, state, pointer, size)


def store(env: Environment, state: State, base: Value | None, offset: int, size: int, value: Value | None) -> None:
    """Put the low `size` bytes of `value` (64 bits) at `base + offset`."""
    pointer = address(base, offset)
    if value is None:
        raise not_a_number(value)
    if isinstance(value, Term):
        if pointer.region.kind == "ctx" and value.hi >> 8 * size:
            check_register(env, pointer.offset)
        value = extract(8 * size - 1, 0, value)
    elif size != 8 or pointer.region.kind != "stack":
        raise not_a_number(value)
    write(env, state, pointer, size, value)


def write(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    """Put `value`, which has `size` bytes, at `pointer`."""
    STORES[pointer.region.kind](env, state, pointer, size, value)


def address(base: Value | None, offset: int) -> Pointer:
    """The pointer `base + offset`; stops where `base` is none."""
    if type(base) is Pointer:
        if not offset:
            return base
        start = base.offset
        if start.is_const:
            return Pointer(base.region, const(start.value + offset, WORD))
        return Pointer(base.region, bvadd(start, const(offset, WORD)))
    if base is None:
        raise not_a_number(base)
    if isinstance(base, Unusable):
        raise Rejected(base.reason, base.fault)
    if isinstance(base, Term) and is_held(base):
        raise stuck("follows a pointer that an object of the kernel holds")
    raise fault(f"uses {describe(base)} as an address")


def load_number(env: Environment, state: State, base: Value | None, offset: int, size: int) -> Term:
    """`load` where only a number will do."""
    value = load(env, state, base, offset, size)
    if isinstance(value, Term):
        return value
    raise not_a_number(value)


def fixed(pointer: Pointer, size: int, low: int, high: int) -> int:
    """The pointer's offset, which must be constant, for an access of `size` bytes within [low, high)."""
    offset = constant_offset(pointer.offset)
    if offset is None:
        raise stuck(f"accesses {pointer.region} at an offset that depends on the input")
    if not low <= offset <= high - size:
        raise fault(f"accesses {pointer.region} out of bounds: {size} bytes at offset {offset}")
    return offset


# --- packet -----------------------------------------------------------------------------------------------------


def _load_packet(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    if pointer.offset.is_const and pointer.offset.value >= SMALL:
        return _load_metadata(env, state, pointer, size)
    _inside_packet(env, state, pointer.offset, size)
    return packet_field(env, state, pointer.offset, size)


def _inside_packet(env: Environment, state: State, offset: Term, size: int) -> None:
    """Stop unless `size` bytes from `offset` can be accessed directly."""
    inside = negate(ult(env.packet_end(state), bvadd(offset, const(size, WORD))))
    if offset.hi >= SMALL:
        inside = conj(ult(offset, const(SMALL, WORD)), inside)
    if not state.ask("in bounds", inside):
        raise fault(f"packet access out of bounds: {size} bytes are not known to lie before data_end")


def packet_field(env: Environment, state: State, offset: Term, size: int) -> Term:
    """`size` packet bytes from `offset`, which must be inside, as a number in the machine's byte order."""
    if state.packet:
        return packet.load(state, offset, size, env.little)
    found = env.packet_fields.get((offset, size))
    if found is None:
        pieces = [packet_byte(bvadd(offset, const(i, WORD))) for i in range(size)]
        found = env.packet_fields[offset, size] = cells.join(pieces, env.little)
    return found


def _load_metadata(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    offset = fixed(pointer, size, -state.meta_size, 0)
    return _found(cells.load(state.meta, offset, size, env.little, _uninitialised("metadata")))


def _store_packet(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    if pointer.offset.is_const and pointer.offset.value >= SMALL:
        offset = fixed(pointer, size, -state.meta_size, 0)
        cells.store(state.meta, offset, size, value, env.little)
        return
    if env.interface.context == "flow_dissector":
        raise fault("writes to the packet, which is read-only for this program type")
    _inside_packet(env, state, pointer.offset, size)
    packet.store(state, pointer.offset, size, value, env.little)


# --- stack, flow keys -------------------------------------------------------------------------------------------


def _load_stack(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    offset = fixed(pointer, size, -STACK_SIZE, 0)
    frame = frame_cells(state, pointer.region)
    return _found(cells.load(frame, offset, size, env.little, lambda at: _unwritten(env, state, frame, at)))


def _unwritten(env: Environment, state: State, frame: cells.Cells, offset: int) -> Term:
    """A byte of the stack that nobody has written: it may be anything, on each side for itself (D360).

    It is in its place from now on, so that later questions are about the same byte.
    """
    number = dict(state.counts).get(UNWRITTEN, 0)
    if number >= MOST_UNWRITTEN:
        raise stuck(f"reads uninitialised stack byte at offset {offset}, after {MOST_UNWRITTEN} others")
    state.counts = tuple(sorted({**dict(state.counts), UNWRITTEN: number + 1}.items()))
    byte = unwritten_byte(env.side, number, state.pc, offset)
    cells.store(frame, offset, 1, byte, env.little)
    return byte


def _store_stack(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    offset = fixed(pointer, size, -STACK_SIZE, 0)
    cells.store(frame_cells(state, pointer.region), offset, size, value, env.little)


def frame_cells(state: State, region: Region) -> cells.Cells:
    """The cells of a stack frame that is still there."""
    if region.frame >= len(state.stacks):
        raise fault("accesses the stack frame of a function that has returned")
    return state.stacks[region.frame]


def _load_keys(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    offset = fixed(pointer, size, 0, FLOW_KEYS_SIZE)
    return _found(cells.load(state.keys, offset, size, env.little, _uninitialised("flow key")))


def _store_keys(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    offset = fixed(pointer, size, 0, FLOW_KEYS_SIZE)
    cells.store(state.keys, offset, size, value, env.little)


def _uninitialised(what: str) -> Callable[[int], Term]:
    def missing(offset: int) -> Term:
        raise stuck(f"reads uninitialised {what} byte at offset {offset}")

    return missing


def _found(value: Value | None) -> Value:
    if value is None:
        raise stuck("reads a part of a pointer: the result depends on kernel addresses")
    return value


# --- context, maps, constants -----------------------------------------------------------------------------------


def _load_context(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    offset = constant_offset(pointer.offset)
    if offset is None:
        raise fault("accesses the context at an offset that depends on the input")
    return load_context(env, state, offset, size)


def _store_context(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    offset = constant_offset(pointer.offset)
    if offset is None or not isinstance(value, Term):
        raise fault("accesses the context at an offset that depends on the input")
    store_context(env, state, offset, size, value)


def _load_constants(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    spec = env.map_spec(pointer.region.name)
    data = spec.initial or b""
    if pointer.offset.is_const:
        return const(_constant(data, fixed(pointer, size, 0, len(data)), size, env.little), 8 * size)
    last = len(data) - size
    if last < 0 or not state.ask("in bounds", ule(pointer.offset, const(last, WORD))):
        raise fault(f"accesses {pointer.region} out of bounds")
    return map_access.chosen(pointer.offset, last, lambda at: _constant(data, at, size, env.little), 8 * size)


def _constant(data: bytes, offset: int, size: int, little: bool) -> int:
    return int.from_bytes(data[offset : offset + size], "little" if little else "big")


def _store_constants(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    raise fault(f"writes to read-only {pointer.region}")


def _load_key(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    """The key of an array's entry that is visited (D406)."""
    key = pointer.region.key
    assert key is not None
    return cells.part(key, KEY_SIZE, fixed(pointer, size, 0, KEY_SIZE), size, env.little)


def _load_record(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    raise stuck("reads from memory for user space")


def _store_record(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    """What is written there goes to user space, and is not compared (D405)."""
    check_record(state, pointer, size)


def check_record(state: State, pointer: Pointer, size: int) -> None:
    """Stop unless `size` bytes at `pointer` are inside of its record."""
    whole = pointer.region.key
    assert whole is not None and whole.is_const
    last = whole.value - size
    if last < 0 or not state.ask("in bounds", ule(pointer.offset, const(last, WORD))):
        raise fault(f"accesses {pointer.region} out of bounds")


def _no_load(env: Environment, state: State, pointer: Pointer, size: int) -> Value:
    raise stuck(f"reads from {pointer.region}")


def _no_store(env: Environment, state: State, pointer: Pointer, size: int, value: Value) -> None:
    raise fault(f"writes to {pointer.region}")


LOADS: dict[str, Callable[[Environment, State, Pointer, int], Value]] = {
    "pkt": _load_packet,
    "stack": _load_stack,
    "ctx": _load_context,
    "keys": _load_keys,
    "map value": map_access.load_value,
    "rodata": _load_constants,
    "map": _no_load,
    "function": _no_load,
    "sock": load_field,
    "record": _load_record,
    "map key": _load_key,
}

STORES: dict[str, Callable[[Environment, State, Pointer, int, Value], None]] = {
    "pkt": _store_packet,
    "stack": _store_stack,
    "ctx": _store_context,
    "keys": _store_keys,
    "map value": map_access.store_value,
    "rodata": _store_constants,
    "map": _no_store,
    "function": _no_store,
    "sock": store_field,
    "record": _store_record,
    "map key": _no_store,
}
