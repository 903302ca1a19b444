"""Raw instruction files: nothing but 8-byte little-endian instructions (RFC 9669, section 3), as conformance suites
have them. There are no maps, names or relocations; a function starts at slot 0 and wherever a local call goes.
"""

from __future__ import annotations

import hashlib
from pathlib import PurePath

from equiv.bpf import insn as isa
from equiv.bpf.elf import MAX_FILE_SIZE, SHT_PROGBITS, ElfObject, Section
from equiv.bpf.maps import MapTable
from equiv.bpf.program import Insn
from equiv.bpf.source import Code, Function, Source
from equiv.errors import InputError, Place
from equiv.inputs import read_input

SUFFIX = ".bin"


def read_raw(path: str) -> Source:
    """The file as an object with one program, which is called like the file. Raises InputError where it is none."""
    place = Place(path)
    data = read_input(path, MAX_FILE_SIZE)
    if not data:
        raise InputError("empty file", place)
    if len(data) % isa.SLOT_SIZE:
        raise InputError(f"{len(data)} bytes, not whole instructions of {isa.SLOT_SIZE}", place)
    slots = isa.decode_slots(data, "little")
    section = Section(0, "", SHT_PROGBITS, 0, data, 0, 0, 0)
    name = PurePath(path).name.removesuffix(SUFFIX) or "program"
    starts = {0, *_callees(slots, place)}
    functions = {
        start: Function(name if start == 0 else f"function_{start}", 0, start, end)
        for start, end in zip(sorted(starts), [*sorted(starts)[1:], len(slots)], strict=True)
    }
    elf = ElfObject(path, hashlib.sha256(data).hexdigest(), "little", (section,), (), {})
    code = Code(section, slots, functions, [], {})
    return Source(elf, MapTable(), {0: code}, {name: functions[0]}, {}, {}, None, "")


def _callees(slots: list[Insn], place: Place) -> set[int]:
    """Slots that local calls go to."""
    found, slot = set(), 0
    while slot < len(slots):
        insn = slots[slot]
        target = isa.call_target(slot, insn)
        if target is not None and isa.malformed(insn) is None:
            if not 0 <= target < len(slots):
                raise InputError(f"calls instruction {target}, which is not there", Place(place.file, insn=slot))
            found.add(target)
        slot += isa.slots_of(insn)
    return found
