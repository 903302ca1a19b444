"""What lies where in a map's value, as BTF says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from equiv.bpf.load import load_program
from equiv.bpf.shape import Array, Number, Record, Shape

CLANG = "clang-16"
LEGACY = """
struct value { char head; int body; };
struct { unsigned type, key, size, entries, flags; } held __attribute__((section("maps"), used))
    = { 2, 4, sizeof(struct value), 1, 0 };
struct ____btf_map_held { int key; struct value value; };
struct ____btf_map_held ____btf_map_held __attribute__((section(".maps.held"), used)) = {};
__attribute__((section("xdp"), used)) int f(void *context) { return 2; }
"""
CORPORA = Path(__file__).parents[2] / "corpora"


def value_of(name: str, map_name: str) -> Shape | None:
    return load_program(str(CORPORA / name)).maps[map_name].value


def offset_of(shape: Shape | None, *path: str) -> tuple[int, Shape]:
    at = 0
    for name in path:
        assert isinstance(shape, Record)
        member = shape.member(name)
        assert member is not None, name
        at, shape = at + member.offset, member.shape
    assert shape is not None
    return at, shape


def test_members_of_structs_within_structs_are_found_with_their_offsets() -> None:
    shape = value_of("p4tc/ipv4.bpf.o", "hdr_md_cpumap")
    assert offset_of(shape, "cpumap_hdr", "ethernet", "dst") == (0, Array(Number(1, 0, 8), 1, 6))
    assert offset_of(shape, "cpumap_hdr", "ethernet", "type") == (12, Number(2, 0, 16))
    assert offset_of(shape, "cpumap_hdr", "ethernet", "ebpf_valid") == (14, Number(1, 0, 8))
    assert offset_of(shape, "cpumap_hdr", "ipv4", "src") == (32, Number(4, 0, 32))


def test_an_array_of_structs_has_a_stride_that_counts_padding() -> None:
    _, shape = offset_of(value_of("p4tc/vlan.bpf.o", "hdr_md_cpumap"), "cpumap_hdr", "vlan")
    assert isinstance(shape, Array) and (shape.stride, shape.count) == (8, 2)


def test_members_of_a_union_lie_in_one_place() -> None:
    shape = value_of("p4tc/tag.one-place.bpf.o", "hdr_md_cpumap")
    one, other = (offset_of(shape, "cpumap_hdr", "tag", name)[0] for name in ("short_", "long_"))
    assert one == other


@pytest.mark.skipif(shutil.which(CLANG) is None, reason=f"{CLANG} is not installed")
def test_a_legacy_map_has_the_types_that_an_annotation_gives_it(tmp_path: Path) -> None:
    (tmp_path / "x.c").write_text(LEGACY)
    target = tmp_path / "x.o"
    command = [CLANG, "-g", "-O2", "-target", "bpf", "-c", str(tmp_path / "x.c"), "-o", str(target)]
    subprocess.run(command, check=True)
    shape = load_program(str(target)).maps["held"].value
    assert offset_of(shape, "body") == (4, Number(4, 0, 32))
