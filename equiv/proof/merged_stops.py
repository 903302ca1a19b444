"""Runs that end as not modelled only because states were merged (D401)."""

from __future__ import annotations

from collections.abc import Mapping

from equiv.machine.protocol import Machine, Stuck
from equiv.proof.endings import Ending
from equiv.proof.entry import Key
from equiv.proof.trace import Trace
from equiv.solve.backend import Model
from equiv.term import Term, evaluate


def to_blame(
    ending: Ending, trace: Trace, left: Machine, right: Machine, levels: Mapping[Key, int], finest: int
) -> dict[Key, None]:
    """The joint locations that forgot too much for what `trace` says of an ending.

    Where no input leads there these are the trace's own. Where one leads to a stuck machine, and that machine gets
    further from the start on, it is the last joint location on the way that is not at its finest level yet.
    """
    if trace.model is None:
        return trace.blamed
    if ending.kind != "stuck" or _is_stuck(left if ending.side == "L" else right, trace.model):
        return {}
    return dict.fromkeys([key for key in trace.passed if levels.get(key, 0) < finest][:1])


def _is_stuck(machine: Machine, model: Model) -> bool:
    """Whether the machine is stuck on its way from the start with every decision made as the model says."""
    assignment, memo = model.assignment(), dict[Term, int]()
    stop = machine.run(machine.start(), lambda guard: evaluate(guard, assignment, memo) == 1)
    return isinstance(stop, Stuck)
