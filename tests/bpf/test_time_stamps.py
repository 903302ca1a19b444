"""Time stamps, and the clock that they are of: who reads that is shown another time stamp (D400)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, MapRef, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.bpf.time_stamps import awareness
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.protocol import Stuck
from equiv.oracle import KernelProgram, available
from equiv.oracle.inspect import read_program
from tests.bpf.programs import EXIT, TC, add, alu, call, copy, follow, jump, ldx, machine_for, mov, program, st, stx

MARK, PRIORITY, TSTAMP, TYPE = 8, 32, 152, 180
SET_TSTAMP, TAIL_CALL = 192, 12
IPV4 = bytes(12) + b"\x08\x00" + bytes(50)

MARKED = [ldx(op.DW, 2, 6, TSTAMP), stx(op.W, 6, MARK, 2)]
"""Shows the low half of the time stamp that the program reads."""
AWARE = [ldx(op.B, 3, 6, TYPE), jump(op.JNE, 3, 2, imm=7), mov(0, 2), EXIT]
"""Looks at the clock, and does nothing with it: no clock has number 7."""
END = [mov(0, 0), EXIT]
WRITES = [st(op.DW, 6, TSTAMP, 5)]


def made(*body: Insn) -> Program:
    return program(copy(6, 1), *body, *END)


def verdict(left: Program, right: Program) -> str:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    return api.check(*sides, interface="tc", timeout=60, kernel=False).verdict


def shown(built: Program, **context: int) -> tuple[int, dict[str, object]]:
    """The code and what is observed, alike on interpreter and machine."""
    given = Input(IPV4, context=context)
    seen, made_by_terms = run(built, TC, given), follow(BpfMachine(built, TC), given, through_snapshots=True)
    names = ("mark", "tstamp.changed", "tstamp_type.changed")
    values = {name: seen.values.get(name, 0) for name in names}
    assert (seen.code, values) == (made_by_terms.code, {name: made_by_terms.values.get(name, 0) for name in names})
    return seen.code, values


@pytest.mark.parametrize("ingress", [0, 1])
@pytest.mark.parametrize("clock", [0, 1, 2])
def test_a_delivery_time_is_hidden_at_ingress_from_who_does_not_look_at_the_clock(ingress: int, clock: int) -> None:
    given = {"tstamp": 9, "tstamp_type": clock, "tc_at_ingress": ingress}
    assert shown(made(*MARKED), **given)[1]["mark"] == (0 if ingress and clock else 9)
    assert shown(made(*AWARE, *MARKED), **given)[1]["mark"] == 9


@pytest.mark.parametrize("ingress", [0, 1])
def test_a_write_at_ingress_makes_it_a_time_of_arrival(ingress: int) -> None:
    given = {"tstamp": 9, "tstamp_type": 2, "tc_at_ingress": ingress}
    plain, aware = shown(made(*WRITES), **given)[1], shown(made(*AWARE, *WRITES), **given)[1]
    assert plain["tstamp.changed"] == aware["tstamp.changed"] == 5 ^ 9
    assert plain["tstamp_type.changed"] == (2 if ingress else 0)
    assert aware["tstamp_type.changed"] == 0


def test_who_looks_at_the_clock_differs_from_who_does_not() -> None:
    assert verdict(made(*MARKED), made(*MARKED)) == "equivalent"
    assert verdict(made(*AWARE, *MARKED), made(*MARKED, *AWARE)) == "equivalent"
    assert verdict(made(*MARKED), made(*AWARE, *MARKED)) == "different"
    assert verdict(made(*WRITES), made(*AWARE, *WRITES)) == "different"


def test_the_clock_is_an_input_that_both_sides_share() -> None:
    def of_clock(number: int) -> Program:
        return made(ldx(op.B, 3, 6, TYPE), jump(op.JNE, 3, 1, imm=number), st(op.W, 6, MARK, 1))

    assert verdict(of_clock(2), of_clock(2)) == "equivalent"
    assert verdict(of_clock(1), of_clock(2)) == "different"
    assert verdict(of_clock(3), made(*AWARE)) == "equivalent"  # no clock has number 3


def set_stamp(time: int, clock: int, *after: Insn) -> Program:
    return program(copy(6, 1), mov(2, time), mov(3, clock), call(SET_TSTAMP), *after, EXIT)


CALLS = [(0, 0, 0), (5, 0, 0), (0, 1, -22), (5, 1, 0), (0, 2, -22), (5, 2, 0), (5, 3, -22), (-1, 1, 0)]


@pytest.mark.parametrize(("time", "clock", "code"), CALLS)
def test_setting_both_time_and_clock(time: int, clock: int, code: int) -> None:
    seen, values = shown(set_stamp(time, clock), tstamp=3, tstamp_type=1)
    assert seen == code & 0xFFFFFFFF
    assert values["tstamp.changed"] == (0 if code else time & (1 << 64) - 1 ^ 3)
    assert values["tstamp_type.changed"] == (0 if code else clock ^ 1)


def test_only_ip_packets_have_their_clock_set() -> None:
    given = Input(bytes(64))
    built = set_stamp(5, 1)
    seen, made_by_terms = run(built, TC, given), follow(BpfMachine(built, TC), given, through_snapshots=True)
    assert seen.code == made_by_terms.code == -95 % 2**32


def test_setting_another_clock_is_a_difference() -> None:
    assert verdict(set_stamp(5, 1), set_stamp(5, 1)) == "equivalent"
    assert verdict(set_stamp(5, 1), set_stamp(5, 2)) == "different"
    assert verdict(set_stamp(5, 1), set_stamp(6, 1)) == "different"
    assert verdict(made(*AWARE, *WRITES), set_stamp(5, 0)) == "different"


def test_each_program_of_a_tail_call_has_eyes_of_its_own() -> None:
    """That one program looks at the clock does not show the other another time stamp."""
    maps = [MapSpec("progs", 3, 4, 4, 8)]
    jumps = [copy(1, 6), Insn(op.LD_IMM64, 2, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef("progs")), mov(3, 0), call(TAIL_CALL)]
    for first, second, mark in (([*AWARE], [], 0), ([], [*AWARE], 9)):
        entry = [copy(6, 1), *first, *jumps, *END]
        slots = sum(2 if each.opcode == op.LD_IMM64 else 1 for each in entry)
        body = [*entry, copy(6, 1), *second, *MARKED, *END]
        built = program(*body, maps=maps, functions={0: "a", slots: "b"}, tail_calls={"progs": {0: slots}})
        assert shown(built, tstamp=9, tstamp_type=1, tc_at_ingress=1)[1]["mark"] == mark


def test_where_it_is_not_clear_who_looks_the_run_ends() -> None:
    """A byte read through what may be the context or a pointer to something else says nothing about the clock."""
    into = [copy(2, 10), add(2, -8), stx(op.DW, 2, 0, 6), ldx(op.DW, 4, 2, 0)]
    built = made(*into, ldx(op.B, 3, 4, TYPE), *MARKED)
    assert dict(awareness(built)) == {0: None}
    machine = machine_for(copy(6, 1), *into, ldx(op.B, 3, 4, TYPE), *MARKED, *END, interface=TC)
    assert isinstance(stop := machine.run(machine.start(), lambda guard: None), Stuck)
    assert "cannot be told" in stop.reason
    with pytest.raises(NotRunnable, match="cannot be told"):
        run(built, TC, Input(IPV4))


def test_no_packet_comes_with_another_clock() -> None:
    with pytest.raises(NotRunnable, match="no skb has tstamp_type 3"):
        run(made(), TC, Input(IPV4, context={"tstamp_type": 3}))


on_kernel = pytest.mark.skipif(available() is not None, reason=available() or "")


@pytest.mark.kernel
@on_kernel
@pytest.mark.parametrize("packet", [IPV4, bytes(64)], ids=["IPv4", "other"])
@pytest.mark.parametrize(("time", "clock", "code"), CALLS)
def test_the_kernel_sets_time_and_clock_likewise(time: int, clock: int, code: int, packet: bytes) -> None:
    """Marks the packet with the result and the clock, and sets the clock back, which a test run does not show."""
    back = [copy(1, 6), mov(2, 0), mov(3, 0), call(SET_TSTAMP), mov(0, 0)]
    mark = [copy(7, 0), ldx(op.B, 8, 6, TYPE), alu(op.LSH, 8, imm=12), alu(op.ADD, 7, src=8), stx(op.W, 6, MARK, 7)]
    built = set_stamp(time, clock, *mark, ldx(op.DW, 2, 6, TSTAMP), stx(op.W, 6, PRIORITY, 2), *back)
    given = Input(packet, context={"tstamp": 3})
    expected = code if packet is IPV4 else -95
    with KernelProgram(built, TC) as kernel:
        seen = kernel.run(given).values
    assert seen["mark"] == run(built, TC, given).values["mark"]
    assert seen["priority"] == run(built, TC, given).values["priority"]
    assert int(seen["mark"]) == (expected + (0 if expected else clock << 12)) & 0xFFFFFFFF


@pytest.mark.kernel
@on_kernel
@pytest.mark.parametrize("looks", [False, True])
@pytest.mark.parametrize("access", [MARKED, WRITES], ids=["read", "write"])
def test_the_kernel_compiles_the_access_as_awareness_says(looks: bool, access: list[Insn]) -> None:
    """Where the program does not look at the clock, the verifier puts code around the access that asks for ingress."""
    built = made(*(AWARE if looks else []), *access)
    with KernelProgram(built, TC) as kernel:
        xlated = read_program(kernel._descriptor).xlated
    asks = 0x46 | 11 << 8  # if w11 & …
    assert any(int.from_bytes(xlated[at : at + 2], "little") & 0xFFF == asks for at in range(0, len(xlated), 8)) is (
        awareness(built)[0] is False
    )
    assert awareness(built)[0] is looks
