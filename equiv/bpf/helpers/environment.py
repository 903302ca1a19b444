"""Helpers whose result is no function of the packet: inputs that both sides share (D62), and output."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf.context import set_field
from equiv.bpf.environment import Environment
from equiv.bpf.helper_table.environment import OUTPUT, PER_CALL, PER_RUN, WIDTHS
from equiv.bpf.helper_table.spec import Helper as Row
from equiv.bpf.helpers.common import Helper, check_context
from equiv.bpf.state import State, stuck
from equiv.bpf.values import WORD, Unusable, Value
from equiv.machine.inputs import context_field
from equiv.term import const, resize

MOST_CALLS = 16
"""Calls of one helper in a run that are told apart."""

HASH_OFFSET = 68
GET_HASH_RECALC = 34


def _per_call(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
        counts = dict(state.counts)
        number = counts.get(row.name, 0)
        if number >= MOST_CALLS:
            raise stuck(f"calls bpf_{row.name} more than {MOST_CALLS} times")
        counts[row.name] = number + 1
        state.counts = tuple(sorted(counts.items()))
        env.noted.add(f"the n-th call of bpf_{row.name} gives the same on both sides")
        return resize(context_field(f"helper.{row.name}.{number}", WIDTHS.get(row.number, WORD)), WORD)

    return helper


def _per_run(row: Row) -> Helper:
    def helper(env: Environment, state: State) -> Value:
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

HELPERS: dict[int, Helper] = {row.number: make(row) for rows, make in _KINDS for row in rows}
