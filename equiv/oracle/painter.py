"""A caller that leaves a stack of known contents: it fills its own, and the program takes its place by a tail call.

    r6 = ctx
    512 bytes of stack = 512 bytes of the painter's map
    tail call to the program

A tail call keeps the stack frame, as compiled code and the kernel's interpreter do it (kernel/bpf/core.c,
`JMP_TAIL_CALL`; arch/x86/net/bpf_jit_comp.c, `emit_bpf_tail_call_indirect`), and clears nothing. So what the program
has not written of its own frame is what the painter left there (D360).
"""

from __future__ import annotations

from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import ByteOrder, Insn, MapSpec
from equiv.oracle.maps import ARRAY, PROG_ARRAY, KernelMap

STACK: Final = 512
"""MAX_BPF_STACK, include/linux/filter.h."""
CONTENTS: Final = MapSpec("equiv_stack", ARRAY, 4, STACK, 1)
PROGRAMS: Final = MapSpec("equiv_painted", PROG_ARRAY, 4, 4, 1)
FAILED: Final = -1
"""What is returned where the tail call did not come about."""

TAIL_CALL: Final = 12
_MOVE: Final = op.ALU64 | op.MOV | op.X
_SET: Final = op.ALU64 | op.MOV | op.K


def painter(contents: KernelMap, programs: KernelMap, order: ByteOrder) -> bytes:
    """The caller's code; `contents` holds the stack, lowest address first, `programs` the program at index 0."""
    code = [Insn(_MOVE, 6, 1, 0, 0), Insn(op.LD_IMM64, 7, op.PSEUDO_MAP_VALUE, 0, 0, contents.descriptor)]
    for offset in range(0, STACK, 8):
        code.append(Insn(op.LDX | op.MEM | op.DW, 2, 7, offset, 0))
        code.append(Insn(op.STX | op.MEM | op.DW, 10, 2, offset - STACK, 0))
    code += [
        Insn(_MOVE, 1, 6, 0, 0),
        Insn(op.LD_IMM64, 2, op.PSEUDO_MAP_FD, 0, 0, programs.descriptor),
        Insn(_SET, 3, 0, 0, 0),
        Insn(op.JMP | op.CALL, 0, 0, 0, TAIL_CALL),
        Insn(_SET, 0, 0, 0, FAILED),
        Insn(op.JMP | op.EXIT, 0, 0, 0, 0),
    ]
    return b"".join(op.encode(insn, order) for insn in code)
