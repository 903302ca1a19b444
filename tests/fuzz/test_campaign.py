"""Campaigns find what differs, make it small, and count what they did."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import Executable, Fault
from equiv.bpf.program import Program
from equiv.cli import main
from equiv.errors import InputError
from equiv.fuzz.campaign import Findings, Limits, campaign
from equiv.fuzz.inputs import Inputs
from equiv.fuzz.kernel import against_kernel
from equiv.fuzz.packets import LONGEST, Packets, numbers_of, stack
from equiv.loaded import load
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, XDP, add, copy, jump, ldx, load64, mov, program

CORPORA = Path(__file__).parents[2] / "corpora"
FIVE_TUPLE = str(CORPORA / "five-tuple" / "five-tuple.bpf.o")
on_kernel = pytest.mark.skipif(available() is not None, reason=available() or "")


def looking_for(ether_type: int, found: int) -> Program:
    """Returns `found` for frames of this EtherType, 1 for others."""
    look = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 14), mov(0, 1)]
    swapped = int.from_bytes(ether_type.to_bytes(2, "big"), "little")
    test = [ldx(op.H, 5, 2, 12), jump(op.JNE, 5, 1, imm=swapped), mov(0, found)]
    return program(*look, jump(op.JGT, 4, 3, src=3), *test, EXIT)


def compare(left: Program, right: Program, limits: Limits) -> Findings:
    random = Random(1)
    packets = Packets(left, random, 14)
    inputs = Inputs(left, XDP, packets, lambda packet: {"ingress_ifindex": 1}, False, random)
    runs = [Executable(each, XDP) for each in (left, right)]
    return campaign(XDP, runs[0].run, runs[1].run, inputs, packets, limits)


def test_a_number_that_the_program_compares_with_is_found_and_the_packet_made_small() -> None:
    found = compare(looking_for(0x1234, 2), looking_for(0x1234, 3), Limits(20_000))
    assert found.differences
    for each in found.differences:
        assert each.given.packet == bytes(12) + b"\x12\x34"
        assert each.differs == ("verdict",)


def test_programs_that_agree_have_no_difference_and_all_packets_count() -> None:
    found = compare(looking_for(0x1234, 2), looking_for(0x1234, 2), Limits(500))
    assert found.compared == 500 and not found.differences
    assert set(found.codes) == {"accept", "drop"} and found.behaviours > 1 and found.rate > 0


def test_a_side_that_faults_alone_differs_and_one_that_cannot_run_is_not_compared() -> None:
    def seen(given: Input) -> Observation:
        return Observation("drop", 1)

    def faults(given: Input) -> Observation:
        raise Fault("reads beyond the packet")

    def cannot(given: Input) -> Observation:
        raise NotRunnable("no such thing")

    checked, random = looking_for(5, 2), Random(0)
    packets = Packets(checked, random, 14)
    inputs = Inputs(checked, XDP, packets, lambda packet: {}, False, random)
    found = campaign(XDP, seen, faults, inputs, packets, Limits(5))
    assert found.differences[0].differs == ("fault",) and found.differences[0].right == "reads beyond the packet"
    found = campaign(XDP, seen, cannot, inputs, packets, Limits(5))
    assert not found.compared and not found.differences and found.not_run["no such thing"] > 5


def test_time_ends_a_campaign() -> None:
    found = compare(looking_for(5, 2), looking_for(5, 2), Limits(1 << 60, seconds=0.01))
    assert 0 < found.compared < 1 << 20


def test_numbers_are_those_of_the_instructions_in_both_orders() -> None:
    numbers = numbers_of(program(load64(0, 0x0102030405), mov(1, 0x0806), EXIT))
    assert {b"\x08\x06", b"\x06\x08", (0x0102030405).to_bytes(8, "big")} <= set(numbers)


@given(seed=some.integers(0, 1 << 32), shortest=some.sampled_from((0, 14)))
def test_packets_are_as_long_as_the_interface_wants(seed: int, shortest: int) -> None:
    packets = Packets(looking_for(0x0800, 2), Random(seed), shortest, [bytes(20)])
    for _ in range(30):
        packet = packets.next()
        assert shortest <= len(packet) <= max(LONGEST, 4096)
        packets.keep(packet, range(12, 14))


@given(seed=some.integers(0, 1 << 32))
def test_stacks_begin_with_ethernet(seed: int) -> None:
    assert len(stack(Random(seed))) >= 14


@pytest.mark.kernel
@on_kernel
def test_the_interpreter_agrees_with_the_kernel_on_a_real_program() -> None:
    loaded = load(FIVE_TUPLE)
    assert loaded.program is not None
    found = against_kernel(loaded.program, XDP, Limits(300), seed=3)
    assert found.compared == 300 and not found.differences and len(found.codes) == 2


@pytest.mark.kernel
@on_kernel
def test_a_program_that_is_not_the_kernels_is_told_apart() -> None:
    left, right = looking_for(0x0806, 2), looking_for(0x0806, 3)
    random = Random(0)
    packets = Packets(left, random, 14)
    executable = Executable(left, XDP)
    with KernelProgram(right, XDP) as kernel:
        inputs = Inputs(left, XDP, packets, kernel.natural_context, False, random)
        found = campaign(XDP, executable.run, kernel.run, inputs, packets, Limits(5_000))
    assert found.differences and found.differences[0].given.packet == bytes(12) + b"\x08\x06"


@pytest.mark.kernel
@on_kernel
def test_the_command_prints_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", "--against", "kernel", FIVE_TUPLE, "--packets", "100", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["packets"] == 100 and shown["differences"] == [] and shown["interface"] == "xdp"


@pytest.mark.kernel
@on_kernel
def test_the_command_shows_a_difference_and_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    true_run = Executable.run

    def wrong(self: Executable, given: Input, *, trace: bool = True) -> Observation:
        seen = true_run(self, given, trace=trace)
        return dataclasses.replace(seen, code=seen.code ^ 3) if given.packet[12:14] == b"\x08\x00" else seen

    monkeypatch.setattr(Executable, "run", wrong)
    assert main(["fuzz", "--against", "kernel", FIVE_TUPLE, "--packets", "200"]) == 1
    shown = capsys.readouterr().out
    assert "differences found" in shown and "interpreter" in shown and "0800" in shown


def test_a_table_cannot_be_compared_with_the_kernel(capsys: pytest.CaptureFixture[str]) -> None:
    table = str(CORPORA / "five-tuple" / "five-tuple.dev")
    assert main(["fuzz", "--against", "kernel", table]) == 2
    assert "only BPF programs" in capsys.readouterr().err


def test_without_a_kernel_the_campaign_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equiv.fuzz.kernel.available", lambda: "not Linux")
    with pytest.raises(InputError, match="cannot be asked: not Linux"):
        against_kernel(looking_for(5, 2), XDP, Limits(1))
