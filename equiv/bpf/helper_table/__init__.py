"""Helper functions as far as they are modelled, one row each: the table behind both implementations (D60).

In: nothing. Out: `TABLE`. The symbolic machine (`equiv.bpf.helpers`) and the interpreter
(`equiv.bpf.interpret.helpers`) each implement every row on their own; liveness and steering take from it what a helper
reads and overwrites; `equiv show` prints it. What is not in the table ends the run, naming the helper.
"""

from __future__ import annotations

from equiv.bpf.helper_table import control, environment, maps, oracles, packet, redirects, sockets
from equiv.bpf.helper_table.spec import Argument, Helper

__all__ = ["TABLE", "Argument", "Helper", "has_helper"]

_SUBJECTS = (maps, control, packet, redirects, environment, oracles, sockets)

TABLE: dict[int, Helper] = {
    row.number: row for row in sorted((row for part in _SUBJECTS for row in part.ROWS), key=lambda row: row.number)
}
"""Rows by helper number (`enum bpf_func_id`, include/uapi/linux/bpf.h)."""


def has_helper(program_type: int, number: int) -> bool:
    """Whether programs of a type have a modelled helper; true where the type is none that the kernel runs."""
    return program_type <= 0 or program_type in TABLE[number].programs
