"""Arithmetic of the symbolic machine (RFC 9669, section 4.1 and 4.2): one closure for each instruction."""

from __future__ import annotations

from collections.abc import Callable

from equiv.bpf import insn as op
from equiv.bpf.pointers import add_pointers, subtract_pointers
from equiv.bpf.program import Insn
from equiv.bpf.state import State, fault, not_a_number
from equiv.bpf.values import Pointer, Unusable, Value
from equiv.machine.protocol import Stop
from equiv.term import (
    Term,
    bvadd,
    bvand,
    bvashr,
    bvlshr,
    bvmul,
    bvneg,
    bvor,
    bvsdiv,
    bvshl,
    bvsrem,
    bvsub,
    bvudiv,
    bvurem,
    bvxor,
    concat,
    const,
    eq,
    extract,
    ite,
    resize,
    sign_extend,
    zero_extend,
)

Step = Callable[[State], Stop | None]
"""Executes one instruction on a state it may write; None: go on at the state's `pc`."""

Binary = Callable[[Term, Term], Term]


def low_word(value: Term) -> Term:
    """The low 32 bits."""
    return extract(31, 0, value)


def or_zero_if_divided_by_zero(divide: Binary) -> Binary:
    """Division as RFC 9669 section 4.1 has it: by zero gives zero."""

    def divided(a: Term, b: Term) -> Term:
        return ite(eq(b, const(0, b.width)), const(0, a.width), divide(a, b))

    return divided


def masked(shift: Binary) -> Binary:
    """Shifts use the low 6 (64 bit) or 5 (32 bit) bits of the amount."""

    def shifted(a: Term, amount: Term) -> Term:
        return shift(a, bvand(amount, const(a.width - 1, a.width)))

    return shifted


BINARY: dict[int, Binary] = {
    op.ADD: bvadd,
    op.SUB: bvsub,
    op.MUL: bvmul,
    op.DIV: or_zero_if_divided_by_zero(bvudiv),
    op.OR: bvor,
    op.AND: bvand,
    op.LSH: masked(bvshl),
    op.RSH: masked(bvlshr),
    op.MOD: bvurem,  # by zero leaves the dividend, as SMT-LIB has it
    op.XOR: bvxor,
    op.ARSH: masked(bvashr),
}

SIGNED: dict[int, Binary] = {op.DIV: or_zero_if_divided_by_zero(bvsdiv), op.MOD: bvsrem}
"""With offset 1. The quotient truncates towards zero, the remainder has the dividend's sign; overflow wraps."""


def swapped(value: Term) -> Term:
    """The bytes of `value` in reverse order."""
    return concat(*(extract(low + 7, low, value) for low in range(0, value.width, 8)))


def alu_step(insn: Insn, index: int, little: bool, following: Insn | None = None) -> Step:
    """The closure for an ALU or ALU64 instruction at slot `index`, which `following` comes after."""
    code = insn.opcode & op.CODE_MASK
    wide = insn.opcode & op.CLASS_MASK == op.ALU64
    if code == op.END:
        return _swap(insn, index, wide, little)
    if code == op.NEG:
        return _negate(insn, index, wide)
    if code == op.MOV:
        other = op.low_difference(insn, following)
        return _move(insn, index, wide) if other is None else _low_difference(insn, index, other)
    combine = (SIGNED if insn.off == 1 else BINARY)[code]
    if not wide:
        return _word(insn, index, combine)
    if insn.opcode & op.SOURCE_MASK == op.X:
        return _double_word_register(insn, index, code, combine)
    return _double_word_constant(insn, index, code, combine)


def _double_word_register(insn: Insn, index: int, code: int, combine: Binary) -> Step:
    dst, src, after = insn.dst, insn.src, index + 1
    odd = POINTER_ARITHMETIC.get(code)

    def step(state: State) -> Stop | None:
        regs = state.regs
        a, b = regs[dst], regs[src]
        if type(a) is Term and type(b) is Term:
            regs[dst] = combine(a, b)
        else:
            regs[dst] = _odd(odd, a, b)
        state.pc = after
        return None

    return step


