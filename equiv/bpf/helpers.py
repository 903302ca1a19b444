"""Helper functions as the symbolic machine models them, by number (D33).

Each takes the arguments in r1 to r5 and gives what r0 holds; all it asks, it asks before it changes anything. Error
codes are negative errno values as 64-bit numbers. What is not in the table ends the run, naming the helper.
"""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import cells, map_access
from equiv.bpf.access import FLOW_KEYS_SIZE, STACK_SIZE, address, load_number, write
from equiv.bpf.environment import Environment
from equiv.bpf.helper_names import helper_name
from equiv.bpf.program import MapSpec
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import STALE, WORD, ZERO, Pointer, Unusable, Value, describe
from equiv.machine.inputs import ADDRESS_WIDTH, packet_byte, packet_length
from equiv.term import Term, bvadd, conj, const, extract, ite, resize, signed, ule, ult

Helper = Callable[[Environment, State], Value]

ENOENT, E2BIG, EACCES, EFAULT, EEXIST, EINVAL, ENOMEM = 2, 7, 13, 14, 17, 22, 12

ETHERNET_HEADER = 14

SURE_METADATA = 216
"""Bytes of metadata that fit XDP_PACKET_HEADROOM (256) beside struct xdp_frame (40). Beyond, it is up to the driver."""


def error(code: int) -> Term:
    """`-code` as r0 holds it."""
    return const(-code, WORD)


def call_helper(env: Environment, state: State, number: int) -> Value:
    """What the helper returns; its effects are made on `state`."""
    helper = HELPERS.get(number)
    if helper is None:
        raise stuck(f"calls {helper_name(number)}, which is not modelled")
    return helper(env, state)


# --- maps -------------------------------------------------------------------------------------------------------


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


def _flags(state: State, register: int, what: str) -> int:
    flags = state.scalar(register)
    if not flags.is_const:
        raise stuck(f"calls {what} with flags that depend on the input")
    return flags.value


def _map_update_elem(env: Environment, state: State) -> Value:
    spec = _map(env, state)
    key = _key(env, state, spec)
    flags = _flags(state, 4, "bpf_map_update_elem")
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


# --- packet -----------------------------------------------------------------------------------------------------


def _context(state: State) -> None:
    match state.regs[1]:
        case Pointer(region, _) if region.kind == "ctx":
            return
        case value:
            raise fault(f"passes {describe(value)} for the context")


def _size(state: State, register: int, what: str) -> int:
    size = extract(31, 0, state.scalar(register))
    if not size.is_const:
        raise stuck(f"calls {what} with a size that depends on the input")
    if not size.value:
        raise fault(f"calls {what} with size 0")
    return size.value


def _fill(env: Environment, state: State, register: int, content: list[Term]) -> None:
    """Write bytes (in memory order) to the buffer that a register points to."""
    target = state.regs[register]
    for offset, byte in enumerate(content):
        write(env, state, address(target, offset), 1, byte)


def _buffer(state: State, register: int, size: int) -> None:
    """Stop unless the register points to a buffer of `size` bytes that is written byte by byte without questions."""
    pointer = address(state.regs[register], 0)
    kind = pointer.region.kind
    if kind not in ("stack", "keys") or not pointer.offset.is_const:
        raise stuck(f"lets a helper write to {pointer.region}")
    offset = signed(pointer.offset.value, WORD)
    low, high = (-STACK_SIZE, 0) if kind == "stack" else (0, FLOW_KEYS_SIZE)
    if not low <= offset <= high - size:
        raise fault(f"lets a helper write outside {pointer.region}")


def _bytes_at(offset: Term, size: int) -> list[Term]:
    return [packet_byte(bvadd(offset, const(i, ADDRESS_WIDTH))) for i in range(size)]


def _argument(state: State, register: int) -> Term:
    """A 32-bit argument, zero-extended to 64 bits."""
    return resize(extract(31, 0, state.scalar(register)), WORD)


def _inside(offset: Term, size: int, limit: int, end: Term) -> Term:
    return conj(ule(offset, const(limit, WORD)), ule(bvadd(offset, const(size, WORD)), end))


def _skb_load_bytes(env: Environment, state: State) -> Value:
    """bpf_skb_load_bytes and bpf_flow_dissector_load_bytes, net/core/filter.c: zeroes the buffer on failure."""
    _context(state)
    offset, size = _argument(state, 2), _size(state, 4, "bpf_skb_load_bytes")
    limit = 0xFFFF if env.interface.context == "flow_dissector" else 0x7FFFFFFF
    return _load_bytes(env, state, offset, size, _inside(offset, size, limit, packet_length()))


