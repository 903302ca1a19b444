"""Which entries of hashes a run in the kernel touched, so that only these are put back before the next run (D350).

A call of a map helper is replaced by one of a function that is appended to the program, one for each helper and map:

    journal.count += 1
    journal.slots[count] = helper and map, the key's bytes
    r0 = the helper(r1, r2, r3, r4)
    exit with r0

The journal is the value of an array that this process has mapped, so reading it takes no call. Instructions keep their
places, and what the program does stays the same. Which map a call is for is known only where its address was put into
r1 in the same block; the verifier says what the program cannot write.
"""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.machine.concrete import NotRunnable
from equiv.oracle.maps import ARRAY, HASH, PERCPU_HASH

LOOKUP, UPDATE, DELETE = 1, 2, 3
MAP_HELPERS: Final = frozenset({LOOKUP, UPDATE, DELETE})
REPLACED: Final = (HASH, PERCPU_HASH)
"""Maps whose entries can be put back one by one; an LRU map gives up others when one is added."""
SLOTS: Final = 64
"""Entries that one run may touch, counted as often as it does."""
LONGEST_KEY: Final = 256
BPF_F_MMAPABLE: Final = 1 << 10
KEY_AT: Final = 8
"""In a slot: the helper, 4 bytes, the map's number, 4 bytes, the key."""
_NAME: Final = "equiv_journal"
_SET: Final = op.ALU64 | op.MOV | op.X
_JOURNAL, _COUNT, _BYTE = 1, 0, 2
"""Registers."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The program with its calls replaced, and what goes with it. `maps` are numbered by their place in the tuple."""

    program: Program
    maps: tuple[MapSpec, ...]
    journal: MapSpec
    stride: int
    """Bytes of a slot."""

    def opened(self, descriptor: int) -> ctypes.Array[ctypes.c_char]:
        """The journal's value as memory of this process. Raises NotRunnable where this kernel has no such maps."""
        size = -(-self.journal.value_size // mmap.PAGESIZE) * mmap.PAGESIZE
        try:
            return (ctypes.c_char * size).from_buffer(mmap.mmap(descriptor, size))
        except OSError as error:
            raise NotRunnable(f"an array cannot be mapped: {error.strerror}") from error


def plan(program: Program, written: Collection[str]) -> Plan:
    """The program that notes what it touches in the maps `written`. Raises NotRunnable where that cannot be told."""
    maps = tuple(program.maps[name] for name in written)
    if any(spec.type not in REPLACED or spec.key_size > LONGEST_KEY for spec in maps):
        raise NotRunnable("entries of a map that the program writes cannot be put back one by one")
    if program.tail_calls:
        raise NotRunnable("calls of map helpers in several programs")
    sites = _sites(program) if maps else {}
    numbers = {spec.name: number for number, spec in enumerate(maps)}
    stride = KEY_AT + -(-max((spec.key_size for spec in maps), default=0) // 8) * 8
    insns, functions = list(program.insns), dict(program.functions)
    targets: dict[tuple[int, str], int] = {}
    for slot, (helper, name) in sites.items():
        if name not in numbers:
            continue
        if (helper, name) not in targets:
            targets[helper, name] = len(insns)
            functions[len(insns)] = f"{_NAME}_{helper}_{name}"
            insns += _function(helper, numbers[name], maps[numbers[name]].key_size, stride)
        call = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 0, 0, FunctionRef(targets[helper, name], name))
        insns[slot] = call
    journal = MapSpec(_NAME, ARRAY, 4, 8 + SLOTS * stride, 1, BPF_F_MMAPABLE)
    return Plan(replace(program, insns=tuple(insns), functions=functions), maps, journal, stride)


def without_writes(spec: MapSpec) -> MapSpec:
    """The same map, but the verifier takes no program that writes to it."""
    return replace(spec, flags=spec.flags | 1 << 7)


def _sites(program: Program) -> Mapping[int, tuple[int, str]]:
    """By slot, the helper that is called there and the map. Raises NotRunnable where a map cannot be told."""
    leaders = {target for slot, insn in _insns(program) if (target := op.jump_target(slot, insn)) is not None}
    leaders |= set(program.functions)
    found: dict[int, tuple[int, str]] = {}
    held: dict[int, str] = {}
    for slot, insn in _insns(program):
        if slot in leaders:
            held = {}
        if op.is_helper_call(insn) and insn.imm in MAP_HELPERS:
            if 1 not in held:
                raise NotRunnable("it cannot be told which map a helper is called for")
            found[slot] = insn.imm, held[1]
        loaded = insn.ref.map_name if isinstance(insn.ref, MapRef) else None
        if insn.opcode == _SET and not insn.off:
            loaded = held.get(insn.src)
        written = op.CALLER_SAVED | 1 if op.is_call(insn) else op.registers_written(insn)
        held = {register: name for register, name in held.items() if not written >> register & 1}
        if loaded is not None:
            held[insn.dst] = loaded
    return found


def _insns(program: Program) -> Iterator[tuple[int, Insn]]:
    return ((slot, insn) for slot, insn in enumerate(program.insns) if insn is not None)


def _function(helper: int, number: int, key_size: int, stride: int) -> list[Insn | None]:
    """The function that notes a key, byte by byte (nobody knows how it is aligned), and calls the helper."""
    load, store = op.LDX | op.MEM, op.STX | op.MEM
    noted = [
        Insn(op.ALU64 | op.MUL | op.K, _COUNT, 0, 0, stride),
        Insn(op.ALU64 | op.ADD | op.X, _JOURNAL, _COUNT, 0, 0),
        Insn(op.ST | op.MEM | op.W, _JOURNAL, 0, 8, helper),
        Insn(op.ST | op.MEM | op.W, _JOURNAL, 0, 12, number),
    ]
    for at in range(key_size):
        noted += [
            Insn(load | op.B, _BYTE, 7, at, 0),
            Insn(store | op.B, _JOURNAL, _BYTE, 8 + KEY_AT + at, 0),
        ]
    return [
        *(Insn(_SET, 5 + argument, argument, 0, 0) for argument in (1, 2, 3, 4)[: 2 if helper != UPDATE else 4]),
        Insn(op.LD_IMM64, _JOURNAL, 0, 0, 0, 0, MapValueRef(_NAME, 0)),
        None,
        Insn(load | op.DW, _COUNT, _JOURNAL, 0, 0),
        Insn(_SET, _BYTE, _COUNT, 0, 0),
        Insn(op.ALU64 | op.ADD | op.K, _BYTE, 0, 0, 1),
        Insn(store | op.DW, _JOURNAL, _BYTE, 0, 0),
        Insn(op.JMP | op.JGE | op.K, _COUNT, 0, len(noted), SLOTS),
        *noted,
        *(Insn(_SET, argument, 5 + argument, 0, 0) for argument in (1, 2, 3, 4)[: 2 if helper != UPDATE else 4]),
        Insn(op.JMP | op.CALL, 0, 0, 0, helper),
        Insn(op.JMP | op.EXIT, 0, 0, 0, 0),
    ]