def _double_word_constant(insn: Insn, index: int, code: int, combine: Binary) -> Step:
    dst, b, after = insn.dst, const(insn.imm, 64), index + 1
    odd = POINTER_ARITHMETIC.get(code)

    def step(state: State) -> Stop | None:
        regs = state.regs
        a = regs[dst]
        regs[dst] = combine(a, b) if type(a) is Term else _odd(odd, a, b)
        state.pc = after
        return None

    return step


def _word(insn: Insn, index: int, combine: Binary) -> Step:
    dst, src, after = insn.dst, insn.src, index + 1
    constant = None if insn.opcode & op.SOURCE_MASK == op.X else const(insn.imm, 32)

    def distance(state: State) -> Stop | None:
        """The low half of the difference of two pointers, which the verifier admits."""
        a, b = state.regs[dst], state.regs[src]
        if type(a) is not Pointer or type(b) is not Pointer:
            return step(state)
        difference = subtract_pointers(a, b)
        assert isinstance(difference, Term)
        state.regs[dst] = zero_extend(32, low_word(difference))
        state.pc = after
        return None

    def step(state: State) -> Stop | None:
        a = low_word(state.scalar(dst))
        b = low_word(state.scalar(src)) if constant is None else constant
        state.regs[dst] = zero_extend(32, combine(a, b))
        state.pc = after
        return None

    return distance if combine is bvsub and constant is None else step


def _move(insn: Insn, index: int, wide: bool) -> Step:
    dst, src, after = insn.dst, insn.src, index + 1
    if insn.opcode & op.SOURCE_MASK == op.K:
        constant = const(insn.imm, 64) if wide else const(insn.imm & 0xFFFFFFFF, 64)

        def load_constant(state: State) -> Stop | None:
            state.regs[dst] = constant
            state.pc = after
            return None

        return load_constant

    if wide and not insn.off:

        def copy(state: State) -> Stop | None:
            value = state.regs[src]
            if value is None:
                raise not_a_number(value)
            state.regs[dst] = value
            state.pc = after
            return None

        return copy

    narrow, width = insn.off or 32, 64 if wide else 32

    def convert(state: State) -> Stop | None:
        value = extract(narrow - 1, 0, state.scalar(src))
        state.regs[dst] = resize(sign_extend(width - narrow, value), 64)
        state.pc = after
        return None

    return convert


def _low_difference(insn: Insn, index: int, other: int) -> Step:
    """A copy of the low half of an address from which the next instruction subtracts another: both at once (D331)."""
    alone = _move(insn, index, wide=False)
    dst, src, after = insn.dst, insn.src, index + 2

    def step(state: State) -> Stop | None:
        a, b = state.regs[src], state.regs[other]
        if type(a) is not Pointer or type(b) is not Pointer:
            return alone(state)
        difference = subtract_pointers(a, b)
        assert isinstance(difference, Term)
        state.regs[dst] = zero_extend(32, low_word(difference))
        state.pc = after
        return None

    return step


def _negate(insn: Insn, index: int, wide: bool) -> Step:
    dst, after = insn.dst, index + 1

    def step(state: State) -> Stop | None:
        value = state.scalar(dst)
        state.regs[dst] = bvneg(value) if wide else zero_extend(32, bvneg(low_word(value)))
        state.pc = after
        return None

    return step


def _swap(insn: Insn, index: int, unconditional: bool, little: bool) -> Step:
    """`bswap`, and `le`/`be`, which swap where the machine's byte order is the other one (section 4.2)."""
    dst, after, width = insn.dst, index + 1, insn.imm
    to_big = insn.opcode & op.SOURCE_MASK == op.X
    swaps = unconditional or to_big == little

    def step(state: State) -> Stop | None:
        value = extract(width - 1, 0, state.scalar(dst))
        state.regs[dst] = resize(swapped(value) if swaps else value, 64)
        state.pc = after
        return None

    return step


POINTER_ARITHMETIC: dict[int, Callable[[Value, Value], Value]] = {op.ADD: add_pointers, op.SUB: subtract_pointers}


def _odd(combine: Callable[[Value, Value], Value] | None, a: Value | None, b: Value | None) -> Value:
    """An operation of which an operand is no number."""
    for value in (a, b):
        if value is None:
            raise fault("reads an uninitialised register")
        if isinstance(value, Unusable):
            raise not_a_number(value)
    assert a is not None and b is not None
    if combine is None:
        raise not_a_number(b if isinstance(a, Term) else a)
    return combine(a, b)
