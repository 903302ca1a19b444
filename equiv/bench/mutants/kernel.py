"""Many programs on the same generated inputs in the kernel: which of them ever differ from the first."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Final

from equiv.bpf.interpret import Executable, Fault
from equiv.bpf.program import Program
from equiv.fuzz.inputs import Inputs
from equiv.fuzz.packets import Packets
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.oracle import KernelProgram
from equiv.oracle.program import nonlinear_skbs
from equiv.proof.replay import differing

GUIDED: Final = 3000
"""So many inputs are interpreted as well, so that later ones reach deep into the program."""
GUIDED_AGAIN: Final = 20
"""Of the later inputs, one in so many is."""


@dataclass(slots=True)
class Compared:
    """What the kernel showed of one program beside the original: runs that both made, the first input that tells them
    apart, and in what."""

    runs: int = 0
    not_run: int = 0
    given: Input | None = None
    differs: tuple[str, ...] = ()


def compare(
    original: Program,
    others: Mapping[int, Program],
    interface: Interface,
    runs: int,
    seconds: float,
    seed: int,
) -> dict[int, Compared]:
    """Run the original and the others on generated inputs until each has made so many runs, differs, or time is up.

    Programs must be ones that the kernel takes. Raises NotRunnable where it cannot run the original.
    """
    random = Random(seed)
    packets = Packets(original, random, interface.min_length)
    executables = [Executable(original, interface)]
    found = {number: Compared() for number in others}
    open_ones = set(others)
    with ExitStack() as resources:
        kernel = resources.enter_context(KernelProgram(original, interface))
        kernels = {
            number: resources.enter_context(KernelProgram(program, interface)) for number, program in others.items()
        }
        resources.enter_context(kernel.staying())
        for each in kernels.values():
            resources.enter_context(each.staying())
        split = interface.split == "any" and nonlinear_skbs()
        inputs = Inputs(original, interface, packets, kernel.natural_context, split, random)
        guide = _Guide(executables[0], packets)
        until = time.monotonic() + seconds
        tried = 0
        while open_ones and tried < 2 * runs + 1000 and time.monotonic() < until:
            tried += 1
            given = inputs.next()
            if tried <= GUIDED or tried % GUIDED_AGAIN == 0:
                guide(given)
            try:
                expected = kernel.run(given)
            except NotRunnable:
                continue
            for number in list(open_ones):
                one = found[number]
                try:
                    shown = kernels[number].run(given)
                except NotRunnable:
                    one.not_run += 1
                    continue
                one.runs += 1
                one.differs = differing(interface, expected, shown, given)
                if one.differs:
                    one.given = given
                if one.differs or one.runs >= runs:
                    open_ones.discard(number)
    return found


class _Guide:
    """Keeps the packets whose run showed something new, with where the program looked."""

    def __init__(self, executable: Executable, packets: Packets) -> None:
        self._executable = executable
        self._packets = packets
        self._seen: set[tuple[int, frozenset[int]]] = set()

    def __call__(self, given: Input) -> None:
        try:
            run: Observation = self._executable.run(given, trace=False)
        except (NotRunnable, Fault):
            return
        identity = (run.code, run.read)
        if identity not in self._seen:
            self._seen.add(identity)
            self._packets.keep(given.packet, run.read)
