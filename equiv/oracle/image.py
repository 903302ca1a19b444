"""The instructions as the kernel loads them: references become map file descriptors, functions stay relative."""

from __future__ import annotations

import ctypes
import dataclasses
import os
import struct
from collections.abc import Mapping

from equiv.bpf import insn as op
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef, Program
from equiv.errors import InputError
from equiv.machine.concrete import NotRunnable
from equiv.oracle import syscall

LOG_SIZE = 1 << 20
LOG_LINES = 12
"""How many of the verifier's last lines an error shows."""


class VerifierRejected(InputError):
    """The kernel does not load the program; the message ends with the verifier's last lines."""


def referenced_maps(program: Program) -> list[str]:
    """Names of the maps that instructions of the program refer to, in order of first use."""
    names = (i.ref.map_name for i in program.insns if i is not None and isinstance(i.ref, MapRef | MapValueRef))
    return list(dict.fromkeys(names))


def image(program: Program, descriptors: Mapping[str, int]) -> bytes:
    """The program's instructions with every reference resolved. Raises NotRunnable for references to the kernel."""
    return b"".join(
        op.encode(_resolved(index, insn, descriptors), program.byte_order)
        for index, insn in enumerate(program.insns)
        if insn is not None
    )


def _resolved(index: int, insn: Insn, descriptors: Mapping[str, int]) -> Insn:
    match insn.ref:
        case None:
            return insn
        case MapRef(name):
            return dataclasses.replace(insn, src=op.PSEUDO_MAP_FD, imm64=descriptors[name])
        case MapValueRef(name, offset):
            imm64 = (offset & 0xFFFFFFFF) << 32 | descriptors[name]
            return dataclasses.replace(insn, src=op.PSEUDO_MAP_VALUE, imm64=imm64)
        case FunctionRef(target) if insn.opcode == op.LD_IMM64:
            return dataclasses.replace(insn, src=op.PSEUDO_FUNC, imm64=(target - index - 1) & 0xFFFFFFFF)
        case FunctionRef(target):
            return dataclasses.replace(insn, src=op.PSEUDO_CALL, imm=target - index - 1)
        case ExternRef(name):
            raise NotRunnable(f"uses {name}, which a loader would resolve")


def load(code: bytes, program_type: int, license_text: str) -> int:
    """Load `code`: the program's file descriptor. Raises VerifierRejected, or OSError where the call itself fails."""
    try:
        return _load(code, program_type, license_text, None)
    except OSError as refused:
        if isinstance(refused, PermissionError) and os.geteuid() != 0:
            raise
        log = ctypes.create_string_buffer(LOG_SIZE)
        try:
            return _load(code, program_type, license_text, log)
        except OSError as error:
            lines = log.value.decode("utf-8", "replace").strip().splitlines()
            lines = [line for line in lines if not line.startswith(("processed ", "verification time", "stack depth"))]
            tail = "\n".join(lines[-LOG_LINES:])
            raise VerifierRejected(f"the kernel rejects the program: {error.strerror}\n{tail}".strip()) from None


def _load(code: bytes, program_type: int, license_text: str, log: ctypes.Array[ctypes.c_char] | None) -> int:
    instructions = ctypes.create_string_buffer(code, len(code))
    terms = ctypes.create_string_buffer(license_text.encode() + b"\x00")
    attribute = struct.pack(
        "=IIQQIIQ",
        program_type,
        len(code) // op.SLOT_SIZE,
        syscall.address_of(instructions),
        syscall.address_of(terms),
        1 if log is not None else 0,
        LOG_SIZE if log is not None else 0,
        syscall.address_of(log),
    )
    return syscall.bpf(syscall.PROG_LOAD, attribute)[0]
