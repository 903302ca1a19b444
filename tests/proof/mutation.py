"""Single mutants of programs and tables, and packets that tell them from their originals.

A mutant that the proof engine calls `equivalent` to its original is run against it on the concrete interpreters,
which share no code with the symbolic machines. A difference there is an unsound proof.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from random import Random

from equiv.bpf import insn as isa
from equiv.bpf.program import Insn, Program
from equiv.errors import InputError
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.proof.replay import differing

ARITHMETIC = (isa.ADD, isa.SUB, isa.OR, isa.AND, isa.XOR, isa.LSH, isa.RSH, isa.ARSH, isa.MUL, isa.MOV)
INVERSE_JUMPS = {
    isa.JEQ: isa.JNE,
    isa.JGT: isa.JLE,
    isa.JGE: isa.JLT,
    isa.JSGT: isa.JSLE,
    isa.JSGE: isa.JSLT,
}
INVERSE_JUMPS |= {inverse: code for code, inverse in INVERSE_JUMPS.items()}
JUMPS = tuple(sorted(INVERSE_JUMPS))
SIZES = (isa.B, isa.H, isa.W, isa.DW)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`name` says what was changed where."""

    name: str
    loaded: Loaded


def as_loaded(program: Program) -> Loaded:
    """A program in memory as an input of a check."""
    return Loaded(program.path, program.sha256, "bpf", program=program)


def program_mutants(program: Program) -> Iterator[Mutant]:
    """Every single-instruction mutant of `program`, in order of instructions."""
    for slot, insn in enumerate(program.insns):
        if insn is None or insn.ref is not None:
            continue
        for change in _instruction_mutants(insn):
            if change == insn:
                continue
            insns = (*program.insns[:slot], change, *program.insns[slot + 1 :])
            name = f"{slot}: {_fields(insn)} -> {_fields(change)}"
            yield Mutant(name, as_loaded(dataclasses.replace(program, insns=insns)))


def _fields(insn: Insn) -> str:
    return f"{insn.opcode:02x} r{insn.dst} r{insn.src} {insn.off:+d} {insn.imm:#x}"


def _instruction_mutants(insn: Insn) -> Iterator[Insn]:
    """What a slip of one field makes of `insn`. Most are accepted programs; some the verifier would reject."""
    replace = dataclasses.replace
    kind, code = insn.opcode & isa.CLASS_MASK, insn.opcode & isa.CODE_MASK
    if kind in (isa.ALU, isa.ALU64):
        yield from _immediates(insn)
        if code in ARITHMETIC:
            yield from (replace(insn, opcode=insn.opcode ^ code ^ other) for other in ARITHMETIC)
        yield from _registers(insn, both=bool(insn.opcode & isa.X))
        if code != isa.END:
            yield replace(insn, opcode=insn.opcode ^ isa.ALU ^ isa.ALU64)
    elif kind in (isa.JMP, isa.JMP32):
        if code in (isa.CALL, isa.EXIT):
            return
        yield from (replace(insn, off=insn.off + by) for by in (-2, -1, 1, 2))
        if code == isa.JA:
            return
        yield from _immediates(insn)
        if code in INVERSE_JUMPS:
            yield from (replace(insn, opcode=insn.opcode ^ code ^ other) for other in (*JUMPS, isa.JSET))
        yield from _registers(insn, both=bool(insn.opcode & isa.X))
        yield replace(insn, opcode=insn.opcode ^ isa.JMP ^ isa.JMP32)
    elif kind in (isa.LDX, isa.ST, isa.STX) and insn.opcode & isa.MODE_MASK == isa.MEM:
        yield from (replace(insn, off=insn.off + by) for by in (-2, -1, 1, 2, 4))
        size = insn.opcode & isa.SIZE_MASK
        yield from (replace(insn, opcode=insn.opcode ^ size ^ other) for other in SIZES)
        if kind == isa.ST:
            yield from _immediates(insn)
        else:
            yield from _registers(insn, both=True)


def _immediates(insn: Insn) -> Iterator[Insn]:
    """The immediate off by one, and with one bit flipped; nothing where a register stands in its place."""
    if insn.opcode & isa.X and insn.opcode & isa.CLASS_MASK != isa.ST:
        return
    flips = (1 << bit for bit in (0, 1, 2, 3, 7, 8, 15))
    for value in dict.fromkeys((insn.imm - 1, insn.imm + 1, *(insn.imm ^ flip for flip in flips))):
        if -(1 << 31) <= value < 1 << 31:
            yield dataclasses.replace(insn, imm=value)


def _registers(insn: Insn, *, both: bool) -> Iterator[Insn]:
    for register in range(10):
        yield dataclasses.replace(insn, dst=register)
        if both:
            yield dataclasses.replace(insn, src=register)


