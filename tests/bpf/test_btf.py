"""BTF: types, sizes, fields, what `.BTF.ext` says."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import pytest

from equiv.bpf.btf import Btf, Kind, read_btf, read_btf_ext
from equiv.bpf.program import ByteOrder
from equiv.errors import InputError, Place
from tests.bpf.objects import BtfBuilder

PLACE = Place("p.o")


def read(builder: BtfBuilder, byte_order: ByteOrder = "little") -> Btf:
    return read_btf(builder.build(), byte_order, PLACE)


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_struct_is_found_with_offsets_and_sizes(byte_order: ByteOrder) -> None:
    builder = BtfBuilder(byte_order)
    u8, u32 = builder.integer("u8", 1), builder.integer("u32", 4)
    builder.struct(
        "hdr", 24, [("a", u8, 0), ("b", builder.array(u8, 6), 8), ("c", u32, 64), ("p", builder.pointer(0), 128)]
    )
    found = read(builder, byte_order).struct("hdr")
    assert found is not None and found.size == 24
    assert {f.name: (f.offset, f.size) for f in found.fields.values()} == {
        "a": (0, 1),
        "b": (1, 6),
        "c": (8, 4),
        "p": (16, 8),
    }


def test_members_of_anonymous_unions_are_the_structs_own() -> None:
    builder = BtfBuilder()
    u32 = builder.integer("u32", 4)
    inner = builder.struct("", 4, [("x", u32, 0), ("y", u32, 0)], union=True)
    builder.struct("outer", 8, [("first", u32, 0), ("", inner, 32)])
    found = read(builder).struct("outer")
    assert found is not None
    assert {name: field.offset for name, field in found.fields.items()} == {"first": 0, "x": 4, "y": 4}


def test_bit_fields_keep_their_width() -> None:
    builder = BtfBuilder()
    u8 = builder.integer("u8", 1)
    words = [builder.strings.add("ihl"), u8, 4 << 24 | 0, builder.strings.add("version"), u8, 4 << 24 | 4]
    builder.raw(Kind.STRUCT, "iphdr", 1, 2 | 1 << 31, words)
    found = read(builder).struct("iphdr")
    assert found is not None
    assert {f.name: (f.bit_offset, f.width) for f in found.fields.values()} == {"ihl": (0, 4), "version": (4, 4)}


def test_typedefs_and_qualifiers_are_seen_through() -> None:
    builder = BtfBuilder()
    u32 = builder.integer("unsigned int", 4)
    typedef = builder.raw(Kind.TYPEDEF, "__u32", u32)
    const = builder.raw(Kind.CONST, "", builder.raw(Kind.VOLATILE, "", builder.raw(Kind.TYPE_TAG, "user", typedef)))
    structure = builder.struct("", 4, [("x", const, 0)])
    builder.raw(Kind.TYPEDEF, "alias", structure)
    btf = read(builder)
    assert btf.resolve(const).name == "unsigned int"
    assert btf.size_of(const) == 4
    alias = btf.struct("alias")
    assert alias is not None and alias.fields["x"].size == 4


def test_array_sizes_multiply() -> None:
    builder = BtfBuilder()
    array = builder.array(builder.array(builder.integer("u16", 2), 3), 5)
    assert read(builder).size_of(array) == 30


EVERY_KIND: list[tuple[Kind, int, Sequence[int]]] = [
    (Kind.INT, 0, [32]),
    (Kind.PTR, 0, []),
    (Kind.ARRAY, 0, [1, 1, 2]),
    (Kind.STRUCT, 1, [0, 1, 0]),
    (Kind.UNION, 1, [0, 1, 0]),
    (Kind.ENUM, 2, [0, 1, 0, 2]),
    (Kind.FWD, 0, []),
    (Kind.TYPEDEF, 0, []),
    (Kind.VOLATILE, 0, []),
    (Kind.CONST, 0, []),
    (Kind.RESTRICT, 0, []),
    (Kind.FUNC, 1, []),
    (Kind.FUNC_PROTO, 2, [0, 1, 0, 1]),
    (Kind.VAR, 0, [1]),
    (Kind.DATASEC, 1, [1, 0, 4]),
    (Kind.FLOAT, 0, []),
    (Kind.DECL_TAG, 0, [0xFFFFFFFF]),
    (Kind.TYPE_TAG, 0, []),
    (Kind.ENUM64, 1, [0, 1, 2]),
]


def test_every_kind_takes_as_many_bytes_as_it_should() -> None:
    builder = BtfBuilder()
    for kind, vlen, words in EVERY_KIND:
        builder.raw(kind, "t", 4, vlen, words)
    assert [found.kind for found in read(builder).types] == list(Kind)


def test_line_records_are_read_for_each_section() -> None:
    builder = BtfBuilder()
    ext = builder.build_ext([("xdp", 0, "a.c", "int x;", 3, 4), ("tc", 8, "b.c", "", 5, 0)], [("tc", 16)])
    btf = read(builder)
    found = read_btf_ext(ext, "little", btf, PLACE)
    assert [(r.section, r.offset, btf.string(r.words[0]), r.words[2] >> 10) for r in found.lines] == [
        ("xdp", 0, "a.c", 3),
        ("tc", 8, "b.c", 5),
    ]
    assert [(r.section, r.offset) for r in found.core] == [("tc", 16)]


def test_extension_without_core_relocations_is_an_older_one() -> None:
    builder = BtfBuilder()
    old = struct.pack("<HBBI4I", 0xEB9F, 1, 0, 24, 0, 0, 0, 0)
    assert read_btf_ext(old, "little", read(builder), PLACE).core == ()


def cyclic() -> Btf:
    builder = BtfBuilder()
    builder.raw(Kind.CONST, "", 2)
    builder.raw(Kind.TYPEDEF, "loop", 1)
    builder.array(3, 1)
    return read(builder)


def test_type_that_refers_to_itself_is_refused() -> None:
    with pytest.raises(InputError, match="refers to itself"):
        cyclic().resolve(1)
    with pytest.raises(InputError, match="refers to itself"):
        cyclic().struct("loop")
    with pytest.raises(InputError, match="nested more than"):
        cyclic().size_of(3)


def test_struct_inside_itself_is_refused() -> None:
    builder = BtfBuilder()
    builder.struct("s", 4, [("", 1, 0), ("", 1, 0)])
    with pytest.raises(InputError, match=r"nested more than|members"):
        read(builder).struct("s")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda data: data[:7], "cut short"),
        (lambda data: b"\0\0" + data[2:], "magic"),
        (lambda data: data[:4] + struct.pack("<I", 1 << 30) + data[8:], "header of"),
        (lambda data: data[:12] + struct.pack("<I", 0xFFFFFFFC) + data[16:], "types lie beyond"),
        (lambda data: data[:20] + struct.pack("<I", 0xFFFFFFFF) + data[24:], "strings lie beyond"),
        (lambda data: data[:-1] + b"x", "NUL"),
        (lambda data: data[:28] + struct.pack("<I", 31 << 24) + data[32:], "unknown kind 31"),
        (lambda data: data[:28] + struct.pack("<I", 4 << 24 | 0xFFFF) + data[32:], "cut short"),
        (lambda data: data[:24] + struct.pack("<I", 1 << 20) + data[28:], "string at"),
    ],
)
def test_malformed_btf_says_what_is_wrong(change: object, words: str) -> None:
    builder = BtfBuilder()
    builder.integer("int", 4)
    assert callable(change)
    with pytest.raises(InputError, match=f"malformed BTF: .*{words}"):
        read_btf(change(builder.build()), "little", PLACE)
