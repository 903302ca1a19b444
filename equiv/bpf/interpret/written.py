"""Which instruction wrote what a run left behind, and which one decided last (D203)."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from equiv.bpf import insn as op
from equiv.bpf.interpret.execute import TRACED, Executable
from equiv.bpf.interpret.memory import Memory
from equiv.bpf.program import Program
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface

CB_OFFSET = 48
"""Of `cb` in `struct __sk_buff`."""


@dataclass(slots=True, eq=False)
class Recorder(Memory):
    """Memory that remembers which slot last wrote each byte. `visited` ends with the slot that runs."""

    visited: deque[int] = field(default_factory=lambda: deque(maxlen=TRACED))
    last: dict[tuple[int, int], int] = field(default_factory=dict)
    """By the high half of the region's address, and the offset from its base."""

    def store(self, address: int, size: int, value: int) -> None:
        Memory.store(self, address, size, value)
        self._note(address, size)

    def write_bytes(self, address: int, content: bytes) -> None:
        Memory.write_bytes(self, address, content)
        self._note(address, len(content))

    def _note(self, address: int, size: int) -> None:
        region = self.regions.get(address >> 32)
        if region is not None and size:
            for i in range(size):
                self.last[region.base >> 32, address - region.base + i] = self.visited[-1]


@dataclass(frozen=True, slots=True)
class Written:
    """What one run did. Slots are of the program; None: nothing did."""

    decision: int | None
    """The conditional jump that the run went through last."""
    taken: bool
    maps: dict[tuple[str, int], Sequence[int | None]]
    """By map and index of an array, for each byte of the value the slot that wrote it last."""
    control_block: Sequence[int | None]

    def part(self, observable: str, key: tuple[str, int], offset: int, size: int) -> int | None:
        """The slot that last wrote some byte of a part of an observable."""
        written = self.control_block if observable == "cb" else self.maps.get(key, ())
        found = [slot for slot in written[offset : offset + size] if slot is not None]
        return found[-1] if found else None


def written(program: Program, interface: Interface, given: Input) -> Written:
    """Runs `program` once more. Raises Fault and NotRunnable as any run does."""
    memory = Recorder(program.byte_order)
    run = Executable(program, interface).run_in(memory, memory.visited, given)
    maps: dict[tuple[str, int], Sequence[int | None]] = {}
    for observable in interface.observables:
        if observable.map_name in run.maps and observable.map_key is not None:
            region = run.maps[observable.map_name].entry(observable.map_key)
            at = region.base >> 32
            maps[observable.map_name, observable.map_key] = [
                memory.last.get((at, i)) for i in range(region.start, region.end)
            ]
    context = run.context_address
    block = [memory.last.get((context >> 32, CB_OFFSET + i)) for i in range(20)]
    decision, taken = _last_decision(program, list(memory.visited))
    return Written(decision, taken, maps, block)


def _last_decision(program: Program, visited: Sequence[int]) -> tuple[int | None, bool]:
    for at in range(len(visited) - 2, -1, -1):
        insn = program.insns[visited[at]]
        if insn is not None and op.is_conditional(insn):
            return visited[at], visited[at + 1] != visited[at] + 1
    return None, False
