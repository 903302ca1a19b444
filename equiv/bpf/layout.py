"""Where a function's own accesses cut its stack frame: equal states are frozen alike, whatever path wrote them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from equiv.bpf import insn as op
from equiv.bpf.cells import WIDEST_CELL, Cells, load, part
from equiv.bpf.cfg import ControlFlow, Function
from equiv.bpf.program import Insn, Program
from equiv.term import Term

Units = dict[int, tuple[int, int]]
"""Byte to the piece (start, end) that it is frozen in; bytes that no known access cuts are not in it."""


def stack_units(program: Program, flow: ControlFlow, function: Function) -> Units:
    """The pieces of at most 8 bytes that accesses at known offsets from r10 cut the frame into."""
    cuts: set[int] = set()
    touched: set[int] = set()
    for offset, size in _stack_accesses(program, flow, function):
        cuts |= {offset, offset + size}
        touched.update(range(offset, offset + size))
    units: Units = {}
    ordered = sorted(cuts)
    for start, end in pairwise(ordered):
        if end - start <= WIDEST_CELL and touched.issuperset(range(start, end)):
            units.update((byte, (start, end)) for byte in range(start, end))
    return units


def _stack_accesses(program: Program, flow: ControlFlow, function: Function) -> Iterator[tuple[int, int]]:
    """Offset from r10 and size of the loads and stores whose address is plain; copies of r10 count within a block."""
    known: dict[int, int] = {}
    for slot in range(function.entry, function.end):
        insn = program.insns[slot]
        if slot in flow.joins:
            known = {}
        if insn is None:
            continue
        known[op.FRAME_POINTER] = 0
        kind = insn.opcode & op.CLASS_MASK
        if kind in (op.LDX, op.ST, op.STX):
            base = known.get(insn.src if kind == op.LDX else insn.dst)
            if base is not None:
                yield base + insn.off, op.access_size(insn)
        _track(known, insn)


def _track(known: dict[int, int], insn: Insn) -> None:
    """Update which registers are r10 plus a constant."""
    if insn.opcode == op.ALU64 | op.MOV | op.X and insn.src in known and not insn.off:
        known[insn.dst] = known[insn.src]
        return
    if insn.opcode == op.ALU64 | op.ADD | op.K and insn.dst in known:
        known[insn.dst] += insn.imm
        return
    written = op.registers_written(insn)
    for register in [r for r in known if written >> r & 1]:
        del known[register]


def normalised(cells: Cells, units: Units, little: bool) -> Cells:
    """The same bytes, cut and joined at the units' borders where they are scalars."""
    if all(units.get(offset) == (offset, offset + size) for offset, (size, _) in cells.items()):
        return cells
    result: Cells = {}
    for offset, (size, value) in cells.items():
        if not isinstance(value, Term) or units.get(offset) == (offset, offset + size):
            result[offset] = (size, value)
            continue
        position, end = offset, offset + size
        while position < end:
            unit = units.get(position)
            stop = position + 1
            if unit is None:
                while stop < end and stop not in units:
                    stop += 1
            else:
                stop = min(unit[1], end)
                whole = _whole(cells, unit, little)
                if whole is not None:
                    result[unit[0]] = (unit[1] - unit[0], whole)
                    position = stop
                    continue
            result[position] = (stop - position, part(value, size, position - offset, stop - position, little))
            position = stop
    return result


class _Gap(Exception):
    pass


def _missing(offset: int) -> Term:
    raise _Gap


def _whole(cells: Cells, unit: tuple[int, int], little: bool) -> Term | None:
    """The unit's bytes as one scalar, if all are there and are scalars."""
    try:
        value = load(cells, unit[0], unit[1] - unit[0], little, _missing)
    except _Gap:
        return None
    return value if isinstance(value, Term) else None
