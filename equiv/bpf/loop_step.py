"""bpf_loop in the symbolic machine: a function of the program is called once for each number (D54).

While the function runs, the suspended caller's `saved` holds, behind its r6 to r9, what the loop needs.
"""

from __future__ import annotations

from equiv.bpf.alu import Step
from equiv.bpf.environment import Environment
from equiv.bpf.state import Caller, State, check_depth, fault, stuck
from equiv.bpf.values import ONE, WORD, ZERO, Pointer, Value, describe, stack
from equiv.term import Term, bvadd, const, eq, negate, ule, ult

INDEX, COUNT, CONTEXT, FUNCTION = 11, 12, 13, 14
"""Places in a suspended loop's `Caller.saved`, counted like registers from r6."""

KEPT = 0b1_1110_0000
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
        saved = (*state.regs[6:10], None, ZERO, count, state.regs[3], function)
        state.callers = (*state.callers, Caller(index, saved))
        state.stacks.append({})
        _enter(env, state, ZERO, state.regs[3], function)

    return step


def after_iteration(env: Environment, state: State, result: Value | None) -> None:
    """What happens when the function returns `result`: it is called again, or the loop ends."""
    *outer, caller = state.callers
    number, count, context, function = caller.saved[INDEX - 6 :]
    assert isinstance(number, Term)
    assert isinstance(count, Term)
    assert isinstance(function, Pointer)
    if not isinstance(result, Term):
        raise fault("a function that bpf_loop calls returns no number")
    following = bvadd(number, ONE)
    if not state.ask("stops", negate(eq(result, ZERO))) and state.ask("again", ult(following, count)):
        saved = (*caller.saved[: INDEX - 6], following, count, context, function)
        state.callers = (*outer, Caller(caller.call, saved))
        state.stacks[-1] = {}
        _enter(env, state, following, context, function)
        return
    state.callers = tuple(outer)
    state.stacks.pop()
    state.regs[6:] = [*caller.saved[:4], Pointer(stack(len(state.stacks) - 1), ZERO)]
    _finish(state, caller.call, following)


def _enter(env: Environment, state: State, number: Term, context: Value | None, function: Pointer) -> None:
    name = function.region.name
    found = [slot for slot, called in env.program.functions.items() if called == name]
    if len(found) != 1:
        raise stuck(f"bpf_loop calls {name}, of which there are {len(found)}")
    depth = len(state.stacks) - 1
    state.regs = [None, number, context, *[None] * 7, Pointer(stack(depth), ZERO)]
    state.pc = found[0]


def _finish(state: State, call: int, result: Term) -> None:
    state.regs[0:6] = [result, None, None, None, None, None]
    state.pc = call + 1
