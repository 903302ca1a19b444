"""Instructions as text, in the notation of llvm-objdump and the kernel's verifier log."""

from __future__ import annotations

from collections.abc import Iterator

from equiv.bpf import insn as isa
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef, Program

_ALU = {
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
_ATOMIC = {isa.ATOMIC_ADD: ("+=", "add"), isa.ATOMIC_OR: ("|=", "or"), isa.ATOMIC_AND: ("&=", "and")}
_ATOMIC[isa.ATOMIC_XOR] = ("^=", "xor")


def disassemble(insn: Insn, index: int) -> str:
    """One line for the instruction at slot `index`; numbers are decimal, jumps are relative to the next slot."""
    match insn.opcode & isa.CLASS_MASK:
        case isa.ALU | isa.ALU64:
            return _alu(insn)
        case isa.JMP | isa.JMP32:
            return _jump(insn, index)
        case isa.LDX:
            return f"r{insn.dst} = {_memory(insn, insn.src)}"
        case isa.ST:
            return f"{_memory(insn, insn.dst)} = {insn.imm}"
        case isa.STX:
            if insn.opcode & isa.MODE_MASK == isa.ATOMIC:
                return _atomic(insn)
            return f"{_memory(insn, insn.dst)} = r{insn.src}"
    return _ld(insn)


def listing(program: Program) -> Iterator[str]:
    """The whole program, a line an instruction, with functions and source lines in between."""
    line = None
    for index, insn in enumerate(program.insns):
        if index in program.functions:
            yield f"{program.functions[index]}:"
        if insn is None:
            continue
        here = program.line_at(index)
        if here is not None and here != line and here.insn == index:
            yield f"; {here.file}:{here.line} {here.text.strip()}".rstrip()
        line = here
        yield f"{index:6}: {disassemble(insn, index)}"


def _alu(insn: Insn) -> str:
    code, wide = insn.opcode & isa.CODE_MASK, insn.opcode & isa.CLASS_MASK == isa.ALU64
    dst = f"{'r' if wide else 'w'}{insn.dst}"
    if code == isa.END:
        order = "bswap" if wide else "be" if insn.opcode & isa.SOURCE_MASK else "le"
        return f"r{insn.dst} = {order}{insn.imm} r{insn.dst}"
    if code == isa.NEG:
        return f"{dst} = -{dst}"
    operator = _ALU[code]
    if not insn.opcode & isa.SOURCE_MASK:
        signed = "s" if insn.off == 1 else ""
        return f"{dst} {signed}{operator} {insn.imm}"
    src = f"{'r' if wide else 'w'}{insn.src}"
    if code == isa.MOV and insn.off:
        return f"{dst} = (s{insn.off}){src}"
    return f"{dst} {'s' if insn.off == 1 else ''}{operator} {src}"


def _jump(insn: Insn, index: int) -> str:
    if isa.is_exit(insn):
        return "exit"
    if isa.is_call(insn):
        return _call(insn)
    if isa.is_jump_always(insn):
        distance = (isa.jump_target(index, insn) or 0) - index - 1
        return f"{'goto' if insn.opcode & isa.CLASS_MASK == isa.JMP else 'gotol'} {distance:+}"
    kind = "r" if insn.opcode & isa.CLASS_MASK == isa.JMP else "w"
    right = f"{kind}{insn.src}" if insn.opcode & isa.SOURCE_MASK else str(insn.imm)
    return f"if {kind}{insn.dst} {_COMPARE[insn.opcode & isa.CODE_MASK]} {right} goto {insn.off:+}"


def _call(insn: Insn) -> str:
    match insn.ref:
        case FunctionRef(name=name):
            return f"call pc{insn.imm:+} <{name}>"
        case ExternRef(name=name):
            return f"call <{name}>"
    return f"call pc{insn.imm:+}" if insn.src == isa.PSEUDO_CALL else f"call {insn.imm}"


def _signed(offset: int) -> str:
    return f"{'-' if offset < 0 else '+'} {abs(offset)}"


def _memory(insn: Insn, base: int) -> str:
    sign = "s" if insn.opcode & isa.MODE_MASK == isa.MEMSX else "u"
    return f"*({sign}{8 * isa.access_size(insn)} *)(r{base} {_signed(insn.off)})"


def _atomic(insn: Insn) -> str:
    size = 8 * isa.access_size(insn)
    kind = "r" if size == 64 else "w"
    src, place = f"{kind}{insn.src}", f"r{insn.dst} {_signed(insn.off)}"
    suffix = "_64" if size == 64 else "32_32"
    if insn.imm == isa.XCHG:
        return f"{src} = xchg{suffix}({place}, {src})"
    if insn.imm == isa.CMPXCHG:
        return f"{kind}0 = cmpxchg{suffix}({place}, {kind}0, {src})"
    operator, name = _ATOMIC[insn.imm & ~isa.FETCH]
    if insn.imm & isa.FETCH:
        return f"{src} = atomic_fetch_{name}((u{size} *)({place}), {src})"
    return f"lock *(u{size} *)({place}) {operator} {src}"


def _ld(insn: Insn) -> str:
    if isa.is_wide(insn):
        match insn.ref:
            case MapRef(map_name=name):
                target = f"map[{name}]"
            case MapValueRef(map_name=name, offset=offset):
                target = f"map[{name}][0]+{offset}"
            case FunctionRef(name=name):
                target = f"func[{name}]"
            case ExternRef(name=name):
                target = f"extern[{name}]"
            case _:
                target = str(insn.imm64 - (1 << 64) if insn.imm64 >> 63 else insn.imm64)
        return f"r{insn.dst} = {target} ll"
    register = f"r{insn.src}" if insn.opcode & isa.MODE_MASK == isa.IND else ""
    address = f"{register} {_signed(insn.imm)}" if register and insn.imm else register or str(insn.imm)
    return f"r0 = *(u{8 * isa.access_size(insn)} *)skb[{address}]"
