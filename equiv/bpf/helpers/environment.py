"""Helpers whose result is no function of the packet: inputs that both sides share (D62), and output."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf.context import set_field
from equiv.bpf.environment import Environment
from equiv.bpf.helper_table.environment import LOCKS, OUTPUT, PER_CALL, PER_RUN, RECORDS, WIDTHS
from equiv.bpf.helper_table.spec import Helper as Row
from equiv.bpf.helpers.common import EINVAL, Helper, check_context, constant_argument, error, size_argument
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.values import WORD, ZERO, Pointer, Region, Unusable, Value, describe
from equiv.machine.inputs import context_field
from equiv.term import Term, const, eq, extract, resize, sign_extend

MOST_CALLS = 16
"""Calls of one helper in a run that are told apart."""

HASH_OFFSET = 68
MOST_LEVEL_CHANGE = 3
GET_HASH_RECALC, GET_NETNS_COOKIE = 34, 122


def _per_call(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        value = _next_input(env, state, row.name, WIDTHS.get(row.number, WORD))
        _count(state, row.name)
        return resize(value, WORD)

    return helper


def _next_input(env: Environment, state: State, name: str, width: int = WORD) -> Term:
    """What the next call of a helper gives."""
    number = dict(state.counts).get(name, 0)
    if number >= MOST_CALLS:
        raise stuck(f"calls bpf_{name} more than {MOST_CALLS} times")
    env.noted.add(f"the n-th call of bpf_{name} gives the same on both sides")
    return context_field(f"helper.{name}.{number}", width)


def _count(state: State, name: str) -> None:
    """Another call of a helper is made."""
    counts = dict(state.counts)
    state.counts = tuple(sorted({**counts, name: counts.get(name, 0) + 1}.items()))


def _per_run(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        if row.number == GET_NETNS_COOKIE and state.regs[1] is ZERO:
            raise stuck("asks for the first network namespace")
        if row.arguments:
            check_context(state)
        env.noted.add(f"bpf_{row.name} gives the same on both sides")
        value = context_field(f"helper.{row.name}", WIDTHS.get(row.number, WORD))
        if row.number == GET_HASH_RECALC:
            held = state.ctx.get(HASH_OFFSET)
            if state.packet or (held is not None and held[1] is const(0, 32)):
                raise stuck("asks for the hash of a packet that was changed")
            set_field(env, state, "hash", value)
        return resize(value, WORD)

    return helper


def _output(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        env.noted.add(f"what bpf_{row.name} puts out is not compared")
        return Unusable(f"depends on the result of bpf_{row.name}, which is not a function of the packet")

    return helper


_KINDS: tuple[tuple[tuple[Row, ...], Callable[[Row], Helper]], ...] = (
    (PER_CALL, _per_call),
    (PER_RUN, _per_run),
    (OUTPUT, _output),
)


def _reserve(env: Environment, state: State) -> Value:
    """Memory for a record, whose contents nobody compares, or NULL: an input (D405)."""
    match state.regs[1]:
        case Pointer(region, _) if region.kind == "map":
            pass
        case value:
            raise fault(f"passes {describe(value)} for a map")
    size = size_argument(state, 2, "bpf_ringbuf_reserve", zero=True)
    if constant_argument(state, 3, "bpf_ringbuf_reserve"):
        return ZERO
    there = _next_input(env, state, "ringbuf_reserve")
    if state.ask("has room", eq(extract(0, 0, there), const(1, 1))):
        _count(state, "ringbuf_reserve")
        return Pointer(Region("record", key=const(size, WORD)), ZERO)
    _count(state, "ringbuf_reserve")
    return ZERO


def _hand_over(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        match state.regs[1]:
            case Pointer(region, offset) if region.kind == "record" and offset is ZERO:
                env.noted.add(f"what bpf_{row.name} puts out is not compared")
                return _nothing(row)
            case value:
                raise fault(f"passes {describe(value)} for memory of bpf_ringbuf_reserve")

    return helper


def _lock(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        match state.regs[1]:
            case Pointer(region, _) if region.kind == "map value":
                return _nothing(row)
            case value:
                raise stuck(f"calls bpf_{row.name} with {describe(value)}")

    return helper


def _csum_level(env: Environment, state: State) -> Value:
    """BPF_CSUM_LEVEL_QUERY, _INC, _DEC and _RESET are 0 to 3."""
    check_context(state)
    level = constant_argument(state, 2, "bpf_csum_level")
    if level > MOST_LEVEL_CHANGE:
        return error(EINVAL)
    env.noted.add("how far a packet's checksums count as verified (skb->ip_summed) is not compared")
    if level:
        return ZERO
    value = _next_input(env, state, "csum_level", 32)
    _count(state, "csum_level")
    return sign_extend(32, value)


def _nothing(row: Row) -> Value:
    return Unusable(f"uses the result of bpf_{row.name}, which gives none", True)


HELPERS: dict[int, Helper] = {
    **{row.number: make(row) for rows, make in _KINDS for row in rows},
    135: _csum_level,
    131: _reserve,
    132: _hand_over(RECORDS[1]),
    133: _hand_over(RECORDS[2]),
    **{row.number: _lock(row) for row in LOCKS},
}
