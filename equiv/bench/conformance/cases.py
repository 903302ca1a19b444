"""What is tried: one case for every opcode of RFC 9669 (appendix A), and for every operation that its fields select.

A case's instructions work on r2 and r3, which hold the operands a and b, and on r0, which holds a again. The operands
also lie in memory, at `offset` from r9; the eight bytes below r10 hold a or b. Results are r0, r2 and r3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from equiv.bpf import insn as op
from equiv.bpf.program import Insn

Body = Callable[[Random, int], list[Insn]]
"""Makes the instructions from random choices and the operands' offset from r9."""

BOUNDARIES = (
    *(0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000),
    *(0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF, 1 << 32, (1 << 32) + 1, 0x7FFFFFFF00000000),
    *((1 << 63) - 1, 1 << 63, (1 << 63) + 1, 0xFFFFFFFF00000000, 0xFFFFFFFF80000000, (1 << 64) - 2, (1 << 64) - 1),
)
CALL_SUBPROGRAM = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 0)
"""Calls the function that every program of a case ends with: r0 = r1 - r2."""
SUBPROGRAM = (
    Insn(op.ALU64 | op.MOV | op.X, 0, 1, 0, 0),
    Insn(op.ALU64 | op.SUB | op.X, 0, 2, 0, 0),
    Insn(op.JMP | op.EXIT, 0, 0, 0, 0),
)

_NAMES = {
    op.ADD: "add", op.SUB: "sub", op.MUL: "mul", op.DIV: "div", op.OR: "or", op.AND: "and", op.LSH: "lsh",
    op.RSH: "rsh", op.MOD: "mod", op.XOR: "xor", op.MOV: "mov", op.ARSH: "arsh",
}  # fmt: skip
_JUMPS = {
    op.JEQ: "jeq", op.JGT: "jgt", op.JGE: "jge", op.JSET: "jset", op.JNE: "jne", op.JSGT: "jsgt",
    op.JSGE: "jsge", op.JLT: "jlt", op.JLE: "jle", op.JSLT: "jslt", op.JSLE: "jsle",
}  # fmt: skip
_SIZES = {op.B: "b", op.H: "h", op.W: "w", op.DW: "dw"}
_ATOMICS = {
    op.ATOMIC_ADD: "add", op.ATOMIC_OR: "or", op.ATOMIC_AND: "and", op.ATOMIC_XOR: "xor",
    op.ATOMIC_ADD | op.FETCH: "fetch_add", op.ATOMIC_OR | op.FETCH: "fetch_or",
    op.ATOMIC_AND | op.FETCH: "fetch_and", op.ATOMIC_XOR | op.FETCH: "fetch_xor",
    op.XCHG: "xchg", op.CMPXCHG: "cmpxchg",
}  # fmt: skip
_SLOT = -8


@dataclass(frozen=True, slots=True)
class Case:
    """One opcode, with the fields that select what it does. `group` is its conformance group (section 2.4)."""

    name: str
    opcode: int
    group: str
    body: Body
    legacy: bool = False
    """A legacy packet load: needs an skb, so it is tried in a tc program."""

    @property
    def id(self) -> str:
        return f"{self.opcode:#04x} {self.name}"


def cases() -> list[Case]:
    """All cases, in the order of their opcodes."""
    found = [*_alu(), *_moves(), *_swaps(), *_jumps(), *_control(), *_memory(), *_atomic(), *_legacy()]
    return sorted(found, key=lambda case: (case.opcode, case.name))


def random_operand(random: Random) -> int:
    """A 64-bit number: often a boundary, else of any magnitude."""
    if random.random() < 0.5:
        return random.choice(BOUNDARIES)
    return random.getrandbits(random.randint(1, 64))


def _immediate(random: Random, low: int = -(1 << 31), high: int = (1 << 31) - 1) -> int:
    if random.random() < 0.5:
        return random.choice([v for v in (low, high, 0, 1, -1, 2, 7, 8, 31, 32, 127, 128, 255) if low <= v <= high])
    return random.randint(low, high)


