"""Terms over a packet, a context and cells as native text: code without loops that gives their values.

A value of `width` bits is an LLVM integer `i{width}`. Whatever a term says, no byte is read outside of the packet and
the `SLACK` behind it: reads that are not known to be inside are compared with the packet's length first, and where they
are not, zeros are read (the results of sound code do not depend on what stands there).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from equiv.compiled.native import NotCompiled
from equiv.compiled.shape import CB_SIZE, SLACK, Row
from equiv.compiled.text import Code
from equiv.machine.inputs import CONTEXT_PREFIX, PACKET, packet_length
from equiv.p4.code import cell_name, is_cell
from equiv.term import Term

WIDEST: Final = 4096
"""Bits of the widest value that is compiled."""
AT_ONCE: Final = SLACK
"""Elements that are read with one check."""
SIMPLE: Final = {"mul": "mul", "and": "and", "or": "or", "xor": "xor"}
COMPARED: Final = {"eq": "icmp eq", "ult": "icmp ult", "slt": "icmp slt"}
SHIFTS: Final = {"shl": "shl", "lshr": "lshr", "ashr": "ashr"}

Base = tuple[tuple[Term, ...], tuple[int, ...]]
"""Summands of an address and how often each counts, without the constant."""


def literal(value: int, width: int) -> str:
    """The constant, `width` bits, as LLVM writes it."""
    value &= (1 << width) - 1
    return str(value - (1 << width) if value >> width - 1 else value)


def address_parts(address: Term) -> tuple[Base, int]:
    """An address as what varies and the constant added to it."""
    if address.is_const:
        return ((), ()), address.value
    if address.op == "add":
        return (address.args, address.data[0]), int(address.data[1])
    return ((address,), (1,)), 0


@dataclass(frozen=True, slots=True)
class Run:
    """`size` elements of the packet from `address` on, one behind the other."""

    address: Term
    size: int


@dataclass(slots=True, eq=False)
class TermText:
    """Values of terms at one point of a function. Cells must not change while it is used.

    `inside` says how many elements from a base on are known to be in the packet.
    """

    code: Code
    cells: Mapping[str, tuple[str, int]]
    """Address and width of what holds each cell."""
    row: Row
    element: int
    inside: Mapping[Base, int] = field(default_factory=dict)
    scratch: dict[str, str] = field(default_factory=dict)
    """Places on the native stack that all reads of a function share."""
    _memo: dict[Term, str] = field(default_factory=dict)

    def value(self, term: Term) -> str:
        """The term's value. Raises NotCompiled."""
        stack = [term]
        while stack:
            node = stack[-1]
            if node in self._memo:
                stack.pop()
                continue
            pending = [part for part in self._needs(node) if part not in self._memo]
            if pending:
                stack.extend(pending)
                continue
            stack.pop()
            self._memo[node] = self._made(node)
        return self._memo[term]

    def _needs(self, node: Term) -> Iterator[Term]:
        if node.op == "concat":
            for piece in self._pieces(node):
                yield piece.address if isinstance(piece, Run) else piece
        else:
            yield from node.args

    def _pieces(self, node: Term) -> Iterator[Run | Term]:
        """The parts of a concatenation, with bytes that are neighbours in the packet put together."""
        first: Term | None = None
        base: Base = ((), ())
        start = count = 0
        for part in node.args:
            if part.op == "select" and part.data == PACKET:
                here, at = address_parts(part.args[0])
                if first is not None and (here, at) == (base, start + count) and count < AT_ONCE:
                    count += 1
                    continue
                if first is not None:
                    yield Run(first, count)
                first, base, start, count = part.args[0], here, at, 1
                continue
            if first is not None:
                yield Run(first, count)
                first = None
            yield part
        if first is not None:
            yield Run(first, count)

    def _made(self, node: Term) -> str:
        code, width = self.code, node.width
        if width > WIDEST:
            raise NotCompiled(f"a value of {width} bits")
        kind, args = f"i{width}", [self._memo[arg] for arg in node.args if arg in self._memo]
        match node.op:
            case "const":
                return literal(node.value, width)
            case "var":
                return self._variable(node)
            case "select":
                if node.data != PACKET:
                    return self._is_in_set(node)
                return self._read(Run(node.args[0], 1))
            case "concat":
                return self._joined(node)
            case "add":
                return self._sum(node, args)
            case "extract":
                low = int(node.data[1])
                wide = node.args[0].width
                shifted = code.op("lshr", f"i{wide}", args[0], low) if low else args[0]
                return code.resized(shifted, wide, width)
            case "sext":
                return code.resized(args[0], node.args[0].width, width, signed=True)
            case "not":
                return code.op("xor", kind, args[0], -1)
            case "ite":
                return code.select(args[0], kind, args[1], args[2])
            case op if op in SIMPLE:
                result = args[0]
                for each in args[1:]:
                    result = code.op(SIMPLE[op], kind, result, each)
                return result
            case op if op in COMPARED:
                return code.op(COMPARED[op], f"i{node.args[0].width}", *args)
            case op if op in SHIFTS:
                return self._shifted(op, width, *args)
        raise NotCompiled(f"an operation {node.op}")

    def _variable(self, node: Term) -> str:
        code, width = self.code, node.width
        if is_cell(node):
            held, own = self.cells[cell_name(node)]
            if own != width:
                raise NotCompiled("a cell of two widths")
            return code.load(f"i{width}", held)
        if node is packet_length():
            return "%length"
        name = str(node.data[0]).removeprefix(CONTEXT_PREFIX)
        if name == node.data[0]:
            raise NotCompiled(f"an input {name}")
        if name == "cb" and self.row.cb is not None:
            return code.resized(code.big_endian(code.at("%row", self.row.cb), CB_SIZE), 8 * CB_SIZE, width)
        if name not in self.row.names:  # an input that has it is the interpreter's; others have 0
            return "0"
        return code.resized(code.load("i64", code.at("%row", self.row.names[name])), 64, width)

    def _is_in_set(self, node: Term) -> str:
        """Whether a value is in a value set. Sets that the row has no place for hold nothing, or the interpreter is
        asked (`Row.accepts`)."""
        code, place, width = self.code, self.row.sets.get(str(node.data)), node.args[0].width
        if place is None or width > 64:
            return "false"
        at = code.at("%row", place)
        there = code.op("icmp ne", "i64", code.load("i64", at), 0)
        wanted = code.resized(self._memo[node.args[0]], width, 64)
        return code.both(there, code.op("icmp eq", "i64", wanted, code.load("i64", code.at(at, 8))))

    def _sum(self, node: Term, args: list[str]) -> str:
        code, width = self.code, node.width
        kind, total = f"i{width}", literal(node.data[1], width)
        for arg, factor in zip(args, node.data[0], strict=True):
            part = arg if factor == 1 else code.op("mul", kind, arg, literal(factor, width))
            total = part if total == "0" else code.op("add", kind, part, total)
        return total

    def _shifted(self, op: str, width: int, value: str, by: str) -> str:
        code, kind = self.code, f"i{width}"
        small = code.op("icmp ult", kind, by, literal(width, width)) if width.bit_length() <= width else "true"
        beyond = code.op("ashr", kind, value, width - 1) if op == "ashr" else "0"
        amount = code.select(small, kind, by, 0)
        return code.select(small, kind, code.op(op, kind, value, amount), beyond)

    def _joined(self, node: Term) -> str:
        """Most significant part first."""
        code, width = self.code, node.width
        total, left = "", width
        for piece in self._pieces(node):
            is_run = isinstance(piece, Run)
            size = piece.size * self.element if isinstance(piece, Run) else piece.width
            part = self._read(piece) if isinstance(piece, Run) else self._memo[piece]
            left -= size
            if not is_run and part == "0":
                continue
            wide = code.resized(part, size, width)
            placed = code.op("shl", f"i{width}", wide, left) if left else wide
            total = code.op("or", f"i{width}", total, placed) if total else placed
        return total or "0"

    # The packet

    def _read(self, run: Run) -> str:
        """The elements of a run as one number, the first most significant."""
        code, size = self.code, run.size
        address = self._memo[run.address]
        base, start = address_parts(run.address)
        if start >= 0 and start + size <= self.inside.get(base, 0):
            place = code.at("%given", address)
        else:
            place = self._safe(address, size)
        if self.element < 8:
            return self._elements(place, size)
        total, done = "", 0
        while done < size:
            step = next(each for each in (16, 8, 4, 2, 1) if each <= size - done)
            part = code.resized(code.big_endian(code.at(place, done), step), 8 * step, 8 * size)
            after = 8 * (size - done - step)
            placed = code.op("shl", f"i{8 * size}", part, after) if after else part
            total = code.op("or", f"i{8 * size}", total, placed) if total else placed
            done += step
        return total

    def _elements(self, place: str, size: int) -> str:
        """Elements of less than a byte, each the low bits of one."""
        code, width, bits = self.code, self.element * size, self.element
        total = ""
        for index in range(size):
            low = code.resized(code.load("i8", code.at(place, index)), 8, bits)
            wide, after = code.resized(low, bits, width), bits * (size - index - 1)
            placed = code.op("shl", f"i{width}", wide, after) if after else wide
            total = code.op("or", f"i{width}", total, placed) if total else placed
        return total

    def _safe(self, address: str, size: int) -> str:
        """Where to read `size` bytes from: in the packet, or where they are not all there, among zeros."""
        code = self.code
        for name, kind in (("where", "ptr"), ("zeros", f"[{AT_ONCE} x i8]")):
            if name not in self.scratch:
                self.scratch[name] = code.slot(kind)
        where, zeros = self.scratch["where"], self.scratch["zeros"]
        limit = code.op("add", "i64", "%length", SLACK - size)
        known, unknown, on = code.label("inside"), code.label("outside"), code.label("on")
        code.branch(code.op("icmp ule", "i64", address, limit), known, unknown, likely=True)
        code.begin(unknown)
        code.fill(zeros, 0, AT_ONCE)
        code.store("ptr", zeros, where)
        code.goto(on)
        code.begin(known)
        code.store("ptr", code.at("%given", address), where)
        code.begin(on)
        return code.load("ptr", where)
