"""Differences that only the running kernel can show, as they depend on its memory (D333)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.helper_table import TABLE
from equiv.bpf.program import FunctionRef, Insn, Program
from equiv.compiled.native import why_not
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.oracle import KernelProgram, available
from equiv.report.json_result import render_json
from equiv.report.read_result import parse_result
from equiv.report.style import Style
from equiv.report.terminal import render_result
from equiv.result import Result
from tests.bpf.programs import EXIT, add, alu, call, copy, jump, ldx, mov, program, stx

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
    pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}"),
]


def storing(*value: Insn) -> Program:
    """Puts r5 into the packet's first eight bytes."""
    room = (ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 8), jump(op.JGT, 4, 1, src=3))
    return program(*value, *room, stx(op.DW, 2, 0, 5), mov(0, 2), EXIT)


def reading(*then: Insn) -> Program:
    """r0 is what the stack holds where nobody has written."""
    return program(ldx(op.DW, 0, 10, -256), *then, EXIT)


def check(left: Program, right: Program, *, kernel: bool | None = None, fuzz_seconds: float = 1.0) -> Result:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    return api.check(*sides, interface="xdp", timeout=30, fuzz_seconds=fuzz_seconds, kernel=kernel)


ADDRESS, NUMBER = storing(copy(5, 1)), storing(mov(5, 7))


@pytest.mark.parametrize("turned", [False, True])
def test_a_program_that_hands_on_an_address_is_not_one_that_hands_on_a_number(turned: bool) -> None:
    result = check(NUMBER, ADDRESS) if turned else check(ADDRESS, NUMBER)
    assert result.verdict == "different"
    (found,) = result.counterexamples
    assert (found.confirmed_by, found.differs) == (("kernel",), ("packet",)) and "alone" in found.notes[0]
    assert set(found.kernel) == {"left", "right"} and found.left == found.kernel["left"]
    assert len(found.input.packet) == 14


def test_no_program_is_told_apart_from_itself() -> None:
    """What an address is differs from run to run, and what the stack holds may from copy to copy."""
    for checked in (ADDRESS, reading()):
        result = check(checked, checked)
        assert result.verdict == "unknown" and not result.counterexamples


def test_two_programs_that_hand_on_different_addresses_stay_undecided() -> None:
    assert check(ADDRESS, storing(copy(5, 1), add(5, 8))).verdict == "unknown"


def test_what_is_read_of_the_stack_matters_only_where_it_is_shown() -> None:
    masked = reading(alu(op.AND, 0, imm=0), add(0, 2))
    assert check(masked, program(mov(0, 2), EXIT)).verdict == "equivalent"
    assert check(masked, masked).verdict == "equivalent"
    assert check(masked, program(mov(0, 1), EXIT)).verdict == "different"


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("needle", [0x7654_3210, 0x1234_5678])
def test_a_result_that_one_content_of_the_stack_changes_is_shown_on_a_stack_that_holds_it(
    needle: int, turned: bool
) -> None:
    """D360: the engine says which content it is; no run that leaves the stack as it is would ever meet it."""
    looking = program(ldx(op.W, 2, 10, -256), mov(0, 2), jump(op.JNE, 2, 1, imm=needle), mov(0, 1), EXIT)
    plain = program(mov(0, 2), EXIT)
    result = check(plain, looking) if turned else check(looking, plain)
    assert result.verdict == "different"
    (found,) = result.counterexamples
    assert found.confirmed_by == ("kernel",) and found.differs == ("verdict",)
    assert "ran on a stack that held" in found.notes[0]
    unsure = check(looking, plain, kernel=False)
    assert unsure.verdict == "unknown"
    assert unsure.reason == "reads uninitialised stack byte at offset -256: verdict may depend on what is there"
    assert unsure.unknown[0].place is not None and unsure.unknown[0].place.insn == 0


