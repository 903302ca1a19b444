"""One instruction: its bits, its names, what it reads and writes, what makes it malformed (RFC 9669, sections 3 to 5).

The opcode's fields, by class (the three low bits):

     7   6   5   4   3   2   1   0          7   6   5   4   3   2   1   0
    +---------------+---+-----------+      +-----------+-------+-----------+
    |     code      | s |   class   |      |   mode    | size  |   class   |
    +---------------+---+-----------+      +-----------+-------+-----------+
      ALU, ALU64, JMP, JMP32                 LD, LDX, ST, STX
      s: 0 = K (imm), 1 = X (src register)
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from equiv.bpf.program import ByteOrder, Insn

SLOT_SIZE = 8
"""Bytes of one instruction slot; LD_IMM64 takes two."""

# Classes: opcode & CLASS_MASK.
CLASS_MASK = 0x07
LD = 0x00
LDX = 0x01
ST = 0x02
STX = 0x03
ALU = 0x04
JMP = 0x05
JMP32 = 0x06
ALU64 = 0x07

# Where the second operand comes from: opcode & SOURCE_MASK.
SOURCE_MASK = 0x08
K = 0x00
X = 0x08

# What ALU and JMP do: opcode & CODE_MASK.
CODE_MASK = 0xF0
ADD = 0x00
SUB = 0x10
MUL = 0x20
DIV = 0x30
OR = 0x40
AND = 0x50
LSH = 0x60
RSH = 0x70
NEG = 0x80
MOD = 0x90
XOR = 0xA0
MOV = 0xB0
ARSH = 0xC0
END = 0xD0

JA = 0x00
JEQ = 0x10
JGT = 0x20
JGE = 0x30
JSET = 0x40
JNE = 0x50
JSGT = 0x60
JSGE = 0x70
CALL = 0x80
EXIT = 0x90
JLT = 0xA0
JLE = 0xB0
JSLT = 0xC0
JSLE = 0xD0

# Memory: how wide (opcode & SIZE_MASK) and how (opcode & MODE_MASK).
SIZE_MASK = 0x18
W = 0x00
H = 0x08
B = 0x10
DW = 0x18

MODE_MASK = 0xE0
IMM = 0x00
ABS = 0x20
IND = 0x40
MEM = 0x60
MEMSX = 0x80
ATOMIC = 0xC0

# Atomic operations, in imm (section 5.3).
FETCH = 0x01
ATOMIC_ADD = ADD
ATOMIC_OR = OR
ATOMIC_AND = AND
ATOMIC_XOR = XOR
XCHG = 0xE0 | FETCH
CMPXCHG = 0xF0 | FETCH
ATOMIC_OPS = frozenset(
    {code | fetch for code in (ATOMIC_ADD, ATOMIC_OR, ATOMIC_AND, ATOMIC_XOR) for fetch in (0, FETCH)} | {XCHG, CMPXCHG}
)

LD_IMM64 = LD | IMM | DW

# What src_reg says about LD_IMM64's immediate (section 5.4) and about CALL's (section 4.3.1).
PSEUDO_MAP_FD = 1
PSEUDO_MAP_VALUE = 2
PSEUDO_FUNC = 4

TAIL_CALL, FOR_EACH, LOOP = 12, 164, 181
"""BPF_FUNC_tail_call, BPF_FUNC_for_each_map_elem and BPF_FUNC_loop, include/uapi/linux/bpf.h: these move control."""
PSEUDO_CALL = 1
PSEUDO_KFUNC_CALL = 2

FRAME_POINTER = 10
"""r10, read-only: the address just past the highest byte of the current stack frame."""

CALLER_SAVED = 0b11_1110
"""r1 to r5 as a mask: undefined after any call."""

MEMORY_SIZE = {B: 1, H: 2, W: 4, DW: 8}
"""Bytes that a memory access of each size field touches."""

_BINARY = (ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, MOD, XOR, MOV, ARSH)
_COMPARISONS = (JEQ, JGT, JGE, JSET, JNE, JSGT, JSGE, JLT, JLE, JSLT, JSLE)

OPCODES = frozenset(
    {kind | code | source for kind in (ALU, ALU64) for code in _BINARY for source in (K, X)}
    | {ALU | NEG, ALU64 | NEG, ALU | END | K, ALU | END | X, ALU64 | END | K}
    | {kind | code | source for kind in (JMP, JMP32) for code in _COMPARISONS for source in (K, X)}
    | {JMP | JA, JMP32 | JA, JMP | CALL, JMP | EXIT}
    | {kind | MEM | size for kind in (LDX, ST, STX) for size in MEMORY_SIZE}
    | {LDX | MEMSX | size for size in (B, H, W)}
    | {STX | ATOMIC | size for size in (W, DW)}
    | {LD | mode | size for mode in (ABS, IND) for size in (B, H, W)}
    | {LD_IMM64}
)
"""Every opcode of RFC 9669 (appendix A), the legacy packet loads included."""

_SLOT: dict[ByteOrder, struct.Struct] = {"little": struct.Struct("<BBhi"), "big": struct.Struct(">BBhi")}


def decode_slots(code: bytes, byte_order: ByteOrder) -> list[Insn]:
    """Every 8-byte slot of `code` as an instruction of its own; LD_IMM64's halves are not yet joined.

    `len(code)` must be a multiple of 8. Nothing is checked: see `malformed`.
    """
    if byte_order == "little":
        return [Insn(op, regs & 15, regs >> 4, off, imm) for op, regs, off, imm in _SLOT["little"].iter_unpack(code)]
    return [Insn(op, regs >> 4, regs & 15, off, imm) for op, regs, off, imm in _SLOT["big"].iter_unpack(code)]


def encode(insn: Insn, byte_order: ByteOrder) -> bytes:
    """The instruction's bytes: 8, or 16 for LD_IMM64. References are not part of it."""
    low, high = insn.dst, insn.src
    if byte_order == "big":
        low, high = high, low
    slot = _SLOT[byte_order]
    if insn.opcode != LD_IMM64:
        return slot.pack(insn.opcode, high << 4 | low, insn.off, insn.imm)
    first, second = _signed32(insn.imm64), _signed32(insn.imm64 >> 32)
    return slot.pack(insn.opcode, high << 4 | low, insn.off, first) + slot.pack(0, 0, 0, second)


