"""Tail calls in the interpreter are those of the running kernel (D50)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from equiv.bpf import insn as op
from equiv.bpf.load import load_program
from equiv.machine.concrete import Input
from equiv.oracle import available
from tests.bpf.programs import EXIT, TC, XDP, add, call, copy, jump, ldx, load64, mov, program
from tests.bpf.test_legacy_objects import SOURCE
from tests.bpf.test_tail_calls import ARRAY, counting, counting_in_calls, in_a_called_function, load_map, tail_call
from tests.oracle.test_kernel import both_agree

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
]


def test_thirty_three_tail_calls_succeed() -> None:
    assert both_agree(counting(), TC, Input(bytes(64))).code == 34


def test_programs_by_index() -> None:
    body = [copy(6, 1), ldx(op.W, 7, 1, 0), copy(1, 6), load_map(2), copy(3, 7), *tail_call(mov(3, 9))[3:]]
    body += [mov(0, 2), EXIT]
    checked = program(*body, mov(0, 1), EXIT, maps=[ARRAY], functions={0: "t", 9: "u"}, tail_calls={"progs": {5: 9}})
    both_agree(checked, TC, *(Input(bytes(length)) for length in (60, 64, 69)))


@pytest.mark.parametrize("index", [4, 5, 7, 8, 1 << 20, -1])
def test_empty_slots_and_indices_past_the_array_fall_through(index: int) -> None:
    body = [copy(6, 1), *tail_call(mov(3, index)), mov(0, 1), EXIT]
    checked = program(*body, mov(0, 2), EXIT, maps=[ARRAY], functions={0: "t", 8: "u"}, tail_calls={"progs": {5: 8}})
    assert both_agree(checked, XDP, Input(bytes(64))).code == (2 if index == 5 else 1)


def test_a_called_function_that_tail_calls_returns_to_its_caller() -> None:
    assert both_agree(in_a_called_function(), TC, Input(bytes(64))).code == 7


def test_the_count_is_that_of_the_whole_run() -> None:
    assert both_agree(counting_in_calls(), TC, Input(bytes(64))).code == 33


def test_tail_calls_to_empty_slots_do_not_count() -> None:
    loop = [copy(6, 1), mov(7, 40), *tail_call(mov(3, 3)), add(7, -1), jump(op.JNE, 7, -7, imm=0)]
    loop += [*tail_call(mov(3, 5)), mov(0, 1), EXIT]
    checked = program(*loop, mov(0, 2), EXIT, maps=[ARRAY], functions={0: "t", 16: "u"}, tail_calls={"progs": {5: 16}})
    assert both_agree(checked, TC, Input(bytes(64))).code == 2


@pytest.mark.skipif(shutil.which("clang-16") is None, reason="clang-16 is not installed")
def test_a_compiled_object_without_types_agrees(tmp_path: Path) -> None:
    (tmp_path / "p.c").write_text(SOURCE)
    subprocess.run(["clang-16", "-target", "bpf", "-O2", "-w", "-c", "p.c", "-o", "p.o"], cwd=tmp_path, check=True)
    assert both_agree(load_program(str(tmp_path / "p.o")), TC, Input(bytes(64))).code == 5


def test_only_the_low_32_bits_of_the_index_count() -> None:
    index = [load64(3, 1 << 32 | 5), copy(1, 6), load_map(2), call(12)]
    insns = [copy(6, 1), *index, mov(0, 1), EXIT, mov(0, 2), EXIT]
    checked = program(*insns, maps=[ARRAY], functions={0: "t", 9: "u"}, tail_calls={"progs": {5: 9}})
    assert both_agree(checked, TC, Input(bytes(64))).code == 2
