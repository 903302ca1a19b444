"""Type information that means harm: each is refused in one line."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from equiv.bpf.btf import Kind
from tests.bpf.hostile import refusal
from tests.bpf.objects import (
    BtfBuilder,
    ObjectBuilder,
    exit_,
    load_symbol,
    mov,
)


def with_types(change: Callable[[BtfBuilder], int | None]) -> ObjectBuilder:
    """A program with one BTF-defined map `m`; `change` adds its variable, or gives None to leave the section out."""
    builder, btf = ObjectBuilder(), BtfBuilder()
    builder.function("prog", "xdp", [load_symbol(1, "m"), exit_()])
    builder.data(".maps", bytes(32), "m")
    variable = change(btf)
    if variable is not None:
        btf.data_section(".maps", [(variable, 0, 32)])
    builder.plain(".BTF", btf.build())
    return builder


def _structure(btf: BtfBuilder, size: int, *members: tuple[str, int, int]) -> int:
    return btf.variable("m", btf.struct("", size, list(members)))


def _cycle(btf: BtfBuilder) -> int:
    return btf.variable("m", btf.raw(Kind.CONST, "", btf.count + 1))


def _huge_value(btf: BtfBuilder) -> int:
    value = btf.array(btf.array(btf.integer("int", 4), 0xFFFFFFFF), 0xFFFFFFFF)
    return _structure(btf, 8, ("value", btf.pointer(value), 0))


def _nested(btf: BtfBuilder) -> int:
    innermost = btf.struct("", 8, [("values", btf.array(btf.pointer(1), 0), 0)])
    return _structure(btf, 8, ("values", btf.array(btf.pointer(innermost), 0), 0))


TYPES: dict[str, tuple[Callable[[BtfBuilder], int | None], str]] = {
    "no map section": (lambda btf: None, "does not describe map m"),
    "map without symbol": (lambda btf: btf.variable("other", btf.struct("", 8, [])), "no symbol"),
    "map that is a number": (lambda btf: btf.variable("m", btf.integer("int", 4)), "not declared as a struct"),
    "map that is its own type": (_cycle, "refers to itself"),
    "map that refers to no type": (lambda btf: btf.variable("m", 999), "type 999"),
    "map section that holds no variables": (lambda btf: btf.integer("m", 4), "no symbol"),
    "map larger than its section": (lambda btf: _structure(btf, 64), "outside section .maps"),
    "number that is none": (lambda btf: _structure(btf, 8, ("type", btf.integer("int", 4), 0)), "__uint"),
    "key that is no pointer": (lambda btf: _structure(btf, 8, ("key", btf.integer("int", 4), 0)), "__type"),
    "key without a size": (lambda btf: _structure(btf, 8, ("key", btf.pointer(0), 0)), "no size"),
    "values that are no array": (lambda btf: _structure(btf, 8, ("values", btf.integer("int", 4), 0)), "__array"),
    "huge value": (_huge_value, "larger than"),
    "maps in maps in maps": (_nested, "two deep"),
}


@pytest.mark.parametrize("name", TYPES)
def test_hostile_map_type_is_refused(tmp_path: Path, name: str) -> None:
    change, words = TYPES[name]
    assert words in refusal(with_types(change).build(), tmp_path)


def extension(content: bytes) -> bytes:
    builder, btf = ObjectBuilder(), BtfBuilder()
    btf.strings.add("xdp")
    builder.function("prog", "xdp", [mov(0, 0), exit_()])
    builder.plain(".BTF", btf.build())
    builder.plain(".BTF.ext", content)
    return builder.build()


def ext_header(*lengths: int) -> bytes:
    return struct.pack("<HBBI6I", 0xEB9F, 1, 0, 32, *lengths)


XDP_NAME = 1
EXTENSIONS = {
    "empty header": b"\x9f\xeb",
    "lengths beyond the end": ext_header(0, 0, 0, 0xFFFFFFFC, 0, 0),
    "offset beyond the end": ext_header(0, 0, 0xFFFFFFF0, 4, 0, 0),
    "records of 0 bytes": ext_header(0, 0, 0, 16, 0, 0) + struct.pack("<4I", 0, XDP_NAME, 1, 0),
    "records without end": ext_header(0, 0, 0, 16, 0, 0) + struct.pack("<4I", 16, XDP_NAME, 0xFFFFFFFF, 0),
    "no records": ext_header(0, 0, 0, 12, 0, 0) + struct.pack("<3I", 16, XDP_NAME, 0),
    "line outside the code": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, XDP_NAME, 1, 800, 0, 0, 0),
    "line between instructions": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, XDP_NAME, 1, 4, 0, 0, 0),
    "line of a file without name": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, XDP_NAME, 1, 0, 999, 0, 0),
    "line of a section without name": ext_header(0, 0, 0, 28, 0, 0) + struct.pack("<7I", 16, 999, 1, 0, 0, 0, 0),
    "CO-RE relocation outside": ext_header(0, 0, 0, 0, 0, 28) + struct.pack("<7I", 16, XDP_NAME, 1, 80, 0, 0, 0),
}


@pytest.mark.parametrize("name", EXTENSIONS)
def test_hostile_btf_extension_is_refused(tmp_path: Path, name: str) -> None:
    refusal(extension(EXTENSIONS[name]), tmp_path)
