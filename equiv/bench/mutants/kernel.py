"""A program and its mutants in the kernel on the same inputs: which of them ever differ from it.

Inputs are changes of those on which interpreters, compiled, have shown something new. Where native code can make the
calls (`equiv.compiled.kernel`) a run takes microseconds. Maps with few values are written anew before each run; others
go on from run to run, on both sides alike, and begin anew with every batch. A difference counts once both have shown it
from the same contents.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from equiv.bpf.program import Program
from equiv.compiled.bpf.program import signature
from equiv.compiled.kernel import kernel_source
from equiv.compiled.native import NotCompiled
from equiv.compiled.pair import Pair, link, shape_of
from equiv.compiled.pool import Pool
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.inputs import Inputs
from equiv.fuzz.native import Batches
from equiv.fuzz.numbers import numbers_of_sides
from equiv.fuzz.packets import Packets
from equiv.fuzz.sides import On, Sides
from equiv.fuzz.surroundings import Surroundings
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import Interface
from equiv.oracle import KernelProgram
from equiv.oracle.test_run import nonlinear_skbs
from equiv.proof.replay import differing

EXPLORED: Final = Limits(seconds=3.0, differences=64)
"""How long the compiled pair is looked at before the kernel runs it."""
MOST_KEPT: Final = 1024
TAKEN: Final = frozenset({"mark", "priority", "cb", "flags"})
"""Fields of the context that test runs take."""
MADE_SURE: Final = 32
"""Differences of one batch that are tried again from the same contents of maps, at most."""


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
    """Run the original beside each of the others on generated inputs, so often, until it differs, or time is up.

    Programs must be ones that the kernel takes; each may take an equal part of the time, which is the
    processor's. Raises NotRunnable where it cannot run the original.
    """
    found: dict[int, Compared] = {}
    with ExitStack() as resources:
        kernel = resources.enter_context(KernelProgram(original, interface))
        resources.enter_context(kernel.staying())
        until = time.process_time() + seconds
        for number, program in others.items():
            left = len(others) - len(found)
            end = time.process_time() + (until - time.process_time()) / left
            with KernelProgram(program, interface) as other, other.staying():
                found[number] = _Beside(kernel, other, interface, end, seed + number).compare(runs)
    return found


@dataclass(slots=True, eq=False)
class _Beside:
    """Two programs in the kernel, and the campaign over them."""

    original: KernelProgram
    mutant: KernelProgram
    interface: Interface
    until: float
    seed: int
    found: Compared = field(default_factory=Compared)

    def compare(self, runs: int) -> Compared:
        promising = self._promising()
        for given in promising:
            self._run(given)
            if self.found.differs:
                return self.found
        try:
            pair = _pair(self.original, self.mutant, self.interface)
        except NotCompiled:
            self._singly(promising, runs)
        else:
            self._batches(pair, promising, runs)
        return self.found

    def _promising(self) -> list[Input]:
        """Inputs that led the interpreters, compiled, to something new, those first on which they differ."""
        hunt = Hunt(self._sides("compiled"), self.seed, clock=time.process_time)
        try:
            hunt.run(EXPLORED)
        finally:
            hunt.close()
        return hunt.differences + hunt.kept[-MOST_KEPT:]

    def _sides(self, on: On) -> Sides:
        left, right = (Loaded("", "", "bpf", kernel.program) for kernel in (self.original, self.mutant))
        return Sides(left, right, self.interface, on, on)

    def _over(self, runs: int) -> bool:
        return bool(self.found.differs) or self.found.runs >= runs or time.process_time() >= self.until

    def _run(self, given: Input) -> None:
        """Both on one input, from the same contents of maps."""
        chosen = {name: value for name, value in given.context.items() if name in TAKEN or name.startswith("map.")}
        given = replace(given, context={**chosen, **self.original.natural_context(given.packet)}, oracles={})
        try:
            shown = self.original.run(given), self.mutant.run(given)
        except NotRunnable:
            self.found.not_run += 1
            return
        self.found.runs += 1
        if differs := differing(self.interface, *shown, given):
            self.found.given, self.found.differs = given, differs

    def _singly(self, promising: Sequence[Input], runs: int) -> None:
        random = Random(self.seed)
        seeds = [given.packet for given in promising]
        packets = Packets(self.mutant.program, random, self.interface.min_length, seeds)
        split = self.interface.split == "any" and nonlinear_skbs()
        inputs = Inputs(self.original.program, self.interface, packets, self.original.natural_context, split, random)
        for _ in range(2 * runs + 1000):
            if self._over(runs):
                break
            self._run(inputs.next())

    def _batches(self, pair: Pair, promising: Sequence[Input], runs: int) -> None:
        sides, random = self._sides("kernel"), Random(self.seed)
        numbers, splits = numbers_of_sides(sides), self.interface.split == "any"
        pool = Pool(random, self.interface.min_length, self.interface.max_length, numbers, splits=splits)
        for given in promising or [Input(bytes(max(64, self.interface.min_length)))]:
            pool.add(given.packet, (), ())
        batches = Batches(pair, pool, Surroundings(sides, random, numbers), random)
        natively = 0
        while not self._over(runs):
            _, notable = batches.changed()
            for given, _ in notable[:MADE_SURE]:
                self._run(given)
                if self.found.differs:
                    return
            before, natively = natively, _made(pair)
            self.found.runs += natively - before


def _pair(original: KernelProgram, mutant: KernelProgram, interface: Interface) -> Pair:
    """Test runs of both made by native code. Raises NotCompiled."""
    shape = shape_of(interface, (original.program, mutant.program))
    kernels = (("left", original), ("right", mutant))
    left, right = (kernel_source(kernel, shape, signature(name), both=True) for name, kernel in kernels)
    return link(shape, left, right)


def _made(pair: Pair) -> int:
    """Runs that both sides have made natively: `equiv.compiled.batch` counts them by verdict."""
    count = len(pair.shape.interface.verdicts) + 1
    return sum(struct.unpack_from(f"={count}Q", pair.left.values.raw))
