"""The benchmark of opcodes covers the RFC, and notices what differs."""

from __future__ import annotations

import json
from random import Random

import pytest

from equiv.bench import main
from equiv.bench.conformance.cases import cases
from equiv.bench.conformance.trial import interpreter, try_case
from equiv.bpf import insn as op
from equiv.bpf.program import Program
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface
from equiv.oracle import available

ALL = cases()


def test_every_opcode_and_every_atomic_operation_has_a_case() -> None:
    assert {case.opcode for case in ALL} == op.OPCODES
    assert len({case.id for case in ALL}) == len(ALL)
    assert sum(case.group.startswith("atomic") for case in ALL) == 2 * len(op.ATOMIC_OPS)


@pytest.mark.parametrize("case", ALL, ids=lambda case: case.id)
def test_interpreter_and_symbolic_step_agree(case: object) -> None:
    trial = try_case(case, 32, Random(7), None)  # type: ignore[arg-type]
    assert trial.operands >= 32
    assert not trial.differences, trial.examples


def test_a_third_opinion_that_is_wrong_once_is_noticed() -> None:
    def wrong(program: Program, interface: Interface, given: Input) -> tuple[int, bytes]:
        code, content = interpreter(program, interface, given)
        return code, bytes([content[0] ^ 1]) + content[1:]

    trial = try_case(ALL[0], 32, Random(7), wrong)
    assert trial.differences == 1
    assert trial.examples and "kernel" in trial.examples[0]


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
def test_rows_say_what_was_compared(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "--only", "sdiv64", "--operands", "32", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == ["0x37 sdiv64 immediate", "0x3f sdiv64 register"]
    for row in rows:
        assert row["verdict"] == row["expected"] == "equivalent"
        assert row["operands"] >= 32 and row["right"] == "kernel" and row["peak_rss_bytes"] > 0
