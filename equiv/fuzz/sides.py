"""What a campaign compares: two subjects, and who runs each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from equiv.bpf.program import Program
from equiv.compiled.bpf.program import signature
from equiv.compiled.kernel import kernel_source
from equiv.compiled.pair import Pair, Source, link, shape_of, source_of, subject_of
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.machine.protocol import Machine
from equiv.oracle import KernelProgram, available, contexts
from equiv.p4.parser import Parser
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
    def parser(self) -> Parser | None: ...
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


def natural_context(sides: Sides, packet: bytes) -> dict[str, int]:
    """The context that packets have where a side runs on the kernel, which chooses some fields itself; else none."""
    if "kernel" not in (sides.left_on, sides.right_on):
        return {}
    if sides.interface.context == "xdp_md":
        return {"ingress_ifindex": contexts.LOOPBACK}
    if sides.interface.context != "__sk_buff":
        return {}
    return {"ifindex": contexts.LOOPBACK, "pkt_type": contexts.pkt_type_of(packet)}


def native_pair(sides: Sides, resources: ExitStack) -> Pair:
    """Both sides as machine code, or calls of the kernel from it. Raises NotCompiled, or NotRunnable."""
    left, right = subject_of(sides.left, sides.interface, "left"), subject_of(sides.right, sides.interface, "right")
    shape = shape_of(sides.interface, (left, right))
    sources: list[Source] = []
    for name, subject, on in (("left", left, sides.left_on), ("right", right, sides.right_on)):
        if on == "kernel":
            kernel = _kernel(subject if isinstance(subject, Program) else None, sides.interface, resources)
            sources.append(kernel_source(kernel, shape, signature(name)))
        else:
            sources.append(source_of(subject, shape, name))
    return link(shape, *sources)


def compiled_pair(sides: Sides) -> Pair:
    """Both sides as machine code, wherever they are to run. Raises NotCompiled."""
    with ExitStack() as resources:
        return native_pair(replace(sides, left_on="compiled", right_on="compiled"), resources)


def _kernel(program: Program | None, interface: Interface, resources: ExitStack) -> KernelProgram:
    """The program in the kernel, on a CPU that this process stays on. Raises NotRunnable or VerifierRejected."""
    if program is None:
        raise NotRunnable("only BPF programs run on the kernel")
    if (reason := available()) is not None:
        raise NotRunnable(f"the kernel cannot be asked: {reason}")
    kernel = resources.enter_context(KernelProgram(program, interface))
    resources.enter_context(kernel.staying())
    return kernel


def runner(subject: Subject, interface: Interface, side: Which, on: On, resources: ExitStack) -> Run:
    """How one side is run, one input at a time. Raises NotRunnable, or VerifierRejected, where the kernel cannot."""
    if on != "kernel":
        return lambda given: subject.execute(interface, given, side)
    kernel = _kernel(subject.program, interface, resources)
    return lambda given: kernel.run(subject.given(given))
