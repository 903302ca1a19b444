"""Disassembly, also against llvm-objdump where that is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from equiv.bpf import insn as isa
from equiv.bpf.disasm import disassemble, listing
from equiv.bpf.load import load_program
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapValueRef
from tests.bpf.objects import (
    ALLOC,
    EXECUTE,
    BtfBuilder,
    ObjectBuilder,
    call_distance,
    call_helper,
    exit_,
    insn,
    load,
    load_imm64,
    mov,
    store,
)

EXAMPLES = [
    (mov(1, -7), "r1 = -7"),
    (insn(isa.ALU | isa.MOV, 0, imm=1), "w0 = 1"),
    (insn(isa.ALU | isa.MOV | isa.X, 0, 3), "w0 = w3"),
    (insn(isa.ALU64 | isa.ADD | isa.X, 1, 2), "r1 += r2"),
    (insn(isa.ALU64 | isa.ARSH, 1, imm=5), "r1 s>>= 5"),
    (insn(isa.ALU64 | isa.NEG, 4), "r4 = -r4"),
    (insn(isa.ALU | isa.END | isa.X, 0, imm=16), "r0 = be16 r0"),
    (insn(isa.ALU | isa.END, 0, imm=64), "r0 = le64 r0"),
    (insn(isa.ALU64 | isa.END, 0, imm=32), "r0 = bswap32 r0"),
    (insn(isa.ALU64 | isa.MOV | isa.X, 1, 2, off=16), "r1 = (s16)r2"),
    (insn(isa.ALU64 | isa.DIV | isa.X, 1, 2, off=1), "r1 s/= r2"),
    (insn(isa.ALU | isa.MOD, 1, off=1, imm=7), "w1 s%= 7"),
    (load(1, 2, 4, isa.W), "r1 = *(u32 *)(r2 + 4)"),
    (load(1, 2, -4, isa.B), "r1 = *(u8 *)(r2 - 4)"),
    (insn(isa.LDX | isa.MEMSX | isa.H, 1, 2, 0), "r1 = *(s16 *)(r2 + 0)"),
    (store(10, -8, 1), "*(u64 *)(r10 - 8) = r1"),
    (insn(isa.JMP | isa.JGT | isa.X, 2, 3, 7), "if r2 > r3 goto +7"),
    (insn(isa.JMP32 | isa.JSLE, 2, off=-2, imm=-1), "if w2 s<= -1 goto -2"),
    (insn(isa.JMP | isa.JSET, 2, off=1, imm=8), "if r2 & 8 goto +1"),
    (insn(isa.JMP | isa.JA, off=4), "goto +4"),
    (insn(isa.JMP32 | isa.JA, imm=40000), "gotol +40000"),
    (insn(isa.STX | isa.ATOMIC | isa.DW, 1, 2, imm=isa.ATOMIC_ADD), "lock *(u64 *)(r1 + 0) += r2"),
    (
        insn(isa.STX | isa.ATOMIC | isa.W, 1, 2, imm=isa.ATOMIC_OR | isa.FETCH),
        "w2 = atomic_fetch_or((u32 *)(r1 + 0), w2)",
    ),
    (insn(isa.STX | isa.ATOMIC | isa.DW, 1, 2, imm=isa.XCHG), "r2 = xchg_64(r1 + 0, r2)"),
    (insn(isa.STX | isa.ATOMIC | isa.W, 1, 2, imm=isa.CMPXCHG), "w0 = cmpxchg32_32(r1 + 0, w0, w2)"),
    (call_helper(1), "call 1"),
    (load_imm64(1, 5), "r1 = 5 ll"),
    (insn(isa.LD | isa.ABS | isa.H, imm=12), "r0 = *(u16 *)skb[12]"),
    (insn(isa.LD | isa.IND | isa.B, src=3), "r0 = *(u8 *)skb[r3]"),
    (exit_(), "exit"),
]


@pytest.mark.parametrize(("item", "text"), EXAMPLES)
def test_instruction_reads_like_the_kernels_log(item: Insn, text: str) -> None:
    assert disassemble(item, 0) == text


def test_references_are_shown_by_name() -> None:
    wide = isa.LD_IMM64
    assert disassemble(Insn(wide, 1, 1, 0, 0, 0, MapRef("flows")), 0) == "r1 = map[flows] ll"
    assert disassemble(Insn(wide, 1, 2, 0, 0, 0, MapValueRef(".bss", 8)), 0) == "r1 = map[.bss][0]+8 ll"
    assert disassemble(Insn(isa.JMP | isa.CALL, 0, 1, 0, 4, 0, FunctionRef(5, "sub")), 0) == "call pc+4 <sub>"
    assert disassemble(Insn(isa.JMP | isa.CALL, 0, 2, 0, 0, 0, ExternRef("kf")), 0) == "call <kf>"
    assert disassemble(call_distance(12), 0) == "call pc+12"


def _normal(text: str) -> str:
    """llvm-objdump's line with numbers in decimal and without the labels that newer versions add."""
    text = re.sub(r"\s*<[^<>=]+>", "", text)
    return re.sub(r"0x([0-9a-f]+)", lambda match: str(int(match[1], 16)), text).strip()


@pytest.mark.parametrize("objdump", ["llvm-objdump-19", "llvm-objdump"])
def test_agrees_with_llvm_objdump(tmp_path: Path, objdump: str) -> None:
    if shutil.which(objdump) is None:
        pytest.skip(f"{objdump} is not installed")
    builder = ObjectBuilder()
    content = builder.section("xdp", ALLOC | EXECUTE).content
    starts = {}
    for item, text in EXAMPLES:
        # Before LLVM 17, signed division and sign-extending moves were shown as what they extend. A gotol that far
        # outside the code is shown as a label.
        if item.imm != 40000 and (objdump != "llvm-objdump" or not (item.off and isa.is_alu(item))):
            starts[len(content) // 8] = text
            content += isa.encode(item, "little")
    path = builder.write(tmp_path / "all.o")
    shown = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True)
    lines = dict(re.findall(r"^\s*(\d+):\s+(.*)$", shown.stdout, re.MULTILINE))
    known = {at: text for at, text in starts.items() if "unknown" not in lines.get(str(at), "<unknown>")}
    # An older llvm-objdump does not know what came with -mcpu=v4.
    assert len(known) >= len(starts) - 8
    assert {at: _normal(lines[str(at)]) for at in known} == known


def test_listing_shows_functions_and_source_lines(tmp_path: Path) -> None:
    builder, btf = ObjectBuilder(), BtfBuilder()
    builder.function("prog", "xdp", [mov(0, 2), exit_()])
    ext = btf.build_ext(lines=[("xdp", 0, "prog.c", "  return XDP_PASS;", 9, 3)])
    builder.plain(".BTF", btf.build())
    builder.plain(".BTF.ext", ext)
    text = "\n".join(listing(load_program(builder.write(tmp_path / "prog.o"))))
    assert text == "prog:\n; prog.c:9 return XDP_PASS;\n     0: r0 = 2\n     1: exit"
