"""What addresses are depends on the kernel: neither machine makes that up (D180), nor what comparisons give (D330)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import (
    EXIT,
    TC,
    XDP,
    NotDone,
    add,
    alu,
    call,
    copy,
    follow,
    jump,
    ldx,
    machine_for,
    mov,
    program,
    stx,
)

FRAME = bytes(range(60))
WHOLE = Input(FRAME)
ADJUST_META = 54

STALE_COPIED = (
    # r6 = ctx; r8 = data; spill it; adjust_meta(ctx, -8); metadata = what was spilled, now any number
    *(copy(6, 1), ldx(op.W, 8, 6, 0), stx(op.DW, 10, -8, 8), mov(2, -8), call(ADJUST_META)),
    *(mov(7, 1), jump(op.JNE, 0, 7, imm=0), ldx(op.W, 1, 6, 8), ldx(op.W, 2, 6, 0)),
    *(copy(3, 1), add(3, 8), jump(op.JGT, 3, 2, src=2), ldx(op.DW, 4, 10, -8), stx(op.DW, 1, 0, 4)),
    *(mov(0, 2), EXIT),
)
INTO_THE_PACKET = (
    *(ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 8), jump(op.JGT, 4, 1, src=3)),
    *(stx(op.DW, 2, 0, 1), mov(0, 2), EXIT),
)


def loaded(*insns: Insn) -> Loaded:
    built: Program = program(*insns)
    return Loaded("t.bpf.o", built.sha256, "bpf", program=built)


@pytest.mark.parametrize("insns", [STALE_COPIED, INTO_THE_PACKET], ids=["stale", "into the packet"])
def test_a_program_that_stores_an_address_is_unknown_and_is_not_run(insns: tuple[Insn, ...]) -> None:
    with pytest.raises(NotRunnable, match="stores an address"):
        run(program(*insns), XDP, Input(FRAME))
    with pytest.raises(NotDone):
        follow(machine_for(*insns), Input(FRAME))
    result = api.check(loaded(*insns), loaded(*insns), interface="xdp", timeout=30, kernel=False)
    assert result.verdict == "unknown"


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize("insns", [STALE_COPIED, INTO_THE_PACKET], ids=["stale", "into the packet"])
def test_the_kernel_takes_such_programs(insns: tuple[Insn, ...]) -> None:
    with KernelProgram(program(*insns), XDP) as kernel:
        assert kernel.run(Input(FRAME, context=kernel.natural_context(FRAME))).verdict == "accept"


@pytest.mark.parametrize("wide", [True, False])
def test_an_address_is_subtracted_from_one_of_its_region_only(wide: bool) -> None:
    ends = (ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4))
    size = program(*ends, alu(op.SUB, 3, src=2, wide=wide), add(3, 2 - len(FRAME)), copy(0, 3), EXIT)
    assert run(size, XDP, Input(FRAME)).code == 2
    for other in (mov(3, 7), copy(3, 10)):
        with pytest.raises(NotRunnable, match="subtracts an address"):
            run(program(*ends, other, alu(op.SUB, 3, src=2, wide=wide), copy(0, 3), EXIT), XDP, Input(FRAME))


def test_the_low_half_of_an_address_less_a_number_is_not_made_up() -> None:
    """The kernel takes this of privileged programs, in 32 bits alone (`adjust_ptr_min_max_vals`)."""
    half = (ldx(op.W, 3, 1, 4), alu(op.SUB, 3, imm=0, wide=False), copy(0, 3), EXIT)
    with pytest.raises(NotRunnable, match="subtracts an address"):
        run(program(*half), XDP, Input(FRAME))
    with pytest.raises(NotDone):
        follow(machine_for(*half), Input(FRAME))
    number = program(mov(3, 5), alu(op.SUB, 3, imm=3, wide=False), copy(0, 3), EXIT)
    assert run(number, XDP, Input(FRAME)).code == 2


def test_an_address_is_not_returned() -> None:
    with pytest.raises(NotRunnable, match="returns an address"):
        run(program(copy(0, 1), EXIT), XDP, Input(FRAME))


@pytest.mark.parametrize("offset", [12, 44, 72], ids=["queue_mapping", "tc_index", "tc_classid"])
def test_fields_of_sixteen_bits_begin_with_no_more(offset: int) -> None:
    above = loaded(ldx(op.W, 1, 1, offset), mov(0, 0), jump(op.JLE, 1, 1, imm=0xFFFF), mov(0, 2), EXIT)
    result = api.check(above, loaded(mov(0, 0), EXIT), interface="tc", timeout=30, kernel=False)
    assert result.verdict == "equivalent"
    within = loaded(ldx(op.W, 1, 1, offset), mov(0, 0), jump(op.JLE, 1, 1, imm=0xFFFE), mov(0, 2), EXIT)
    result = api.check(within, loaded(mov(0, 0), EXIT), interface="tc", timeout=30, kernel=False)
    assert result.verdict == "different"
    assert TC.context == "__sk_buff"


UNSIGNED = (op.JEQ, op.JNE, op.JGT, op.JGE, op.JLT, op.JLE)


def branching(condition: Insn, *before: Insn) -> Program:
    """Drops the packet if the condition holds, else accepts it. r2 is data, r3 data_end, r1 the context."""
    return program(*before, ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), condition, mov(0, 2), EXIT, mov(0, 1), EXIT)


def settled(checked: Program, given: Input = WHOLE) -> int:
    """What both machines show."""
    code = follow(BpfMachine(checked, XDP), given, through_snapshots=True).code
    assert code == run(checked, XDP, given).code
    return code


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("code", UNSIGNED)
@pytest.mark.parametrize("register", [1, 2, 10])
@pytest.mark.parametrize("number", [0, 1, 5, 4095, -1, -4095])
def test_an_address_lies_between_the_first_and_the_last_page(wide: bool, code: int, register: int, number: int) -> None:
    """D330, either way round."""
    expected = code in ((op.JNE, op.JGT, op.JGE) if number >= 0 else (op.JNE, op.JLT, op.JLE))
    taken = settled(branching(jump(code, register, 2, imm=number, wide=wide))) == 1
    assert taken == expected
    mirrored = {op.JGT: op.JLT, op.JLT: op.JGT, op.JGE: op.JLE, op.JLE: op.JGE}.get(code, code)
    other = branching(jump(mirrored, 5, 2, src=register, wide=wide), mov(5, number))
    assert (settled(other) == 1) == expected


@pytest.mark.parametrize("code", UNSIGNED)
@pytest.mark.parametrize("length", [53, 54, 55])
def test_low_halves_of_addresses_in_one_packet_compare_as_the_addresses_do(code: int, length: int) -> None:
    """D330: `if w2 > w3`, which the kernel takes for a check of the length as little as it is one."""
    results = []
    for wide in (True, False):
        condition = jump(code, 4, 2, src=3, wide=wide)
        reckoned = (ldx(op.W, 4, 1, 0), add(4, 54))
        results.append(settled(branching(condition, *reckoned), Input(FRAME[:length])))
    assert results[0] == results[1]


def test_what_is_taken_for_granted_of_low_halves_is_an_assumption_that_names_the_object() -> None:
    wide, low = (loaded(*branching(jump(op.JGT, 2, 2, src=3, wide=each)).insns) for each in (True, False))
    result = api.check(wide, low, interface="xdp", timeout=30, kernel=False)
    assert result.verdict == "equivalent"
    assert "the packet does not lie near or across a multiple of 4 GiB in memory" in result.assumptions
    assert not any("4 GiB" in text for text in api.check(wide, wide, interface="xdp", kernel=False).assumptions)


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("code", UNSIGNED)
def test_the_kernel_compares_addresses_as_the_interpreter_does(wide: bool, code: int) -> None:
    conditions = [jump(code, 2, 2, src=3, wide=wide)]
    conditions += [
        jump(code, register, 2, imm=n, wide=wide) for register in (1, 2, 10) for n in (0, 1, 4095, -1, -4095)
    ]
    for condition in conditions:
        checked = branching(condition)
        with KernelProgram(checked, XDP) as kernel:
            given = Input(FRAME, context=kernel.natural_context(FRAME))
            assert kernel.run(given).code == run(checked, XDP, given).code


def distance(expected: int, *more: Insn, end: int = 3) -> Program:
    """Accepts if the low half of a distance, copied first as clang does for `(int)(a - b)`, is as expected (D331)."""
    low = (Insn(op.ALU | op.MOV | op.X, 0, end, 0, 0), alu(op.SUB, 0, src=2, wide=False))
    told = (jump(op.JEQ, 0, 2, imm=expected), mov(0, 1), EXIT, mov(0, 2), EXIT)
    return program(ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), *more, *low, *told)


@pytest.mark.parametrize("size", [14, 60])
def test_the_low_half_of_an_address_is_subtracted_from_by_the_next_instruction(size: int) -> None:
    assert settled(distance(size), Input(bytes(size))) == 2
    assert settled(distance(size - 20), Input(bytes(size))) == 1
    assert settled(distance(40, add(2, 20)), Input(bytes(60))) == 2


@pytest.mark.parametrize(
    "between", [(), (add(2, 0),)], ids=["addresses of two objects", "the subtraction is not the next instruction"]
)
def test_a_low_half_is_no_number_otherwise(between: tuple[Insn, ...]) -> None:
    """D331: of two objects, or copied and kept."""
    if between:
        copied = (Insn(op.ALU | op.MOV | op.X, 0, 3, 0, 0), *between, alu(op.SUB, 0, src=2, wide=False), EXIT)
        checked = program(ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), *copied)
    else:
        checked = distance(0, end=10)
    with pytest.raises(NotDone, match="kernel addresses"):
        follow(BpfMachine(checked, XDP), WHOLE)
    with pytest.raises(NotRunnable):
        run(checked, XDP, WHOLE)


def test_a_jump_between_copy_and_subtraction_takes_what_it_brings() -> None:
    body = (
        *(ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), mov(0, 9), mov(4, 5), jump(op.JEQ, 4, 1, imm=5)),
        *(Insn(op.ALU | op.MOV | op.X, 0, 3, 0, 0), alu(op.SUB, 0, src=4, wide=False), EXIT),
    )
    assert settled(program(*body)) == 4


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize("size", [14, 60])
def test_the_kernel_gives_the_same_distance(size: int) -> None:
    with KernelProgram(distance(size), XDP) as kernel:
        given = Input(bytes(size), context=kernel.natural_context(bytes(size)))
        assert kernel.run(given).code == run(distance(size), XDP, given).code == 2


@pytest.mark.parametrize("code", [op.JSGT, op.JSET, op.JLT])
def test_low_halves_of_addresses_compared_with_numbers_are_nobodys_guess(code: int) -> None:
    made = program(mov(0, 2), ldx(op.W, 2, 1, 0), jump(code, 2, 0, imm=43143, wide=False), EXIT)
    with pytest.raises(NotRunnable, match="low half of an address"):
        run(made, XDP, WHOLE)


@pytest.mark.parametrize(
    "insn",
    [
        Insn(op.ALU | op.END | op.X, 2, 0, 0, 32),
        Insn(op.ALU | op.END, 2, 0, 0, 32),
        Insn(op.ALU64 | op.NEG, 2, 0, 0, 0),
    ],
    ids=["be32", "le32", "neg"],
)
def test_swapped_and_negated_addresses_are_nobodys_guess(insn: Insn) -> None:
    """The kernel takes them of privileged programs, and what comes out is where the packet is."""
    made = program(ldx(op.W, 2, 1, 0), insn, mov(0, 2), jump(op.JEQ, 2, 1, imm=5), mov(0, 1), EXIT)
    with pytest.raises(NotDone, match="as a number"):
        follow(BpfMachine(made, XDP), WHOLE)
    with pytest.raises(NotRunnable, match="as a number"):
        run(made, XDP, WHOLE)


def test_the_low_half_of_an_address_copied_alone_may_lie_about_but_not_be_used() -> None:
    copied = (ldx(op.W, 2, 1, 0), Insn(op.ALU | op.MOV | op.X, 4, 2, 0, 0))
    assert run(program(*copied, mov(0, 2), EXIT), XDP, WHOLE).code == 2
    used = program(*copied, mov(0, 2), jump(op.JEQ, 4, 1, imm=43143), mov(0, 1), EXIT)
    with pytest.raises(NotRunnable, match="low half of an address"):
        run(used, XDP, WHOLE)


def test_the_low_half_of_an_address_less_a_number_in_a_register_is_nobodys_guess() -> None:
    """D331 is about two addresses: what looks alike, but subtracts a number, ends the run."""
    low = (Insn(op.ALU | op.MOV | op.X, 0, 2, 0, 0), alu(op.SUB, 0, src=5, wide=False))
    with pytest.raises(NotRunnable, match="low half of an address"):
        run(program(ldx(op.W, 2, 1, 0), mov(5, 7), *low, EXIT), XDP, WHOLE)