def test_what_a_stack_holds_is_not_the_same_on_both_sides() -> None:
    """D360: two programs that show what nobody wrote are not proved equal, however alike they are."""
    for shown in (reading(alu(op.AND, 0, imm=1)), program(ldx(op.B, 0, 10, -1), alu(op.AND, 0, imm=3), EXIT)):
        assert check(shown, shown).verdict == "unknown"
        assert check(shown, shown, kernel=False).verdict == "unknown"


def test_a_byte_that_nobody_has_written_is_the_same_when_it_is_read_again() -> None:
    again = program(ldx(op.W, 0, 10, -8), ldx(op.W, 2, 10, -8), alu(op.SUB, 0, src=2), add(0, 2), EXIT)
    assert check(again, program(mov(0, 2), EXIT)).verdict == "equivalent"


def test_frames_of_functions_that_are_called_again_may_hold_something_else() -> None:
    """r0 is what the called function finds the second time, without what it finds the first time."""
    first, second = (Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, at, ref=FunctionRef(5, "f")) for at in (4, 2))
    body = (ldx(op.W, 0, 10, -8), alu(op.AND, 0, imm=1), EXIT)
    twice = program(first, copy(6, 0), second, alu(op.SUB, 0, src=6), EXIT, *body, functions={0: "t", 5: "f"})
    assert check(twice, program(mov(0, 0), EXIT), kernel=False).verdict == "unknown"


def test_runs_that_read_very_many_unwritten_bytes_are_not_followed_to_their_end() -> None:
    loads = [insn for at in range(0, 80, 8) for insn in (ldx(op.DW, 2, 10, -8 - at),)]
    result = check(program(*loads, mov(0, 2), EXIT), program(mov(0, 2), EXIT), kernel=False)
    assert result.verdict == "unknown" and "uninitialised stack byte at offset -72" in result.reason


def test_programs_that_call_what_is_not_modelled_are_not_run_to_find_a_difference() -> None:
    """Nobody knows what else such a helper does: bpf_get_current_task_btf harms none, but who says so?"""
    assert 158 not in TABLE
    asking = replace(storing(copy(6, 1), call(158), copy(5, 0), copy(1, 6)), license="GPL")
    assert check(asking, NUMBER).verdict == "unknown"
    with KernelProgram(asking, load_interface("xdp")) as kernel:
        assert kernel.run(Input(bytes(64))).values["packet"] != bytes(64)


def test_it_is_shown_also_where_there_was_no_time_to_interpret_a_packet() -> None:
    """As on a machine that does other things."""
    result = check(ADDRESS, NUMBER, fuzz_seconds=1e-9)
    assert result.fuzzed is not None and not result.fuzzed.not_compared
    assert result.verdict == "different" and result.counterexamples[0].confirmed_by == ("kernel",)


def test_without_the_kernel_the_answer_is_unknown_and_says_what_it_depends_on() -> None:
    result = check(ADDRESS, NUMBER, kernel=False)
    assert result.verdict == "unknown" and "kernel addresses" in result.reason


def test_such_a_difference_is_shown_like_any() -> None:
    result = check(ADDRESS, NUMBER)
    assert parse_result(render_json(result).encode()).counterexamples[0].confirmed_by == ("kernel",)
    assert json.loads(render_json(result))["counterexample"]["confirmed_by"] == ["kernel"]
    text = render_result(result, Style(), verbose=True)
    assert "confirmed by kernel" in text and "shown by the kernel alone" in text


@pytest.mark.parametrize("bit", range(0, 32, 4))
def test_chance_tells_no_program_apart_from_itself(bit: int) -> None:
    """D333: one bit of an address is soon the same in all runs of one side, and another in those of the other."""
    one_bit = program(alu(op.MOV, 0, src=1, wide=False), alu(op.RSH, 0, imm=bit), alu(op.AND, 0, imm=1), EXIT)
    stack_bit = reading(alu(op.RSH, 0, imm=bit), alu(op.AND, 0, imm=1))
    for checked in (one_bit, stack_bit):
        assert check(checked, checked).verdict == "unknown"
