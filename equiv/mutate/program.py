"""One instruction changed: constant, operator, sense of a jump, register, offset, width (RFC 9669)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.disasm import disassemble
from equiv.bpf.program import Insn, Program
from equiv.bpf.source import Source

SECTION_TABLE: Final = struct.Struct("<40xQ10xHHH")
"""Of an ELF file header: where the section headers are, the size of one, how many (little-endian)."""
OFFSET_IN_FILE: Final = 24
"""Of a section header: where its bytes are in the file."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`after` in place of `before`, at slot `slot` of section `section` (its index)."""

    kind: str
    function: str
    section: int
    slot: int
    before: Insn
    after: Insn

    def __str__(self) -> str:
        old, new = (disassemble(insn, self.slot).strip() for insn in (self.before, self.after))
        return f"{self.function} {self.slot}: {old} → {new}"


def mutants_of(source: Source, program: Program, random: Random, kinds: Collection[str] = ()) -> Iterator[Mutant]:
    """Mutants of the program's own functions, of one of `kinds` (none: all) after the other, without repetition."""
    return _drawn(list(_slots(source, program)), random, kinds or KINDS)


def linked_mutants(program: Program, random: Random) -> Iterator[tuple[Mutant, Program]]:
    """The same, made in the program as it was linked: slots count from its first instruction, sections are all 0."""
    slots = []
    starts = [*sorted(program.functions), len(program.insns)]
    for slot, insn in enumerate(program.insns):
        if insn is None or insn.ref is not None or slot in program.core or op.is_wide(insn) or op.is_call(insn):
            continue
        start = max(first for first in program.functions if first <= slot)
        slots.append((program.functions[start], 0, slot, insn))
    for mutant in _drawn(slots, random, KINDS):
        target = op.jump_target(mutant.slot, mutant.after)
        if target is not None:  # loading an object refuses jumps out of a function
            after = bisect_right(starts, mutant.slot)
            if not starts[after - 1] <= target < starts[after] or program.insns[target] is None:
                continue
        insns = (*program.insns[: mutant.slot], mutant.after, *program.insns[mutant.slot + 1 :])
        yield mutant, replace(program, insns=insns)


def _drawn(slots: list[tuple[str, int, int, Insn]], random: Random, kinds: Collection[str]) -> Iterator[Mutant]:
    """Mutants of one kind after the other, until nothing new is drawn for long."""
    seen: set[tuple[int, int, Insn]] = set()
    dry = 0
    while slots and dry < 200 * len(KINDS):
        for kind in kinds:
            function, section, slot, before = random.choice(slots)
            after = KINDS[kind](before, random)
            if after is None or after == before or op.malformed(after) or (section, slot, after) in seen:
                dry += 1
                continue
            dry = 0
            seen.add((section, slot, after))
            yield Mutant(kind, function, section, slot, before, after)


def _slots(source: Source, program: Program) -> Iterator[tuple[str, int, int, Insn]]:
    """Instructions of the program's functions that nothing relocates: function, section, slot, instruction."""
    names = set(program.functions.values())
    for index, unit in source.code.items():
        for function in unit.functions.values():
            if function.name not in names:
                continue
            slot = function.start
            while slot < function.end:
                insn = unit.slots[slot]
                if slot not in unit.relocations and not op.is_wide(insn) and not op.is_call(insn):
                    yield function.name, index, slot, insn
                slot += op.slots_of(insn)


def written(data: bytes, mutant: Mutant, source: Source) -> bytes:
    """The object file, or the file of raw instructions, with the mutant in it."""
    code = op.encode(mutant.after, source.elf.byte_order)
    if not data.startswith(b"\x7fELF"):
        at = mutant.slot * op.SLOT_SIZE
        return data[:at] + code + data[at + len(code) :]
    start, size, _, _ = SECTION_TABLE.unpack_from(data)
    (offset,) = struct.unpack_from("<Q", data, start + mutant.section * size + OFFSET_IN_FILE)
    at = offset + mutant.slot * op.SLOT_SIZE
    return data[:at] + code + data[at + len(code) :]


def _constant(insn: Insn, random: Random) -> Insn | None:
    kind = insn.opcode & op.CLASS_MASK
    jumps = kind in (op.JMP, op.JMP32) and op.is_conditional(insn) and not insn.opcode & op.SOURCE_MASK
    adds = op.is_alu(insn) and not insn.opcode & op.SOURCE_MASK and insn.opcode & op.CODE_MASK not in (op.END, op.NEG)
    stores = kind == op.ST and insn.opcode & op.MODE_MASK == op.MEM
    if not (jumps or adds or stores):
        return None
    swapped = int.from_bytes((insn.imm & 0xFFFF).to_bytes(2, "little"), "big")
    value = random.choice(
        (insn.imm + 1, insn.imm - 1, insn.imm ^ 1 << random.randrange(16), 0, swapped, -insn.imm, insn.imm ^ 0x80)
    )
    return replace(insn, imm=(value + (1 << 31)) % (1 << 32) - (1 << 31))


