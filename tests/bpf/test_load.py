"""From object files to programs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from equiv.bpf import insn as isa
from equiv.bpf.load import load_object, load_program
from equiv.bpf.program import ByteOrder, ExternRef, FunctionRef, Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.errors import InputError
from tests.bpf.objects import (
    LOCAL,
    NOTYPE,
    R_BPF_64_ABS64,
    SHT_NOBITS,
    BtfBuilder,
    ObjectBuilder,
    call_distance,
    call_helper,
    call_symbol,
    exit_,
    goto,
    load_imm64,
    load_symbol,
    map_definition,
    mov,
)


@pytest.fixture
def builder() -> ObjectBuilder:
    return ObjectBuilder()


def loaded(builder: ObjectBuilder, tmp_path: Path, name: str | None = None) -> Program:
    return load_program(builder.write(tmp_path / "p.o"), name)


def test_only_program_is_taken_without_a_name(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("prog", "xdp", [mov(0, 2), exit_()])
    builder.license("Dual MIT/GPL")
    program = loaded(builder, tmp_path)
    assert (program.name, program.section, program.license) == ("prog", "xdp", "Dual MIT/GPL")
    assert program.insns == (mov(0, 2), exit_())
    assert program.functions == {0: "prog"}


def test_several_programs_are_listed(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("first", "xdp", [mov(0, 1), exit_()])
    builder.function("second", "xdp", [mov(0, 2), exit_()])
    builder.function("third", "tc", [mov(0, 3), exit_()])
    with pytest.raises(InputError, match="first, second, third"):
        loaded(builder, tmp_path)
    with pytest.raises(InputError, match=r"no program 'fourth'.*first, second, third"):
        loaded(builder, tmp_path, "fourth")
    assert loaded(builder, tmp_path, "second").insns[0] == mov(0, 2)
    assert set(load_object(str(tmp_path / "p.o")).programs) == {"first", "second", "third"}


def test_fault_of_one_program_does_not_keep_another_from_loading(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("good", "xdp", [mov(0, 1), exit_()])
    builder.function("bad", "xdp", [mov(0, 1)])
    assert loaded(builder, tmp_path, "good").name == "good"
    with pytest.raises(InputError, match="runs off its end"):
        load_object(str(tmp_path / "p.o"))


def test_static_functions_are_no_programs(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("helper", "xdp", [mov(0, 1), exit_()], bind=LOCAL)
    builder.function("prog", "xdp", [call_distance(-3), exit_()])
    program = loaded(builder, tmp_path)
    assert program.functions == {0: "prog", 2: "helper"}


def test_lonely_function_of_text_is_the_program(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("prog", ".text", [mov(0, 1), exit_()])
    assert loaded(builder, tmp_path).section == ".text"


def test_functions_of_text_alone_are_no_programs(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("one", ".text", [mov(0, 1), exit_()])
    builder.function("two", ".text", [mov(0, 1), exit_()])
    with pytest.raises(InputError, match="no program"):
        loaded(builder, tmp_path)


def test_untyped_symbol_of_an_old_compiler_is_the_function(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("prog", "xdp", [mov(0, 1), goto(0), exit_()], type=NOTYPE, size=0)
    builder.symbol("LBB0_1", "xdp", 16, type=NOTYPE, bind=LOCAL)
    assert loaded(builder, tmp_path).functions == {0: "prog"}


def test_section_without_symbols_is_a_program_of_its_name(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("", "classifier", [mov(0, 1), exit_()])
    assert loaded(builder, tmp_path).name == "classifier"


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_subprograms_are_appended_and_calls_point_at_them(tmp_path: Path, byte_order: ByteOrder) -> None:
    builder = ObjectBuilder(byte_order)
    builder.function("unused", ".text", [mov(0, 9), exit_()])
    builder.function("leaf", ".text", [mov(0, 7), exit_()], bind=LOCAL)
    # A call within one section is not relocated; one of a static function elsewhere refers to its section.
    builder.function("middle", ".text", [call_distance(-3), exit_()])
    builder.section_symbol(".text")
    builder.function("prog", "xdp", [call_symbol("middle"), call_symbol(".text", imm=2 - 1), exit_()])
    program = loaded(builder, tmp_path)
    assert program.functions == {0: "prog", 3: "middle", 5: "leaf"}
    calls = {i: item for i, item in enumerate(program.insns) if item and isa.is_call(item)}
    assert {i: isa.call_target(i, item) for i, item in calls.items()} == {0: 3, 1: 5, 3: 5}
    assert calls[3].ref == FunctionRef(5, "leaf")


@pytest.mark.parametrize("byte_order", ["little", "big"])
def test_references_to_maps_and_data_are_resolved(tmp_path: Path, byte_order: ByteOrder) -> None:
    builder = ObjectBuilder(byte_order)
    builder.legacy_map("first", 2, 4, 8, 16)
    builder.legacy_map("second", 1, 2, 6, 32, flags=1)
    builder.data(".rodata", b"abcdefgh", "text")
    builder.section(".bss", kind=SHT_NOBITS).size = 8
    builder.section_symbol(".bss")
    builder.function(
        "prog",
        "xdp",
        [
            load_symbol(1, "second"),
            load_symbol(2, "text", 3),
            load_symbol(3, ".bss", 4),
            load_symbol(4, "kernel"),
            exit_(),
        ],
    )
    builder.symbol("kernel", "", type=NOTYPE)
    program = loaded(builder, tmp_path)
    references = [item.ref for item in program.insns if item and item.ref]
    assert references == [MapRef("second"), MapValueRef(".rodata", 3), MapValueRef(".bss", 4), ExternRef("kernel")]
    assert program.maps["second"] == MapSpec("second", 1, 2, 6, 32, 1)
    rodata, bss = program.maps[".rodata"], program.maps[".bss"]
    assert rodata.frozen and rodata.initial == b"abcdefgh" and rodata.value_size == 8
    assert not bss.frozen and bss.initial == bytes(8)


def test_maps_defined_by_types_are_read(builder: ObjectBuilder, tmp_path: Path) -> None:
    btf = BtfBuilder()
    u32, u64 = btf.integer("u32", 4), btf.integer("u64", 8)
    first = map_definition(btf, "first", 2, u32, u64, 7)
    second = map_definition(btf, "second", 1, btf.struct("key", 12, [("a", u64, 0), ("b", u32, 64)]), u32, 9)
    btf.data_section(".maps", [(first, 0, 32), (second, 0, 32)])
    builder.data(".maps", bytes(32), "second")
    builder.data(".maps", bytes(32), "first")
    builder.plain(".BTF", btf.build())
    builder.function("prog", "xdp", [load_symbol(1, "first"), load_symbol(1, "second"), exit_()])
    program = loaded(builder, tmp_path)
    assert program.maps == {"first": MapSpec("first", 2, 4, 8, 7), "second": MapSpec("second", 1, 12, 4, 9)}
    assert [item.ref for item in program.insns if item and item.ref] == [MapRef("first"), MapRef("second")]


def test_initial_programs_of_a_program_array_are_named(builder: ObjectBuilder, tmp_path: Path) -> None:
    btf = BtfBuilder()
    values = btf.array(btf.pointer(btf.raw(13)), 0)
    kind = btf.uint(3)
    structure = btf.struct("", 16, [("type", kind, 0), ("max_entries", btf.uint(8), 64), ("values", values, 128)])
    btf.data_section(".maps", [(btf.variable("jumps", structure), 0, 16)])
    builder.data(".maps", bytes(16 + 32), "jumps")
    builder.plain(".BTF", btf.build())
    builder.function("prog", "xdp", [load_symbol(1, "jumps"), exit_()])
    builder.relocate(".maps", 16 + 2 * 8, R_BPF_64_ABS64, "prog")
    assert loaded(builder, tmp_path).maps["jumps"].slots == {2: "prog"}


def test_maps_defined_by_types_need_types(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.data(".maps", bytes(32), "m")
    builder.function("prog", "xdp", [mov(0, 0), exit_()])
    with pytest.raises(InputError, match="no BTF"):
        loaded(builder, tmp_path)


def test_address_of_a_function_brings_the_function_along(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("callback", ".text", [mov(0, 0), exit_()])
    builder.function("prog", "xdp", [load_symbol(2, "callback"), exit_()])
    program = loaded(builder, tmp_path)
    item = program.insns[0]
    assert item is not None and item.ref == FunctionRef(3, "callback")
    assert (item.src, item.imm64) == (isa.PSEUDO_FUNC, 2)


def test_function_of_the_kernel_is_an_extern(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.symbol("bpf_dynptr_from_skb", "", type=NOTYPE)
    builder.function("prog", "xdp", [call_symbol("bpf_dynptr_from_skb"), exit_()])
    item = loaded(builder, tmp_path).insns[0]
    assert item is not None and item.ref == ExternRef("bpf_dynptr_from_skb")
    assert not isa.is_local_call(item) and not isa.is_helper_call(item)


def test_helper_call_is_left_as_it_is(builder: ObjectBuilder, tmp_path: Path) -> None:
    builder.function("prog", "xdp", [call_helper(44), exit_()])
    assert loaded(builder, tmp_path).insns[0] == call_helper(44)


def test_source_lines_follow_functions_to_where_they_are_appended(builder: ObjectBuilder, tmp_path: Path) -> None:
    btf = BtfBuilder()
    builder.function("unused", ".text", [mov(0, 9), exit_()])
    builder.function("sub", ".text", [mov(0, 7), exit_()])
    builder.function("prog", "xdp", [call_symbol("sub"), exit_()])
    ext = btf.build_ext(
        [
            (".text", 0, "p.c", "unused", 1, 1),
            (".text", 16, "p.c", "return 7;", 5, 2),
            ("xdp", 0, "p.c", "sub();", 10, 3),
        ],
        core=[(".text", 16), ("xdp", 8)],
    )
    builder.plain(".BTF", btf.build())
    builder.plain(".BTF.ext", ext)
    program = loaded(builder, tmp_path)
    assert [(line.insn, line.line, line.text) for line in program.lines] == [(0, 10, "sub();"), (2, 5, "return 7;")]
    line = program.line_at(3)
    assert line is not None and (line.file, line.line, line.column) == ("p.c", 5, 2)
    assert set(program.core) == {1, 2}


@pytest.mark.parametrize(
    ("callees", "words"),
    [({"a": "a"}, "a -> a"), ({"a": "b", "b": "c", "c": "b"}, "b -> c -> b"), ({"a": "prog"}, "prog -> a -> prog")],
)
def test_recursion_is_refused_with_its_functions(
    builder: ObjectBuilder, tmp_path: Path, callees: dict[str, str], words: str
) -> None:
    builder.function("prog", "xdp", [call_symbol("a"), exit_()])
    for name, callee in callees.items():
        builder.function(name, ".text", [call_symbol(callee), exit_()])
    with pytest.raises(InputError, match=f"recursion: {words}$"):
        loaded(builder, tmp_path)


def test_load_by_number_is_refused(builder: ObjectBuilder, tmp_path: Path) -> None:
    item = load_imm64(1, 5)
    builder.function("prog", "xdp", [Insn(item.opcode, 1, isa.PSEUDO_MAP_FD, 0, 5, 5), exit_()])
    with pytest.raises(InputError, match=r"instruction 0.*by its number"):
        loaded(builder, tmp_path)


SOURCE = """
struct ctx { unsigned data, data_end, meta, ifindex, queue; };
#define SEC(name) __attribute__((section(name), used))
static long (*const tail_call)(void *, void *, int) = (void *)12;
int late(struct ctx *c);
struct {
    int (*type)[3]; int (*key_size)[4]; int (*value_size)[4]; int (*max_entries)[8]; int (*values[])(struct ctx *);
} jumps SEC(".maps") = {.values = {[5] = late}};
struct { int (*type)[2]; int *key; long *value; int (*max_entries)[3]; } counts SEC(".maps");
static int hits; const volatile int limit = 7;
static __attribute__((noinline)) int inner(struct ctx *c) { hits += c->queue; return hits * limit; }
__attribute__((noinline)) int outer(struct ctx *c, int n) {
    int sum = 0;
    for (int i = 0; i < n; i++) { sum += inner(c) ^ i; if (sum == 99) return 1; }
    return sum;
}
SEC("xdp") int late(struct ctx *c) { return limit; }
SEC("xdp") int prog(struct ctx *c) {
    if (c->ifindex == 3) tail_call(c, &jumps, 5);
    return outer(c, c->queue & 7) + inner(c) + (int)((unsigned long)&counts % 3);
}
char LICENSE[] SEC("license") = "GPL";
"""


@pytest.mark.parametrize("target", ["bpf", "bpfeb"])
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-Os"])
@pytest.mark.parametrize(("clang", "cpu"), [("clang-14", "v1"), ("clang-16", "v3"), ("clang-19", "v4")])
def test_what_clang_writes_is_loaded(tmp_path: Path, clang: str, cpu: str, level: str, target: str) -> None:
    if shutil.which(clang) is None:
        pytest.skip(f"{clang} is not installed")
    (tmp_path / "p.c").write_text(SOURCE)
    options = ["-target", target, f"-mcpu={cpu}", level, "-g", "-w", "-c"]
    subprocess.run([clang, *options, "p.c", "-o", "p.o"], cwd=tmp_path, check=True)
    program = load_program(str(tmp_path / "p.o"), "prog")
    assert set(program.functions.values()) == {"prog", "outer", "inner", "late"}
    assert set(program.entries.values()) == {"prog", "late"}
    assert program.byte_order == ("little" if target == "bpf" else "big")
    assert program.maps["jumps"].slots == {5: "late"}
    assert program.maps["counts"] == MapSpec("counts", 2, 4, 8, 3)
    limit = program.maps[".rodata"]
    assert limit.frozen and limit.initial is not None
    references = {item.ref for item in program.insns if item and item.ref}
    assert {MapRef("counts"), MapRef("jumps"), MapValueRef(".bss", 0)} <= references
    assert any(line.text.startswith("int outer") or "outer(" in line.text for line in program.lines)
