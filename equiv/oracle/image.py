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
from equiv.oracle.types import FUNC_INFO, function_starts, load_function_types

LOG_SIZE = 1 << 20
LOG_LINES = 12
"""How many of the verifier's last lines an error shows."""


WANTS_TYPES = (b"in subprogs without BTF", b"missing btf func_info")
"""What the verifier says of functions that it has no types for."""


class VerifierRejected(InputError):
    """The kernel does not load the program; the message ends with the verifier's last lines."""


def referenced_maps(program: Program) -> list[str]:
    """Names of the maps that instructions of the program refer to, in order of first use."""
    names = (i.ref.map_name for i in program.insns if i is not None and isinstance(i.ref, MapRef | MapValueRef))
    return list(dict.fromkeys(names))


def image(program: Program, descriptors: Mapping[str, int], entry: int = 0) -> bytes:
    """The instructions of the program that begins at slot `entry`, with every reference resolved: its own function,
    then those that it can call. Raises NotRunnable for references to the kernel."""
    starts = sorted(program.functions)
    ends = dict(zip(starts, [*starts[1:], len(program.insns)], strict=True))
    bases: dict[int, int] = {}
    pending, size = [entry], 0
    while pending:
        start = pending.pop(0)
        if start in bases:
            continue
        bases[start] = size
        size += ends[start] - start
        insns = program.insns[start : ends[start]]
        pending += [insn.ref.target for insn in insns if insn is not None and isinstance(insn.ref, FunctionRef)]
    return b"".join(
        op.encode(_resolved(base + index - start, insn, descriptors, bases), program.byte_order)
        for start, base in bases.items()
        for index in range(start, ends[start])
        if (insn := program.insns[index]) is not None
    )


def _resolved(index: int, insn: Insn, descriptors: Mapping[str, int], bases: Mapping[int, int]) -> Insn:
    match insn.ref:
        case None:
            return insn
        case MapRef(name):
            return dataclasses.replace(insn, src=op.PSEUDO_MAP_FD, imm64=descriptors[name])
        case MapValueRef(name, offset):
            imm64 = (offset & 0xFFFFFFFF) << 32 | descriptors[name]
            return dataclasses.replace(insn, src=op.PSEUDO_MAP_VALUE, imm64=imm64)
        case FunctionRef(target) if insn.opcode == op.LD_IMM64:
            return dataclasses.replace(insn, src=op.PSEUDO_FUNC, imm64=(bases[target] - index - 1) & 0xFFFFFFFF)
        case FunctionRef(target):
            return dataclasses.replace(insn, src=op.PSEUDO_CALL, imm=bases[target] - index - 1)
        case ExternRef(name):
            raise NotRunnable(f"uses {name}, which a loader would resolve")


def load(code: bytes, program_type: int, license_text: str, more: bytes = b"") -> int:
    """Load `code`: the program's file descriptor. Raises VerifierRejected, or OSError where the call itself fails.

    `more` is what follows the log's address in the attribute of BPF_PROG_LOAD: types of functions, for example.
    """
    try:
        return _load(code, program_type, license_text, None, more)
    except OSError as refused:
        if isinstance(refused, PermissionError) and os.geteuid() != 0:
            raise
        log = ctypes.create_string_buffer(LOG_SIZE)
        try:
            return _load(code, program_type, license_text, log, more)
        except OSError as error:
            if not more and any(complaint in log.value for complaint in WANTS_TYPES):
                return _load_with_types(code, program_type, license_text)
            lines = log.value.decode("utf-8", "replace").strip().splitlines()
            lines = [line for line in lines if not line.startswith(("processed ", "verification time", "stack depth"))]
            tail = "\n".join(lines[-LOG_LINES:])
            raise VerifierRejected(f"the kernel rejects the program: {error.strerror}\n{tail}".strip()) from None


def _load_with_types(code: bytes, program_type: int, license_text: str) -> int:
    """Load code whose called functions do what the verifier wants types for."""
    types, infos = load_function_types(function_starts(code))
    held = ctypes.create_string_buffer(infos, len(infos))
    more = struct.pack("=II16xIIIIQI", 0, 0, 0, 0, types, FUNC_INFO.size, syscall.address_of(held), len(infos) // 8)
    log = ctypes.create_string_buffer(LOG_SIZE)
    try:
        return _load(code, program_type, license_text, log, more)
    except OSError as error:
        tail = "\n".join(log.value.decode("utf-8", "replace").strip().splitlines()[-LOG_LINES:])
        raise VerifierRejected(f"the kernel rejects the program: {error.strerror}\n{tail}".strip()) from None
    finally:
        os.close(types)


def _load(
    code: bytes, program_type: int, license_text: str, log: ctypes.Array[ctypes.c_char] | None, more: bytes = b""
) -> int:
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
    return syscall.bpf(syscall.PROG_LOAD, attribute + more)[0]
