"""Maps that a program only writes to: nothing it does depends on what they hold (D52)."""

from __future__ import annotations

from equiv.bpf import insn as isa
from equiv.bpf.cfg import ControlFlow
from equiv.bpf.liveness import Liveness
from equiv.bpf.program import MapRef, Program

CHANGES = (2, 3)
"""map_update_elem and map_delete_elem."""


def unread_maps(program: Program, flow: ControlFlow, live: Liveness) -> frozenset[str]:
    """Names of the maps of which each mention is an update or a deletion whose result is dropped.

    Only the plain form counts: the map's address goes into r1, and straight on comes the call.
    """
    mentioned: set[str] = set()
    read: set[str] = set()
    for slot, insn in enumerate(program.insns):
        if insn is None or insn.ref is None:
            continue
        if isinstance(insn.ref, MapRef):
            name = insn.ref.map_name
            mentioned.add(name)
            if insn.dst != 1 or not _only_changes(program, flow, live, slot + 2):
                read.add(name)
    held = {name for spec in program.maps.values() for name in spec.slots.values()}
    return frozenset(mentioned - read - held)


def _only_changes(program: Program, flow: ControlFlow, live: Liveness, slot: int) -> bool:
    """Whether from `slot` on, with nothing in between that changes r1, a map is changed and the result dropped."""
    while slot < len(program.insns) and slot not in flow.joins:
        insn = program.insns[slot]
        if insn is None or isa.jump_target(slot, insn) is not None or isa.is_exit(insn):
            return False
        if isa.is_call(insn):
            return isa.is_helper_call(insn) and insn.imm in CHANGES and not live.registers(slot + 1) & 1
        if isa.registers_written(insn) & 2 or isa.registers_read(insn) & 2:
            return False
        slot += isa.slots_of(insn)
    return False
