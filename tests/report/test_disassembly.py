"""Disassembly is what llvm-objdump prints, but for names and jump targets."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from equiv.bpf.load import load_object
from equiv.bpf.program import Insn, MapRef, MapValueRef
from equiv.bpf.source import read_source
from equiv.report.disassembly import disassemble, insn_text

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
OBJDUMP = next(filter(None, (shutil.which(f"llvm-objdump-{version}") for version in range(25, 15, -1))), None)
LINE = re.compile(r"^\s*(\d+):\s+(.*)$")


def _numbers(text: str) -> str:
    """All numbers in decimal."""
    return re.sub(r"\b0x[0-9a-f]+\b", lambda match: str(int(match.group(), 16)), text)


def _reference(path: Path, section: str, start: int, end: int) -> dict[int, str]:
    """The section's instructions from slot `start` up to `end`, by slot from there."""
    command = [OBJDUMP or "", "-d", "--no-show-raw-insn", "-j", section, str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = {}
    for line in shown.splitlines():
        if found := LINE.match(line):
            slot, text = int(found[1]) - start, _numbers(re.sub(r" <\S+>$", "", found[2]).strip())
            jump = re.search(r"goto ([+-]\d+)$", text)
            if jump:
                text = f"{text[: jump.start()]}goto {slot + 1 + int(jump[1])}"
            if text.startswith("*("):  # from version 17 on, narrow stores name the 32-bit register
                text = re.sub(r"= w(\d+)$", r"= r\1", text)
            if 0 <= slot < end - start:
                lines[slot] = text
    return lines


@pytest.mark.skipif(OBJDUMP is None, reason="no llvm-objdump-NN is installed")
@pytest.mark.parametrize("path", sorted(CORPORA.glob("*/*.bpf.o")), ids=lambda path: path.name)
def test_instructions_read_as_in_llvm_objdump(path: Path) -> None:
    if "clang-19" in path.name and OBJDUMP and int(OBJDUMP.rpartition("-")[2]) < 18:
        pytest.skip("this llvm-objdump does not know -mcpu=v4")
    entries = read_source(str(path)).entries
    for name, program in load_object(str(path)).programs.items():
        reference = _reference(path, program.section, entries[name].start, entries[name].end)
        compared = 0
        for line in disassemble(program):
            found = LINE.match(line)
            if not found or re.search(r"\bcall\b|map |&|function|extern", found[2]) or int(found[1]) not in reference:
                continue
            assert _numbers(found[2]) == reference[int(found[1])]
            compared += 1
        assert compared > 10


@pytest.mark.parametrize(
    ("insn", "text"),
    [
        (Insn(0xB7, 0, 0, 0, 2), "r0 = 2"),
        (Insn(0x85, 0, 0, 0, 1), "call bpf_map_lookup_elem"),
        (Insn(0x18, 1, 1, 0, 0, ref=MapRef("flows")), "r1 = map flows"),
        (Insn(0x18, 1, 2, 0, 0, ref=MapValueRef(".rodata", 8)), "r1 = &.rodata[8]"),
        (Insn(0x18, 1, 0, 0, 0, imm64=0xFFFFFFFFFF), "r1 = 0xffffffffff ll"),
        (Insn(0x1D, 1, 2, -3, 0), "if r1 == r2 goto 8"),
        (Insn(0x06, 0, 0, 0, 5), "goto 16"),
        (Insn(0x05, 0, 0, 5, 0), "goto 16"),
        (Insn(0xBF, 1, 2, 8, 0), "r1 = (s8)r2"),
        (Insn(0x3F, 1, 2, 1, 0), "r1 s/= r2"),
        (Insn(0xD7, 1, 0, 0, 16), "r1 = bswap16 r1"),
        (Insn(0xDC, 1, 0, 0, 32), "r1 = be32 r1"),
        (Insn(0x91, 1, 2, -2, 0), "r1 = *(s8 *)(r2 - 2)"),
        (Insn(0xDB, 1, 2, 8, 0), "lock *(u64 *)(r1 + 8) += r2"),
        (Insn(0xC3, 1, 2, 0, 0x51), "w2 = atomic_fetch_and((u32 *)(r1 + 0), w2)"),
        (Insn(0xDB, 1, 2, 0, 0xE1), "r2 = xchg_64(r1 + 0, r2)"),
        (Insn(0x28, 0, 0, 0, 12), "r0 = *(u16 *)skb[12]"),
        (Insn(0x48, 0, 3, 0, 2), "r0 = *(u16 *)skb[r3 + 2]"),
        (Insn(0x8C, 1, 0, 0, 0), "w1 = -w1"),
        (Insn(0x95, 0, 0, 0, 0), "exit"),
    ],
)
def test_each_form_of_instruction_has_its_text(insn: Insn, text: str) -> None:
    assert insn_text(10, insn) == text
