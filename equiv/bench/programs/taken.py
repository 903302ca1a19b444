"""Whether the running kernel takes a program: libbpf is asked to load it, as any loader of an object would.

Selftests of the kernel hold many programs that no kernel should take, and some for functions that only a test module
has. They are no programs that packets meet.
"""

from __future__ import annotations

import ctypes
import os
import re
from typing import Any, Final

LIBRARY: Final = "libbpf.so.1"
LONGEST: Final = 1 << 20
BEGIN, END = "BEGIN PROG LOAD LOG", "END PROG LOAD LOG"
MISSING: Final = re.compile(r"extern \((?:func|var) ksym\) '([^']+)': not found")
UNINTERESTING: Final = re.compile(r"^(processed \d|--|max_states|$|\d+: \(|[\w ]*stack depth|verification time|func#)")

_Print = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class Loader:
    """Loads programs by libbpf, where that is installed and root may. Not for more than one thread."""

    def __init__(self) -> None:
        self.why_not = ""
        self._text: list[str] = []
        self._print = _Print(self._heard)
        try:
            self._libbpf: Any = ctypes.CDLL(LIBRARY)
        except OSError:
            self.why_not = f"{LIBRARY} is not installed"
            return
        if os.geteuid():
            self.why_not = "not root"
            return
        self._libc: Any = ctypes.CDLL(None)
        for name, result in (
            ("bpf_object__open_file", ctypes.c_void_p),
            ("bpf_object__next_program", ctypes.c_void_p),
            ("bpf_program__name", ctypes.c_char_p),
        ):
            getattr(self._libbpf, name).restype = result
        self._libbpf.libbpf_set_print(self._print)

    def refusal(self, file: str, program: str) -> str:
        """Why the kernel does not take the program; "" where it does, or where that is not the kernel's word."""
        if self.why_not:
            return ""
        self._text.clear()
        opened = self._libbpf.bpf_object__open_file(os.fsencode(file), None)
        if not opened:
            return ""
        handle = ctypes.c_void_p(opened)
        try:
            each = self._libbpf.bpf_object__next_program(handle, None)
            while each:
                name = self._libbpf.bpf_program__name(ctypes.c_void_p(each))
                self._libbpf.bpf_program__set_autoload(ctypes.c_void_p(each), name == program.encode())
                each = self._libbpf.bpf_object__next_program(handle, ctypes.c_void_p(each))
            status = self._libbpf.bpf_object__load(handle)
        finally:
            self._libbpf.bpf_object__close(handle)
        return refusal_in("".join(self._text)) if status else ""

    def _heard(self, level: int, form: bytes, arguments: int) -> int:
        if level < 2:  # warnings and what is to be known, not what helps with debugging
            buffer = ctypes.create_string_buffer(LONGEST)
            self._libc.vsnprintf(buffer, LONGEST, form, ctypes.c_void_p(arguments))
            self._text.append(buffer.value.decode("utf-8", "replace"))
        return 0


def refusal_in(text: str) -> str:
    """What libbpf's messages say of the kernel's reason; "" where there is none."""
    if missing := MISSING.search(text):
        return f"the running kernel has no {missing[1]}"
    _, begun, log = text.partition(BEGIN)
    if not begun:
        return ""
    lines = [line.removeprefix("libbpf: ").strip() for line in log.partition(END)[0].splitlines()]
    said = [line for line in lines if not UNINTERESTING.match(line)]
    return said[-1] if said else "no reason given"
