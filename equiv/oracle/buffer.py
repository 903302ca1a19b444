"""A caller around a plain function (interface `buffer`), as no program type is given bytes and their number (D40).

    r1 = the value of a map that is as long as the bytes
    r2 = how many they are
    r0 = program(r1, r2)
    result map = r0
    exit with 0

The verifier knows both arguments, so it accepts a function whose accesses are right for that very length. The program
itself is unchanged: it becomes a function of the caller, which itself uses no stack.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import ByteOrder, Insn, MapSpec
from equiv.machine.concrete import Input, NotRunnable
from equiv.oracle.maps import ARRAY, KernelMap

RESULT: Final = MapSpec("equiv_result", ARRAY, 4, 8, 1)
FRAME: Final = bytes(64)
"""The packet that the caller gets, and leaves alone."""
KEPT: Final = 64
"""Lengths for which the loaded program is kept."""
_FIRST: Final = bytes(4)


@dataclass(slots=True)
class BufferRuns:
    """A program's callers by length. `load` loads code and gives its descriptor, which is closed here."""

    code: bytes
    order: ByteOrder
    cpu: int
    load: Callable[[bytes], int]
    resources: ExitStack
    callers: dict[int, tuple[int, KernelMap]]
    result: KernelMap

    @classmethod
    def make(cls, code: bytes, order: ByteOrder, cpu: int, load: Callable[[bytes], int]) -> BufferRuns:
        resources = ExitStack()
        result = KernelMap.create(RESULT, order, cpu)
        resources.callback(result.close)
        return cls(code, order, cpu, load, resources, {}, result)

    def close(self) -> None:
        """Release all that was loaded."""
        while self.callers:
            self._drop(next(iter(self.callers)))
        self.resources.close()

    def prepare(self, given: Input) -> int:
        """The descriptor of the caller for that input's length, its buffer filled."""
        if given.linear is not None and given.linear < len(given.packet):
            raise NotRunnable("a plain function has one buffer")
        length = len(given.packet)
        if length not in self.callers:
            if len(self.callers) >= KEPT:
                self._drop(next(iter(self.callers)))
            self.callers[length] = self._caller(length)
        descriptor, buffer = self.callers[length]
        buffer.fill({_FIRST: given.packet or bytes(8)})
        return descriptor

    def returned(self) -> int:
        """What the function returned in the last run, 64 bits."""
        return int.from_bytes(self.result.value(_FIRST), self.order)

    def _caller(self, length: int) -> tuple[int, KernelMap]:
        # No map has values of 0 bytes; the address of an empty buffer is the end of one of 8.
        buffer = KernelMap.create(MapSpec("equiv_buffer", ARRAY, 4, length or 8, 1), self.order, self.cpu)
        try:
            return self.load(self._wrapped(buffer, length)), buffer
        except BaseException:
            buffer.close()
            raise

    def _wrapped(self, buffer: KernelMap, length: int) -> bytes:
        after = [
            Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_VALUE, 0, 0, self.result.descriptor),
            Insn(op.STX | op.MEM | op.DW, 1, 0, 0, 0),
            Insn(op.ALU64 | op.MOV | op.K, 0, 0, 0, 0),
            Insn(op.JMP | op.EXIT, 0, 0, 0, 0),
        ]
        caller = [
            Insn(op.LD_IMM64, 1, op.PSEUDO_MAP_VALUE, 0, 0, buffer.descriptor),
            Insn(op.ALU64 | op.ADD | op.K, 1, 0, 0, 0 if length else 8),
            Insn(op.ALU64 | op.MOV | op.K, 2, 0, 0, length),
            Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, sum(map(op.slots_of, after))),
            *after,
        ]
        return b"".join(op.encode(insn, self.order) for insn in caller) + self.code

    def _drop(self, length: int) -> None:
        descriptor, buffer = self.callers.pop(length)
        os.close(descriptor)
        buffer.close()
