"""What memory in front of an XDP frame holds: an input where nobody can have written, else not modelled (D334)."""

from __future__ import annotations

import pytest

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.protocol import Done
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, add, alu, call, copy, jump, ldx, mov, program
from tests.bpf.test_packet_helpers import XDP, assert_machines_agree, assignment_for, built, drive, helper, packets

HEAD, META, STORE, LOAD = 44, 54, 190, 189
HELD = {1 << 16 | distance: distance * 37 & 0xFF for distance in range(1, 257)}
"""What the headroom holds, by the distance from the packet's start."""

MOVED = {
    "not written": [helper(HEAD, -8)],
    "written in part": [helper(HEAD, -8), helper(STORE, 2, "stack", 3)],
    "read": [helper(HEAD, -8), helper(LOAD, 3, "stack", 8), helper(STORE, 0, "stack", 16)],
    "cut off again in part": [helper(HEAD, -12), helper(HEAD, 5)],
    "stored before": [helper(STORE, 0, "stack", 8), helper(HEAD, -4)],
    "longer behind, too": [helper(65, 4), helper(HEAD, -20)],
}
UNKNOWN = {
    "again": [helper(HEAD, -4), helper(HEAD, -4)],
    "to and fro": [helper(HEAD, -8), helper(STORE, 0, "stack", 8), helper(HEAD, 8), helper(HEAD, -8)],
    "cut off before": [helper(HEAD, 4), helper(HEAD, -4)],
    "farther than what was cut off": [helper(HEAD, 4), helper(HEAD, -8)],
    "behind metadata that is gone": [helper(META, -8), helper(META, 8), helper(HEAD, -8)],
    "before metadata": [helper(HEAD, -8), helper(META, -4), helper(META, 4)],
}


@pytest.mark.parametrize("body", MOVED.values(), ids=MOVED)
def test_bytes_in_front_are_those_of_the_input(body: list[list[Insn]]) -> None:
    checked = built(XDP, *body)
    for packet in packets(7):
        given = Input(packet, context={"tailroom": 3520 - len(packet)}, oracles={"headroom": HELD})
        assert assert_machines_agree(checked, XDP, given) is not None


@pytest.mark.parametrize("body", UNKNOWN.values(), ids=UNKNOWN)
def test_bytes_that_may_have_been_written_are_not_known(body: list[list[Insn]]) -> None:
    checked, given = built(XDP, *body), Input(bytes(64), context={"helper.*": 0}, oracles={"headroom": HELD})
    with pytest.raises(NotRunnable):
        run(checked, XDP, given)
    assert not isinstance(drive(BpfMachine(checked, XDP), assignment_for(given)), Done)


def test_an_input_that_does_not_say_cannot_be_run() -> None:
    with pytest.raises(NotRunnable, match="nobody has written"):
        run(built(XDP, helper(HEAD, -8)), XDP, Input(bytes(64)))


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize("body", MOVED.values(), ids=MOVED)
def test_a_test_run_has_zeros_there(body: list[list[Insn]]) -> None:
    checked = built(XDP, *body)
    with KernelProgram(checked, XDP) as kernel:
        for packet in packets(8, 20):
            given = Input(packet, context={"helper.*": 0})
            seen, shown = run(checked, XDP, given), kernel.run(given)
            assert (shown.code, dict(shown.values)) == (seen.code, dict(seen.values))
        with pytest.raises(NotRunnable, match="zeros in front"):
            kernel.run(Input(bytes(64), oracles={"headroom": HELD}))


def brought_in(*writing: Insn) -> Program:
    """Moves the start by 4 bytes and writes to them: r2 is data."""
    body = [copy(6, 1), mov(2, -4), call(HEAD), ldx(op.W, 2, 6, 0), ldx(op.W, 3, 6, 4), copy(4, 2), add(4, 4)]
    return program(*body, jump(op.JGT, 4, len(writing), src=3), *writing, mov(0, 2), EXIT)


def check(left: Program, right: Program) -> tuple[str, str, tuple[str, ...]]:
    sides = [Loaded("t.bpf.o", each.sha256, "bpf", program=each) for each in (left, right)]
    result = api.check(*sides, interface="xdp", timeout=30, kernel=False)
    causes = " ".join(cause.reason for cause in result.unknown)
    return result.verdict, f"{result.reason} {causes}", result.assumptions


ZEROED = Insn(op.ST | op.MEM | op.W, 2, 0, 0, 0)
HALF = Insn(op.ST | op.MEM | op.H, 2, 0, 0, 0)
KEPT = (ldx(op.B, 5, 2, 3), Insn(op.STX | op.MEM | op.B, 2, 5, 3, 0))
FLIPPED = (ldx(op.B, 5, 2, 3), alu(op.XOR, 5, imm=1), Insn(op.STX | op.MEM | op.B, 2, 5, 3, 0))


def test_both_sides_find_the_same_in_front_and_that_is_an_assumption() -> None:
    verdict, _, assumptions = check(brought_in(HALF), brought_in(*KEPT, HALF))
    assert verdict == "equivalent"
    assert "what memory in front of the packet holds is the same on both sides" in assumptions
    assert check(brought_in(HALF), brought_in(HALF, *FLIPPED))[0] == "different"


def test_a_difference_that_rests_on_what_is_in_front_is_unknown_and_says_so() -> None:
    verdict, reason, _ = check(brought_in(ZEROED), brought_in(HALF))
    assert verdict == "unknown" and "the memory in front of the packet" in reason
