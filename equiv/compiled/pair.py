"""Two sides compiled into one module: run a batch, or one side on one input (which is how they are tested)."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from equiv.bpf.program import Program
from equiv.compiled import batch, change
from equiv.compiled.bpf import maps
from equiv.compiled.bpf.program import compile_program, signature
from equiv.compiled.native import Module, NotCompiled, compile_text
from equiv.compiled.parser import ParserMemory, compile_parser, context_of, value_sets_of
from equiv.compiled.relation import Shows
from equiv.compiled.shape import ASK, OK, PUNT, SLACK, Edge, ReadMemory, Shape, row_of, runnable, without_counts
from equiv.compiled.table import TableMemory, compile_table
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface
from equiv.p4.machine import ParserMachine
from equiv.p4.parser import Parser
from equiv.p4.parser import Side as Which
from equiv.table import layout
from equiv.table.model import Table

Subject = Program | Table | ParserMachine
"""What can be compiled; of a parser the machine, which is built for an interface and a side."""

Maps = Mapping[str, Mapping[bytes, bytes]]


class Source(Protocol):
    """One side that can be compiled: `text` of its function, and what a run needs."""

    @property
    def text(self) -> str: ...
    @property
    def edges(self) -> tuple[Edge, ...]: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def size(self) -> int:
        """Bytes of its own block."""
        ...

    @property
    def result(self) -> int:
        """Where in it the result is."""
        ...

    @property
    def reason(self) -> int:
        """Where in it the number of what was not compiled is."""
        ...

    def begin(self, block: ctypes.Array[ctypes.c_char], given: Maps, counts: Mapping[str, int]) -> bool:
        """Put what maps hold into a block; False where these contents are for the interpreter."""
        ...


@dataclass(frozen=True, slots=True)
class ProgramSource:
    """A BPF program."""

    program: Program
    side: Any

    @property
    def text(self) -> str:
        return str(self.side.text)

    @property
    def edges(self) -> tuple[Edge, ...]:
        return tuple(self.side.edges)

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(self.side.reasons)

    @property
    def size(self) -> int:
        return int(self.side.memory.size)

    @property
    def result(self) -> int:
        return int(self.side.memory.result)

    @property
    def reason(self) -> int:
        return int(self.side.memory.reason)

    def begin(self, block: ctypes.Array[ctypes.c_char], given: Maps, counts: Mapping[str, int]) -> bool:
        memory = self.side.memory
        mine = {name: entries for name, entries in given.items() if name in self.program.maps}
        area = maps.contents(self.program, memory, mine, counts)
        if area is None or len(mine) != len(given):
            return False
        for offset in (memory.area, memory.pristine):
            ctypes.memmove(ctypes.addressof(block) + offset, area, len(area))
        return True


@dataclass(frozen=True, slots=True)
class TableSource:
    """A device table."""

    memory: TableMemory
    text: str
    edges: tuple[Edge, ...]
    metadata: int = 0
    """Bytes of metadata that it hands on."""
    reasons: tuple[str, ...] = ("",)

    @property
    def size(self) -> int:
        return self.memory.size

    @property
    def result(self) -> int:
        return self.memory.result

    @property
    def reason(self) -> int:
        return self.memory.reason

    def begin(self, block: ctypes.Array[ctypes.c_char], given: Maps, counts: Mapping[str, int]) -> bool:
        for (name, key), (offset, size) in self.memory.values.items():
            content = given.get(name, {}).get(key.to_bytes(4, "little"), b"")[:size].ljust(size, b"\x00")
            ctypes.memmove(ctypes.addressof(block) + offset, content, size)
        return True


@dataclass(frozen=True, slots=True)
class ParserSource:
    """A P4 parser or an automaton."""

    memory: ParserMemory
    text: str
    edges: tuple[Edge, ...]
    shows: frozenset[str]
    reasons: tuple[str, ...] = ("",)

    @property
    def size(self) -> int:
        return self.memory.size

    @property
    def result(self) -> int:
        return self.memory.result

    @property
    def reason(self) -> int:
        return self.memory.reason

    def begin(self, block: ctypes.Array[ctypes.c_char], given: Maps, counts: Mapping[str, int]) -> bool:
        return True


class Read(Protocol):
    """One side of a check, read and understood (`equiv.loaded.Loaded` is one)."""

    @property
    def program(self) -> Program | None: ...
    @property
    def table(self) -> Table | None: ...
    @property
    def parser(self) -> Parser | None: ...
    @property
    def linear(self) -> bool: ...


def subject_of(read: Read, interface: Interface, side: Which) -> Subject:
    """What is compiled of a side. Raises NotCompiled."""
    if read.linear:
        raise NotCompiled("a side that sees packets in another way is not compiled")
    if read.parser is not None:
        machine = read.parser.machine(interface, side)
        if isinstance(machine, ParserMachine):
            return machine
    found = read.program or read.table
    if found is None:
        raise NotCompiled("properties are not compiled")
    return found


def source_of(subject: Subject, shape: Shape, side: str) -> Source:
    """One side as native text. Raises NotCompiled."""
    if isinstance(subject, ParserMachine):
        parser = compile_parser(subject, shape, signature(side))
        return ParserSource(parser.memory, parser.text, parser.edges, parser.shows)
    if isinstance(subject, Table):
        compiled = compile_table(subject, shape, side, signature(side))
        return TableSource(compiled.memory, compiled.text, compiled.edges, subject.metadata)
    if subject.byte_order != "little":
        raise NotCompiled("a big-endian program")
    return ProgramSource(subject, compile_program(subject, shape, side))


def shape_of(interface: Interface, subjects: Sequence[Subject]) -> Shape:
    """What inputs and results look like under `interface`."""
    inputs: dict[str, int] = {}
    sets: set[str] = set()
    for subject in subjects:
        if isinstance(subject, ParserMachine):
            inputs |= context_of(subject.code)
            sets |= {name for name, width in value_sets_of(subject.code).items() if width <= 64}
    sizes = {spec.name: spec.key_size for s in subjects if isinstance(s, Program) for spec in s.maps.values()}
    return Shape(interface, row_of(interface, sizes, inputs, sets))


@dataclass(slots=True, eq=False)
class Side:
    """One compiled side with its memory. Owns its block and its coverage."""

    source: Source
    function: Any
    block: ctypes.Array[ctypes.c_char]
    counters: ctypes.Array[ctypes.c_char]
    seen: ctypes.Array[ctypes.c_char]
    values: ctypes.Array[ctypes.c_char]

    @property
    def words(self) -> int:
        return len(self.counters) // 8

    def begin(self, given: Maps, counts: Mapping[str, int]) -> bool:
        return self.source.begin(self.block, given, counts)

    def asked_for(self) -> str:
        """What the last run that asked came to, where that is something not compiled; '' otherwise."""
        (number,) = struct.unpack_from("<Q", self.block, self.source.reason)
        struct.pack_into("<Q", self.block, self.source.reason, 0)
        reasons = self.source.reasons
        return reasons[number] if number < len(reasons) else ""


@dataclass(slots=True, eq=False)
class Pair:
    """Two sides and the loop over both. Not to be used by two threads at once."""

    shape: Shape
    module: Module
    left: Side
    right: Side
    loop: Any
    change: Any
    """The function that changes kept packets (`equiv.compiled.change`)."""
    decides: bool
    """Whether the loop knows what a difference is; where not, it sees none (`equiv.compiled.relation`)."""
    keep: list[object] = field(default_factory=list)

    def forget(self) -> None:
        """Begin anew with what was seen."""
        for side in (self.left, self.right):
            for content in (side.seen, side.values, side.counters):
                ctypes.memset(content, 0, len(content))

    def begin(self, given: Maps, counts: Mapping[str, int] | None = None) -> bool:
        """What maps hold from now on; False where these contents are for the interpreters."""
        both = self.left.begin(_of(self.left, given), counts or {})
        return self.right.begin(_of(self.right, given), counts or {}) and both

    def run_side(self, side: Side, given: Input) -> Observation | str | None:
        """One run: what it shows; "punt"; None where the interpreter is to be asked. For tests and single inputs."""
        context, counts = without_counts(given.context)
        plain = Input(given.packet, given.linear, context, given.maps, given.oracles)
        if not runnable(self.shape, plain) or not side.begin(given.maps, counts):
            return None
        packet = ctypes.create_string_buffer(given.packet + bytes(SLACK))
        row = ctypes.create_string_buffer(self.shape.row.pack(context), self.shape.row.size)
        length = len(given.packet)
        linear = length if given.linear is None else min(given.linear, length)
        end = side.function(side.block, side.counters, packet, length, linear, row)
        ctypes.memset(side.counters, 0, len(side.counters))
        if end == ASK:
            return None
        if end == PUNT:
            return "punt"
        assert end == OK
        start = side.source.result
        self.keep = [packet]
        return self.shape.observation(side.block.raw[start : start + self.shape.size], ReadMemory())


def _of(side: Side, given: Maps) -> Maps:
    """Of the maps that are given those that the side has."""
    if isinstance(side.source, ProgramSource):
        return {name: entries for name, entries in given.items() if name in side.source.program.maps}
    return given


def compile_pair(left: Subject, right: Subject, interface: Interface) -> Pair:
    """Both sides and the loop, compiled. Raises NotCompiled where one of them, or this machine, cannot be."""
    shape = shape_of(interface, (left, right))
    return link(shape, source_of(left, shape, "left"), source_of(right, shape, "right"))


def link(shape: Shape, left: Source, right: Source) -> Pair:
    """The module of two sides."""
    from equiv.compiled.bpf.memory import known

    heads = "".join(_entry(side) for side in ("left", "right"))
    shows = {"left": _shows(left, shape), "right": _shows(right, shape)}
    compare, decides = batch.compared(shape, left.result, right.result, shows)
    shared = batch.functions(shape, left.result, right.result, compare) + change.functions()
    text = known() + left.text + right.text + shared + heads
    module = compile_text(text)
    sides = [_side(module, shape, name, source) for name, source in (("left", left), ("right", right))]
    loop = module.function("run_batch", ctypes.c_int64, ctypes.c_void_p)
    change_batch = module.function("change_batch", ctypes.c_int64, ctypes.c_void_p)
    return Pair(shape, module, sides[0], sides[1], loop, change_batch, decides)


def _shows(source: Source, shape: Shape) -> Shows:
    if isinstance(source, ParserSource):
        return dict.fromkeys(source.shows, 0)
    shown = dict.fromkeys((observable.name for observable in shape.interface.observables), 0)
    if isinstance(source, TableSource) and source.metadata and layout.METADATA in shown:
        shown[layout.METADATA] = 8 * source.metadata
    return shown


def _entry(side: str) -> str:
    """A side's function for callers from outside."""
    arguments = "ptr %own, ptr %cov, ptr %given, i64 %length, i64 %linear, ptr %row"
    return f"define i32 @run_{side}({arguments}) {{\n  %r = call i32 @side_{side}({arguments})\n  ret i32 %r\n}}\n"


def _side(module: Module, shape: Shape, name: str, source: Source) -> Side:
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    function = module.function(f"run_{name}", ctypes.c_int32, pointer, pointer, pointer, number, number, pointer)
    counters = max(8, -(-len(source.edges) // 8) * 8)
    return Side(
        source,
        function,
        ctypes.create_string_buffer(source.size),
        ctypes.create_string_buffer(counters),
        ctypes.create_string_buffer(counters),
        ctypes.create_string_buffer(batch.values_size(shape)),
    )
