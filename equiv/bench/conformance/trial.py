"""Programs that try a case on many operands at once, run three ways, and what differs.

r9 = the operands (interface `buffer`), r8 = the value of the map `results`
for each pair: r2, r3 = a, b; r0 = a; the stack's slot = a or b; the case; results = r0, r2, r3
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from equiv.bench.conformance.cases import CALL_SUBPROGRAM, SUBPROGRAM, Case, random_operand
from equiv.bpf import insn as op
from equiv.bpf.interpret import Executable
from equiv.bpf.program import ByteOrder, FunctionRef, Insn, MapSpec, MapValueRef, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.interface import Interface, load_interface
from equiv.machine.protocol import Done

PAIRS: Final = 32
"""Pairs of operands in one program."""
RESULTS: Final = "results"
RESULT_SIZE: Final = 24
ETHERNET: Final = bytes(12) + b"\x88\xb5"
LEGACY_LOADS: Final = 16
"""Legacy packet loads in one program."""

Runner = Callable[[Program, Interface, Input], tuple[int, bytes]]
"""Runs a program: its return code and the results."""


@dataclass(slots=True)
class Trial:
    """How often a case was tried and what came of it. `examples` are differences in words, the first few."""

    operands: int = 0
    differences: int = 0
    big_endian: int = 0
    examples: list[str] | None = None

    def differ(self, text: str) -> None:
        self.differences += 1
        if self.examples is None:
            self.examples = []
        if len(self.examples) < 3:
            self.examples.append(text)


def try_case(case: Case, operands: int, random: Random, kernel: Runner | None) -> Trial:
    """At least `operands` pairs of operands (packets, for legacy packet loads) on all that there is to run them on."""
    trial = Trial()
    runners: dict[str, Runner] = {"interpreter": interpreter, "symbolic step": symbolic_step}
    if kernel is not None:
        runners["kernel"] = kernel
    while trial.operands < operands:
        if case.legacy:
            _try_legacy(case, random, runners, trial)
        else:
            trial.operands += _try_pairs(case, random, runners, trial, "little")
    two = {name: run for name, run in runners.items() if name != "kernel"}
    while trial.big_endian < operands // 4 and not case.legacy:
        trial.big_endian += _try_pairs(case, random, two, trial, "big")
    return trial


def _try_pairs(case: Case, random: Random, runners: Mapping[str, Runner], trial: Trial, order: ByteOrder) -> int:
    pairs = []
    for _ in range(PAIRS):
        a = random_operand(random)
        b = a if random.random() < 0.1 else random_operand(random)
        pairs.append((a, b))
    packet = b"".join(a.to_bytes(8, order) + b.to_bytes(8, order) for a, b in pairs)
    checked = over_pairs(case, random, order)
    interface = load_interface("buffer").observing_map(RESULTS, 0, PAIRS * RESULT_SIZE)
    shown = {name: run(checked, interface, Input(packet))[1] for name, run in runners.items()}
    for number, (a, b) in enumerate(pairs):
        start = number * RESULT_SIZE
        _compare(f"a {a:#x}, b {b:#x}", {n: c[start : start + RESULT_SIZE] for n, c in shown.items()}, trial)
    return PAIRS


def over_pairs(case: Case, random: Random, order: ByteOrder) -> Program:
    """The case once for each pair, each time with other immediates and offsets."""
    load, store = op.LDX | op.MEM | op.DW, op.STX | op.MEM | op.DW
    move = op.ALU64 | op.MOV | op.X
    insns = [Insn(move, 9, 1, 0, 0), _results(PAIRS * RESULT_SIZE)]
    for number in range(PAIRS):
        at, to = 16 * number, RESULT_SIZE * number
        insns += [Insn(load, 2, 9, at, 0), Insn(load, 3, 9, at + 8, 0), Insn(move, 0, 2, 0, 0)]
        insns.append(Insn(store, 10, random.choice((2, 3)), -8, 0))
        insns += case.body(random, at)
        insns += [Insn(store, 8, register, to + 8 * i, 0) for i, register in enumerate((0, 2, 3))]
    insns += [Insn(op.ALU64 | op.MOV | op.K, 0, 0, 0, 2), Insn(op.JMP | op.EXIT, 0, 0, 0, 0)]
    return _program(insns, PAIRS * RESULT_SIZE, order)


def _results(size: int) -> Insn:
    return Insn(op.LD_IMM64, 8, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(RESULTS, 0))


def _program(insns: Sequence[Insn], size: int, order: ByteOrder) -> Program:
    """The instructions as a program, with the function that calls go to behind them if there are any."""
    slots: list[Insn | None] = []
    for insn in insns:
        slots += [insn, None] if op.is_wide(insn) else [insn]
    functions = {0: "case"}
    if CALL_SUBPROGRAM in insns:
        target = len(slots)
        functions[target] = "difference"
        for index, slot in enumerate(slots):
            if slot is not None and slot == CALL_SUBPROGRAM:
                slots[index] = replace(slot, imm=target - index - 1, ref=FunctionRef(target, "difference"))
        slots += SUBPROGRAM
    spec = MapSpec(RESULTS, 2, 4, size, 1)
    return Program("case", "", "case", "", order, tuple(slots), functions, {RESULTS: spec}, license="GPL")


def _try_legacy(case: Case, random: Random, runners: Mapping[str, Runner], trial: Trial) -> None:
    """Loads from inside packets, and one at their end: the packet is cut at every place around it."""
    size = LEGACY_LOADS * 8
    interface = load_interface("tc_linear").observing_map(RESULTS, 0, size)
    store = op.STX | op.MEM | op.DW
    start = [Insn(op.ALU64 | op.MOV | op.X, 6, 1, 0, 0), _results(size)]
    end = [Insn(op.ALU64 | op.MOV | op.K, 0, 0, 0, 2), Insn(op.JMP | op.EXIT, 0, 0, 0, 0)]
    insns = list(start)
    for number in range(LEGACY_LOADS):
        insns += [*case.body(random, random.randint(0, 60)), Insn(store, 8, 0, 8 * number, 0)]
    packets = [ETHERNET + random.randbytes(50) for _ in range(4)]
    inside = _program([*insns, *end], size, "little")
    place = random.randint(10, 60)
    edge = _program([*start, *case.body(random, place), Insn(store, 8, 0, 0, 0), *end], size, "little")
    cut = [ETHERNET + random.randbytes(length - 14) for length in range(max(14, place - 2), place + 7)]
    for checked, given in ((inside, packets), (edge, cut)):
        for packet in given:
            shown = {}
            for name, run in runners.items():
                code, content = run(checked, interface, Input(packet))
                shown[name] = struct.pack("<I", code) + content
            _compare(f"packet {packet.hex()}", shown, trial)
        trial.operands += len(given) * (LEGACY_LOADS if checked is inside else 1)


def _compare(what: str, shown: dict[str, bytes], trial: Trial) -> None:
    if len(set(shown.values())) > 1:
        trial.differ(f"{what}: " + ", ".join(f"{name} {content.hex()}" for name, content in shown.items()))


def interpreter(program: Program, interface: Interface, given: Input) -> tuple[int, bytes]:
    seen = Executable(program, interface).run(given, trace=False)
    return seen.code, _bytes(seen.values[f"map.{RESULTS}[0]"])


def symbolic_step(program: Program, interface: Interface, given: Input) -> tuple[int, bytes]:
    """Every instruction makes a term of packet bytes; the terms of the outcome are worked out at the end."""
    assignment = assignment_for(given)
    stop = drive(BpfMachine(program, interface), assignment)
    if not isinstance(stop, Done):
        return 0xFFFFFFFF, f"{type(stop).__name__}: {stop.reason}".encode()
    seen = show(stop.outcome, interface, assignment)
    return seen.code, _bytes(seen.values[f"map.{RESULTS}[0]"])


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value