def _alu() -> Iterator[Case]:
    for kind, width in ((op.ALU, 32), (op.ALU64, 64)):
        for code, name in _NAMES.items():
            if code == op.MOV:
                continue
            group = f"divmul{width}" if code in (op.MUL, op.DIV, op.MOD) else f"base{width}"
            signs = ((0, ""), (1, "s")) if code in (op.DIV, op.MOD) else ((0, ""),)
            for offset, prefix in signs:
                title = f"{prefix}{name}{width}"
                by_register = Insn(kind | code | op.X, 2, 3, offset, 0)
                yield Case(f"{title} register", kind | code | op.X, group, _fixed(by_register))
                constant = _with_immediate(kind | code | op.K, offset, *_legal(code, width))
                yield Case(f"{title} immediate", kind | code | op.K, group, constant)
        yield Case(f"neg{width}", kind | op.NEG, f"base{width}", _fixed(Insn(kind | op.NEG, 2, 0, 0, 0)))


def _legal(code: int, width: int) -> tuple[int, int]:
    """The immediates that the verifier takes: no shift by the width or more, no division by zero."""
    if code in (op.LSH, op.RSH, op.ARSH):
        return 0, width - 1
    return (1 if code in (op.DIV, op.MOD) else -(1 << 31)), (1 << 31) - 1


def _with_immediate(opcode: int, offset: int, low: int, high: int) -> Body:
    def body(random: Random, at: int) -> list[Insn]:
        imm = _immediate(random, low, high)
        if low == 1 and random.random() < 0.5:  # divisors may be negative, too
            imm = -imm
        return [Insn(opcode, 2, 0, offset, imm)]

    return body


def _fixed(*insns: Insn) -> Body:
    return lambda random, at: list(insns)


def _moves() -> Iterator[Case]:
    for kind, width, narrow in ((op.ALU, 32, (8, 16)), (op.ALU64, 64, (8, 16, 32))):
        group = f"base{width}"
        move = kind | op.MOV | op.X
        yield Case(f"mov{width} register", move, group, _fixed(Insn(move, 2, 3, 0, 0)))
        low, high = -(1 << 31), (1 << 31) - 1
        yield Case(
            f"mov{width} immediate", kind | op.MOV | op.K, group, _with_immediate(kind | op.MOV | op.K, 0, low, high)
        )
        for bits in narrow:
            yield Case(f"movsx{width} from {bits} bits", move, group, _fixed(Insn(move, 2, 3, bits, 0)))


def _swaps() -> Iterator[Case]:
    for opcode, name in (
        (op.ALU | op.END | op.K, "le"),
        (op.ALU | op.END | op.X, "be"),
        (op.ALU64 | op.END | op.K, "bswap"),
    ):
        for width in (16, 32, 64):
            group = "base64" if width == 64 or name == "bswap" else "base32"
            yield Case(f"{name}{width}", opcode, group, _fixed(Insn(opcode, 2, 0, 0, width)))


def _jumps() -> Iterator[Case]:
    for kind, width in ((op.JMP, 64), (op.JMP32, 32)):
        for code, name in _JUMPS.items():
            for source, how in ((op.X, "register"), (op.K, "immediate")):
                opcode = kind | code | source
                yield Case(f"{name}{width} {how}", opcode, f"base{width}", _jump_body(opcode, source == op.X))


def _jump_body(opcode: int, by_register: bool) -> Body:
    """r2 becomes 1 where the jump is taken, else 0."""

    def body(random: Random, at: int) -> list[Insn]:
        jump = Insn(opcode, 2, 3 if by_register else 0, 2, 0 if by_register else _immediate(random))
        return [jump, _set(2, 0), Insn(op.JMP | op.JA, 0, 0, 1, 0), _set(2, 1)]

    return body


def _set(register: int, value: int) -> Insn:
    return Insn(op.ALU64 | op.MOV | op.K, register, 0, 0, value)


def _copy(to: int, source: int) -> Insn:
    return Insn(op.ALU64 | op.MOV | op.X, to, source, 0, 0)


