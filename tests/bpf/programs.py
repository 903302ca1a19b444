"""Small programs made by hand, and a symbolic run along one concrete input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from equiv.bpf import insn as op
from equiv.bpf.program import ByteOrder, Insn, Line, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input
from equiv.machine.drive import probed_packet
from equiv.machine.inputs import unwritten_at
from equiv.machine.interface import Interface, load_interface
from equiv.machine.protocol import Done, Fault, Fork, Snapshot, Stuck
from equiv.term import Assignment, Term, evaluate, leaves

XDP = load_interface("xdp")
TC = replace(load_interface("tc"), other_code=None)
TC_LINEAR = replace(load_interface("tc_linear"), other_code=None)
"""Many tests return as the code what is to be looked at, so none of its values stands for another (D395)."""
FLOW_DISSECTOR = load_interface("flow_dissector")
SOCKET_FILTER = load_interface("socket_filter")


def program(
    *insns: Insn,
    maps: Iterable[MapSpec] = (),
    functions: Mapping[int, str] | None = None,
    byte_order: ByteOrder = "little",
    lines: tuple[Line, ...] = (),
    core: Mapping[int, str] | None = None,
    tail_calls: Mapping[str, Mapping[int, int]] | None = None,
) -> Program:
    """A program of these instructions; each 64-bit load is followed by its second slot."""
    slots: list[Insn | None] = []
    for insn in insns:
        slots += [insn, None] if insn.opcode == op.LD_IMM64 else [insn]
    return Program(
        "t.bpf.o",
        "00" * 32,
        "t",
        "xdp",
        byte_order,
        tuple(slots),
        functions or {0: "t"},
        {spec.name: spec for spec in maps},
        lines,
        core=core or {},
        tail_calls=tail_calls or {},
    )


def alu(code: int, dst: int, *, src: int | None = None, imm: int = 0, off: int = 0, wide: bool = True) -> Insn:
    kind = op.ALU64 if wide else op.ALU
    if src is not None:
        return Insn(kind | code | op.X, dst, src, off, 0)
    return Insn(kind | code | op.K, dst, 0, off, imm)


def mov(dst: int, imm: int) -> Insn:
    return alu(op.MOV, dst, imm=imm)


def copy(dst: int, src: int) -> Insn:
    return alu(op.MOV, dst, src=src)


def add(dst: int, imm: int) -> Insn:
    return alu(op.ADD, dst, imm=imm)


def load64(dst: int, value: int) -> Insn:
    value &= (1 << 64) - 1
    return Insn(op.LD_IMM64, dst, 0, 0, 0, value)


def ldx(size: int, dst: int, src: int, off: int, mode: int = op.MEM) -> Insn:
    return Insn(op.LDX | mode | size, dst, src, off, 0)


def stx(size: int, dst: int, off: int, src: int) -> Insn:
    return Insn(op.STX | op.MEM | size, dst, src, off, 0)


def st(size: int, dst: int, off: int, imm: int) -> Insn:
    return Insn(op.ST | op.MEM | size, dst, 0, off, imm)


def atomic(size: int, dst: int, off: int, src: int, operation: int) -> Insn:
    return Insn(op.STX | op.ATOMIC | size, dst, src, off, operation)


def jump(code: int, dst: int, off: int, *, src: int | None = None, imm: int = 0, wide: bool = True) -> Insn:
    kind = op.JMP if wide else op.JMP32
    if src is not None:
        return Insn(kind | code | op.X, dst, src, off, 0)
    return Insn(kind | code | op.K, dst, 0, off, imm)


def goto(off: int) -> Insn:
    return Insn(op.JMP | op.JA, 0, 0, off, 0)


def call(helper: int) -> Insn:
    return Insn(op.JMP | op.CALL, 0, 0, 0, helper)


EXIT = Insn(op.JMP | op.EXIT, 0, 0, 0, 0)


def given_to_assignment(given: Input, machine: BpfMachine) -> Assignment:
    """The term variables and arrays that a concrete input stands for."""
    length = len(given.packet)
    linear = length if given.linear is None else given.linear
    variables = {"len": length, "linear": linear} | {f"ctx.{name}": value for name, value in given.context.items()}

    def packet(offset: int) -> int:
        return given.packet[offset] if offset < length else 0xFF

    arrays = {"pkt": packet}
    maps = dict(machine.program.maps)
    for outer in machine.program.maps.values():
        if outer.inner is not None:
            size = outer.key_size + outer.inner.key_size
            maps[f"{outer.name}[]"] = replace(outer.inner, name=f"{outer.name}[]", key_size=size)
    for name, spec in maps.items():
        if not spec.key_size:  # a buffer for user space
            continue
        contents = given.maps.get(name, {})
        key_width = 8 * spec.key_size

        def key_bytes(key: int, spec: MapSpec = spec) -> bytes:
            is_array = spec.type in (2, 6) and not spec.name.endswith("[]")
            return key.to_bytes(spec.key_size, machine.program.byte_order if is_array else "big")

        def byte(
            index: int,
            contents: Mapping[bytes, bytes] = contents,
            spec: MapSpec = spec,
            key_bytes: Callable[[int], bytes] = key_bytes,
        ) -> int:
            key, offset = key_bytes(index >> 32), index & 0xFFFFFFFF
            default = spec.initial or bytes(spec.value_size)
            return contents.get(key, default)[offset] if offset < spec.value_size else 0x5A

        def has(
            index: int,
            contents: Mapping[bytes, bytes] = contents,
            key_bytes: Callable[[int], bytes] = key_bytes,
        ) -> int:
            return int(key_bytes(index) in contents)

        assert key_width
        arrays[f"map.{name}"] = byte
        arrays[f"map.{name}.has"] = has
    return Assignment(variables, arrays)


@dataclass
class Ended:
    """How a symbolic run along one input ended: the code and observables as numbers, and where it forked."""

    code: int
    values: dict[str, int]
    widths: dict[str, int]
    forks: list[Snapshot] = field(default_factory=list)


class NotDone(Exception):
    """The run was stuck or faulted."""

    def __init__(self, stop: Stuck | Fault) -> None:
        super().__init__(stop.reason)
        self.stop = stop


def refuse_unwritten(*terms: Term) -> None:
    """Raises NotDone where stack that nobody has written matters: no input says what it holds (D360)."""
    if any(leaf.op == "var" and unwritten_at(leaf.data[0]) for term in terms for leaf in leaves(term)):
        raise NotDone(Stuck("depends on uninitialised stack"))


def follow(machine: BpfMachine, given: Input, *, through_snapshots: bool = False) -> Ended:
    """Run along `given`: at each fork take the branch whose guard holds, after checking that exactly one does."""
    assignment = given_to_assignment(given, machine)
    memo: dict[Term, int] = {}
    state = machine.start()
    forks = []
    while True:
        stop = machine.run(state, lambda guard: None)
        if isinstance(stop, Done):
            outcome = stop.outcome
            refuse_unwritten(outcome.code, *outcome.values.values())
            plain = {name: term for name, term in outcome.values.items() if name != "packet"}
            values = {name: evaluate(term, assignment, memo) for name, term in plain.items()}
            widths = {name: term.width for name, term in plain.items()}
            if "packet" in outcome.values:
                content = probed_packet(outcome.values["packet"], assignment)
                values["packet"], widths["packet"] = int.from_bytes(content, "big"), 8 * len(content)
            return Ended(evaluate(outcome.code, assignment, memo), values, widths, forks)
        if not isinstance(stop, Fork):
            raise NotDone(stop)
        refuse_unwritten(*(branch.guard for branch in stop.branches))
        taken = [branch for branch in stop.branches if evaluate(branch.guard, assignment, memo)]
        assert len(taken) == 1
        snapshot = machine.snapshot(stop.before)
        forks.append(snapshot)
        if through_snapshots:
            again = machine.run(machine.resume(snapshot), lambda guard: None)
            assert isinstance(again, Fork)
            assert [b.guard for b in again.branches] == [b.guard for b in stop.branches]
            assert machine.snapshot(again.before) == snapshot
            index = stop.branches.index(taken[0])
            state = machine.resume(machine.snapshot(again.branches[index].state))
        else:
            state = taken[0].state


def machine_for(*insns: Insn, interface: Interface = XDP, **rest: object) -> BpfMachine:
    return BpfMachine(program(*insns, **rest), interface)  # type: ignore[arg-type]
