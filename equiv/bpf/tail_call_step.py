"""bpf_tail_call in the symbolic machine (D50)."""

from __future__ import annotations

from collections.abc import Mapping

from equiv.bpf.alu import Step
from equiv.bpf.environment import Environment
from equiv.bpf.maps import MAP_TYPE_PROG_ARRAY
from equiv.bpf.state import State, fault, stuck
from equiv.bpf.tail_calls import MAX_TAIL_CALLS
from equiv.bpf.values import ONE, WORD, ZERO, Pointer, Value, describe, stack
from equiv.machine.protocol import Stop
from equiv.term import Term, bvadd, const, disj, eq, extract, ult


def tail_call_step(env: Environment, after: int) -> Step:
    """The step of a tail call that is followed by slot `after`."""

    def step(state: State) -> Stop | None:
        context = state.regs[1]
        if not isinstance(context, Pointer) or context.region.kind != "ctx":
            raise fault(f"makes a tail call with {describe(context)} in r1")
        target = _target(env, state, _programs(env, state.regs[2]), extract(31, 0, state.scalar(3)))
        if target is None or not state.ask("tail calls left", ult(state.tail_calls, const(MAX_TAIL_CALLS, WORD))):
            state.regs[0:6] = [None] * 6
            state.pc = after
            return None
        state.tail_calls = bvadd(state.tail_calls, ONE)
        depth = len(state.stacks) - 1
        state.stacks[depth] = {}
        state.regs = [None, context, *[None] * 8, Pointer(stack(depth), ZERO)]
        state.pc = target
        return None

    return step


def _programs(env: Environment, array: Value | None) -> Mapping[int, int]:
    """First slots of the programs by index."""
    if not isinstance(array, Pointer) or array.region.kind != "map":
        raise fault(f"makes a tail call through {describe(array)}")
    name = array.region.name
    if env.map_spec(name).type != MAP_TYPE_PROG_ARRAY:
        raise fault(f"makes a tail call through map {name}, which holds no programs")
    held = env.program.tail_calls.get(name)
    if held is None:
        raise stuck(f"makes a tail call through map {name}, whose programs are not given")
    return held


def _target(env: Environment, state: State, held: Mapping[int, int], index: Term) -> int | None:
    """The first slot of the program at `index`, None where there is none: one question for each different program."""
    if index.is_const:
        return held.get(index.value)
    for target in dict.fromkeys(held.values()):
        indices = [const(number, 32) for number, slot in held.items() if slot == target]
        name = env.program.functions[target]
        if state.ask(f"enters {name}", disj(*(eq(index, number) for number in indices))):
            return target
    return None