def join_wide(first: Insn, second: Insn) -> Insn:
    """LD_IMM64 from its two slots: low 32 bits in the first, high 32 bits in the second."""
    imm64 = (second.imm & 0xFFFFFFFF) << 32 | first.imm & 0xFFFFFFFF
    return Insn(first.opcode, first.dst, first.src, first.off, first.imm, imm64, first.ref)


def _signed32(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def insn_class(insn: Insn) -> int:
    """LD, LDX, ST, STX, ALU, JMP, JMP32 or ALU64."""
    return insn.opcode & CLASS_MASK


def is_alu(insn: Insn) -> bool:
    """Whether the instruction computes, in 32 or 64 bits."""
    return insn.opcode & CLASS_MASK in (ALU, ALU64)


def is_wide(insn: Insn) -> bool:
    """Whether the instruction takes two slots."""
    return insn.opcode == LD_IMM64


def slots_of(insn: Insn) -> int:
    """How many slots the instruction takes: 1 or 2."""
    return 2 if insn.opcode == LD_IMM64 else 1


def is_exit(insn: Insn) -> bool:
    """Whether the instruction returns from its function."""
    return insn.opcode == JMP | EXIT


def is_call(insn: Insn) -> bool:
    """Whether the instruction calls anything: a helper, a kernel function or a function of the program."""
    return insn.opcode == JMP | CALL


def is_local_call(insn: Insn) -> bool:
    """Whether the instruction calls a function of the program."""
    return insn.opcode == JMP | CALL and insn.src == PSEUDO_CALL


def is_helper_call(insn: Insn) -> bool:
    """Whether the instruction calls the helper whose number is in imm."""
    return insn.opcode == JMP | CALL and insn.src == 0


def is_tail_call(insn: Insn) -> bool:
    """Whether the instruction calls bpf_tail_call, which where it succeeds does not return."""
    return is_helper_call(insn) and insn.imm == TAIL_CALL


def is_loop_call(insn: Insn) -> bool:
    """Whether the instruction calls bpf_loop or bpf_for_each_map_elem, which call a function again and again."""
    return is_helper_call(insn) and insn.imm in (LOOP, FOR_EACH)


def is_jump_always(insn: Insn) -> bool:
    """Whether the instruction is an unconditional jump, of either range."""
    return insn.opcode in (JMP | JA, JMP32 | JA)


def is_conditional(insn: Insn) -> bool:
    """Whether the instruction compares and may jump."""
    return insn_class(insn) in (JMP, JMP32) and insn.opcode & CODE_MASK in _COMPARISONS


def jump_target(index: int, insn: Insn) -> int | None:
    """The slot that the jump at slot `index` goes to when taken; None for what is no jump.

    JA of class JMP32 keeps its distance in imm, every other jump in off (section 4.3).
    """
    if insn.opcode == JMP32 | JA:
        return index + 1 + insn.imm
    if insn.opcode == JMP | JA or is_conditional(insn):
        return index + 1 + insn.off
    return None


def call_target(index: int, insn: Insn) -> int | None:
    """The slot of the function that a local call at slot `index` goes to; None for any other instruction."""
    return index + 1 + insn.imm if is_local_call(insn) else None


def access_size(insn: Insn) -> int:
    """Bytes that a load, store or atomic operation touches."""
    return MEMORY_SIZE[insn.opcode & SIZE_MASK]


def is_packet_load(insn: Insn) -> bool:
    """Whether the instruction is one of the legacy packet loads (section 5.5)."""
    return insn_class(insn) == LD and insn.opcode & MODE_MASK in (ABS, IND)


def calls_helper(insns: Iterable[Insn | None], number: int) -> bool:
    """Whether any of the instructions calls the helper of that number."""
    return any(insn is not None and is_helper_call(insn) and insn.imm == number for insn in insns)


def low_difference(insn: Insn, following: Insn | None) -> int | None:
    """The register y of `wd = wx` followed by `wd -= wy`, the low half of a difference (D331); else None."""
    copies = insn.opcode == ALU | MOV | X and not insn.off
    if not copies or following is None or following.opcode != ALU | SUB | X or following.off:
        return None
    return following.src if following.dst == insn.dst != following.src else None


def registers_read(insn: Insn) -> int:
    """Registers whose value the instruction uses, bit n for rn. Of a call: none, arguments depend on the callee."""
    return _READS[insn.opcode & CLASS_MASK](insn)


def registers_written(insn: Insn) -> int:
    """Registers whose old value is gone after the instruction, bit n for rn."""
    kind = insn.opcode & CLASS_MASK
    if kind in (ALU, ALU64, LDX) or insn.opcode == LD_IMM64:
        return 1 << insn.dst
    if is_call(insn) or kind == LD:
        return 1 | CALLER_SAVED
    if kind == STX and insn.opcode & MODE_MASK == ATOMIC and insn.imm & FETCH:
        return 1 if insn.imm == CMPXCHG else 1 << insn.src
    return 0


def _alu_reads(insn: Insn) -> int:
    code = insn.opcode & CODE_MASK
    reads = 0 if code == MOV else 1 << insn.dst
    if insn.opcode & SOURCE_MASK and code != END:
        reads |= 1 << insn.src
    return reads


def _jump_reads(insn: Insn) -> int:
    if insn.opcode == JMP | EXIT:
        return 1
    if not is_conditional(insn):
        return 0
    return 1 << insn.dst | (1 << insn.src if insn.opcode & SOURCE_MASK else 0)


def _store_reads(insn: Insn) -> int:
    compared = 1 if insn.opcode & MODE_MASK == ATOMIC and insn.imm == CMPXCHG else 0
    return 1 << insn.dst | 1 << insn.src | compared


def _load_reads(insn: Insn) -> int:
    # Legacy packet loads take the context from r6 (RFC 9669, section 5.5; net/core/filter.c).
    match insn.opcode & MODE_MASK:
        case mode if mode == ABS:
            return 1 << 6
        case mode if mode == IND:
            return 1 << 6 | 1 << insn.src
    return 0


_READS: dict[int, Callable[[Insn], int]] = {
    LD: _load_reads,
    LDX: lambda insn: 1 << insn.src,
    ST: lambda insn: 1 << insn.dst,
    STX: _store_reads,
    ALU: _alu_reads,
    ALU64: _alu_reads,
    JMP: _jump_reads,
    JMP32: _jump_reads,
}


def malformed(insn: Insn) -> str | None:
    """What makes the instruction one that no kernel accepts, in words; None if it is well-formed by itself.

    Reserved fields must be zero: RFC 9669, section 3; kernel/bpf/verifier.c checks each.
    """
    if insn.opcode not in OPCODES:
        if insn.opcode == JMP | CALL | X:
            return "indirect call, which no kernel accepts"
        return f"unknown opcode {insn.opcode:#04x}"
    if insn.dst > FRAME_POINTER or insn.src > FRAME_POINTER:
        return f"no register r{max(insn.dst, insn.src)}"
    if registers_written(insn) >> FRAME_POINTER:
        return "writes r10, which is read-only"
    return _FIELDS[insn.opcode & CLASS_MASK](insn)


def _reserved(*fields: int) -> str | None:
    return "a reserved field is not zero" if any(fields) else None


def _alu_fields(insn: Insn) -> str | None:
    code, by_register = insn.opcode & CODE_MASK, bool(insn.opcode & SOURCE_MASK)
    wide = insn.opcode & CLASS_MASK == ALU64
    offsets: tuple[int, ...] = (0,)
    if code == END:
        if insn.imm not in (16, 32, 64):
            return f"byte swap of {insn.imm} bits"
        return _reserved(insn.off, insn.src)
    if code == NEG:
        return _reserved(insn.off, insn.src, insn.imm)
    if code in (DIV, MOD):
        offsets = (0, 1)
    elif code == MOV and by_register:
        offsets = (0, 8, 16, 32) if wide else (0, 8, 16)
        if wide and insn.off == 1:
            return "address space cast, which is for arenas only"
    if insn.off not in offsets:
        return f"offset {insn.off} means nothing here"
    return _reserved(insn.imm if by_register else insn.src)


def _jump_fields(insn: Insn) -> str | None:
    if insn.opcode == JMP | CALL:
        if insn.src > PSEUDO_KFUNC_CALL:
            return f"call of unknown kind {insn.src}"
        return _reserved(insn.dst, 0 if insn.src == PSEUDO_KFUNC_CALL else insn.off)
    if insn.opcode == JMP | EXIT:
        return _reserved(insn.dst, insn.src, insn.off, insn.imm)
    if is_jump_always(insn):
        return _reserved(insn.dst, insn.src, insn.imm if insn.opcode & CLASS_MASK == JMP else insn.off)
    return _reserved(insn.imm if insn.opcode & SOURCE_MASK else insn.src)


def _stx_fields(insn: Insn) -> str | None:
    if insn.opcode & MODE_MASK == ATOMIC:
        return None if insn.imm in ATOMIC_OPS else f"unknown atomic operation {insn.imm & 0xFFFFFFFF:#x}"
    return _reserved(insn.imm)


def _ld_fields(insn: Insn) -> str | None:
    if insn.opcode == LD_IMM64:
        return _reserved(insn.off)
    return _reserved(insn.dst, insn.off, insn.src if insn.opcode & MODE_MASK == ABS else 0)


_FIELDS: dict[int, Callable[[Insn], str | None]] = {
    LD: _ld_fields,
    LDX: lambda insn: _reserved(insn.imm),
    ST: lambda insn: _reserved(insn.src),
    STX: _stx_fields,
    ALU: _alu_fields,
    ALU64: _alu_fields,
    JMP: _jump_fields,
    JMP32: _jump_fields,
}
