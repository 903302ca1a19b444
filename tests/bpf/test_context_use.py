"""Which context fields a program may use: never fewer than it does."""

from __future__ import annotations

from equiv.bpf import insn as op
from equiv.bpf.context_use import context_use
from equiv.bpf.program import FunctionRef, Insn
from tests.bpf.programs import EXIT, add, call, copy, jump, ldx, mov, program, st, stx

MARK, PRIORITY = 8, 32


def test_plain_reads_and_writes_are_told_apart() -> None:
    use = context_use(program(ldx(op.W, 0, 1, MARK), st(op.W, 1, PRIORITY, 1), EXIT))
    assert use.reads(MARK, 4)
    assert not use.reads(PRIORITY, 4)
    assert use.writes(PRIORITY, 4)
    assert not use.writes(MARK, 4)


def test_loads_through_other_pointers_are_no_reads() -> None:
    use = context_use(program(ldx(op.W, 2, 1, 76), ldx(op.W, 0, 2, MARK), EXIT))
    assert use.reads(76, 4)
    assert not use.reads(MARK, 4)


def test_a_copy_on_one_branch_counts() -> None:
    use = context_use(program(copy(2, 10), jump(op.JEQ, 1, 1, imm=0), copy(2, 1), ldx(op.W, 0, 2, MARK), EXIT))
    assert use.reads(MARK, 4)


def test_a_spilled_context_counts_when_it_is_loaded_again() -> None:
    spilled = [stx(op.DW, 10, -8, 1), mov(1, 0), ldx(op.DW, 2, 10, -8), ldx(op.W, 0, 2, MARK), EXIT]
    assert context_use(program(*spilled)).reads(MARK, 4)
    other_slot = [stx(op.DW, 10, -8, 1), mov(1, 0), ldx(op.DW, 2, 10, -16), ldx(op.W, 0, 2, MARK), EXIT]
    assert not context_use(program(*other_slot)).reads(MARK, 4)


def test_a_context_spilled_through_another_register_counts_everywhere() -> None:
    wild = [copy(3, 10), stx(op.DW, 3, -8, 1), ldx(op.DW, 2, 10, -8), ldx(op.W, 0, 2, MARK), EXIT]
    assert context_use(program(*wild)).reads(MARK, 4)


def test_arithmetic_on_the_context_counts_as_every_field() -> None:
    use = context_use(program(add(1, 4), ldx(op.W, 0, 1, 4), EXIT))
    assert use.reads(MARK, 4)
    assert use.reads(PRIORITY, 4)


def test_functions_get_the_context_from_their_callers() -> None:
    call_function = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 0, ref=FunctionRef(3, "f"))
    use = context_use(program(copy(2, 1), call_function, EXIT, ldx(op.W, 0, 2, MARK), EXIT))
    assert use.reads(MARK, 4)


def test_a_callee_may_find_the_context_in_its_callers_frame() -> None:
    call_function = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 0, ref=FunctionRef(5, "f"))
    body = [stx(op.DW, 10, -8, 1), copy(2, 10), mov(1, 0), call_function, EXIT]
    callee = [ldx(op.DW, 3, 2, -8), ldx(op.W, 0, 3, MARK), EXIT]
    assert context_use(program(*body, *callee)).reads(MARK, 4)


def test_helpers_are_listed_and_clobber() -> None:
    use = context_use(program(call(5), ldx(op.W, 0, 1, MARK), EXIT))
    assert use.helpers == {5}
    assert not use.reads(MARK, 4)
