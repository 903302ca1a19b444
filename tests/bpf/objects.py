"""Makes BPF object files from instruction lists, without a compiler: what tests of the loader start from.

builder = ObjectBuilder()
builder.legacy_map("counters", kind=2, key_size=4, value_size=8, max_entries=1)
builder.function("prog", "xdp", [load_symbol(1, "counters"), mov(0, 2), exit_()])
builder.write(tmp_path / "prog.o")
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from equiv.bpf import insn as isa
from equiv.bpf.program import ByteOrder, ExternRef, Insn

R_BPF_64_64 = 1
R_BPF_64_ABS64 = 2
R_BPF_64_32 = 10

SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOBITS, SHT_REL = 1, 2, 3, 8, 9
WRITE, ALLOC, EXECUTE = 1, 2, 4
NOTYPE, OBJECT, FUNC, SECTION = 0, 1, 2, 3
LOCAL, GLOBAL, WEAK = 0, 1, 2

EM_BPF = 247


def insn(opcode: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> Insn:
    """Any instruction, by its fields."""
    return Insn(opcode, dst, src, off, imm)


def mov(dst: int, imm: int) -> Insn:
    """rD = imm"""
    return insn(isa.ALU64 | isa.MOV, dst, imm=imm)


def mov_register(dst: int, src: int) -> Insn:
    """rD = rS"""
    return insn(isa.ALU64 | isa.MOV | isa.X, dst, src)


def add(dst: int, imm: int) -> Insn:
    """rD += imm"""
    return insn(isa.ALU64 | isa.ADD, dst, imm=imm)


def load(dst: int, src: int, off: int, size: int = isa.DW) -> Insn:
    """rD = *(size *)(rS + off)"""
    return insn(isa.LDX | isa.MEM | size, dst, src, off)


def store(dst: int, off: int, src: int, size: int = isa.DW) -> Insn:
    """*(size *)(rD + off) = rS"""
    return insn(isa.STX | isa.MEM | size, dst, src, off)


def store_imm(dst: int, off: int, imm: int, size: int = isa.DW) -> Insn:
    """*(size *)(rD + off) = imm"""
    return insn(isa.ST | isa.MEM | size, dst, off=off, imm=imm)


def goto(off: int) -> Insn:
    """goto +off"""
    return insn(isa.JMP | isa.JA, off=off)


def jump_if_equal(dst: int, imm: int, off: int) -> Insn:
    """if rD == imm goto +off"""
    return insn(isa.JMP | isa.JEQ, dst, off=off, imm=imm)


def call_helper(number: int) -> Insn:
    """call number"""
    return insn(isa.JMP | isa.CALL, imm=number)


def call_distance(imm: int) -> Insn:
    """call pc+imm, not relocated"""
    return insn(isa.JMP | isa.CALL, src=isa.PSEUDO_CALL, imm=imm)


def call_symbol(symbol: str, imm: int = -1) -> Insn:
    """A call relocated against `symbol`."""
    return Insn(isa.JMP | isa.CALL, 0, isa.PSEUDO_CALL, 0, imm, ref=ExternRef(symbol))


def load_symbol(dst: int, symbol: str, addend: int = 0) -> Insn:
    """rD = symbol + addend, relocated."""
    return Insn(isa.LD_IMM64, dst, 0, 0, addend, addend & 0xFFFFFFFF, ExternRef(symbol))


def load_imm64(dst: int, value: int) -> Insn:
    """rD = value ll"""
    return Insn(isa.LD_IMM64, dst, 0, 0, 0, value)


def exit_() -> Insn:
    """exit"""
    return insn(isa.JMP | isa.EXIT)


@dataclass
class SectionData:
    """A section being built; `size` is for SHT_NOBITS."""

    name: str
    kind: int
    flags: int
    content: bytearray = field(default_factory=bytearray)
    link: int = 0
    info: int = 0
    entry_size: int = 0
    size: int = 0


@dataclass
class SymbolData:
    name: str
    value: int
    size: int
    type: int
    bind: int
    section: str


@dataclass
class ObjectBuilder:
    """One object file. A symbol's section "" means that it is defined elsewhere."""

    byte_order: ByteOrder = "little"
    machine: int = EM_BPF
    sections: dict[str, SectionData] = field(default_factory=dict)
    symbols: list[SymbolData] = field(default_factory=list)
    relocations: dict[str, list[tuple[int, int, str]]] = field(default_factory=dict)

    def section(self, name: str, flags: int = ALLOC | WRITE, kind: int = SHT_PROGBITS) -> SectionData:
        return self.sections.setdefault(name, SectionData(name, kind, flags))

    def function(
        self,
        name: str,
        section: str,
        insns: Sequence[Insn],
        bind: int = GLOBAL,
        type: int = FUNC,
        size: int | None = None,
    ) -> int:
        """Append a function to a section; its first byte's offset there. References become relocations."""
        code = self.section(section, ALLOC | EXECUTE).content
        start = len(code)
        for item in insns:
            if isinstance(item.ref, ExternRef):
                kind = R_BPF_64_64 if isa.is_wide(item) else R_BPF_64_32
                self.relocate(section, len(code), kind, item.ref.name)
            code += isa.encode(item, self.byte_order)
        self.symbol(name, section, start, len(code) - start if size is None else size, type, bind)
        return start

    def symbol(
        self, name: str, section: str, value: int = 0, size: int = 0, type: int = OBJECT, bind: int = GLOBAL
    ) -> None:
        self.symbols.append(SymbolData(name, value, size, type, bind, section))

    def section_symbol(self, section: str) -> None:
        """A symbol, called like the section, that stands for its start: what relocations of static things refer to."""
        self.symbol(section, section, type=SECTION, bind=LOCAL)

    def relocate(self, section: str, offset: int, type: int, symbol: str) -> None:
        self.relocations.setdefault(section, []).append((offset, type, symbol))

    def legacy_map(
        self, name: str, kind: int, key_size: int, value_size: int, max_entries: int, flags: int = 0
    ) -> None:
        content = self.section("maps").content
        self.symbol(name, "maps", len(content), 20)
        content += struct.pack(f"{self.prefix}5I", kind, key_size, value_size, max_entries, flags)

    def data(self, section: str, content: bytes, symbol: str = "") -> None:
        """Append to a data section; `symbol` names these bytes."""
        target = self.section(section)
        if symbol:
            self.symbol(symbol, section, len(target.content), len(content))
        target.content += content

    def license(self, text: str = "GPL") -> None:
        self.section("license").content[:] = text.encode() + b"\0"

    def plain(self, name: str, content: bytes) -> None:
        """A section that is not part of memory: `.BTF`, `.BTF.ext`."""
        self.section(name, 0).content[:] = content

    @property
    def prefix(self) -> str:
        return "<" if self.byte_order == "little" else ">"

    def build(self) -> bytes:
        """The file: header, contents, section headers."""
        sections = [SectionData("", 0, 0), *self.sections.values()]
        index = {section.name: number for number, section in enumerate(sections)}
        ordered = sorted(self.symbols, key=lambda symbol: symbol.bind != LOCAL)
        numbers: dict[str, int] = {}
        strings = Strings()
        table = bytearray(24)
        for number, symbol in enumerate(ordered, 1):
            numbers.setdefault(symbol.name, number)
            name = 0 if symbol.type == SECTION else strings.add(symbol.name)
            info = symbol.bind << 4 | symbol.type
            home = index[symbol.section] if symbol.section else 0
            table += struct.pack(f"{self.prefix}IBBHQQ", name, info, 0, home, symbol.value, symbol.size)
        symtab = len(sections) + len(self.relocations)
        for target, entries in self.relocations.items():
            content = b"".join(
                struct.pack(f"{self.prefix}QQ", offset, numbers.get(symbol, 0) << 32 | kind)
                for offset, kind, symbol in entries
            )
            sections.append(SectionData(f".rel{target}", SHT_REL, 0, bytearray(content), symtab, index[target], 16))
        first_global = 1 + sum(symbol.bind == LOCAL for symbol in ordered)
        sections.append(SectionData(".symtab", SHT_SYMTAB, 0, table, symtab + 1, first_global, 24))
        for section in sections:
            strings.add(section.name)
        strings.add(".strtab")
        sections.append(SectionData(".strtab", SHT_STRTAB, 0, strings.content))
        return self._layout(sections, strings)

    def _layout(self, sections: list[SectionData], strings: Strings) -> bytes:
        body = bytearray(64)
        headers = bytearray()
        for section in sections:
            body += bytes(-len(body) % 8)
            size = section.size if section.kind == SHT_NOBITS else len(section.content)
            headers += struct.pack(
                f"{self.prefix}IIQQQQIIQQ",
                *(strings.add(section.name), section.kind, section.flags, 0, len(body) if section.kind else 0, size),
                *(section.link, section.info, 8 if section.kind else 0, section.entry_size),
            )
            if section.kind != SHT_NOBITS:
                body += section.content
        body += bytes(-len(body) % 8)
        identification = bytes([0x7F, *b"ELF", 2, 1 if self.byte_order == "little" else 2, 1]).ljust(16, b"\0")
        body[:64] = identification + struct.pack(
            f"{self.prefix}HHIQQQIHHHHHH",
            *(1, self.machine, 1, 0, 0, len(body), 0, 64, 0, 0, 64, len(sections), len(sections) - 1),
        )
        return bytes(body + headers)

    def write(self, path: Path) -> str:
        """Write the file; its path as text, as the loader takes it."""
        path.write_bytes(self.build())
        return str(path)


