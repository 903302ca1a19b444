"""What helpers take: how many arguments, and which memory behind them they read or write.

Modelled helpers are described in `equiv.bpf.helper_table`; of the others only the number of arguments is known, from
the prototypes in include/uapi/linux/bpf.h (Linux 6.1). This is for liveness only: it may claim more reads than there
are, never fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from equiv.bpf.helper_table import TABLE

MAX_ARITY = 5

_BY_ARITY: dict[int, tuple[int, ...]] = {
    0: (5, 7, 8, 14, 15, 35, 42, 80, 118, 125, 158, 160, 186, 208),
    1: (
        *(17, 19, 24, 34, 41, 46, 47, 77, 79, 86, 93, 94, 95, 96, 97, 98, 109, 117, 122, 123, 128, 136, 137, 138),
        *(139, 140, 151, 154, 162, 168, 172, 173, 174, 175, 178, 185, 187, 188, 196),
    ),
    2: (
        *(1, 3, 16, 22, 23, 32, 37, 39, 40, 44, 48, 54, 58, 59, 61, 62, 65, 81, 83, 88, 89, 108, 116, 129, 132, 133),
        *(134, 135, 146, 153, 155, 157, 159, 170, 184, 194, 199, 200, 206, 207, 211),
    ),
    3: (
        *(4, 12, 13, 18, 27, 29, 30, 31, 33, 36, 38, 43, 45, 51, 56, 64, 75, 87, 92, 102, 103, 104, 112, 113, 114),
        *(115, 124, 127, 131, 144, 147, 148, 161, 166, 169, 171, 176, 182, 183, 192, 193, 195, 203, 204, 205),
    ),
    4: (
        *(2, 20, 21, 26, 50, 52, 53, 55, 60, 63, 67, 69, 70, 71, 72, 73, 74, 76, 78, 82, 90, 91, 101, 105, 106, 107),
        *(119, 120, 130, 141, 142, 143, 145, 150, 152, 156, 164, 167, 177, 179, 181, 189, 190, 197, 198, 209, 210),
    ),
}

HELPER_ARITY: dict[int, int] = {number: arity for arity, numbers in _BY_ARITY.items() for number in numbers} | {
    number: len(row.arguments) for number, row in TABLE.items()
}
"""How many of r1 to r5 a helper takes; helpers that are not here take all five."""


@dataclass(frozen=True, slots=True)
class MemoryArgument:
    """Memory that a helper is given: its address in `register`, its size in bytes in register `size`, or the key or

    value size of the map in r1, or `(n,)` bytes. `access` "write" means that all of it is overwritten whenever the
    helper returns, "maybe" that it may be, "change" that it may be and is looked at, "read" everything else.
    """

    register: int
    size: int | Literal["key", "value"] | tuple[int]
    access: Literal["read", "write", "maybe", "change"]


_UNMODELLED_MEMORY: dict[int, tuple[MemoryArgument, ...]] = {
    87: (MemoryArgument(2, "value", "read"),),  # map_push_elem
    88: (MemoryArgument(2, "value", "maybe"),),  # map_pop_elem
    89: (MemoryArgument(2, "value", "maybe"),),  # map_peek_elem
}


def _memory(number: int) -> tuple[MemoryArgument, ...]:
    found = []
    for register, argument in enumerate(TABLE[number].arguments, 1):
        if argument.kind in ("read", "write", "maybe", "change") and argument.size is not None:
            found.append(MemoryArgument(register, argument.size, argument.kind))
    return tuple(found)


HELPER_MEMORY: dict[int, tuple[MemoryArgument, ...]] = _UNMODELLED_MEMORY | {
    number: memory for number in TABLE if (memory := _memory(number))
}
