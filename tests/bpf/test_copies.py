"""Copies that bpf_clone_redirect sends: observed whatever the verdict, of packets as they came in (D332)."""

from __future__ import annotations

import errno

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, TC, NotDone, add, call, copy, follow, ldx, mov, program, st

GIVEN = Input(bytes(64), context={"helper.clone_redirect": 5, "mark": 0})
CLONE_REDIRECT, REDIRECT, CHANGE_TAIL = 13, 23, 38


def clone(device: int, flags: int = 0) -> list[Insn]:
    return [copy(1, 6), mov(2, device), mov(3, flags), call(CLONE_REDIRECT)]


def sending(*body: Insn) -> Program:
    return program(copy(6, 1), *body, EXIT)


def both(checked: Program) -> tuple[int, dict[str, int | bytes]]:
    """The code, and what was sent, on both machines."""
    seen, ended = run(checked, TC, GIVEN), follow(BpfMachine(checked, TC), GIVEN, through_snapshots=True)
    assert ended.code == seen.code
    sent = {name: value for name, value in seen.values.items() if name.startswith("clone.")}
    assert {name: value for name, value in ended.values.items() if name.startswith("clone.") and value} == sent
    return seen.code, sent


@pytest.mark.parametrize("verdict", [0, 2])
@pytest.mark.parametrize("flags", [0, 1])
def test_a_copy_is_observed_whatever_the_verdict(verdict: int, flags: int) -> None:
    code, sent = both(sending(*clone(7, flags), mov(0, verdict)))
    assert code == verdict
    assert sent == {"clone.to": 7} | ({"clone.flags": 1} if flags else {})


@pytest.mark.parametrize(("device", "flags"), [(7, 2), (7, 4), (0, 0), (0, 1)])
def test_nothing_is_sent_to_no_device_or_with_other_flags(device: int, flags: int) -> None:
    assert both(sending(*clone(device, flags), add(0, errno.EINVAL))) == (0, {})


def test_what_sending_gives_is_an_input() -> None:
    assert both(sending(*clone(7))) == (5, {"clone.to": 7})
    with pytest.raises(NotRunnable, match="not a function of the packet"):
        run(sending(*clone(7), add(0, 1)), TC, Input(bytes(64)))


SECOND = [*clone(7), *clone(8), mov(0, 0)]
LONGER = [copy(1, 6), mov(2, 80), mov(3, 0), call(CHANGE_TAIL), *clone(7), mov(0, 0)]
MARKED = [mov(2, 9), Insn(op.STX | op.MEM | op.W, 6, 2, 8, 0), *clone(7), mov(0, 0)]
NOTED = [st(op.W, 6, 48, 9), *clone(7), mov(0, 0)]


@pytest.mark.parametrize("body", [SECOND, LONGER, MARKED, NOTED], ids=["second", "longer", "marked", "noted"])
def test_a_second_copy_or_one_of_a_changed_packet_is_refused_by_name(body: list[Insn]) -> None:
    with pytest.raises(NotRunnable, match="sends a"):
        run(sending(*body), TC, GIVEN)
    with pytest.raises(NotDone, match="sends a"):
        follow(BpfMachine(sending(*body), TC), GIVEN)


def test_a_redirect_beside_the_copy_is_no_change() -> None:
    code, sent = both(sending(mov(1, 4), mov(2, 0), call(REDIRECT), *clone(7), mov(0, 7)))
    assert (code, sent) == (7, {"clone.to": 7})


def test_packet_pointers_from_before_are_of_no_use() -> None:
    checked = sending(ldx(op.W, 7, 6, 76), *clone(7), ldx(op.B, 0, 7, 0))
    with pytest.raises(NotDone):
        follow(BpfMachine(checked, TC), GIVEN)


def test_programs_that_send_copies_elsewhere_differ_and_those_that_depend_on_what_sending_gives_may() -> None:
    def check(left: Program, right: Program) -> str:
        sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
        return api.check(*sides, interface="tc", timeout=30, kernel=False).verdict

    dropping = [mov(0, 2)]
    to_seven, to_eight = (sending(*clone(device), *dropping) for device in (7, 8))
    assert check(to_seven, to_seven) == "equivalent"
    assert check(to_seven, to_eight) == check(to_seven, sending(*dropping)) == "different"
    failing = sending(*clone(7))
    assert check(failing, failing) == "equivalent"
    assert check(failing, sending(*clone(7), mov(0, 0))) == "unknown"


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
def test_no_copy_is_sent_to_ask_the_kernel() -> None:
    with pytest.raises(NotRunnable, match="clone_redirect"):
        KernelProgram(sending(*clone(1), mov(0, 0)), TC)