def _control() -> Iterator[Case]:
    # The jump goes over a move that is reached only where a equals b; code that nothing reaches is refused.
    equal, over = Insn(op.JMP | op.JEQ | op.X, 2, 3, 1, 0), _set(2, 0x1234)
    yield Case("ja", op.JMP | op.JA, "base32", _fixed(equal, Insn(op.JMP | op.JA, 0, 0, 1, 0), over))
    yield Case("gotol", op.JMP32 | op.JA, "base32", _fixed(equal, Insn(op.JMP32 | op.JA, 0, 0, 0, 1), over))
    called = [_copy(1, 2), _copy(2, 3), CALL_SUBPROGRAM, _set(2, 0), _set(3, 0)]
    yield Case("call of a function", op.JMP | op.CALL, "base32", _fixed(*called))
    yield Case("exit of a function", op.JMP | op.EXIT, "base32", _fixed(*called))

    def load_constant(random: Random, at: int) -> list[Insn]:
        value = random_operand(random)
        return [Insn(op.LD_IMM64, 0, 0, 0, 0, value), Insn(op.ALU64 | op.ADD | op.X, 2, 0, 0, 0)]

    yield Case("lddw", op.LD_IMM64, "base64", load_constant)


def _memory() -> Iterator[Case]:
    for size, name in _SIZES.items():
        count = op.MEMORY_SIZE[size]
        group = "base64" if size == op.DW else "base32"
        yield Case(f"ldx{name}", op.LDX | op.MEM | size, group, _load_body(op.LDX | op.MEM | size, count))
        if size != op.DW:
            opcode = op.LDX | op.MEMSX | size
            yield Case(f"ldxs{name}", opcode, "base64", _load_body(opcode, count))
        for kind in (op.ST, op.STX):
            opcode = kind | op.MEM | size
            yield Case(f"{'st' if kind == op.ST else 'stx'}{name}", opcode, group, _store_body(opcode, count))


def _load_body(opcode: int, count: int) -> Body:
    def body(random: Random, at: int) -> list[Insn]:
        place = at + random.randint(0, 16 - count)
        return [Insn(opcode, 2, 9, place, 0)]

    return body


def _store_body(opcode: int, count: int) -> Body:
    """Overwrites part of the eight bytes below r10, then loads them."""

    def body(random: Random, at: int) -> list[Insn]:
        place = _SLOT + random.randrange(0, 8, count)
        if opcode & op.CLASS_MASK == op.ST:
            store = Insn(opcode, 10, 0, place, _immediate(random))
        else:
            store = Insn(opcode, 10, 3, place, 0)
        return [store, Insn(op.LDX | op.MEM | op.DW, 2, 10, _SLOT, 0)]

    return body


def _atomic() -> Iterator[Case]:
    for size, width in ((op.W, 32), (op.DW, 64)):
        opcode = op.STX | op.ATOMIC | size
        for operation, name in _ATOMICS.items():
            yield Case(f"{name}{width}", opcode, f"atomic{width}", _atomic_body(opcode, operation, width // 8))


def _atomic_body(opcode: int, operation: int, count: int) -> Body:
    def body(random: Random, at: int) -> list[Insn]:
        place = _SLOT + random.randrange(0, 8, count)
        return [Insn(opcode, 10, 3, place, operation), Insn(op.LDX | op.MEM | op.DW, 2, 10, _SLOT, 0)]

    return body


def _legacy() -> Iterator[Case]:
    for mode, name in ((op.ABS, "abs"), (op.IND, "ind")):
        for size in (op.B, op.H, op.W):
            opcode = op.LD | mode | size
            yield Case(f"ld{name}{_SIZES[size]}", opcode, "packet", _legacy_body(opcode, mode == op.IND), legacy=True)


def _legacy_body(opcode: int, indirect: bool) -> Body:
    """Loads the packet's field at `at`, for LD_IND partly given by r7."""

    def body(random: Random, at: int) -> list[Insn]:
        if not indirect:
            return [Insn(opcode, 0, 0, 0, at)]
        imm = random.randint(0, at)
        return [_set(7, at - imm), Insn(opcode, 0, 7, 0, imm)]

    return body