def _load_bytes(env: Environment, state: State, offset: Term, size: int, inside: Term) -> Value:
    _buffer(state, 3, size)
    if state.ask("in packet", inside):
        _fill(env, state, 3, _bytes_at(offset, size))
        return ZERO
    _fill(env, state, 3, [const(0, 8)] * size)
    return error(EFAULT)


def _skb_load_bytes_relative(env: Environment, state: State) -> Value:
    """bpf_skb_load_bytes_relative, net/core/filter.c: reads the linear part only."""
    _context(state)
    if env.interface.context == "flow_dissector":
        raise fault("calls bpf_skb_load_bytes_relative in a flow dissector")
    size = _size(state, 4, "bpf_skb_load_bytes_relative")
    header = extract(31, 0, state.scalar(5))
    if not header.is_const or header.value > 1:
        raise stuck("calls bpf_skb_load_bytes_relative from a start that is not known")
    relative = _argument(state, 2)
    offset = bvadd(relative, const(ETHERNET_HEADER * header.value, WORD))
    end = env.packet_end(state)
    inside = conj(ule(relative, const(0xFFFF, WORD)), ule(bvadd(offset, const(size, WORD)), end))
    return _load_bytes(env, state, offset, size, inside)


def _xdp_load_bytes(env: Environment, state: State) -> Value:
    """__bpf_xdp_load_bytes and bpf_xdp_pointer, net/core/filter.c: leaves the buffer alone on failure."""
    _context(state)
    offset, size = _argument(state, 2), _size(state, 4, "bpf_xdp_load_bytes")
    _buffer(state, 3, size)
    if size > 0xFFFF or not state.ask("offset fits", ule(offset, const(0xFFFF, WORD))):
        return error(EFAULT)
    if not state.ask("in packet", ule(bvadd(offset, const(size, WORD)), packet_length())):
        return error(EINVAL)
    _fill(env, state, 3, _bytes_at(offset, size))
    return ZERO


def _skb_pull_data(env: Environment, state: State) -> Value:
    """bpf_skb_pull_data, net/core/filter.c: afterwards at least that many bytes are linear. Memory never runs out."""
    _context(state)
    if env.interface.context != "__sk_buff" or env.interface.program_type == 1:
        raise fault("calls bpf_skb_pull_data, which this program type has not")
    size = _argument(state, 2)
    fits = state.ask("long enough", ule(size, packet_length()))
    state.replace_values("pkt", STALE)
    if not fits:
        return error(ENOMEM)
    end = env.packet_end(state)
    state.linear = ite(ult(end, size), size, end)
    return ZERO


def _xdp_adjust_meta(env: Environment, state: State) -> Value:
    """bpf_xdp_adjust_meta, net/core/filter.c; the size rules are those of xdp_metalen_invalid, include/net/xdp.h."""
    _context(state)
    delta = extract(31, 0, state.scalar(2))
    if not delta.is_const:
        raise stuck("calls bpf_xdp_adjust_meta with a size that depends on the input")
    size = state.meta_size - signed(delta.value, 32)
    if size > SURE_METADATA:
        raise stuck(f"asks for {size} bytes of metadata: whether there is room depends on the driver")
    state.replace_values("pkt", STALE)
    if size < 0:
        return error(EINVAL)
    if size % 4:
        return error(EACCES)
    state.meta_size = size
    return ZERO


# --- others -----------------------------------------------------------------------------------------------------


def _unknown(name: str) -> Helper:
    """A helper without effect on what is observed, whose result is not a function of the input."""

    def helper(env: Environment, state: State) -> Value:
        return Unusable(f"depends on the result of bpf_{name}, which is not a function of the packet")

    return helper


HELPERS: dict[int, Helper] = {
    1: _map_lookup_elem,
    2: _map_update_elem,
    3: _map_delete_elem,
    5: _unknown("ktime_get_ns"),
    6: _unknown("trace_printk"),
    7: _unknown("get_prandom_u32"),
    8: _unknown("get_smp_processor_id"),
    25: _unknown("perf_event_output"),
    26: _skb_load_bytes,
    39: _skb_pull_data,
    42: _unknown("get_numa_node_id"),
    54: _xdp_adjust_meta,
    68: _skb_load_bytes_relative,
    118: _unknown("jiffies64"),
    125: _unknown("ktime_get_boot_ns"),
    160: _unknown("ktime_get_coarse_ns"),
    177: _unknown("trace_vprintk"),
    189: _xdp_load_bytes,
}
