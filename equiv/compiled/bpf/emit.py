"""What the emitters of one program share: the code, its registers, its memory, the ways out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from equiv.bpf.interpret.contexts import XDP_HEADROOM
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.bpf.program import FunctionRef, Program
from equiv.compiled.bpf.place import (
    CONTEXT_HI,
    FUNCTION_HI,
    MOST_MOVES,
    MOVED_HI,
    PACKET_HI,
    VALUES_HI,
    VALUES_STEP,
    Memory,
)
from equiv.compiled.shape import Edge, Shape
from equiv.compiled.text import Code

CONTEXT_ADDRESS: Final = (CONTEXT_HI << 32) + BASE_IN_SLOT
CHANGED_BY_HELPERS: Final = frozenset({44, 54, 65})
"""xdp_adjust_head, xdp_adjust_meta, xdp_adjust_tail: only with these is there packet memory that nobody has written."""


@dataclass(slots=True, eq=False)
class Emit:
    """The state of emitting one program. Owns `code` and the list of edges and reasons."""

    program: Program
    shape: Shape
    memory: Memory
    side: str
    code: Code
    registers: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    reasons: list[str] = field(default_factory=lambda: [""])
    returns: set[int] = field(default_factory=set)
    """Slots that some call returns to."""
    counter: str = ""
    budget: int = 0
    packet: str = ""
    """The native address of the packet's buffer; `first`, `origin`, `last` are variables, offsets into it."""
    first: str = ""
    origin: str = ""
    last: str = ""
    length: str = ""
    """How many bytes the packet has, paged ones too; a value, for nothing that is compiled changes it (but XDP's)."""
    packet_hi: str = ""
    moves: str = ""
    depth: str = ""
    tail_calls: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    cb: str = ""
    redirect: tuple[str, str] = ("", "")
    ask: str = "ask"
    """The block that gives the input to the interpreter."""

    def __post_init__(self) -> None:
        for number in range(11):
            self.registers.append(self.code.slot("i64", 0))
            self.written.append(self.code.slot("i1", "true" if number == 10 else "false"))
        for name in ("first", "origin", "last", "moves"):
            setattr(self, name, self.code.slot("i64", 0))
        self.packet_hi = self.code.slot("i64", PACKET_HI)
        self.depth = self.code.slot("i64", 0)
        self.tail_calls = self.code.slot("i32", 0)
        self.counter = self.code.slot("i32", 0)
        self.redirect = self.code.slot("i64", 0), self.code.slot("i64", 0)
        self.budget = max(1, 1_000_000 // (2 * max(1, len(self.program.insns))) - 1)

    @property
    def kind(self) -> str:
        """Which context the program has: `xdp`, `tc`, `socket_filter`, `flow_dissector` or `buffer`."""
        interface = self.shape.interface
        if interface.context == "xdp_md":
            return "xdp"
        if interface.context in ("buffer", "flow_dissector"):
            return interface.context
        return "socket_filter" if interface.program_type == 1 else "tc"

    @property
    def beyond(self) -> int:
        """The high half above those of all addresses that the program can have; the fewer, the less looks like one."""
        if self.program.maps:
            return VALUES_HI + VALUES_STEP * len(self.program.maps)
        takes_functions = any(insn is not None and isinstance(insn.ref, FunctionRef) for insn in self.program.insns)
        return FUNCTION_HI + len(self.program.insns) if takes_functions else MOVED_HI + MOST_MOVES

    @property
    def headroom(self) -> int:
        return XDP_HEADROOM if self.kind == "xdp" else 0

    @property
    def has_holes(self) -> bool:
        """Whether the packet's memory can have bytes that nobody has written."""
        return self.kind == "xdp" and any(
            insn is not None and insn.opcode == 0x85 and insn.src == 0 and insn.imm in CHANGED_BY_HELPERS
            for insn in self.program.insns
        )

    # Registers

    def get(self, register: int) -> str:
        """The value of a register, 64 bits, which must have been written."""
        code = self.code
        code.require(code.load("i1", self.written[register]), self.ask)
        return code.load("i64", self.registers[register])

    def get32(self, register: int) -> str:
        return self.code.resized(self.get(register), 64, 32)

    def set(self, register: int, value: str | int) -> None:
        self.code.store("i64", value, self.registers[register])
        self.code.store("i1", "true", self.written[register])

    def set32(self, register: int, value: str) -> None:
        self.set(register, self.code.resized(value, 32, 64))

    def unset(self, *registers: int) -> None:
        for register in registers:
            self.code.store("i1", "false", self.written[register])

    # Control

    def refuse(self, reason: str) -> None:
        """End the block: what is here is not compiled."""
        if reason not in self.reasons:
            self.reasons.append(reason)
        self.code.store("i64", self.reasons.index(reason), self.own(self.memory.reason))
        self.code.goto(self.ask)

    def own(self, offset: int) -> str:
        """The native address of a part of the program's block."""
        return self.code.at("%own", offset)

    def count(self) -> None:
        """Count one step back, so that what does not end ends here."""
        code = self.code
        more = code.op("add", "i32", code.load("i32", self.counter), 1)
        code.store("i32", more, self.counter)
        code.require(code.op("icmp ult", "i32", more, self.budget), self.ask)

    def pass_edge(self, slot: int, text: str) -> None:
        """Note that the run passes here."""
        place = self.code.at("%cov", len(self.edges))
        self.edges.append(Edge(slot, text))
        self.code.store("i8", self.code.op("add", "i8", self.code.load("i8", place), 1), place)

    def packet_base(self) -> str:
        """The address of the packet's buffer, as the program sees it."""
        code = self.code
        return code.op("add", "i64", code.op("shl", "i64", code.load("i64", self.packet_hi), 32), BASE_IN_SLOT)
