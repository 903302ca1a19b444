"""Arithmetic, byte swaps and conditions (RFC 9669, sections 4.1 to 4.3)."""

from __future__ import annotations

from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import Insn
from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.memory import is_address
from equiv.compiled.text import Code

_PLAIN: Final = {op.ADD: "add", op.SUB: "sub", op.MUL: "mul", op.OR: "or", op.AND: "and", op.XOR: "xor"}
_SHIFTS: Final = {op.LSH: "shl", op.RSH: "lshr", op.ARSH: "ashr"}
_CONDITIONS: Final = {
    op.JEQ: "eq", op.JNE: "ne",
    op.JGT: "ugt", op.JGE: "uge", op.JLT: "ult", op.JLE: "ule",
    op.JSGT: "sgt", op.JSGE: "sge", op.JSLT: "slt", op.JSLE: "sle",
}  # fmt: skip


def arithmetic(emit: Emit, insn: Insn) -> None:
    """An instruction of class ALU or ALU64."""
    code = emit.code
    width = 64 if insn.opcode & op.CLASS_MASK == op.ALU64 else 32
    kind = f"i{width}"
    operation = insn.opcode & op.CODE_MASK
    from_register = bool(insn.opcode & op.SOURCE_MASK)
    if operation == op.END:
        _end(emit, insn, width)
        return
    if operation == op.NEG:
        _put(emit, insn.dst, code.op("sub", kind, 0, _take(emit, insn.dst, width)), width)
        return
    if operation == op.MOV:
        if not from_register:
            _put(emit, insn.dst, str(insn.imm & (1 << width) - 1), width)
        elif insn.off:
            low = code.resized(_take(emit, insn.src, width), width, insn.off)
            _put(emit, insn.dst, code.resized(low, insn.off, width, signed=True), width)
        else:
            _put(emit, insn.dst, _take(emit, insn.src, width), width)
        return
    if operation == op.SUB and (from_register or width == 32):
        _same_region(emit, insn, width)
    a = _take(emit, insn.dst, width)
    b = _take(emit, insn.src, width) if from_register else str(insn.imm & (1 << width) - 1)
    if operation in _PLAIN:
        result = code.op(_PLAIN[operation], kind, a, b)
    elif operation in _SHIFTS:
        result = code.op(_SHIFTS[operation], kind, a, code.op("and", kind, b, width - 1))
    else:
        result = _divided(code, kind, a, b, modulo=operation == op.MOD, signed=insn.off == 1)
    _put(emit, insn.dst, result, width)


def _same_region(emit: Emit, insn: Insn, width: int) -> None:
    """Ask about an address that is subtracted from something elsewhere: the kernel decides what that gives (D180)."""
    code = emit.code
    a = emit.get(insn.dst)
    b = emit.get(insn.src) if insn.opcode & op.SOURCE_MASK else str(insn.imm & (1 << width) - 1)
    together = code.op("icmp ult", "i64", code.op("xor", "i64", a, b), 1 << 32)
    addresses = [is_address(emit, b), *([is_address(emit, a)] if width == 32 else [])]
    code.require(code.either(together, code.op("xor", "i1", code.either(*addresses), "true")), emit.ask)


def _take(emit: Emit, register: int, width: int) -> str:
    return emit.get(register) if width == 64 else emit.get32(register)


def _put(emit: Emit, register: int, value: str, width: int) -> None:
    if width == 64:
        emit.set(register, value)
    else:
        emit.set32(register, value)


def _divided(code: Code, kind: str, a: str, b: str, *, modulo: bool, signed: bool) -> str:
    """Division by 0 gives 0, modulo 0 the dividend; the smallest number by -1 wraps (section 4.1)."""
    zero = code.op("icmp eq", kind, b, 0)
    otherwise = a if modulo else "0"
    if not signed:
        divisor = code.select(zero, kind, 1, b)
        return code.select(zero, kind, otherwise, code.op("urem" if modulo else "udiv", kind, a, divisor))
    minus_one = code.op("icmp eq", kind, b, -1)
    divisor = code.select(code.either(zero, minus_one), kind, 1, b)
    plain = code.op("srem" if modulo else "sdiv", kind, a, divisor)
    negated = "0" if modulo else code.op("sub", kind, 0, a)
    return code.select(zero, kind, otherwise, code.select(minus_one, kind, negated, plain))


def _end(emit: Emit, insn: Insn, width: int) -> None:
    code, bits = emit.code, insn.imm
    wanted = "big" if insn.opcode & op.SOURCE_MASK else "little"
    low = code.resized(emit.get(insn.dst), 64, bits)
    if width == 64 or wanted != emit.program.byte_order:
        low = code.swapped(low, bits)
    emit.set(insn.dst, code.resized(low, bits, 64))


def condition(emit: Emit, insn: Insn) -> str:
    """Whether a conditional jump is taken."""
    code = emit.code
    width = 64 if insn.opcode & op.CLASS_MASK == op.JMP else 32
    kind = f"i{width}"
    a = _take(emit, insn.dst, width)
    b = _take(emit, insn.src, width) if insn.opcode & op.SOURCE_MASK else str(insn.imm & (1 << width) - 1)
    what = insn.opcode & op.CODE_MASK
    if what == op.JSET:
        return code.op("icmp ne", kind, code.op("and", kind, a, b), 0)
    return code.op(f"icmp {_CONDITIONS[what]}", kind, a, b)
