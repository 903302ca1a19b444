"""What a comparison by order compares, whether its answer follows from what is known or not (D351)."""

from __future__ import annotations

from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.alu import low_word
from equiv.bpf.pointers import same_region
from equiv.bpf.program import Insn
from equiv.bpf.state import State
from equiv.bpf.values import WORD, Pointer, Value
from equiv.machine.watch import Edges
from equiv.term import Term, bvadd, conj, const, eq, slt, ult

_SIGNED: Final = frozenset({op.JSGT, op.JSGE, op.JSLT, op.JSLE})
_SWAPPED: Final = frozenset({op.JGT, op.JLE, op.JSGT, op.JSLE})
_ORDERED: Final = _SIGNED | {op.JGT, op.JGE, op.JLT, op.JLE}
"""Comparisons that are x < y or the opposite; x is the second operand in `_SWAPPED` ones."""


def is_ordered(insn: Insn) -> bool:
    """Whether the instruction compares by order, and jumps."""
    return op.is_conditional(insn) and insn.opcode & op.CODE_MASK in _ORDERED


def edges_of(insn: Insn, state: State) -> Edges | None:
    """Where x < y is compared, or its opposite: whether x is the last number below y, and whether it is y.

    None where no two numbers are compared, nor two addresses in one object.
    """
    code = insn.opcode & op.CODE_MASK
    wide = insn.opcode & op.CLASS_MASK == op.JMP
    a: Value | None = state.regs[insn.dst]
    b = state.regs[insn.src] if insn.opcode & op.SOURCE_MASK == op.X else const(insn.imm, WORD)
    x, y = (b, a) if code in _SWAPPED else (a, b)
    if isinstance(x, Pointer) and isinstance(y, Pointer):
        if not wide or not same_region(x.region, y.region):
            return None
        return Edges(eq(bvadd(x.offset, const(1, WORD)), y.offset), eq(x.offset, y.offset))
    if not isinstance(x, Term) or not isinstance(y, Term):
        return None
    if not wide:
        x, y = low_word(x), low_word(y)
    less = slt(x, y) if code in _SIGNED else ult(x, y)
    return Edges(conj(less, eq(bvadd(x, const(1, x.width)), y)), eq(x, y))
