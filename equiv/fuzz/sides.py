"""What a campaign compares: two subjects, and who runs each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Literal, Protocol

from equiv.bpf.program import Program
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.machine.protocol import Machine
from equiv.oracle import KernelProgram, available
from equiv.table.model import Table

On = Literal["compiled", "interpreter", "kernel"]
Which = Literal["left", "right"]
Run = Callable[[Input], Observation]


class Subject(Protocol):
    """One side of a check, read and understood (`equiv.loaded.Loaded` is one)."""

    @property
    def path(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def program(self) -> Program | None: ...
    @property
    def table(self) -> Table | None: ...
    @property
    def linear(self) -> bool: ...
    def given(self, given: Input) -> Input: ...
    def machine(self, interface: Interface, side: Which = "left") -> Machine: ...
    def execute(self, interface: Interface, given: Input, side: Which = "left") -> Observation: ...


@dataclass(frozen=True, slots=True)
class Sides:
    """Two subjects under one interface, and who runs each."""

    left: Subject
    right: Subject
    interface: Interface
    left_on: On = "compiled"
    right_on: On = "compiled"

    def interpreted(self, given: Input) -> tuple[Observation, Observation]:
        """What both show on their interpreters. Raises NotRunnable, or the interpreters' faults."""
        return self.left.execute(self.interface, given, "left"), self.right.execute(self.interface, given, "right")

    @property
    def programs(self) -> list[Program]:
        return [side.program for side in (self.left, self.right) if side.program is not None]


def runner(subject: Subject, interface: Interface, side: Which, on: On, resources: ExitStack) -> Run:
    """How one side is run, one input at a time. Raises NotRunnable, or VerifierRejected, where the kernel cannot."""
    if on != "kernel":
        return lambda given: subject.execute(interface, given, side)
    if subject.program is None:
        raise NotRunnable(f"{subject.path} is no program that a kernel runs")
    if (reason := available()) is not None:
        raise NotRunnable(f"the kernel cannot be asked: {reason}")
    kernel = resources.enter_context(KernelProgram(subject.program, interface))
    return lambda given: kernel.run(subject.given(given))
