"""Helpers without effect on what is observed, whose result is not a function of the packet."""

from __future__ import annotations

from equiv.bpf.environment import Environment
from equiv.bpf.helper_table import TABLE
from equiv.bpf.helpers.common import Helper
from equiv.bpf.state import State
from equiv.bpf.values import Unusable, Value


def _unknown(name: str) -> Helper:
    """A helper without effect on what is observed, whose result is not a function of the input."""

    def helper(env: Environment, state: State) -> Value:
        return Unusable(f"depends on the result of bpf_{name}, which is not a function of the packet")

    return helper


HELPERS: dict[int, Helper] = {row.number: _unknown(row.name) for row in TABLE.values() if row.model == "unobserved"}
