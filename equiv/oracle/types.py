"""Just enough type information for programs whose called functions make tail calls or use legacy packet loads.

The verifier wants to know that such functions return `int` (`check_btf_func` in kernel/bpf/verifier.c). What it is told
is `static int fN(void)` for the Nth function; it looks at no parameters of static functions.
"""

from __future__ import annotations

import ctypes
import struct
from typing import Final

from equiv.oracle import syscall

BTF_LOAD: Final = 18
FUNC_INFO: Final = struct.Struct("=II")
"""`struct bpf_func_info`: first slot, type."""

_MAGIC, _INT, _FUNC, _FUNC_PROTO, _SIGNED = 0xEB9F, 1, 12, 13, 1 << 24
_CALL, _LOAD_ADDRESS, _PSEUDO_CALL, _PSEUDO_FUNC = 0x85, 0x18, 1, 4
_INSN: Final = struct.Struct("=BBhi")


def function_starts(code: bytes) -> list[int]:
    """First slots of the functions in the kernel's instructions, from the calls and the addresses taken in them."""
    starts = {0}
    for slot, (opcode, registers, _, imm) in enumerate(_INSN.iter_unpack(code)):
        source = registers >> 4 if struct.pack("=H", 1)[0] else registers & 15
        if (opcode, source) in ((_CALL, _PSEUDO_CALL), (_LOAD_ADDRESS, _PSEUDO_FUNC)):
            starts.add(slot + 1 + imm)
    return sorted(starts)


def load_function_types(starts: list[int]) -> tuple[int, bytes]:
    """A file descriptor of the types, and the `struct bpf_func_info`s of functions at these slots. Raises OSError."""
    names = [f"f{number}".encode() for number in range(len(starts))]
    strings = b"\0int\0" + b"".join(name + b"\0" for name in names)
    types = struct.pack("=IIII", 1, _INT << 24, 4, _SIGNED | 32)
    types += struct.pack("=III", 0, _FUNC_PROTO << 24, 1)
    at = 5
    for name in names:
        types += struct.pack("=III", at, _FUNC << 24, 2)
        at += len(name) + 1
    header = struct.pack("=HBBIIIII", _MAGIC, 1, 0, 24, 0, len(types), len(types), len(strings))
    blob = header + types + strings
    held = ctypes.create_string_buffer(blob, len(blob))
    attribute = struct.pack("=QQIII", syscall.address_of(held), 0, len(blob), 0, 0)
    descriptor, _ = syscall.bpf(BTF_LOAD, attribute)
    infos = b"".join(FUNC_INFO.pack(start, 3 + number) for number, start in enumerate(starts))
    return descriptor, infos
