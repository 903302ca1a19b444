"""A campaign of the interpreter against the running kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from equiv.bpf.interpret import Executable
from equiv.bpf.program import Program
from equiv.errors import InputError
from equiv.fuzz.campaign import Findings, Limits, campaign
from equiv.fuzz.inputs import Inputs
from equiv.fuzz.packets import Packets
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface
from equiv.oracle import KernelProgram, available
from equiv.oracle.test_run import nonlinear_skbs


def against_kernel(
    program: Program,
    interface: Interface,
    limits: Limits,
    seed: int = 0,
    seeds: Iterable[bytes] = (),
    progress: Callable[[Findings], None] | None = None,
) -> Findings:
    """Compare both on generated inputs; `seeds` are packets to begin with.

    Raises InputError where the kernel cannot be asked, VerifierRejected, or NotRunnable where the kernel cannot run
    this program at all.
    """
    if (reason := available()) is not None:
        raise InputError(f"the kernel cannot be asked: {reason}")
    random = Random(seed)
    packets = Packets(program, random, interface.min_length, seeds)
    executable = Executable(program, interface)

    def interpreted(given: Input) -> Observation:
        return executable.run(given, trace=False)

    with KernelProgram(program, interface) as kernel, kernel.staying():
        split = interface.split == "any" and nonlinear_skbs()
        inputs = Inputs(program, interface, packets, kernel.natural_context, split, random)
        return campaign(interface, interpreted, kernel.run, inputs, packets, limits, progress)
