"""bpf_loop and bpf_for_each_map_elem in the interpreter (D54, D406; kernel/bpf/bpf_iter.c, arraymap.c)."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from equiv.bpf.interpret.alu import M32, M64
from equiv.bpf.interpret.faults import UNSET, Fault
from equiv.bpf.interpret.maps import ArrayState, MapState
from equiv.bpf.interpret.memory import Region
from equiv.machine.concrete import NotRunnable

if TYPE_CHECKING:
    from equiv.bpf.interpret.execute import Run

MOST: Final = 1 << 23
"""BPF_MAX_LOOPS."""


@dataclass(slots=True)
class Loop:
    """A loop under way: the function at slot `target` is called for numbers below `count`, or entries of `visited`."""

    number: int
    count: int
    context: int
    target: int
    visited: MapState | None = None
    key: Region | None = None


def start_loop(run: Run, r: list[int], after: int) -> int:
    """Call bpf_loop with the arguments in r1 to r4; the slot to go on at."""
    count, context, flags = r[1] & M64, r[3], r[4] & M64
    if count > M32:
        raise NotRunnable(
            "calls bpf_loop with a count above 32 bits: the result depends on whether the call is inlined"
        )
    target = run.function_at.get(r[2])
    if target is None:
        raise Fault("calls bpf_loop with something that is not a function")
    if context is UNSET:
        raise Fault("uses a register that was not written")
    if flags or count > MOST or not count:
        result = -errno.EINVAL if flags else -errno.E2BIG if count else 0
        r[0] = result & M64
        r[1] = r[2] = r[3] = r[4] = r[5] = UNSET
        return after
    run.enter(target, after)
    run.frames[-1].loop = Loop(0, count, context, target)
    return _iterate(run, run.frames[-1].loop)


def start_visiting(run: Run, r: list[int], after: int) -> int:
    """Call bpf_for_each_map_elem with the arguments in r1 to r4; the slot to go on at."""
    visited, target = run.map_at.get(r[1]), run.function_at.get(r[2])
    if visited is None or target is None:
        raise Fault("calls bpf_for_each_map_elem with something that is no map, or no function")
    if r[3] is UNSET:
        raise Fault("uses a register that was not written")
    if not isinstance(visited, ArrayState):
        raise NotRunnable(f"visits the entries of map {visited.spec.name} of type {visited.spec.type}")
    if r[4] & M64:
        r[0] = -errno.EINVAL & M64
        r[1] = r[2] = r[3] = r[4] = r[5] = UNSET
        return after
    key = run.memory.allocate("map value", bytes(4), name="key", writable=False)
    loop = Loop(0, visited.spec.max_entries, r[3], target, visited, key)
    run.enter(target, after)
    run.frames[-1].loop = loop
    return _iterate(run, loop)


def after_iteration(run: Run, loop: Loop) -> int | None:
    """The function has returned: the slot at which it begins again, or None where the loop is over (r0: how far)."""
    r = run.registers
    stop = r[0] & M64
    loop.number += 1
    if stop or loop.number >= loop.count:
        r[0] = loop.number
        return None
    r[0] = UNSET
    r[10] = run.new_stack(len(run.frames))
    return _iterate(run, loop)


def _iterate(run: Run, loop: Loop) -> int:
    r = run.registers
    r[3] = r[4] = r[5] = r[6] = r[7] = r[8] = r[9] = UNSET
    if loop.visited is None or loop.key is None:
        r[1], r[2] = loop.number, loop.context
        return loop.target
    loop.key.data[:] = loop.number.to_bytes(4, run.memory.order)
    r[1] = run.address_of_map(loop.visited.spec.name, loop.visited)
    r[2], r[3], r[4] = loop.key.base, loop.visited.entry(loop.number).base, loop.context
    return loop.target
