"""The interpreter shows what the running kernel shows."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.cli import main
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.oracle import KernelProgram, VerifierRejected, available
from tests.bpf.programs import (
    EXIT,
    FLOW_DISSECTOR,
    SOCKET_FILTER,
    TC,
    XDP,
    add,
    alu,
    atomic,
    call,
    copy,
    jump,
    ldx,
    load64,
    mov,
    program,
    st,
    stx,
)

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
]

BOUNDARIES = (0, 1, 2, 0x7F, 0x80, 0x7FFF, 0x8000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 1 << 32, 1 << 63, (1 << 64) - 1)
OPERANDS = some.one_of(some.sampled_from(BOUNDARIES), some.integers(0, (1 << 64) - 1))
IMMEDIATES = some.one_of(
    some.sampled_from((0, 1, -1, 2, -2, 31, 63, -(1 << 31), (1 << 31) - 1)), some.integers(-99, 99)
)
REGISTERS = some.integers(0, 5)

BINARY = (op.ADD, op.SUB, op.MUL, op.DIV, op.OR, op.AND, op.LSH, op.RSH, op.MOD, op.XOR, op.MOV, op.ARSH)
COMPARISONS = (op.JEQ, op.JGT, op.JGE, op.JSET, op.JNE, op.JSGT, op.JSGE, op.JLT, op.JLE, op.JSLT, op.JSLE)
SHIFTS = (op.LSH, op.RSH, op.ARSH)

RESULTS = MapSpec("results", 2, 4, 48, 1)
OBSERVING = XDP.observing_map("results", 0, 48)
ARRAY = MapSpec("a", 2, 4, 16, 4)
PERCPU = MapSpec("p", 6, 4, 4, 2)
HASH = MapSpec("h", 1, 4, 8, 2)
CONSTANTS = MapSpec(".rodata", 2, 4, 4, 1, initial=b"\x2a\0\0\0", frozen=True)


def shown(observation: Observation) -> tuple[str, int, object]:
    return observation.verdict, observation.code, observation.values


def both_agree(checked: Program, interface: Interface, *inputs: Input) -> Observation:
    with KernelProgram(checked, interface) as kernel:
        for one in inputs:
            real = kernel.run(one)
            assert shown(run(checked, interface, one)) == shown(real), one
    return real


@some.composite
def operations(draw: some.DrawFn) -> Insn:
    """Any arithmetic instruction on r0 to r5 that the verifier accepts."""
    wide, by_register = draw(some.booleans()), draw(some.booleans())
    dst, src, imm = draw(REGISTERS), draw(REGISTERS), draw(IMMEDIATES)
    code = draw(some.sampled_from((*BINARY, op.NEG, op.END)))
    kind = op.ALU64 if wide else op.ALU
    if code == op.NEG:
        return Insn(kind | op.NEG, dst, 0, 0, 0)
    if code == op.END:
        order = op.X if by_register and not wide else op.K
        return Insn(kind | op.END | order, dst, 0, 0, draw(some.sampled_from((16, 32, 64))))
    off = 0
    if code in (op.DIV, op.MOD):
        off = draw(some.sampled_from((0, 1)))
        imm = imm or 3
    elif code == op.MOV and by_register:
        off = draw(some.sampled_from((0, 8, 16, 32) if wide else (0, 8, 16)))
    elif code in SHIFTS:
        imm &= 63 if wide else 31
    return alu(code, dst, src=src if by_register else None, imm=0 if by_register else imm, off=off, wide=wide)


@some.composite
def jumps(draw: some.DrawFn) -> Insn:
    """Any conditional jump forward over at most four instructions."""
    src = draw(some.one_of(some.none(), REGISTERS))
    imm = 0 if src is not None else draw(IMMEDIATES)
    code, off = draw(some.sampled_from(COMPARISONS)), draw(some.integers(0, 4))
    return jump(code, draw(REGISTERS), off, src=src, imm=imm, wide=draw(some.booleans()))


def on_registers(values: list[int], body: list[Insn]) -> Program:
    """r0 to r5 set to `values`, the body, then all of them in the map `results`."""
    end = [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0))]
    end += [stx(op.DW, 9, 8 * register, register) for register in range(6)]
    start = [load64(register, value) for register, value in enumerate(values)]
    padding = [mov(6, 0)] * 4  # what the last jumps may go over
    return program(*start, *body, *padding, *end, EXIT, maps=[RESULTS])


@given(
    values=some.lists(OPERANDS, min_size=6, max_size=6),
    body=some.lists(some.one_of(operations(), operations(), jumps()), min_size=1, max_size=25),
)
def test_straight_programs_of_any_operations_agree(values: list[int], body: list[Insn]) -> None:
    both_agree(on_registers(values, body), OBSERVING, Input(bytes(64)))


def over_boundaries(*middle: Insn) -> None:
    """Both agree on r2 after `middle`, for r2 and r3 from all pairs of boundary operands, read from the packet."""
    body = [ldx(op.W, 4, 1, 0), ldx(op.W, 5, 1, 4), copy(6, 4), add(6, 30), jump(op.JGT, 6, 5 + len(middle), src=5)]
    body += [ldx(op.DW, 2, 4, 14), ldx(op.DW, 3, 4, 22), *middle]
    body += [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0)), stx(op.DW, 9, 0, 2)]
    inputs = [Input(bytes(14) + struct.pack("=QQ", a, b) + bytes(34)) for a in BOUNDARIES for b in BOUNDARIES]
    both_agree(program(*body, mov(0, 2), EXIT, maps=[RESULTS]), OBSERVING, *inputs)


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize(
    ("code", "off"),
    [*((code, 0) for code in BINARY), (op.DIV, 1), (op.MOD, 1), (op.MOV, 8), (op.MOV, 16)],
    ids=hex,
)
def test_every_operation_agrees_on_boundary_operands(code: int, off: int, wide: bool) -> None:
    over_boundaries(alu(code, 2, src=3, off=off, wide=wide))


@pytest.mark.parametrize("wide", [True, False], ids=["64", "32"])
@pytest.mark.parametrize("code", COMPARISONS, ids=hex)
def test_every_comparison_agrees_on_boundary_operands(code: int, wide: bool) -> None:
    over_boundaries(jump(code, 2, 2, src=3, wide=wide), mov(2, 0), Insn(op.JMP | op.JA, 0, 0, 1, 0), mov(2, 1))


@pytest.mark.parametrize("operation", sorted(op.ATOMIC_OPS), ids=hex)
@pytest.mark.parametrize("size", [op.W, op.DW], ids=["32", "64"])
def test_every_atomic_operation_agrees(operation: int, size: int) -> None:
    for old, new, expected in ((0, 1, 0), (0xFFFFFFFF, 1, 0xFFFFFFFF), ((1 << 64) - 1, 3, 5), (1 << 63, 1 << 63, 0)):
        body = [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0))]
        body += [load64(0, expected), load64(2, new), load64(3, old), stx(op.DW, 9, 0, 3)]
        body += [atomic(size, 9, 0, 2, operation), stx(op.DW, 9, 8, 0), stx(op.DW, 9, 16, 2), mov(0, 2), EXIT]
        both_agree(program(*body, maps=[RESULTS]), OBSERVING, Input(bytes(64)))


FRAMES = some.binary(min_size=14, max_size=100)


@given(packets=some.lists(FRAMES, min_size=1, max_size=5), size=some.integers(-8, 260))
def test_metadata_agrees(packets: list[bytes], size: int) -> None:
    body = [copy(6, 1), mov(2, -size), call(54), ldx(op.W, 1, 6, 8), ldx(op.W, 2, 6, 0), mov(0, 2)]
    for offset in range(0, max(size, 0) + 4, 4):
        body += [copy(3, 1), add(3, offset + 4), jump(op.JGT, 3, 2, src=2), st(op.W, 1, offset, offset * 77), mov(4, 0)]
    both_agree(program(*body, EXIT), XDP, *(Input(packet) for packet in packets))


TC_FIELDS = some.fixed_dictionaries(
    {},
    optional={
        "mark": some.integers(0, (1 << 32) - 1),
        "priority": some.integers(0, (1 << 32) - 1),
        "tc_index": some.integers(0, 0xFFFF),
        "tc_classid": some.integers(0, 0xFFFF),
        "queue_mapping": some.integers(0, 0xFFFE),
        "cb": some.integers(0, (1 << 160) - 1),
    },
)


@given(
    packet=FRAMES,
    context=TC_FIELDS,
    stores=some.lists(
        some.tuples(some.sampled_from((8, 12, 32, 44, 48, 56, 64, 72)), some.integers(0, (1 << 31) - 1)), max_size=6
    ),
    code=some.integers(0, 9),
)
def test_tc_fields_agree(packet: bytes, context: dict[str, int], stores: list[tuple[int, int]], code: int) -> None:
    body = [Insn(op.ST | op.MEM | op.W, 1, 0, offset, value) for offset, value in stores]
    body += [ldx(op.W, 2, 1, 12), stx(op.W, 1, 60, 2), ldx(op.B, 2, 1, 17), stx(op.B, 1, 52, 2), mov(0, code), EXIT]
    both_agree(program(*body), TC, Input(packet, context=context))


@pytest.mark.parametrize("ethertype", [0x0800, 0x86DD, 0x8100, 0x0010])
@pytest.mark.parametrize("interface", [TC, SOCKET_FILTER], ids=["tc", "socket"])
def test_truncated_packets_agree(interface: Interface, ethertype: int) -> None:
    body = [copy(6, 1), mov(2, 20), copy(3, 10), add(3, -8), mov(4, 4), call(26), alu(op.AND, 0, imm=0xFF)]
    body += [ldx(op.W, 2, 10, -8), stx(op.W, 6, 48, 2), ldx(op.W, 2, 6, 0), alu(op.ADD, 0, src=2), EXIT]
    packets = [bytes(12) + struct.pack("!H", ethertype) + bytes(range(size)) for size in range(0, 60, 3)]
    both_agree(program(*body), interface, *(Input(packet) for packet in packets))


@given(packet=some.binary(min_size=14, max_size=60), flags=some.integers(0, 7), nhoff=some.integers(0, 0x7FFF))
def test_flow_keys_agree(packet: bytes, flags: int, nhoff: int) -> None:
    body = [ldx(op.DW, 2, 1, 144), st(op.H, 2, 0, nhoff), ldx(op.H, 3, 2, 10), stx(op.H, 2, 4, 3), ldx(op.W, 3, 2, 48)]
    body += [stx(op.W, 2, 52, 3), st(op.H, 2, 2, 20), mov(0, 0), EXIT]
    both_agree(program(*body), FLOW_DISSECTOR, Input(packet, context={"flags": flags}))


def map_address(dst: int, name: str) -> Insn:
    return Insn(op.LD_IMM64, dst, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))


@given(
    name=some.sampled_from(("a", "h")),
    key=some.integers(0, 5),
    flags=some.integers(0, 3),
    then=some.sampled_from((1, 3)),
    held=some.sets(some.integers(0, 3), max_size=2),
)
def test_map_helpers_agree(name: str, key: int, flags: int, then: int, held: set[int]) -> None:
    size = 16 if name == "a" else 8
    body = [st(op.W, 10, -4, key), st(op.DW, 10, -16, 6), st(op.DW, 10, -24, 7), map_address(1, name), copy(2, 10)]
    body += [
        add(2, -4),
        copy(3, 10),
        add(3, -24),
        mov(4, flags),
        call(2),
        copy(6, 0),
        map_address(1, name),
        copy(2, 10),
    ]
    body += [add(2, -4), call(then)]
    if then == 1:
        body += [jump(op.JEQ, 0, 1, imm=0), ldx(op.DW, 0, 0, 0)]
    end = [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0))]
    end += [stx(op.DW, 9, 0, 0), stx(op.DW, 9, 8, 6), mov(0, 2), EXIT]
    values = {key.to_bytes(4, "little"): bytes([key + 1]) * size for key in held}
    checked = program(*body, *end, maps=[ARRAY, HASH, RESULTS])
    observing = OBSERVING.observing_map("a", 2, 16) if name == "a" else OBSERVING
    twice = [Input(bytes(64), maps={name: values}), Input(bytes(64))]
    both_agree(checked, observing, *twice)


def test_per_cpu_values_and_constants_agree() -> None:
    body = [st(op.W, 10, -4, 1), map_address(1, "p"), copy(2, 10), add(2, -4), call(1), jump(op.JNE, 0, 1, imm=0), EXIT]
    body += [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(".rodata", 0)), ldx(op.W, 2, 9, 0)]
    body += [ldx(op.W, 3, 0, 0), alu(op.ADD, 3, src=2), stx(op.W, 0, 0, 3), mov(0, 2), EXIT]
    checked = program(*body, maps=[PERCPU, CONSTANTS])
    given_value = Input(bytes(64), maps={"p": {b"\x01\0\0\0": b"\x01\0\0\0"}})
    real = both_agree(checked, XDP.observing_map("p", 1, 4), Input(bytes(64)), given_value)
    assert real.values["map.p[1]"] == b"\x2b\0\0\0"


@given(data=some.binary(min_size=44, max_size=44), old=some.integers(0, 5), new=some.integers(0, 5))
def test_checksum_differences_agree(data: bytes, old: int, new: int) -> None:
    body = [
        ldx(op.W, 6, 1, 0),
        ldx(op.W, 7, 1, 4),
        copy(1, 6),
        add(1, 58),
        jump(op.JGT, 1, 11, src=7),
        copy(1, 6),
        add(1, 18),
    ]
    body += [mov(2, 4 * old), copy(3, 6), add(3, 38), mov(4, 4 * new), ldx(op.W, 5, 6, 14), call(28)]
    body += [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0)), stx(op.DW, 9, 0, 0)]
    both_agree(program(*body, mov(0, 2), EXIT, maps=[RESULTS]), OBSERVING, Input(bytes(14) + data))


@given(packet=FRAMES, offset=some.integers(0, 0x20000), size=some.integers(1, 8))
def test_packet_helpers_agree(packet: bytes, offset: int, size: int) -> None:
    assume(offset != 0)
    start = [st(op.DW, 10, -8, 0x55), copy(6, 1), mov(2, offset % 128 if size % 2 else offset), copy(3, 10), add(3, -8)]
    start += [mov(4, size)]
    end = [copy(7, 0), Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0))]
    end += [stx(op.DW, 9, 0, 7), ldx(op.DW, 1, 10, -8), stx(op.DW, 9, 8, 1), mov(0, 2), EXIT]
    both_agree(program(*start, call(189), *end, maps=[RESULTS]), OBSERVING, Input(packet))
    tc = TC.observing_map("results", 0, 48)
    both_agree(program(*start, call(26), *end, maps=[RESULTS]), tc, Input(packet))
    both_agree(program(*start, mov(5, size % 3), call(68), *end, maps=[RESULTS]), tc, Input(packet))


def test_calls_and_legacy_loads_agree() -> None:
    call_function = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 0, ref=FunctionRef(4, "f"))
    function = [mov(1, 1), call_function, add(0, 1), EXIT, copy(0, 1), add(0, 40), EXIT]
    both_agree(program(*function, functions={0: "t", 4: "f"}), SOCKET_FILTER, Input(bytes(64)))
    for offset in (0, 12, 62, 63, 100):
        legacy = [copy(6, 1), Insn(op.LD | op.ABS | op.H, 0, 0, 0, offset), add(0, 1), EXIT]
        both_agree(program(*legacy), SOCKET_FILTER, Input(bytes(range(64))))


def test_what_the_verifier_says_is_passed_on() -> None:
    with pytest.raises(VerifierRejected, match="R2 !read_ok"):
        KernelProgram(program(copy(0, 2), EXIT), XDP)


@pytest.mark.parametrize(
    ("interface", "body", "given_input", "reason"),
    [
        (XDP, [ldx(op.W, 0, 1, 12)], Input(bytes(64)), "ingress_ifindex 0"),
        (XDP, [mov(0, 2)], Input(bytes(13)), "refuses"),
        (XDP, [mov(0, 2)], Input(bytes(9000)), "fragments|refuses"),
        (TC, [ldx(op.W, 0, 1, 4)], Input(b"\xff" + bytes(63)), "pkt_type 0x0"),
        (TC, [ldx(op.W, 0, 1, 68)], Input(bytes(64), context={"hash": 7}), "hash 0x7"),
        (FLOW_DISSECTOR, [mov(0, 0)], Input(bytes(64), linear=20), "linear"),
    ],
)
def test_what_a_test_run_cannot_have_is_not_runnable(
    interface: Interface, body: list[Insn], given_input: Input, reason: str
) -> None:
    with KernelProgram(program(*body, EXIT), interface) as kernel, pytest.raises(NotRunnable, match=reason):
        kernel.run(given_input)


def test_a_clock_is_not_runnable() -> None:
    with pytest.raises(NotRunnable, match="ktime_get_ns"):
        KernelProgram(program(call(5), EXIT), XDP)


def test_the_command_shows_maps_alike_from_both(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(Path(__file__).parents[2] / "corpora" / "port-filter" / "port-filter.bpf.o")
    packet = "00" * 12 + "0800" + "450000540001000040060000" + "0a000001" + "0a000002" + "0035100000080000" + "00" * 40
    shown = []
    for place in ("interpreter", "kernel"):
        options = ["--observe-map", "dropped", "--observe-map", "limits", "--on", place, "--json"]
        assert main(["run", path, "--packet", packet, *options]) == 0
        shown.append(json.loads(capsys.readouterr().out)["observables"])
    assert shown[0] == shown[1]
    assert {"map.dropped[0]", "map.limits[0]", "map.limits[1]"} <= shown[0].keys()
