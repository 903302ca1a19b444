"""Memory for user space, locks, and inputs that a packet's surroundings give (D62, D405)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, MapRef, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.protocol import Fault, Stuck
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, TC, add, alu, call, copy, follow, jump, ldx, machine_for, mov, program, st, stx

RESERVE, SUBMIT, DISCARD, LOCK, UNLOCK, LOOKUP = 131, 132, 133, 93, 94, 1
HASH_INVALID, HASH_RECALC, LOAD_BYTES = 41, 34, 26
MARK, HASH = 8, 68
MAPS = [MapSpec("records", 27, 0, 0, 4096), MapSpec("counters", 2, 4, 16, 4)]
GIVEN = Input(bytes(range(64)), context={"helper.*": 1})


def load_map(register: int, name: str) -> Insn:
    return Insn(op.LD_IMM64, register, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))


def recorded(*body: Insn, size: int = 16, flags: int = 0, end: int = SUBMIT, code: int = 0) -> Program:
    """Reserves a record in r7, fills it by `body`, and hands it over; without room it returns 2."""
    last = [*body, copy(1, 7), mov(2, 0), call(end), mov(0, code), EXIT]
    start = [load_map(1, "records"), mov(2, size), mov(3, flags), call(RESERVE), copy(7, 0)]
    return program(copy(6, 1), *start, jump(op.JNE, 7, 2, imm=0), mov(0, 2), EXIT, *last, maps=MAPS)


def verdict(left: Program, right: Program) -> tuple[str, str]:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    result = api.check(*sides, interface="tc", timeout=60, kernel=False)
    return result.verdict, result.reason


def test_what_goes_to_user_space_is_not_compared() -> None:
    one, other = recorded(st(op.DW, 7, 0, 1)), recorded(st(op.W, 7, 12, 5), end=DISCARD)
    assert verdict(one, one)[0] == "equivalent"
    assert verdict(one, other)[0] == "equivalent"


def test_whether_there_is_room_is_one_input_for_both() -> None:
    nothing = program(mov(0, 0), EXIT)
    found, reason = verdict(recorded(), nothing)
    assert (found, "for some results of a helper" in reason) == ("unknown", True)
    assert verdict(recorded(flags=1), program(mov(0, 2), EXIT))[0] == "equivalent"
    assert verdict(recorded(code=1), recorded(code=3))[0] in ("different", "unknown")


def test_a_broken_twin_is_different_whether_there_is_room_or_not() -> None:
    one = recorded(code=0)
    broken = [
        mov(0, 0) if each == mov(0, 2) else mov(0, 1) if each == mov(0, 0) else each for each in one.insns if each
    ]
    assert verdict(one, program(*broken, maps=MAPS))[0] == "different"


@pytest.mark.parametrize("room", [0, 1])
def test_machine_and_interpreter_agree(room: int) -> None:
    from_packet = [copy(1, 6), mov(2, 4), copy(3, 7), mov(4, 8), call(LOAD_BYTES)]
    for built in (recorded(st(op.DW, 7, 8, 1), *from_packet), recorded(flags=3)):
        given = Input(bytes(64), context={"helper.ringbuf_reserve.0": room})
        assert run(built, TC, given).code == follow(BpfMachine(built, TC), given, through_snapshots=True).code


@pytest.mark.parametrize("body", [[st(op.DW, 7, 12, 0)], [st(op.B, 7, 16, 0)], [st(op.B, 7, -1, 0)]])
def test_writing_outside_of_a_record_is_rejected(body: list[Insn]) -> None:
    stop = verdict_of_run(recorded(*body))
    assert isinstance(stop, Fault)


def verdict_of_run(built: Program) -> object:
    machine = BpfMachine(built, TC)
    state = machine.start()
    while hasattr(stop := machine.run(state, lambda guard: None), "branches"):
        state = stop.branches[0].state  # there is room
    return stop


def test_reading_a_record_is_not_modelled_and_the_interpreter_reads_what_was_written() -> None:
    built = recorded(st(op.DW, 7, 0, 5), ldx(op.DW, 1, 7, 0), stx(op.W, 6, MARK, 1))
    assert isinstance(verdict_of_run(built), Stuck)
    assert run(built, TC, GIVEN).values["mark"] == 5
    with pytest.raises(NotRunnable):
        run(recorded(ldx(op.DW, 1, 7, 0), stx(op.W, 6, MARK, 1)), TC, GIVEN)


def test_only_a_record_is_handed_over() -> None:
    machine = machine_for(copy(1, 10), mov(2, 0), call(SUBMIT), EXIT, interface=TC)
    assert isinstance(machine.run(machine.start(), lambda guard: None), Fault)


def test_a_lock_changes_nothing() -> None:
    def counting(*locks: int) -> Program:
        looked = [st(op.W, 10, -4, 1), load_map(1, "counters"), copy(2, 10), add(2, -4), call(LOOKUP)]
        before = [each for number in locks[:1] for each in (copy(1, 7), call(number))]
        after = [each for number in locks[1:] for each in (copy(1, 7), call(number))]
        body = [*before, ldx(op.DW, 1, 7, 8), add(1, 1), stx(op.DW, 7, 8, 1), stx(op.W, 6, MARK, 1), *after]
        entry = [copy(6, 1), *looked, copy(7, 0), jump(op.JEQ, 7, len(body), imm=0)]
        return program(*entry, *body, mov(0, 0), EXIT, maps=MAPS)

    assert verdict(counting(), counting(LOCK, UNLOCK))[0] == "equivalent"
    given = Input(bytes(64))
    assert run(counting(LOCK, UNLOCK), TC, given).values["mark"] == 1


INPUTS = {14: "get_current_pid_tgid", 17: "get_cgroup_classid", 79: "skb_cgroup_id", 122: "get_netns_cookie", 151: ""}


@pytest.mark.parametrize("helper", [*INPUTS, 83, 134])
def test_surroundings_are_inputs_that_both_sides_share(helper: int) -> None:
    arguments = [mov(2, 1)] if helper == 83 else [load_map(1, "records"), mov(2, 0)] if helper == 134 else []

    def marking(*more: Insn) -> Program:
        body = [*arguments, call(helper), *more, stx(op.W, 6, MARK, 0), mov(0, 0), EXIT]
        return program(copy(6, 1), *body, maps=MAPS)

    assert verdict(marking(), marking())[0] == "equivalent"
    found, reason = verdict(marking(), marking(add(0, 1), alu(op.AND, 0, imm=0xFFFF)))
    assert (found, "bpf_" in reason) in (("unknown", True), ("different", False))
    seen = run(marking(), TC, Input(bytes(64), context={"helper.*": 7}))
    assert seen.values["mark"] == 7


def level(change: int) -> Program:
    return program(copy(6, 1), mov(2, change), call(135), stx(op.W, 6, MARK, 0), mov(0, 0), EXIT)


@pytest.mark.parametrize("change", [0, 1, 2, 3, 4, -1])
def test_levels_of_checksums(change: int) -> None:
    """Changing one gives 0; what it is depends on more than the packet."""
    given = Input(bytes(64), context={"helper.csum_level.0": 0xFFFFFFF3})
    expected = 0xFFFFFFF3 if not change else 0 if 0 < change < 4 else -22 & 0xFFFFFFFF
    assert run(level(change), TC, given).values["mark"] == expected
    assert follow(BpfMachine(level(change), TC), given, through_snapshots=True).values["mark"] == expected
    assert verdict(level(change), level(change))[0] == "equivalent"
    assert verdict(level(change), level(5))[0] == ("different" if 0 <= change < 4 else "equivalent")


def invalid(*more: Insn) -> Program:
    read = [ldx(op.W, 1, 6, HASH), stx(op.W, 6, MARK, 1), mov(0, 0), EXIT]
    return program(copy(6, 1), call(HASH_INVALID), *more, *read)


def test_a_hash_that_is_made_invalid_is_zero() -> None:
    given = Input(bytes(64), context={"hash": 9})
    assert run(invalid(), TC, given).values["mark"] == 0
    assert follow(BpfMachine(invalid(), TC), given, through_snapshots=True).values["mark"] == 0
    with pytest.raises(NotRunnable, match="hash"):
        run(invalid(copy(1, 6), call(HASH_RECALC)), TC, given)
    assert verdict(invalid(), invalid(copy(1, 6), call(HASH_RECALC)))[0] == "unknown"


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
def test_the_kernel_makes_a_hash_invalid_likewise() -> None:
    built = program(copy(6, 1), call(HASH_INVALID), ldx(op.W, 1, 6, HASH), stx(op.W, 6, MARK, 1), EXIT)
    given = Input(bytes(64))
    with KernelProgram(built, TC) as kernel:
        seen = kernel.run(given)
    assert (seen.code, seen.values["mark"]) == (0, 0)
    assert run(built, TC, given).values == seen.values
