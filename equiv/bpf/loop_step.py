"""bpf_loop and bpf_for_each_map_elem: a function is called once for each number, or each entry of an array (D54, D406).

While the function runs, the suspended caller's `saved` holds, behind its r6 to r9, what the loop needs.
"""

from __future__ import annotations

from equiv.bpf.alu import Step
from equiv.bpf.environment import Environment
from equiv.bpf.map_access import ARRAYS, KEY_WIDTH, value_region
from equiv.bpf.state import Caller, State, check_depth, fault, stuck
from equiv.bpf.values import ONE, WORD, ZERO, Pointer, Region, Value, describe, stack
from equiv.term import Term, bvadd, const, eq, extract, negate, ule, ult

INDEX, COUNT, CONTEXT, FUNCTION, MAP = 11, 12, 13, 14, 15
"""Places in a suspended loop's `Caller.saved`, counted like registers from r6."""

KEPT = 0b11_1110_0000
"""Those places as bits, from r6 on: what is live whatever follows the loop."""

MOST = 1 << 23
"""BPF_MAX_LOOPS, include/linux/bpf.h."""

E2BIG, EINVAL = 7, 22


def is_loop(caller: Caller) -> bool:
    """Whether the suspended function waits for a loop, not for a call."""
    return len(caller.saved) > 4


def loop_step(env: Environment, index: int) -> Step:
    """The step of a call of bpf_loop at slot `index` (kernel/bpf/bpf_iter.c)."""

    def step(state: State) -> None:
        function = state.regs[2]
        if not isinstance(function, Pointer) or function.region.kind != "function":
            raise fault(f"passes {describe(function)} for a function")
        flags = state.scalar(4)
        if state.regs[3] is None:
            raise fault("calls bpf_loop without a context for the function")
        if not state.ask("count fits", ule(state.scalar(1), const(0xFFFFFFFF, WORD))):
            raise stuck("calls bpf_loop with a count above 32 bits: the result depends on whether the call is inlined")
        count = state.scalar(1)
        refused = 0
        if not state.ask("no flags", eq(flags, ZERO)):
            refused = EINVAL
        elif not state.ask("few enough", ule(count, const(MOST, WORD))):
            refused = E2BIG
        if refused or not state.ask("any", negate(eq(count, ZERO))):
            _finish(state, index, const(-refused, WORD))
            return
        check_depth(state)
        saved = (*state.regs[6:10], None, ZERO, count, state.regs[3], function, None)
        state.callers = (*state.callers, Caller(index, saved))
        state.stacks.append({})
        _enter(env, state, ZERO, state.regs[3], function, None)

    return step


def each_step(env: Environment, index: int) -> Step:
    """The step of a call of bpf_for_each_map_elem at slot `index` (kernel/bpf/arraymap.c: bpf_for_each_array_elem)."""

    def step(state: State) -> None:
        visited, function = state.regs[1], state.regs[2]
        if not isinstance(visited, Pointer) or visited.region.kind != "map":
            raise fault(f"passes {describe(visited)} for a map")
        if not isinstance(function, Pointer) or function.region.kind != "function":
            raise fault(f"passes {describe(function)} for a function")
        if state.regs[3] is None:
            raise fault("calls bpf_for_each_map_elem without a context for the function")
        spec = env.map_spec(visited.region.name)
        if spec.type not in ARRAYS or visited.region.key is not None:
            raise stuck(f"visits the entries of map {spec.name} of type {spec.type}, which is not modelled")
        if not state.ask("no flags", eq(state.scalar(4), ZERO)):
            _finish(state, index, const(-EINVAL, WORD))
            return
        check_depth(state)
        count = const(spec.max_entries, WORD)
        saved = (*state.regs[6:10], None, ZERO, count, state.regs[3], function, visited)
        state.callers = (*state.callers, Caller(index, saved))
        state.stacks.append({})
        _enter(env, state, ZERO, state.regs[3], function, visited)

    return step


def after_iteration(env: Environment, state: State, result: Value | None) -> None:
    """What happens when the function returns `result`: it is called again, or the loop ends."""
    *outer, caller = state.callers
    number, count, context, function, visited = caller.saved[INDEX - 6 :]
    assert isinstance(number, Term)
    assert isinstance(count, Term)
    assert isinstance(function, Pointer)
    if not isinstance(result, Term):
        raise fault("a function that is called again and again returns no number")
    following = bvadd(number, ONE)
    if not state.ask("stops", negate(eq(result, ZERO))) and state.ask("again", ult(following, count)):
        saved = (*caller.saved[: INDEX - 6], following, count, context, function, visited)
        state.callers = (*outer, Caller(caller.call, saved))
        state.stacks[-1] = {}
        _enter(env, state, following, context, function, visited)
        return
    state.callers = tuple(outer)
    state.stacks.pop()
    state.regs[6:] = [*caller.saved[:4], Pointer(stack(len(state.stacks) - 1), ZERO)]
    _finish(state, caller.call, following)


def _enter(
    env: Environment, state: State, number: Term, context: Value | None, function: Pointer, visited: Value | None
) -> None:
    name = function.region.name
    found = [slot for slot, called in env.program.functions.items() if called == name]
    if len(found) != 1:
        raise stuck(f"calls {name} again and again, of which there are {len(found)}")
    depth = len(state.stacks) - 1
    given: list[Value | None] = [number, context, None, None]
    if isinstance(visited, Pointer):
        key = extract(KEY_WIDTH - 1, 0, number)
        given = [visited, Pointer(Region("map key", key=key), ZERO)]
        given += [Pointer(value_region(visited.region.name, key), ZERO), context]
    state.regs = [None, *given, *[None] * 5, Pointer(stack(depth), ZERO)]
    state.pc = found[0]


def _finish(state: State, call: int, result: Term) -> None:
    state.regs[0:6] = [result, None, None, None, None, None]
    state.pc = call + 1
