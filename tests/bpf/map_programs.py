"""Programs that do things to maps and keep what they got: for comparing machines with each other and the kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.program import Insn, MapRef, MapSpec, MapValueRef, Program
from tests.bpf.programs import EXIT, XDP, call, copy, jump, ldx, mov, program, st, stx

RESULTS = MapSpec("results", 2, 4, 64, 1)
OBSERVING = XDP.observing_map("results", 0, 64)
MOST = 8

NO_PREALLOC = 1
KINDS = {
    "array": MapSpec("m", 2, 4, 8, 3),
    "percpu_array": MapSpec("m", 6, 4, 8, 3),
    "hash": MapSpec("m", 1, 4, 8, 2),
    "roomy_hash": MapSpec("m", 1, 4, 8, 64),
    "hash_without_preallocation": MapSpec("m", 1, 4, 8, 2, NO_PREALLOC),
    "percpu_hash": MapSpec("m", 5, 4, 8, 2),
    "lru_hash": MapSpec("m", 9, 4, 8, 1024),
    "lru_percpu_hash": MapSpec("m", 10, 4, 8, 1024),
    "lpm_trie": MapSpec("m", 11, 8, 8, 3, NO_PREALLOC),
}


@dataclass(frozen=True, slots=True)
class Operation:
    """`what` is done under `key`; `flags` of an update; a lookup may add to the value that it finds."""

    what: str
    key: bytes
    flags: int = 0
    value: int = 0


def keys_of(kind: str) -> list[bytes]:
    """Keys among which some are alike."""
    if kind != "lpm_trie":
        return [number.to_bytes(4, "little") for number in range(4)]
    prefixes = ((32, b"\x0a\0\0\1"), (32, b"\x0a\0\0\2"), (24, b"\x0a\0\0\3"), (8, b"\x0a\1\1\1"), (0, b"\1\1\1\1"))
    return [length.to_bytes(4, "little") + data for length, data in (*prefixes, (33, b"\x0a\0\0\1"))]


@some.composite
def operations(draw: some.DrawFn, kind: str) -> list[Operation]:
    keys = some.sampled_from(keys_of(kind))
    values = some.integers(1, 1 << 30)
    one = some.one_of(
        some.builds(Operation, some.just("lookup"), keys),
        some.builds(Operation, some.just("add"), keys, value=values),
        some.builds(Operation, some.just("update"), keys, some.sampled_from((0, 0, 0, 1, 2, 3)), values),
        some.builds(Operation, some.just("delete"), keys),
    )
    return draw(some.lists(one, min_size=1, max_size=MOST))


def load_map(register: int, name: str) -> Insn:
    return Insn(op.LD_IMM64, register, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))


def performing(done: Sequence[Operation], spec: MapSpec) -> Program:
    """Does them one after the other; the result of each goes to its place in the map `results`."""
    insns: list[Insn] = []
    for number, one in enumerate(done):
        insns += _operation(one, spec)
        insns += [Insn(op.LD_IMM64, 9, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef("results", 0))]
        insns += [stx(op.DW, 9, 8 * number, 0)]
    return program(*insns, mov(0, 2), EXIT, maps=[spec, RESULTS])


def _operation(one: Operation, spec: MapSpec) -> list[Insn]:
    key = [
        st(op.W, 10, -8 + at, int.from_bytes(one.key[at : at + 4], "little", signed=True))
        for at in range(0, spec.key_size, 4)
    ]
    setup = [*key, load_map(1, spec.name), copy(2, 10), Insn(op.ALU64 | op.ADD | op.K, 2, 0, 0, -8)]
    match one.what:
        case "lookup":
            return [*setup, call(1), jump(op.JEQ, 0, 1, imm=0), ldx(op.DW, 0, 0, 0)]
        case "add":
            change = [ldx(op.DW, 3, 0, 0), Insn(op.ALU64 | op.ADD | op.K, 3, 0, 0, one.value), stx(op.DW, 0, 0, 3)]
            return [*setup, call(1), jump(op.JEQ, 0, 4, imm=0), *change, mov(0, 1)]
        case "update":
            value = [
                mov(3, one.value),
                stx(op.DW, 10, -16, 3),
                copy(3, 10),
                Insn(op.ALU64 | op.ADD | op.K, 3, 0, 0, -16),
            ]
            return [*setup, *value, mov(4, one.flags), call(2)]
    return [*setup, call(3)]
