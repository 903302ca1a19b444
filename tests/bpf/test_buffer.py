"""Plain functions over bytes, and raw instruction files (D40)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

import equiv
from equiv.bpf import insn as op
from equiv.bpf.interpret import Fault, run
from equiv.bpf.load import load_raw
from equiv.bpf.program import ByteOrder, FunctionRef, Insn
from equiv.bpf.symbolic import BpfMachine
from equiv.cli import main
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import load_interface
from equiv.oracle import KernelProgram, available
from tests.bpf.programs import EXIT, NotDone, add, alu, atomic, call, copy, follow, jump, ldx, mov, program, st, stx

BUFFER = load_interface("buffer")
LONG_ENOUGH = [jump(op.JGT, 2, 2, imm=15), mov(0, -1), EXIT]
SIZES = some.sampled_from((op.B, op.H, op.W, op.DW))


def raw(path: Path, *insns: Insn) -> str:
    path.write_bytes(b"".join(op.encode(insn, "little") for insn in insns))
    return str(path)


@some.composite
def accesses(draw: some.DrawFn) -> Insn:
    """A load, store or aligned atomic operation somewhere in the first 16 bytes of the buffer."""
    size, register = draw(SIZES), draw(some.sampled_from((0, 3, 4)))
    offset = draw(some.integers(0, 16 - op.MEMORY_SIZE[size]))
    match draw(some.integers(0, 3)):
        case 0:
            return ldx(size, register, 1, offset)
        case 1:
            return stx(size, 1, offset, register)
        case 2:
            return st(size, 1, offset, draw(some.integers(-(1 << 31), (1 << 31) - 1)))
    size = draw(some.sampled_from((op.W, op.DW)))
    aligned = draw(some.integers(0, 15)) // op.MEMORY_SIZE[size] * op.MEMORY_SIZE[size]
    return atomic(size, 1, aligned, register, draw(some.sampled_from(sorted(op.ATOMIC_OPS))))


@given(
    body=some.lists(accesses(), max_size=12),
    packet=some.binary(max_size=20),
    order=some.sampled_from(("little", "big")),
)
def test_reads_and_writes_of_the_buffer_agree_between_interpreter_and_symbolic_machine(
    body: list[Insn], packet: bytes, order: ByteOrder
) -> None:
    start = [*LONG_ENOUGH, mov(0, 1), mov(3, 2), mov(4, -3)]
    checked = program(*start, *body, alu(op.XOR, 0, src=3), alu(op.XOR, 0, src=4), EXIT, byte_order=order)
    seen = run(checked, BUFFER, Input(packet))
    ended = follow(BpfMachine(checked, BUFFER), Input(packet), through_snapshots=True)
    assert (ended.code, ended.values) == (seen.code, dict(seen.values))


def test_a_load_at_an_offset_from_the_input_sees_what_was_written_there() -> None:
    body = [ldx(op.B, 3, 1, 0), alu(op.AND, 3, imm=7), stx(op.W, 1, 4, 3), alu(op.ADD, 3, src=1), ldx(op.B, 0, 3, 0)]
    checked = program(*LONG_ENOUGH, *body, EXIT)
    for first in range(8):
        packet = Input(bytes([first, 11, 12, 13, 14, 15, 16, 17]) + bytes(8))
        expected = [first, 11, 12, 13, first, 0, 0, 0][first]
        assert run(checked, BUFFER, packet).code == expected
        assert follow(BpfMachine(checked, BUFFER), packet).code == expected


def test_the_whole_of_r0_is_the_result() -> None:
    checked = program(mov(0, 1), alu(op.LSH, 0, imm=40), EXIT)
    assert run(checked, BUFFER, Input(b"")).code == 1 << 40
    assert follow(BpfMachine(checked, BUFFER), Input(b"")).code == 1 << 40


def test_an_access_past_the_buffer_is_a_fault() -> None:
    checked = program(ldx(op.W, 0, 1, 2), EXIT)
    with pytest.raises(Fault, match="accesses 4 bytes at offset 2"):
        run(checked, BUFFER, Input(bytes(5)))
    with pytest.raises(NotDone, match="out of bounds"):
        follow(BpfMachine(checked, BUFFER), Input(bytes(5)))


def test_an_address_is_no_result() -> None:
    checked = program(copy(0, 1), EXIT)
    with pytest.raises(NotRunnable, match="returns an address"):
        run(checked, BUFFER, Input(bytes(5)))
    with pytest.raises(NotDone, match="depends on kernel addresses"):
        follow(BpfMachine(checked, BUFFER), Input(bytes(5)))


def test_the_functions_of_a_raw_file_start_where_calls_go(tmp_path: Path) -> None:
    path = raw(tmp_path / "two.bin", Insn(op.JMP | op.CALL, 0, 1, 0, 1), EXIT, copy(0, 2), EXIT)
    loaded = load_raw(path)
    assert loaded.functions == {0: "two", 2: "function_2"}
    first = loaded.insns[0]
    assert first is not None and isinstance(first.ref, FunctionRef) and first.ref.target == 2
    assert run(loaded, BUFFER, Input(bytes(5))).code == 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b"\x95\0\0\0", "4 bytes, not whole instructions of 8"),
        (op.encode(mov(0, 0), "little"), "function bad runs off its end"),
        (b"\xff" + bytes(7) + op.encode(EXIT, "little"), "unknown opcode 0xff"),
        (op.encode(Insn(op.LD_IMM64, 0, 0, 0, 0, 5), "little")[:8], "second half of a 64-bit load is missing"),
        (op.encode(Insn(op.LD_IMM64, 0, 1, 0, 0, 5), "little") + op.encode(EXIT, "little"), "one running kernel"),
        (op.encode(Insn(op.JMP | op.CALL, 0, 1, 0, 7), "little") + op.encode(EXIT, "little"), "calls instruction 8"),
        (op.encode(Insn(op.JMP | op.JA, 0, 0, 5, 0), "little") + op.encode(EXIT, "little"), "outside its function"),
    ],
    ids=["empty", "cut", "no-exit", "opcode", "half", "map", "call", "jump"],
)
def test_a_malformed_raw_file_is_one_clear_line(
    content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(content)
    assert main(["run", str(path), "--interface", "buffer", "--packet", "00"]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1 and not shown.out


def test_run_prints_the_64_bit_result_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = raw(tmp_path / "x.bin", ldx(op.DW, 0, 1, 0), alu(op.ADD, 0, src=2), EXIT)
    assert main(["run", path, "--interface", "buffer", "--packet", "01020304050607f8", "--json"]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["code"] == seen["observables"]["r0"] == 0xF807060504030201 + 8


def test_two_raw_files_are_compared(tmp_path: Path) -> None:
    halves = [*LONG_ENOUGH, ldx(op.B, 0, 1, 3), alu(op.LSH, 0, imm=8), ldx(op.B, 3, 1, 2), alu(op.OR, 0, src=3), EXIT]
    left = raw(tmp_path / "left.bin", *LONG_ENOUGH, stx(op.DW, 1, 8, 2), ldx(op.H, 0, 1, 2), EXIT)
    right = raw(tmp_path / "right.bin", *halves)
    other = raw(tmp_path / "other.bin", *halves[:-1], add(0, 1), EXIT)
    assert equiv.check(left, right).verdict == "equivalent"
    assert equiv.check(left, other).verdict == "different"


def test_two_functions_that_differ_in_the_high_half_only_are_different(tmp_path: Path) -> None:
    left = raw(tmp_path / "left.bin", copy(0, 2), EXIT)
    right = raw(tmp_path / "right.bin", mov(3, 1), alu(op.LSH, 3, imm=32), copy(0, 2), alu(op.OR, 0, src=3), EXIT)
    assert equiv.check(left, right).verdict == "different"


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@given(body=some.lists(accesses(), max_size=12), packet=some.binary(min_size=0, max_size=20))
def test_reads_and_writes_of_the_buffer_agree_with_the_kernel(body: list[Insn], packet: bytes) -> None:
    start = [*LONG_ENOUGH, mov(0, 1), mov(3, 2), mov(4, -3)]
    checked = program(*start, *body, alu(op.XOR, 0, src=3), alu(op.XOR, 0, src=4), EXIT)
    with KernelProgram(checked, BUFFER) as kernel:
        for given_packet in (packet, packet[:3], packet.ljust(16, b"\x5a")):
            real, mine = kernel.run(Input(given_packet)), run(checked, BUFFER, Input(given_packet))
            assert (real.code, real.values) == (mine.code, mine.values)


def test_a_helper_that_wants_a_context_is_refused() -> None:
    checked = program(mov(2, 0), copy(3, 10), add(3, -8), mov(4, 8), call(26), EXIT)
    with pytest.raises((Fault, NotRunnable)):
        run(checked, BUFFER, Input(bytes(16)))
    with pytest.raises(NotDone):
        follow(BpfMachine(checked, BUFFER), Input(bytes(16)))
