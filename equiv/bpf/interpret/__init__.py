"""The concrete interpreter: runs a program on one input and says what it showed, step by step.

In: a `Program`, the `Interface` it is run for, an `Input`. Out: an `Observation`, `Fault` (the kernel's verifier would
not have let this happen) or `NotRunnable` (not modelled). It shares no semantics with the symbolic machine: each checks
the other, and the kernel (`equiv.oracle`) checks both.
"""

from __future__ import annotations

from equiv.bpf.interpret.execute import Executable
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.program import Program
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface

__all__ = ["Executable", "Fault", "run"]

_LATEST: list[Executable] = []
"""The executables used last, so that repeated runs of a pair of programs decode each once."""


def run(program: Program, interface: Interface, given: Input, *, trace: bool = True) -> Observation:
    """Run `program` on `given` and observe what `interface` names.

    Raises Fault for a run that the kernel's verifier would have ruled out, NotRunnable for what is not modelled.
    """
    for executable in _LATEST:
        if executable.program is program and executable.interface == interface:
            return executable.run(given, trace=trace)
    executable = Executable(program, interface)
    _LATEST.insert(0, executable)
    del _LATEST[4:]
    return executable.run(given, trace=trace)
