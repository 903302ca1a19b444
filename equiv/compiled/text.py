"""LLVM assembly as text, one function at a time: fresh names, blocks, and the few shapes that all of it is made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count


class Code:
    """One function under construction. Owns its lines; `entry` lines (allocas) come before all others.

    Methods that compute something return the name of the value. Numbers may stand wherever a value may.
    """

    def __init__(self, head: str) -> None:
        self._head = head
        self._entry: list[str] = []
        self._lines: list[str] = []
        self._numbers: Iterator[int] = count()
        self._open = True

    def text(self) -> str:
        """The whole function."""
        body = "\n".join(f"  {line}" if not line.endswith(":") else line for line in self._lines)
        first = "\n".join(f"  {line}" for line in self._entry)
        return f"{self._head} {{\nentry:\n{first}\n  br label %begin\nbegin:\n{body}\n}}\n"

    @property
    def is_open(self) -> bool:
        """Whether the block that was begun last still goes on."""
        return self._open

    # Lines

    def do(self, line: str) -> None:
        """An instruction without a result. Behind the end of a block nothing is written: it could never run."""
        if self._open:
            self._lines.append(line)

    def let(self, expression: str) -> str:
        """An instruction with a result."""
        name = f"%v{next(self._numbers)}"
        self.do(f"{name} = {expression}")
        return name

    def slot(self, kind: str, initial: str | int | None = None) -> str:
        """A variable: the address of a place on the native stack, made once."""
        name = f"%s{next(self._numbers)}"
        self._entry.append(f"{name} = alloca {kind}")
        if initial is not None:
            self._entry.append(f"store {kind} {initial}, ptr {name}")
        return name

    # Blocks

    def label(self, hint: str = "l") -> str:
        """A fresh name for a block."""
        return f"{hint}{next(self._numbers)}"

    def begin(self, label: str) -> None:
        """Begin the block `label`; the one before goes on into it unless it has ended."""
        if self._open:
            self._lines.append(f"br label %{label}")
        self._lines.append(f"{label}:")
        self._open = True

    def end(self, line: str) -> None:
        """End the block with this instruction."""
        self.do(line)
        self._open = False

    def goto(self, label: str) -> None:
        self.end(f"br label %{label}")

    def branch(self, condition: str, yes: str, no: str, likely: bool | None = None) -> None:
        """Go on at `yes` or `no`; `likely` says which of the two is the usual way."""
        hint = "" if likely is None else f", !prof !{0 if likely else 1}"
        self.end(f"br i1 {condition}, label %{yes}, label %{no}{hint}")

    def require(self, condition: str, otherwise: str) -> None:
        """Leave for the block `otherwise` unless `condition` holds, which it mostly does."""
        on = self.label("ok")
        self.branch(condition, on, otherwise, likely=True)
        self.begin(on)

    # Values

    def load(self, kind: str, address: str) -> str:
        return self.let(f"load {kind}, ptr {address}, align 1")

    def store(self, kind: str, value: str | int, address: str) -> None:
        self.do(f"store {kind} {value}, ptr {address}, align 1")

    def at(self, base: str, offset: str | int) -> str:
        """The native address `offset` bytes past `base`."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def op(self, name: str, kind: str, a: str | int, b: str | int) -> str:
        """A binary instruction or comparison: `add`, `icmp eq`, …"""
        return self.let(f"{name} {kind} {a}, {b}")

    def resized(self, value: str | int, old: int, new: int, *, signed: bool = False) -> str:
        """An integer of `old` bits as one of `new`."""
        if old == new:
            return str(value)
        if old > new:
            return self.let(f"trunc i{old} {value} to i{new}")
        return self.let(f"{'s' if signed else 'z'}ext i{old} {value} to i{new}")

    def select(self, condition: str, kind: str, yes: str | int, no: str | int) -> str:
        return self.let(f"select i1 {condition}, {kind} {yes}, {kind} {no}")

    def both(self, *conditions: str) -> str:
        return self._joined("and", conditions, "true")

    def either(self, *conditions: str) -> str:
        return self._joined("or", conditions, "false")

    def _joined(self, name: str, conditions: Iterable[str], empty: str) -> str:
        result = ""
        for each in conditions:
            result = self.op(name, "i1", result, each) if result else each
        return result or empty

    def call(self, kind: str, name: str, *arguments: str) -> str:
        return self.let(f"call {kind} @{name}({', '.join(arguments)})")

    def copy(self, to: str, source: str, size: str | int) -> None:
        self.do(f"call void @llvm.memcpy.p0.p0.i64(ptr {to}, ptr {source}, i64 {size}, i1 false)")

    def move(self, to: str, source: str, size: str | int) -> None:
        self.do(f"call void @llvm.memmove.p0.p0.i64(ptr {to}, ptr {source}, i64 {size}, i1 false)")

    def fill(self, to: str, value: int, size: str | int) -> None:
        self.do(f"call void @llvm.memset.p0.i64(ptr {to}, i8 {value}, i64 {size}, i1 false)")

    def swapped(self, value: str, width: int) -> str:
        """The bytes of `value`, `width` bits, in reverse order."""
        return value if width == 8 else self.let(f"call i{width} @llvm.bswap.i{width}(i{width} {value})")

    def big_endian(self, address: str, size: int) -> str:
        """The number of `8 * size` bits that stands at `address` in network order."""
        if size in (1, 2, 4, 8, 16):
            return self.swapped(self.load(f"i{8 * size}", address), 8 * size)
        kind, total = f"i{8 * size}", "0"
        for index in range(size):
            byte = self.resized(self.load("i8", self.at(address, index)), 8, 8 * size)
            total = self.op("or", kind, total, self.op("shl", kind, byte, 8 * (size - 1 - index)))
        return total


DECLARATIONS = """\
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memmove.p0.p0.i64(ptr, ptr, i64, i1)
declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)
declare i16 @llvm.bswap.i16(i16)
declare i32 @llvm.bswap.i32(i32)
declare i64 @llvm.bswap.i64(i64)
declare i128 @llvm.bswap.i128(i128)
declare i64 @syscall(i64, ...)
declare ptr @__errno_location()
declare i32 @memcmp(ptr, ptr, i64)
!0 = !{!"branch_weights", i32 2000, i32 1}
!1 = !{!"branch_weights", i32 1, i32 2000}
"""
"""What the functions of a module refer to."""
