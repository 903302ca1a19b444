"""Inert data: a BPF program as it stands in an object file. Nothing here runs, loads or changes anything.

Instruction encoding (RFC 9669, section 3), 8 bytes a slot, little-endian object:

    +---------+---------+---------+------------------+----------------------------------+
    | opcode  | dst_reg | src_reg |     offset       |               imm                |
    | 8 bits  | 4 bits  | 4 bits  | 16 bits, signed  |         32 bits, signed          |
    +---------+---------+---------+------------------+----------------------------------+

In a big-endian object dst_reg and src_reg swap their nibbles and the multi-byte fields are big-endian.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from equiv.bpf.shape import Shape

ByteOrder = Literal["little", "big"]


@dataclass(frozen=True, slots=True)
class MapSpec:
    """A map as the object declares it. Sizes in bytes; `type` is `enum bpf_map_type`.

    `initial` is the initial contents of a data section's map (`.rodata`, `.data`, `.bss`), else None.
    `frozen` marks `.rodata`: a program may take its contents as constants.
    `contents` is what the map is known to hold when a run begins, key bytes to value bytes; None: an input of the run.
    `contents_from` names the file that says so. `inner` is the inner map's shape for a map of maps; `slots` are initial
    values of a PROG_ARRAY or map of maps, index to symbol name.
    """

    name: str
    type: int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0
    initial: bytes | None = None
    frozen: bool = False
    slots: Mapping[int, str] = field(default_factory=dict)
    inner: MapSpec | None = None
    contents: Mapping[bytes, bytes] | None = None
    contents_from: str = ""
    kernel_pointers: bool = False
    """Whether values hold pointers to objects of the kernel (`__kptr`), which no program can make."""
    value: Shape | None = field(default=None, compare=False, repr=False)
    """What lies where in a value of an array, where the object's BTF says so."""


@dataclass(frozen=True, slots=True)
class MapRef:
    """The instruction loads the address of a map (LD_IMM64 with BPF_PSEUDO_MAP_FD)."""

    map_name: str


@dataclass(frozen=True, slots=True)
class MapValueRef:
    """The instruction loads an address inside the single value of a data-section map (BPF_PSEUDO_MAP_VALUE)."""

    map_name: str
    offset: int


@dataclass(frozen=True, slots=True)
class FunctionRef:
    """The instruction loads the address of a function of this program (BPF_PSEUDO_FUNC), or calls it.

    `target` is the index of the function's first slot in `Program.insns`.
    """

    target: int
    name: str


@dataclass(frozen=True, slots=True)
class ExternRef:
    """A symbol that the kernel or a loader would resolve (a kfunc, a kconfig value); equiv does not model it."""

    name: str


Reference = MapRef | MapValueRef | FunctionRef | ExternRef


@dataclass(frozen=True, slots=True)
class Insn:
    """One instruction. `opcode` 8 bits; `dst`, `src` register numbers; `off` signed 16 bits; `imm` signed 32 bits.

    For LD_IMM64 `imm64` is the unsigned 64-bit immediate and the following slot of the program is None.
    `ref` is what a relocation put there; for a bpf-to-bpf call it is always a FunctionRef, relocated or not.
    """

    opcode: int
    dst: int
    src: int
    off: int
    imm: int
    imm64: int = 0
    ref: Reference | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Source line of instructions from slot `insn` on, from `.BTF.ext`. `text` may be empty; `column` from 1 or 0."""

    insn: int
    file: str
    line: int
    column: int
    text: str


@dataclass(frozen=True, slots=True)
class Program:
    """One entry program with every function it can call and every program that it can tail-call behind it, relocations
    resolved to `Reference`s.

    `insns` is indexed by 8-byte slot. `functions` maps the first slot of each function to its name; slot 0 is the
    entry. `tail_calls` says, by PROG_ARRAY and index, at which slot the program begins that it holds; the contents of
    arrays that are not there are not known (D50). `sha256` is the whole file's bytes' SHA-256 in hex. `core` says of
    slots with a CO-RE relocation that could not be made what they need; `core_types` whose types the others were
    adjusted to, "" where there are none (D100); `core_asked` what each relocation asks for, made or not.
    """

    path: str
    sha256: str
    name: str
    section: str
    byte_order: ByteOrder
    insns: tuple[Insn | None, ...]
    functions: Mapping[int, str]
    maps: Mapping[str, MapSpec]
    lines: tuple[Line, ...] = ()
    license: str = ""
    core: Mapping[int, str] = field(default_factory=dict)
    core_types: str = ""
    core_asked: Mapping[int, str] = field(default_factory=dict)
    tail_calls: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    @property
    def entries(self) -> dict[int, str]:
        """First slots of the programs that run: the entry program, then those that a tail call may enter, by name."""
        entered = sorted({slot for slots in self.tail_calls.values() for slot in slots.values()})
        return {slot: self.functions[slot] for slot in (0, *(slot for slot in entered if slot))}

    def place_at(self, insn: int) -> tuple[str, int]:
        """The program that slot `insn` was laid out for, and the slot counted from that program's beginning."""
        start = max((entry for entry in self.entries if entry <= insn), default=0)
        return self.functions.get(start, self.name), insn - start

    def line_at(self, insn: int) -> Line | None:
        """The source line that slot `insn` was compiled from, where the object says so."""
        index = bisect_right(self.lines, insn, key=lambda line: line.insn)
        return self.lines[index - 1] if index else None


@dataclass(frozen=True, slots=True)
class Object:
    """Everything in one object file: its entry programs by name, and all maps."""

    path: str
    sha256: str
    byte_order: ByteOrder
    programs: Mapping[str, Program]
    maps: Mapping[str, MapSpec]
