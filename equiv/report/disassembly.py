"""BPF instructions as text, in the pseudo C that the kernel's verifier log and llvm-objdump use.

Jump targets are absolute slots, helpers and maps have their names.
"""

from __future__ import annotations

from collections.abc import Iterable

from equiv.bpf import insn as isa
from equiv.bpf.helper_names import helper_name
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef, Program
from equiv.report.style import PLAIN, Style, clean

_ASSIGN = {
    isa.ADD: "+=",
    isa.SUB: "-=",
    isa.MUL: "*=",
    isa.DIV: "/=",
    isa.OR: "|=",
    isa.AND: "&=",
    isa.LSH: "<<=",
    isa.RSH: ">>=",
    isa.MOD: "%=",
    isa.XOR: "^=",
    isa.MOV: "=",
    isa.ARSH: "s>>=",
}
_COMPARE = {
    isa.JEQ: "==",
    isa.JGT: ">",
    isa.JGE: ">=",
    isa.JSET: "&",
    isa.JNE: "!=",
    isa.JSGT: "s>",
    isa.JSGE: "s>=",
    isa.JLT: "<",
    isa.JLE: "<=",
    isa.JSLT: "s<",
    isa.JSLE: "s<=",
}
_ATOMIC = {isa.ATOMIC_ADD: "add", isa.ATOMIC_OR: "or", isa.ATOMIC_AND: "and", isa.ATOMIC_XOR: "xor"}


def disassemble(program: Program, style: Style = PLAIN) -> Iterable[str]:
    """The program's instructions by slot, between the functions' names and source lines that the object tells."""
    previous = None
    for index, insn in enumerate(program.insns):
        if index in program.functions:
            yield style.bold(f"{clean(program.functions[index])}:")
        line = program.line_at(index)
        if line is not None and (line.file, line.line) != previous:
            previous = (line.file, line.line)
            yield style.faint(f"; {clean(f'{line.file}:{line.line}')}  {clean(line.text.strip())}".rstrip())
        if insn is not None:
            yield f"{index:6}: {insn_text(index, insn)}"


def insn_text(index: int, insn: Insn) -> str:
    """One instruction, which stands in slot `index`."""
    match isa.insn_class(insn):
        case isa.ALU | isa.ALU64:
            return _alu(insn)
        case isa.JMP | isa.JMP32:
            return _jump(index, insn)
        case isa.LDX:
            mode = insn.opcode & isa.MODE_MASK
            return f"r{insn.dst} = {_memory(insn, insn.src, signed=mode == isa.MEMSX)}"
        case isa.ST:
            return f"{_memory(insn, insn.dst)} = {_number(insn.imm)}"
        case isa.STX:
            if insn.opcode & isa.MODE_MASK == isa.ATOMIC:
                return _atomic(insn)
            return f"{_memory(insn, insn.dst)} = r{insn.src}"
        case _:
            return _load(insn)


def _number(value: int) -> str:
    """Small numbers count, large ones are more often bits."""
    return str(value) if abs(value) < 256 else hex(value)


def _alu(insn: Insn) -> str:
    wide = isa.insn_class(insn) == isa.ALU64
    register = "r" if wide else "w"
    dst = f"{register}{insn.dst}"
    code = insn.opcode & isa.CODE_MASK
    if code == isa.NEG:
        return f"{dst} = -{dst}"
    if code == isa.END:
        swap = "bswap" if wide else ("be" if insn.opcode & isa.X else "le")
        return f"r{insn.dst} = {swap}{insn.imm} r{insn.dst}"
    operand = f"{register}{insn.src}" if insn.opcode & isa.X else _number(insn.imm)
    if code == isa.MOV and insn.off:
        return f"{dst} = (s{insn.off}){operand}"
    signed = "s" if code in (isa.DIV, isa.MOD) and insn.off == 1 else ""
    return f"{dst} {signed}{_ASSIGN[code]} {operand}"


def _jump(index: int, insn: Insn) -> str:
    if isa.is_exit(insn):
        return "exit"
    if isa.is_call(insn):
        return _call(index, insn)
    target = isa.jump_target(index, insn)
    if isa.is_jump_always(insn):
        return f"goto {target}"
    register = "r" if isa.insn_class(insn) == isa.JMP else "w"
    operand = f"{register}{insn.src}" if insn.opcode & isa.X else _number(insn.imm)
    return f"if {register}{insn.dst} {_COMPARE[insn.opcode & isa.CODE_MASK]} {operand} goto {target}"


def _call(index: int, insn: Insn) -> str:
    match insn.ref:
        case FunctionRef(target=target, name=name):
            return f"call {clean(name)} (slot {target})"
        case ExternRef(name=name):
            return f"call {clean(name)} (kernel function)"
    if insn.opcode & isa.X:
        return f"call r{insn.dst}"
    return f"call {helper_name(insn.imm)}" if isa.is_helper_call(insn) else f"call {insn.imm}"


def _memory(insn: Insn, register: int, signed: bool = False) -> str:
    sign = "-" if insn.off < 0 else "+"
    return f"*({'s' if signed else 'u'}{8 * isa.access_size(insn)} *)(r{register} {sign} {abs(insn.off)})"


def _atomic(insn: Insn) -> str:
    register = "r" if insn.opcode & isa.SIZE_MASK == isa.DW else "w"
    memory, src = _memory(insn, insn.dst), f"{register}{insn.src}"
    width = "_64" if register == "r" else "32_32"
    address = f"r{insn.dst} {'-' if insn.off < 0 else '+'} {abs(insn.off)}"
    if insn.imm == isa.XCHG:
        return f"{src} = xchg{width}({address}, {src})"
    if insn.imm == isa.CMPXCHG:
        return f"{register}0 = cmpxchg{width}({address}, {register}0, {src})"
    code = insn.imm & ~isa.FETCH
    if insn.imm & isa.FETCH:
        pointer = f"(u{8 * isa.access_size(insn)} *)({address})"
        return f"{src} = atomic_fetch_{_ATOMIC[code]}({pointer}, {src})"
    return f"lock {memory} {_ASSIGN[code]} {src}"


def _load(insn: Insn) -> str:
    if insn.opcode == isa.LD_IMM64:
        match insn.ref:
            case MapRef(map_name=name):
                return f"r{insn.dst} = map {clean(name)}"
            case MapValueRef(map_name=name, offset=offset):
                return f"r{insn.dst} = &{clean(name)}[{offset}]"
            case FunctionRef(name=name, target=target):
                return f"r{insn.dst} = function {clean(name)} (slot {target})"
            case ExternRef(name=name):
                return f"r{insn.dst} = extern {clean(name)}"
        return f"r{insn.dst} = {insn.imm64:#x} ll"
    size = f"u{8 * isa.access_size(insn)}"
    at = f"[r{insn.src}]" if insn.opcode & isa.MODE_MASK == isa.IND and not insn.imm else f"[{insn.imm}]"
    if insn.opcode & isa.MODE_MASK == isa.IND and insn.imm:
        at = f"[r{insn.src} + {insn.imm}]"
    return f"r0 = *({size} *)skb{at}"
