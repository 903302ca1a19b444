"""bpf(2), by number: the few commands that loading and test-running a program take (include/uapi/linux/bpf.h)."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

SYSCALL_NUMBERS: Final = {
    "x86_64": 321,
    "aarch64": 280,
    "riscv64": 280,
    "loongarch64": 280,
    "s390x": 351,
    "ppc64le": 361,
    "ppc64": 361,
}
"""__NR_bpf by machine; 64-bit processes only."""

MAP_CREATE = 0
MAP_LOOKUP_ELEM = 1
MAP_UPDATE_ELEM = 2
MAP_DELETE_ELEM = 3
MAP_GET_NEXT_KEY = 4
PROG_LOAD = 5
PROG_TEST_RUN = 10
MAP_FREEZE = 22
MAP_UPDATE_BATCH = 26

ATTRIBUTE_SIZE: Final = 144
"""Bytes of `union bpf_attr` that are passed; what a command does not use must be zero."""

_libc = ctypes.CDLL(None, use_errno=True)


def address_of(buffer: ctypes.Array[ctypes.c_char] | None) -> int:
    """The address of a buffer as the kernel takes it; 0 for none."""
    return ctypes.addressof(buffer) if buffer is not None else 0


def bpf(command: int, attribute: bytes) -> tuple[int, bytes]:
    """Make the call: its result (a file descriptor, or 0) and the attribute as the kernel left it.

    Raises OSError with the kernel's errno.
    """
    buffer = ctypes.create_string_buffer(attribute.ljust(ATTRIBUTE_SIZE, b"\x00"), ATTRIBUTE_SIZE)
    result = _libc.syscall(
        ctypes.c_long(SYSCALL_NUMBERS[platform.machine()]),
        ctypes.c_long(command),
        ctypes.byref(buffer),
        ctypes.c_ulong(ATTRIBUTE_SIZE),
    )
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result, buffer.raw


def available() -> str | None:
    """None where programs can be run on this machine's kernel, else why not."""
    if sys.platform != "linux":
        return "not Linux"
    if platform.machine() not in SYSCALL_NUMBERS or ctypes.sizeof(ctypes.c_void_p) != 8:
        return f"the number of bpf(2) on {platform.machine()} is not known"
    try:
        descriptor, _ = bpf(MAP_CREATE, struct.pack("=IIII", 2, 4, 4, 1))
    except OSError as error:
        if error.errno == errno.EPERM:
            return "not permitted: bpf(2) needs root, or CAP_BPF and CAP_NET_ADMIN"
        return f"bpf(2) does not work: {error.strerror}"
    os.close(descriptor)
    return None
