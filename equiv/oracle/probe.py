"""A caller around a tc program, for what a test run neither takes nor gives back.

    r6 = ctx
    shorten the packet, if asked to; fields of ctx = fields of the probe map
    r0 = program(ctx)
    fields of the probe map = fields of ctx
    exit with r0

The program itself is unchanged: it becomes a function of the caller, which itself uses no stack. Shortening is there
because an skb test run refuses truncated IPv4 and IPv6 packets, which the kernel's receive path does not.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import ByteOrder, Insn, MapSpec
from equiv.machine.concrete import NotRunnable
from equiv.oracle.contexts import PROBED, SKB_OFFSETS
from equiv.oracle.maps import ARRAY, KernelMap

SHOWN: Final = ("protocol", "vlan_present", "vlan_tci", "vlan_proto")
"""Fields that only helpers change and that a test run does not give back."""

_READ: Final = (*PROBED, *SHOWN)
_WORDS: Final = struct.Struct(f"={2 + len(PROBED) + len(_READ)}I")
"""The probe map's value: the new length (0: keep), what shortening gave, the fields before, the fields after."""
_LENGTH, _SHORTENED, _BEFORE, _AFTER = 0, 4, 8, 8 + 4 * len(PROBED)
BEFORE: Final = {name: _BEFORE + 4 * index for index, name in enumerate(PROBED)}
AFTER: Final = {name: _AFTER + 4 * index for index, name in enumerate(_READ)}
"""Offsets in the probe map's value of fields as they are set before the program, and as they are behind it."""
PROBE: Final = MapSpec("equiv_probe", ARRAY, 4, _WORDS.size, 1)

_LOAD: Final = op.LDX | op.MEM | op.W
_STORE: Final = op.STX | op.MEM | op.W
_MOVE: Final = op.ALU64 | op.MOV | op.X
_SET: Final = op.ALU64 | op.MOV | op.K
_SKB_CHANGE_TAIL: Final = 38
_CTX, _VALUE = 6, 7


def wrapped(code: bytes, probe: KernelMap, order: ByteOrder) -> bytes:
    """`code` behind a caller that shortens the packet, and sets and reads the fields in `PROBED`."""
    shorten = [
        Insn(_MOVE, 1, _CTX, 0, 0),
        Insn(_SET, 3, 0, 0, 0),
        Insn(op.JMP | op.CALL, 0, 0, 0, _SKB_CHANGE_TAIL),
        Insn(_STORE, _VALUE, 0, _SHORTENED, 0),
    ]
    before = [
        Insn(op.LD_IMM64, _VALUE, op.PSEUDO_MAP_VALUE, 0, 0, probe.descriptor),
        Insn(_MOVE, _CTX, 1, 0, 0),
        Insn(_LOAD, 2, _VALUE, _LENGTH, 0),
        Insn(op.JMP | op.JEQ | op.K, 2, 0, len(shorten), 0),
        *shorten,
    ]
    after = []
    for index, name in enumerate(PROBED):
        before += [Insn(_LOAD, 2, _VALUE, _BEFORE + 4 * index, 0), Insn(_STORE, _CTX, 2, SKB_OFFSETS[name], 0)]
    for index, name in enumerate(_READ):
        after += [Insn(_LOAD, 2, _CTX, SKB_OFFSETS[name], 0), Insn(_STORE, _VALUE, 2, _AFTER + 4 * index, 0)]
    before.append(Insn(_MOVE, 1, _CTX, 0, 0))
    after.append(Insn(op.JMP | op.EXIT, 0, 0, 0, 0))
    call = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, len(after))
    return b"".join(op.encode(insn, order) for insn in (*before, call, *after)) + code


def prepare(probe: KernelMap, context: Mapping[str, int], length: int) -> None:
    """Say what the fields are before the program runs, and how long the packet becomes (0: as it is)."""
    fields = [context.get(name, 0) & 0xFFFF for name in PROBED]
    probe.fill({bytes(4): _WORDS.pack(length, 0, *fields, *[0] * len(_READ))})


def results(probe: KernelMap) -> dict[str, int]:
    """What the fields were after the run. Raises NotRunnable where the packet was not shortened as asked."""
    values = _WORDS.unpack(probe.value(bytes(4)))
    if values[_SHORTENED // 4]:
        raise NotRunnable("the kernel does not shorten the packet to the wanted length")
    return dict(zip(_READ, values[_AFTER // 4 :], strict=True))
