"""Programs that are entered on a stack of known contents (D360)."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.bpf.program import Insn, MapRef, MapSpec
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import load_interface
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, add, call, copy, jump, ldx, mov, program, st

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
]

STACK = bytes(1 + number % 251 for number in range(512))
GIVEN = Input(bytes(64))


@pytest.mark.parametrize("interface", ["xdp", "tc", "socket_filter", "flow_dissector"])
@pytest.mark.parametrize("offset", [-1, -2, -255, -256, -511, -512])
def test_what_the_program_has_not_written_is_what_the_stack_was_filled_with(interface: str, offset: int) -> None:
    reading = program(ldx(op.B, 0, 10, offset), EXIT)
    chosen = load_interface(interface)
    with KernelProgram(reading, chosen) as kernel:
        for stack in (STACK, bytes(512), STACK[::-1]):
            shown = kernel.run_on_stack(GIVEN, stack)
            assert shown.code == chosen.normalise(stack[offset], len(GIVEN.packet))


def test_what_the_program_has_written_is_not_touched() -> None:
    writing = program(st(op.DW, 10, -8, 7), ldx(op.DW, 2, 10, -8), copy(0, 2), EXIT)
    with KernelProgram(writing, load_interface("tc")) as kernel:
        assert kernel.run_on_stack(GIVEN, STACK).code == kernel.run(GIVEN).code == 7


def test_a_program_that_makes_tail_calls_is_not_entered_by_one() -> None:
    array = Insn(op.LD_IMM64, 2, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef("progs"))
    body = (array, mov(3, 0), call(12), mov(0, 1), EXIT)
    calling = program(*body, maps=[MapSpec("progs", 3, 4, 4, 1)], tail_calls={"progs": {}})
    with KernelProgram(calling, load_interface("xdp")) as kernel:
        assert kernel.run(GIVEN).code == 1
        with pytest.raises(NotRunnable, match="tail call"):
            kernel.run_on_stack(GIVEN, STACK)


def test_packet_and_context_are_those_of_a_plain_run() -> None:
    room = (ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 14), mov(0, 2), jump(op.JGT, 4, 2, src=3))
    changing = program(*room, st(op.B, 2, 13, 99), ldx(op.B, 0, 2, 1), EXIT)
    given = Input(bytes(range(100)))
    with KernelProgram(changing, load_interface("xdp")) as kernel:
        shown = kernel.run_on_stack(given, STACK)
        assert shown == kernel.run(given) and shown.code == 1
