"""An object that uses everything the loader knows, to be spoilt, and what a refusal must look like."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv.bpf.cfg import control_flow
from equiv.bpf.liveness import liveness
from equiv.bpf.load import load_object
from equiv.bpf.program import Object
from equiv.errors import InputError, Unsupported
from tests.bpf.objects import (
    LOCAL,
    SHT_NOBITS,
    BtfBuilder,
    ObjectBuilder,
    add,
    call_distance,
    call_helper,
    call_symbol,
    exit_,
    goto,
    jump_if_equal,
    load,
    load_imm64,
    load_symbol,
    map_definition,
    mov,
    mov_register,
    store,
)


def valid() -> ObjectBuilder:
    """An object that uses everything the loader knows."""
    builder, btf = ObjectBuilder(), BtfBuilder()
    u32 = btf.integer("u32", 4)
    btf.struct("pair", 8, [("a", u32, 0), ("b", btf.array(u32, 1), 32)])
    btf.data_section(".maps", [(map_definition(btf, "typed", 1, u32, u32, 7), 0, 32)])
    builder.data(".maps", bytes(32), "typed")
    builder.legacy_map("legacy", 2, 4, 8, 1)
    builder.data(".rodata", b"abcdefgh", "text")
    builder.section(".bss", kind=SHT_NOBITS).size = 16
    builder.section_symbol(".bss")
    builder.section_symbol(".text")
    builder.license()
    builder.function("leaf", ".text", [load(0, 1, 0), exit_()], bind=LOCAL)
    builder.function("middle", ".text", [call_distance(-3), exit_()])
    builder.function(
        "prog",
        "xdp",
        [
            *(load_symbol(1, "typed"), load_symbol(2, "legacy"), load_symbol(3, "text", 2), load_symbol(4, ".bss", 8)),
            *(store(10, -8, 1), mov_register(2, 10), add(2, -8), call_helper(1)),
            *(jump_if_equal(0, 0, 1), goto(0), mov_register(1, 10), call_symbol("middle"), call_symbol(".text", -1)),
            *(load_imm64(5, 1 << 40), mov(0, 2), exit_()),
        ],
    )
    ext = btf.build_ext([("xdp", 0, "p.c", "int x;", 3, 4), (".text", 16, "p.c", "", 9, 1)], [("xdp", 64)])
    builder.plain(".BTF", btf.build())
    builder.plain(".BTF.ext", ext)
    return builder


VALID = valid().build()


def load_bytes(data: bytes, tmp_path: Path) -> Object:
    path = tmp_path / "hostile.o"
    path.write_bytes(data)
    return load_object(str(path))


def analyse(loaded: Object) -> None:
    for program in loaded.programs.values():
        liveness(program, control_flow(program))


def refusal(data: bytes, tmp_path: Path) -> str:
    """The one line that says why `data` is refused."""
    with pytest.raises((InputError, Unsupported)) as caught:
        load_bytes(data, tmp_path)
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 400 + len(str(tmp_path))
    assert "hostile.o" in text
    return text