class Strings:
    """A string table: NUL-terminated, the empty string first."""

    def __init__(self) -> None:
        self.content = bytearray(1)
        self._offsets = {"": 0}

    def add(self, text: str) -> int:
        """The offset of `text`, which is added if it is new."""
        if text not in self._offsets:
            self._offsets[text] = len(self.content)
            self.content += text.encode() + b"\0"
        return self._offsets[text]


class BtfBuilder:
    """A `.BTF` section. Methods that add a type give its number."""

    def __init__(self, byte_order: ByteOrder = "little") -> None:
        self.prefix = "<" if byte_order == "little" else ">"
        self.strings = Strings()
        self.types = bytearray()
        self.count = 0

    def raw(self, kind: int, name: str = "", size_or_type: int = 0, vlen: int = 0, words: Sequence[int] = ()) -> int:
        """Any type: the common record, then `words` of 32 bits. `vlen` may hold the kind flag in bit 31."""
        info = (kind << 24 | vlen) & 0xFFFFFFFF
        self.types += struct.pack(f"{self.prefix}{3 + len(words)}I", self.strings.add(name), info, size_or_type, *words)
        self.count += 1
        return self.count

    def integer(self, name: str, size: int) -> int:
        return self.raw(1, name, size, words=[size * 8])

    def pointer(self, target: int) -> int:
        return self.raw(2, "", target)

    def array(self, element: int, count: int, index: int = 0) -> int:
        return self.raw(3, words=[element, index, count])

    def struct(self, name: str, size: int, members: Sequence[tuple[str, int, int]], union: bool = False) -> int:
        """Members are name, type, offset in bits."""
        words = [word for member, kind, offset in members for word in (self.strings.add(member), kind, offset)]
        return self.raw(5 if union else 4, name, size, len(members), words)

    def variable(self, name: str, target: int) -> int:
        return self.raw(14, name, target, words=[1])

    def data_section(self, name: str, variables: Sequence[tuple[int, int, int]]) -> int:
        """Variables are type, offset, size."""
        return self.raw(15, name, 0, len(variables), [word for variable in variables for word in variable])

    def uint(self, value: int) -> int:
        """`__uint(_, value)`: a pointer to an array of that many elements."""
        return self.pointer(self.array(0, value))

    def build(self) -> bytes:
        header = struct.pack(
            f"{self.prefix}HBBIIIII",
            *(0xEB9F, 1, 0, 24, 0, len(self.types), len(self.types), len(self.strings.content)),
        )
        return header + bytes(self.types) + bytes(self.strings.content)

    def build_ext(
        self,
        lines: Sequence[tuple[str, int, str, str, int, int]] = (),
        core: Sequence[tuple[str, int]] = (),
    ) -> bytes:
        """`.BTF.ext`. Lines are section, byte offset, file, text, line, column; CO-RE entries section, byte offset.

        Call it before `build`: it adds strings.
        """
        add = self.strings.add
        line_rows = [
            (s, [offset, add(file), add(text), line << 10 | column]) for s, offset, file, text, line, column in lines
        ]
        core_rows = [(s, [offset, 0, 0, 7]) for s, offset in core]
        line_table, core_table = self._table(line_rows, 4), self._table(core_rows, 4)
        sizes = (0, 0, 0, len(line_table), len(line_table), len(core_table))
        return struct.pack(f"{self.prefix}HBBI6I", 0xEB9F, 1, 0, 32, *sizes) + line_table + core_table

    def _table(self, rows: Sequence[tuple[str, list[int]]], words: int) -> bytes:
        if not rows:
            return b""
        content = struct.pack(f"{self.prefix}I", words * 4)
        for section in dict.fromkeys(name for name, _ in rows):
            own = [row for name, row in rows if name == section]
            content += struct.pack(f"{self.prefix}II", self.strings.add(section), len(own))
            content += b"".join(struct.pack(f"{self.prefix}{words}I", *row) for row in own)
        return content


def map_definition(btf: BtfBuilder, name: str, kind: int, key: int, value: int, max_entries: int) -> int:
    """The variable of a BTF-defined map; `key`, `value` are types. Its struct takes 32 bytes."""
    members = [
        ("type", btf.uint(kind), 0),
        ("key", btf.pointer(key), 64),
        ("value", btf.pointer(value), 128),
        ("max_entries", btf.uint(max_entries), 192),
    ]
    return btf.variable(name, btf.struct("", 32, members))
