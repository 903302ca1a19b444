"""Programs that look at `__sk_buff.tstamp_type`: to the others the kernel shows another tstamp (D400)."""

from __future__ import annotations

from collections.abc import Mapping

from equiv.bpf import insn as op
from equiv.bpf.context_use import context_use
from equiv.bpf.program import Program

TSTAMP, TSTAMP_TYPE = 152, 180
"""Offsets in `struct __sk_buff` of the time stamp, 8 bytes, and of the clock that it is of, one byte."""

REALTIME, MONOTONIC, TAI = 0, 1, 2
"""BPF_SKB_CLOCK_*, include/uapi/linux/bpf.h: which clock a time stamp is of."""

AT_INGRESS = "tc_at_ingress"
"""Input: whether the packet is on its way in (`skb->tc_at_ingress`), which no program can read."""

_LOAD_BYTE = op.LDX | op.MEM | op.B

UNCLEAR = "whether the kernel shows the program the time stamp as it is cannot be told"


def awareness(program: Program) -> Mapping[int, bool | None]:
    """By first slot of each program that runs: whether it reads tstamp_type (`prog->tstamp_type_access`).

    None: something is read through a pointer that may be the context's or another. Reads that the verifier takes for
    unreachable count here and not there; where it matters that is an assumption.
    """
    found: dict[int, bool | None] = dict.fromkeys(program.entries, False)
    if not any(insn is not None and insn.opcode == _LOAD_BYTE and insn.off == TSTAMP_TYPE for insn in program.insns):
        return found
    for entry in program.entries:
        use = context_use(program, [entry])
        if TSTAMP_TYPE in use.bytes_read:
            found[entry] = True
        else:
            found[entry] = None if TSTAMP_TYPE in use.bytes_perhaps else False
    return found


def entry_of(entries: Mapping[int, object], slot: int) -> int:
    """The first slot of the program that `slot` was laid out for."""
    return max((entry for entry in entries if entry <= slot), default=0)
