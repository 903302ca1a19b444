"""The tag that the kernel gives to a loaded program, as `bpftool prog show` prints it (D142).

It is the beginning of a hash over the instructions as a loader hands them over, before the verifier changes any: of
SHA-256 since Linux 6.18, of SHA-1 before (`bpf_prog_calc_tag` in kernel/bpf/core.c). The immediates of loads of maps
and of addresses inside maps are zero in what is hashed. So a tag says nothing of which map an instruction uses, of a
map's shape or contents, nor of the offset in read-only data; and its 64 bits stop nobody who can choose both programs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from equiv.bpf import insn as isa
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef, Program

TAG_SIZE = 8
"""BPF_TAG_SIZE, include/uapi/linux/bpf.h: bytes of a tag."""


@dataclass(frozen=True, slots=True)
class Tag:
    """The tags of one program in hex, by the hash that the kernel takes: `sha256` since Linux 6.18, `sha1` before."""

    sha256: str
    sha1: str


def kernel_tag(program: Program, entry: int = 0) -> Tag | None:
    """The tag of the program that begins at slot `entry`, as libbpf lays it out.

    None where a loader puts something into the instructions that the object does not say (kernel functions, kconfig
    values, types of one kernel).
    """
    code = loaded_code(program, entry)
    if code is None:
        return None
    return Tag(*(hashlib.new(name, code).hexdigest()[: 2 * TAG_SIZE] for name in ("sha256", "sha1")))


def loaded_code(program: Program, entry: int = 0, descriptors: Mapping[str, int] | None = None) -> bytes | None:
    """The instructions as libbpf hands them to the kernel, with these descriptors of maps.

    Without any, immediates of instructions that load maps are zero, as they are in what is hashed.
    """
    ends = _ends(program)
    bases = layout(program, entry)
    code: list[bytes] = []
    for start, base in bases.items():
        for slot in range(start, ends[start]):
            insn = program.insns[slot]
            if insn is None:
                continue
            if slot in program.core:
                return None
            match insn.ref:
                case ExternRef():
                    return None
                case MapRef(name):
                    insn = replace(insn, src=isa.PSEUDO_MAP_FD, imm64=descriptors[name] if descriptors else 0)
                case MapValueRef(name, offset):
                    imm64 = offset << 32 | descriptors[name] if descriptors else 0
                    insn = replace(insn, src=isa.PSEUDO_MAP_VALUE, imm64=imm64)
                case FunctionRef(target):
                    distance = bases[target] - (base + slot - start) - 1
                    insn = _pointed(insn, distance)
            code.append(isa.encode(insn, program.byte_order))
    return b"".join(code)


def _ends(program: Program) -> dict[int, int]:
    starts = sorted(program.functions)
    return dict(zip(starts, [*starts[1:], len(program.insns)], strict=True))


def _pointed(insn: Insn, distance: int) -> Insn:
    if isa.is_wide(insn):
        return replace(insn, src=isa.PSEUDO_FUNC, imm=distance, imm64=distance & 0xFFFFFFFF)
    return replace(insn, src=isa.PSEUDO_CALL, imm=distance)


def layout(program: Program, entry: int = 0) -> dict[int, int]:
    """Where each function goes, by its first slot in `program`: behind the entry, each followed by those that it is the
    first to mention. That is `bpf_object__reloc_code` of libbpf.
    """
    ends = _ends(program)
    bases: dict[int, int] = {}
    size = 0
    pending = [entry]
    while pending:
        start = pending.pop()
        if start in bases:
            continue
        bases[start] = size
        size += ends[start] - start
        slots = (program.insns[slot] for slot in range(start, ends[start]))
        mentioned = [insn.ref.target for insn in slots if insn is not None and isinstance(insn.ref, FunctionRef)]
        pending += reversed(mentioned)
    return bases
