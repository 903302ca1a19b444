"""Proofs over programs that read stack which nobody has written hold on whatever stacks they run (D360)."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st_

from equiv import api
from equiv.bpf import insn as op
from equiv.bpf.program import FunctionRef, Insn, Program
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.oracle import KernelProgram, VerifierRejected, available
from tests.bpf.programs import EXIT, alu, copy, jump, ldx, mov, program, stx

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
]

XDP = load_interface("xdp")
SLOTS = range(-24, 0)
SIZES = {op.B: 1, op.H: 2, op.W: 4, op.DW: 8}
STACKS = (bytes(512), b"\xff" * 512, bytes(number * 37 % 256 for number in range(512)), (b"\x01" + bytes(7)) * 64)
PACKETS = (bytes(14), bytes(15), bytes(64))


@st_.composite
def steps(draw: st_.DrawFn) -> list[Insn]:
    """Loads and stores of 24 bytes of stack, arithmetic on r0 to r3, and jumps that depend on them and on r6."""
    found: list[Insn] = []
    for _ in range(draw(st_.integers(1, 8))):
        register, other = draw(st_.sampled_from((0, 2, 3))), draw(st_.sampled_from((0, 2, 3, 6)))
        size = draw(st_.sampled_from(sorted(SIZES)))
        at = draw(st_.sampled_from([slot for slot in SLOTS if slot % SIZES[size] == 0]))
        match draw(st_.sampled_from(("load", "store", "alu", "mask", "jump"))):
            case "load":
                found.append(ldx(size, register, 10, at))
            case "store":
                found.append(stx(size, 10, at, other))
            case "alu":
                found.append(alu(draw(st_.sampled_from((op.ADD, op.XOR, op.AND, op.SUB))), register, src=other))
            case "mask":
                found.append(alu(op.AND, register, imm=draw(st_.sampled_from((0, 1, 0xFF)))))
            case _:
                imm = draw(st_.sampled_from((0, 1, 14, 0x80)))
                found += [jump(draw(st_.sampled_from((op.JEQ, op.JNE, op.JGT))), other, 1, imm=imm), mov(register, imm)]
    return found


@st_.composite
def programs(draw: st_.DrawFn) -> Program:
    """r6 is the packet's length; the steps run in the entry function, or in one that it calls twice."""
    start = [ldx(op.W, 6, 1, 4), ldx(op.W, 2, 1, 0), alu(op.SUB, 6, src=2), mov(0, 0), mov(2, 0), mov(3, 0)]
    body = draw(steps())
    code = alu(op.AND, 0, imm=3)
    if draw(st_.booleans()):
        return program(*start, *body, code, EXIT)
    entry = 6 + 6
    calls = [Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, entry - at - 1, ref=FunctionRef(entry, "f")) for at in (7, 9)]
    outer = [copy(1, 6), calls[0], copy(1, 6), calls[1], code, EXIT]
    inner = [copy(6, 1), mov(0, 0), mov(2, 0), mov(3, 0), *body, EXIT]
    return program(*start, *outer, *inner, functions={0: "t", entry: "f"})


def loaded(built: Program) -> Loaded:
    return Loaded("t.bpf.o", built.sha256, "bpf", program=built)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), st_.integers(0, 3))
def test_what_is_proved_of_a_program_holds_on_any_two_stacks(built: Program, code: int) -> None:
    others = (built, program(mov(0, code), EXIT))
    try:
        with KernelProgram(built, XDP) as kernel:
            shown = [[kernel.run_on_stack(Input(packet), stack).code for stack in STACKS] for packet in PACKETS]
    except VerifierRejected:
        return
    for other in others:
        result = api.check(loaded(built), loaded(other), interface="xdp", timeout=20, kernel=False)
        if result.verdict == "equivalent":
            assert all(len(set(codes)) == 1 for codes in shown)
            assert other is built or all(codes[0] == code for codes in shown)
        elif result.verdict == "different":
            assert other is not built
        elif all(len(set(codes)) == 1 for codes in shown):
            continue
        else:
            assert "uninitialised stack" in result.reason or "reads bytes of the stack" in result.reason