NUMBER = re.compile(r"(?<![\w<])(0x[0-9a-fA-F]+|[0-9]+)\b")
COMPARISON = re.compile(r" (==|!=|<=|>=|<|>) ")
OPERATOR = re.compile(r" ([+*|&]|-|<<|&&|\|\|) ")
TARGET = re.compile(r"(?:->|else|transition|:)\s+([a-z]\w*)(?=[;,])")
OUTPUT = re.compile(r"\b([bl]e)(?=16|32|64)")


def table_texts(text: str) -> Iterator[tuple[str, str]]:
    """Name and text of every single mutant of a `.dev` file; many are not accepted as tables."""

    def changed(match: re.Match[str], new: str) -> tuple[str, str]:
        start, end = match.span(1)
        line = text.count("\n", 0, start) + 1
        return f"line {line}: {match[1]} -> {new}", text[:start] + new + text[end:]

    for match in NUMBER.finditer(text):
        value = int(match[1], 0)
        for other in dict.fromkeys((value + 1, value - 1, value ^ 2, value ^ 4, value ^ 0x10, value ^ 0x80)):
            if other >= 0:
                yield changed(match, hex(other) if match[1].startswith("0x") else str(other))
    for match in COMPARISON.finditer(text):
        yield from (changed(match, other) for other in ("==", "!=", "<=", ">=", "<", ">") if other != match[1])
    for match in OPERATOR.finditer(text):
        yield from (changed(match, other) for other in ("+", "-", "*", "|", "&", "&&", "||") if other != match[1])
    targets = sorted({match[1] for match in TARGET.finditer(text)} | {"accept", "drop"})
    for match in TARGET.finditer(text):
        yield from (changed(match, other) for other in targets if other != match[1])
    for match in OUTPUT.finditer(text):
        yield changed(match, "le" if match[1] == "be" else "be")
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if line.startswith("    ") and line.rstrip().endswith(";"):
            yield f"line {number + 1} dropped", "".join(lines[:number] + lines[number + 1 :])
    for number, (line, following) in enumerate(pairwise(lines)):
        if line.startswith("    ") and following.startswith("    "):
            swapped = [*lines[:number], following, line, *lines[number + 2 :]]
            yield f"lines {number + 1} and {number + 2} swapped", "".join(swapped)


def table_mutants(text: str) -> Iterator[Mutant]:
    """The mutants of `table_texts` that are tables."""
    from equiv.table.parse import parse_table

    for name, mutated in table_texts(text):
        try:
            table = parse_table(mutated, "mutant.dev")
        except InputError:
            continue
        yield Mutant(name, Loaded("mutant.dev", table.sha256, "dev", table=table))


def packets(seeds: Iterable[bytes], random: Random, count: int, minimum: int = 14) -> Iterator[bytes]:
    """The seeds, all their short truncations, and `count` mutations of them: bytes changed, cut, lengthened, copied."""
    pool = list(dict.fromkeys(seeds))
    seen = set()
    for packet in _all(pool, random, count):
        if len(packet) >= minimum and packet not in seen:
            seen.add(packet)
            yield packet


INTERESTING = (0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 20, 32, 41, 47, 60, 63, 64, 69, 70, 79, 96, 127, 128, 254, 255)


def _all(pool: list[bytes], random: Random, count: int) -> Iterator[bytes]:
    yield from pool
    for packet in pool:
        yield from (packet[:length] for length in range(len(packet) - 1, max(0, len(packet) - 90), -1))
    for _ in range(count):
        packet = bytearray(random.choice(pool))
        for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
            _mutate(packet, pool, random)
        yield bytes(packet)


def _mutate(packet: bytearray, pool: list[bytes], random: Random) -> None:
    at = random.randrange(12, max(len(packet), 13)) if random.random() < 0.95 else random.randrange(12)
    match random.randrange(7):
        case 0 | 1 if at < len(packet):
            packet[at] = random.choice(INTERESTING)
        case 2 if at < len(packet):
            packet[at] ^= 1 << random.randrange(8)
        case 3 if at < len(packet):
            packet[at] = random.randrange(256)
        case 4:
            del packet[at:]
        case 5:
            packet += random.randbytes(random.choice((1, 2, 4, 8, 20, 40)))
        case _:
            other = random.choice(pool)
            packet[at:] = other[at:]


def ran(loaded: Loaded, interface: Interface, given: Input) -> Observation | str:
    """What the interpreter shows; 'fault' for a program the verifier rejects, 'not run' for what it does not model."""
    try:
        return loaded.execute(interface, given)
    except InputError:
        return "fault"
    except NotRunnable:
        return "not run"


def told_apart(
    interface: Interface, left: Loaded, right: Loaded, inputs: Iterable[Input], memo: dict[int, Observation | str]
) -> Input | None:
    """The first input on which the interpreters differ, or one side faults; `memo` keeps what `left` showed."""
    for number, given in enumerate(inputs):
        if number not in memo:
            memo[number] = ran(left, interface, given)
        ours, theirs = memo[number], ran(right, interface, given)
        if isinstance(ours, Observation) and isinstance(theirs, Observation):
            if differing(interface, ours, theirs, given):
                return given
        elif "fault" in (ours, theirs):
            return given
    return None
