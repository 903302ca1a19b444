"""BPF_PROG_TEST_RUN, once, and what this kernel's makes (net/bpf/test_run.c)."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.program import Insn
from equiv.machine.concrete import NotRunnable
from equiv.oracle import contexts, syscall
from equiv.oracle.image import load

TEST_RUN: Final = struct.Struct("=IIIIQQIIIIQQIIIxxxx")
TC: Final = 3
"""BPF_PROG_TYPE_SCHED_CLS."""


def test_run(descriptor: int, packet: bytes, size_out: int, context: bytes | None) -> tuple[int, bytes, bytes]:
    """BPF_PROG_TEST_RUN, once: the return code (unsigned 32 bits), the data and the context that come back."""
    data_in = ctypes.create_string_buffer(packet, len(packet))
    data_out = ctypes.create_string_buffer(size_out) if size_out else None
    context_size = len(context) if context is not None else 0
    context_in = ctypes.create_string_buffer(context, context_size) if context is not None else None
    context_out = ctypes.create_string_buffer(context_size) if context is not None else None
    attribute = TEST_RUN.pack(
        descriptor,
        0,
        len(packet),
        size_out,
        syscall.address_of(data_in),
        syscall.address_of(data_out),
        1,
        0,
        context_size,
        context_size,
        syscall.address_of(context_in),
        syscall.address_of(context_out),
        0,
        0,
        0,
    )
    try:
        _, after = syscall.bpf(syscall.PROG_TEST_RUN, attribute)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENODEV, errno.EOPNOTSUPP, errno.E2BIG, errno.ENOMEM):
            raise NotRunnable(f"the kernel refuses to test-run this input: {error.strerror}") from error
        raise
    fields = TEST_RUN.unpack(after[: TEST_RUN.size])
    return (
        fields[1],
        data_out.raw[: fields[3]] if data_out is not None else b"",
        context_out.raw if context_out is not None else b"",
    )


_nonlinear: list[bool] = []


def nonlinear_skbs() -> bool:
    """Whether this kernel's test run makes an skb whose linear part ends where the context's data_end says."""
    if not _nonlinear:
        _nonlinear.append(_try_nonlinear())
    return _nonlinear[0]


def _try_nonlinear() -> bool:
    load_word, subtract = op.LDX | op.MEM | op.W, op.ALU64 | op.SUB | op.X
    measuring = (
        Insn(load_word, 0, 1, contexts.SKB_OFFSETS["data_end"], 0),
        Insn(load_word, 2, 1, contexts.SKB_OFFSETS["data_end"] - 4, 0),
        Insn(subtract, 0, 2, 0, 0),
        Insn(op.JMP | op.EXIT, 0, 0, 0, 0),
    )
    order: Final = sys.byteorder
    descriptor = load(b"".join(op.encode(insn, order) for insn in measuring), TC, "GPL")
    context = bytearray(contexts.SKB_SIZE)
    start = contexts.SKB_OFFSETS["data_end"]
    context[start : start + 4] = struct.pack("=I", 20)
    try:
        return test_run(descriptor, bytes(64), 0, bytes(context))[0] == 20
    except NotRunnable:
        return False
    finally:
        os.close(descriptor)