_OPERATORS: Final = (op.ADD, op.SUB, op.MUL, op.OR, op.AND, op.LSH, op.RSH, op.XOR, op.MOV, op.ARSH, op.DIV, op.MOD)


def _operator(insn: Insn, random: Random) -> Insn | None:
    code = insn.opcode & op.CODE_MASK
    if not op.is_alu(insn) or code not in _OPERATORS or insn.off:
        return None
    return replace(insn, opcode=insn.opcode & ~op.CODE_MASK | random.choice(_OPERATORS))


_SENSES: Final = {
    op.JEQ: (op.JNE, op.JGT, op.JGE, op.JSET),
    op.JNE: (op.JEQ, op.JLT, op.JGT, op.JSET),
    op.JGT: (op.JLE, op.JGE, op.JSGT, op.JNE),
    op.JGE: (op.JLT, op.JGT, op.JSGE, op.JEQ),
    op.JLT: (op.JGE, op.JLE, op.JSLT, op.JNE),
    op.JLE: (op.JGT, op.JLT, op.JSLE, op.JEQ),
    op.JSGT: (op.JSLE, op.JSGE, op.JGT),
    op.JSGE: (op.JSLT, op.JSGT, op.JGE),
    op.JSLT: (op.JSGE, op.JSLE, op.JLT),
    op.JSLE: (op.JSGT, op.JSLT, op.JLE),
    op.JSET: (op.JEQ, op.JNE),
}


def _sense(insn: Insn, random: Random) -> Insn | None:
    if not op.is_conditional(insn):
        return None
    return replace(insn, opcode=insn.opcode & ~op.CODE_MASK | random.choice(_SENSES[insn.opcode & op.CODE_MASK]))


def _register(insn: Insn, random: Random) -> Insn | None:
    fields = []
    if op.registers_read(insn) | op.registers_written(insn):
        fields.append("dst" if insn.opcode & op.CLASS_MASK != op.LD else "")
    by_register = insn.opcode & op.SOURCE_MASK and insn.opcode & op.CODE_MASK != op.END
    if insn.opcode & op.CLASS_MASK in (op.LDX, op.STX) or (
        by_register and insn.opcode & op.CLASS_MASK in (op.ALU, op.ALU64, op.JMP, op.JMP32)
    ):
        fields.append("src")
    fields = [field for field in fields if field]
    if not fields or op.is_exit(insn) or op.is_jump_always(insn):
        return None
    chosen, number = random.choice(fields), random.randrange(10)
    return replace(insn, dst=number) if chosen == "dst" else replace(insn, src=number)


def _offset(insn: Insn, random: Random) -> Insn | None:
    kind = insn.opcode & op.CLASS_MASK
    if kind in (op.LDX, op.ST, op.STX):
        size = op.access_size(insn)
        return replace(insn, off=insn.off + random.choice((1, -1, size, -size, 2, -2, 4, 8)))
    if op.is_conditional(insn) or (op.is_jump_always(insn) and kind == op.JMP):
        return replace(insn, off=insn.off + random.choice((1, -1, 2, 3, 5)))
    return None


def _width(insn: Insn, random: Random) -> Insn | None:
    kind, code = insn.opcode & op.CLASS_MASK, insn.opcode & op.CODE_MASK
    if kind in (op.LDX, op.ST, op.STX) and insn.opcode & op.MODE_MASK == op.MEM:
        return replace(insn, opcode=insn.opcode & ~op.SIZE_MASK | random.choice((op.B, op.H, op.W, op.DW)))
    if kind in (op.ALU, op.ALU64) and code == op.END:
        return replace(insn, imm=random.choice((16, 32, 64)))
    if kind in (op.ALU, op.ALU64):
        return replace(insn, opcode=insn.opcode ^ (op.ALU ^ op.ALU64))
    if op.is_conditional(insn):
        return replace(insn, opcode=insn.opcode ^ (op.JMP ^ op.JMP32))
    return None


KINDS: Final[dict[str, Callable[[Insn, Random], Insn | None]]] = {
    "constant": _constant,
    "operator": _operator,
    "jump": _sense,
    "register": _register,
    "offset": _offset,
    "width": _width,
}
