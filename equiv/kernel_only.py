"""Differences that only the running kernel can show: where what a side gives depends on the kernel's memory (D333).

In: a question without an answer, and inputs. The interpreters make up no address and no byte that nobody wrote, so they
do not run such inputs to their end (D180); the kernel does. Out: a counterexample that the kernel alone confirms.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Final

from equiv.bpf.helper_table import TABLE
from equiv.confirmed import Case
from equiv.errors import EquivError
from equiv.machine.concrete import Input, NotRunnable, Observation, ReadsUnwritten
from equiv.oracle import KernelProgram, VerifierRejected, available
from equiv.proof.replay import differing, shrink
from equiv.result import Counterexample

SECONDS: Final = 2.0
"""Of the processor's time: how long inputs are looked at, and again how long one is made smaller."""
RUNS: Final = 2
"""How often each copy runs an input."""
STACKS: Final = (bytes(512), b"\xff" * 512, (b"\x01" + bytes(7)) * 64, bytes(1 + n * 89 % 255 for n in range(512)))
"""What stacks hold before a program runs whose result may depend on it (D360): zeros, ones, small numbers, others."""
MOST_NAMED: Final = 16
"""Bytes of a stack that are named one by one."""
GIVEN: Final = frozenset({"mark", "priority", "cb", "flags"})
"""Fields of the context that inputs keep; others are those that a test run chooses."""


def shown_by_the_kernel_alone(
    case: Case, inputs: Iterable[Input], stacks: Sequence[bytes] = ()
) -> Counterexample | None:
    """One of `inputs` that an interpreter cannot run, on which the two programs differ in the kernel; made smaller.

    `stacks` are what a stack may hold, besides `STACKS`, where something depends on it: 512 bytes each.
    """
    programs = case.left.program, case.right.program
    plain = case.interface.relation is None and not (case.left.linear or case.right.linear)
    if case.kernel is False or None in programs or not plain or available() is not None:
        return None
    with ExitStack() as resources:
        copies = []
        try:
            for program in (*programs, *programs):
                assert program is not None
                copies.append(resources.enter_context(KernelProgram(program, case.interface)))
                if not copies[-1].use.helpers <= TABLE.keys():  # who knows what else these do
                    return None
                resources.enter_context(copies[-1].staying())
        except (NotRunnable, VerifierRejected):
            return None
        beside = _Beside(case, (copies[0], copies[2]), (copies[1], copies[3]), (*stacks, *STACKS))
        until = time.process_time() + SECONDS
        for given in inputs:
            if time.process_time() > until:
                break
            if beside.still(given) and (found := beside.counterexample(given)) is not None:
                return found
    return None


@dataclass(frozen=True, slots=True)
class _Told:
    """How an input tells the sides apart: what each showed, why one is not interpreted, and what the stack held."""

    left: Observation
    right: Observation
    reason: str
    stack: bytes | None


@dataclass(frozen=True, slots=True)
class _Beside:
    """Two copies of each side in the kernel."""

    case: Case
    left: tuple[KernelProgram, KernelProgram]
    right: tuple[KernelProgram, KernelProgram]
    stacks: tuple[bytes, ...]

    def natural(self, given: Input) -> Input:
        """The input as a test run gives it to the programs."""
        kept = {name: value for name, value in given.context.items() if name in GIVEN or name.startswith("map.")}
        return replace(given, context={**kept, **self.left[0].natural_context(given.packet)}, oracles={})

    def told(self, given: Input) -> _Told | None:
        """How `given`, which is natural, tells the sides apart: one does what its interpreter says, the other never.

        What the interpreter runs to its end depends on the input alone. So no program is told apart from itself, nor
        from another whose interpreter does not run it either: what they show may be chance.
        """
        results: list[Observation | None] = []
        reason = ""
        stacks: tuple[bytes, ...] = ()
        for run in (self.case.run_left, self.case.run_right):
            try:
                results.append(run(given))
            except NotRunnable as error:
                results.append(None)
                reason, stacks = str(error), self.stacks if isinstance(error, ReadsUnwritten) else ()
            except EquivError:
                return None
        match results:
            case [Observation() as known, None]:
                settled, open_ = self.left, self.right
            case [None, Observation() as known]:
                settled, open_ = self.right, self.left
            case _:
                return None
        for stack in (None, *stacks):
            try:
                same, shown = (self._shown(copies, given, stack) for copies in (settled, open_))
            except NotRunnable:
                return None
            if any(self._differing(known, each, given) for each in same):
                return None
            if all(self._differing(known, each, given) for each in shown):
                sides = (same[0], shown[0]) if settled is self.left else (shown[0], same[0])
                return _Told(*sides, reason, stack)
        return None

    def _shown(self, copies: Sequence[KernelProgram], given: Input, stack: bytes | None) -> list[Observation]:
        """What all copies show, each several times."""
        return [
            copy.run(given) if stack is None else copy.run_on_stack(given, stack)
            for _ in range(RUNS)
            for copy in copies
        ]

    def _differing(self, a: Observation, b: Observation, given: Input) -> tuple[str, ...]:
        return differing(self.case.interface, a, b, given)

    def counterexample(self, given: Input) -> Counterexample | None:
        """The input made smaller, with what the kernel shows of it."""
        until = time.process_time() + SECONDS
        minimum = self.case.interface.min_length
        less = shrink(given, lambda less: time.process_time() < until and self.still(less), minimum)
        for small in (self.natural(less), self.natural(given)):
            if (told := self.told(small)) is not None:
                break
        else:
            return None
        note = f"shown by the kernel alone, as an interpreter does not make it up: {told.reason}"
        if told.stack is not None:
            note += f"; both ran on a stack that held {_in_short(told.stack)}"
        differs = self._differing(told.left, told.right, small)
        shown = {"left": told.left, "right": told.right}
        return Counterexample(small, told.left, told.right, differs, frozenset(), ("kernel",), shown, (note,))

    def still(self, given: Input) -> bool:
        """Whether the input shows a difference, and the kernel alone does."""
        return self.told(self.natural(given)) is not None


def _in_short(stack: bytes) -> str:
    """A stack's contents, in words; places count from r10."""
    others = [at for at, byte in enumerate(stack) if byte]
    if len(set(stack)) == 1:
        return f"{stack[0]:#04x} in every byte"
    if len(others) <= MOST_NAMED:
        return "zeros but for " + ", ".join(f"{stack[at]:#04x} at r10 - {len(stack) - at}" for at in others)
    return f"0x{stack[-8:].hex()} at r10 - 8, and such numbers below"
