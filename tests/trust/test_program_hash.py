"""The canonical hash of a program: what it does not depend on, and that everything else changes it (D140)."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv.bpf.btf import Btf, BtfType, Kind, Member
from equiv.bpf.core import Relocation, spelled
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.errors import InputError, Place
from equiv.loaded import Loaded, load
from equiv.trust.hashes import artefact_hash, program_hash, table_hash
from tests.bpf.objects import ObjectBuilder, call_symbol, exit_, load_symbol, mov

CORPORA = Path(__file__).parents[2] / "corpora"
OBJECTS = [
    str(CORPORA / name)
    for name in (
        "five-tuple/five-tuple.bpf.o",
        "calls/calls.bpf.o",
        "tail-parser/tail-parser.bpf.o",
        "tail-labels/callback-labels.bpf.o",
        "flow-table/flow-table.bpf.o",
        "port-filter/port-filter.bpf.o",
        "flow-dissector/flow-dissector.bpf.o",
    )
]


@cache
def loaded(path: str) -> Loaded:
    return load(path)


def hash_of(program: Program) -> str:
    return program_hash(Loaded(program.path, program.sha256, "bpf", program=program))


programs = st.sampled_from(OBJECTS).map(lambda path: _program(path))


def _program(path: str) -> Program:
    program = loaded(path).program
    assert program is not None
    return program


def _changed(insn: Insn, field: str, by: int) -> Insn:
    return replace(insn, **{field: getattr(insn, field) ^ by})


@given(programs, st.data())
def test_one_changed_field_of_one_instruction_changes_it(program: Program, data: st.DataObject) -> None:
    plain = [slot for slot, insn in enumerate(program.insns) if insn is not None and insn.ref is None]
    slot = data.draw(st.sampled_from(plain))
    field = data.draw(st.sampled_from(["opcode", "dst", "src", "off", "imm", "imm64"]))
    insns = list(program.insns)
    insn = insns[slot]
    assert insn is not None
    insns[slot] = _changed(insn, field, 1 << data.draw(st.integers(0, 3)))
    assert hash_of(replace(program, insns=tuple(insns))) != hash_of(program)


@given(programs, st.data())
def test_a_reference_to_something_else_changes_it(program: Program, data: st.DataObject) -> None:
    referring = [slot for slot, insn in enumerate(program.insns) if insn is not None and insn.ref is not None]
    if not referring:
        return
    slot = data.draw(st.sampled_from(referring))
    insn = program.insns[slot]
    assert insn is not None
    others: list[FunctionRef | MapRef | MapValueRef] = []
    match insn.ref:
        case MapRef(name):
            others = [MapRef(other) for other in program.maps if other != name]
        case MapValueRef(name, offset):
            others = [MapValueRef(name, offset + 1)]
        case FunctionRef(target):
            others = [FunctionRef(other, "") for other in program.functions if other != target]
    if others:
        insns = list(program.insns)
        insns[slot] = replace(insn, ref=data.draw(st.sampled_from(others)))
        assert hash_of(replace(program, insns=tuple(insns))) != hash_of(program)


@given(programs, st.randoms(use_true_random=False))
def test_names_lines_and_the_order_of_functions_and_maps_do_not_matter(program: Program, random: object) -> None:
    assert hash_of(_laid_out_otherwise(program, random)) == hash_of(program)


def _laid_out_otherwise(program: Program, random: object) -> Program:
    """The same functions in another order behind the entry, everything renamed that carries no meaning."""
    starts = sorted(program.functions)
    ends = dict(zip(starts, [*starts[1:], len(program.insns)], strict=True))
    order = starts[1:]
    random.shuffle(order)  # type: ignore[attr-defined]
    moved, insns = {}, []
    for start in [0, *order]:
        moved[start] = len(insns)
        insns += program.insns[start : ends[start]]
    for slot, insn in enumerate(insns):
        if insn is not None and isinstance(insn.ref, FunctionRef):
            target = moved[insn.ref.target]
            insns[slot] = replace(insn, ref=FunctionRef(target, "renamed"), imm=target - slot - 1)
    maps = list(program.maps.items())
    random.shuffle(maps)  # type: ignore[attr-defined]
    held = list(program.tail_calls.items())
    random.shuffle(held)  # type: ignore[attr-defined]
    return replace(
        program,
        path="elsewhere.o",
        sha256="0" * 64,
        name="renamed",
        section="renamed",
        lines=(),
        license="renamed",
        insns=tuple(insns),
        functions={moved[start]: f"renamed{start}" for start in starts},
        maps=dict([*maps, ("not mentioned", MapSpec("not mentioned", 2, 4, 4, 1))]),
        tail_calls={name: {i: moved[s] for i, s in reversed(list(slots.items()))} for name, slots in held},
    )


SHAPES: dict[str, Callable[[MapSpec], MapSpec]] = {
    "type": lambda m: replace(m, type=m.type ^ 8),
    "key": lambda m: replace(m, key_size=m.key_size + 4),
    "value": lambda m: replace(m, value_size=m.value_size + 4),
    "entries": lambda m: replace(m, max_entries=m.max_entries + 1),
    "flags": lambda m: replace(m, flags=m.flags ^ 1),
    "frozen": lambda m: replace(m, frozen=not m.frozen),
    "pointers": lambda m: replace(m, kernel_pointers=not m.kernel_pointers),
    "initial": lambda m: replace(m, initial=b"\x01" if m.initial is None else m.initial[:-1] + b"\xa5"),
    "inner": lambda m: replace(m, inner=MapSpec("", 2, 4, 8, 1)),
}


@pytest.mark.parametrize("what", SHAPES)
def test_the_shape_and_initial_value_of_a_map_that_is_mentioned_change_it(what: str) -> None:
    for path in (OBJECTS[4], OBJECTS[5]):
        program = _program(path)
        for insn in program.insns:
            if insn is not None and isinstance(insn.ref, MapRef | MapValueRef):
                maps = {**program.maps, insn.ref.map_name: SHAPES[what](program.maps[insn.ref.map_name])}
                assert hash_of(replace(program, maps=maps)) != hash_of(program)


def test_what_a_program_array_holds_changes_it() -> None:
    program = _program(OBJECTS[2])
    ((name, slots),) = program.tail_calls.items()
    first, *_ = slots
    for other in (
        {index: slot for index, slot in slots.items() if index != first},
        {**slots, first: 0},
        {**{index: slot for index, slot in slots.items() if index != first}, 77: slots[first]},
        {},
    ):
        assert hash_of(replace(program, tail_calls={name: other})) != hash_of(program)
    unknown = hash_of(replace(program, tail_calls={}))
    assert unknown not in (hash_of(program), hash_of(replace(program, tail_calls={name: {}})))


def test_two_maps_of_one_shape_that_change_places_change_it(tmp_path: Path) -> None:
    def built(*names: str) -> str:
        builder = ObjectBuilder()
        for name in ("a", "b"):
            builder.legacy_map(name, kind=2, key_size=4, value_size=8, max_entries=1)
        builder.function("prog", "xdp", [load_symbol(1, names[0]), load_symbol(2, names[1]), mov(0, 2), exit_()])
        path = tmp_path / f"{''.join(names)}.o"
        builder.write(path)
        return program_hash(load(str(path)))

    assert len({built("a", "b"), built("b", "a"), built("a", "a")}) == 3


def test_functions_in_another_order_of_symbols_give_the_same_hash(tmp_path: Path) -> None:
    def built(name: str, first: str, second: str) -> str:
        bodies = {"one": [mov(0, 1), exit_()], "two": [mov(0, 2), exit_()]}
        builder = ObjectBuilder()
        for each in (first, second):
            builder.function(each, ".text", bodies[each])
        builder.function("prog", "xdp", [call_symbol("one"), call_symbol("two"), exit_()])
        builder.write(tmp_path / name)
        return program_hash(load(str(tmp_path / name)))

    assert built("a.o", "one", "two") == built("b.o", "two", "one")


def test_relocations_against_other_fields_are_told_apart_even_where_the_instructions_agree() -> None:
    number = BtfType(1, Kind.INT, "unsigned int", size=4)

    def types(*names: str) -> Btf:
        members = tuple(Member(name, 1, offset=32 * at) for at, name in enumerate(names))
        return Btf(
            (BtfType(0, Kind.VOID, ""), number, BtfType(2, Kind.STRUCT, "s", 8, members=members)),
            b"\x000:1\x00",
            Place(""),
        )

    field = Relocation.FIELD_BYTE_OFFSET
    texts = {spelled((2, 1, field), types("a", "b"), {}), spelled((2, 1, field), types("a", "c"), {})}
    texts.add(spelled((2, 1, Relocation.FIELD_BYTE_SIZE), types("a", "b"), {}))
    texts.add(spelled((2, 1, Relocation.TYPE_SIZE), types("a", "b"), {}))
    texts.add(spelled((2, 1, Relocation.TYPE_SIZE), types("a", "c"), {}))
    assert len(texts) == 5
    program = _program(OBJECTS[0])
    hashes = {hash_of(replace(program, core_asked={0: text})) for text in texts} | {hash_of(program)}
    hashes.add(hash_of(replace(program, core_asked={0: "x"}, core={0: "needs x, which /a/path does not have"})))
    assert len(hashes) == 7
    elsewhere = replace(program, core_asked={0: "x"}, core={0: "needs x, which /another/path does not have"})
    assert hash_of(elsewhere) in hashes


def test_debug_information_does_not_change_it(tmp_path: Path) -> None:
    names = ("clang", "clang-16", "clang-19", "clang-14")
    clang = next((found for name in names if (found := shutil.which(name))), None)
    if clang is None:
        pytest.skip("no clang")
    source = CORPORA / "five-tuple" / "five-tuple.bpf.c"
    hashes = set()
    for number, options in enumerate((["-g"], [], ["-g", "-DUNUSED"])):
        out = tmp_path / f"{number}.o"
        include = ["-I", f"/usr/include/{platform.machine()}-linux-gnu"]
        done = subprocess.run([clang, "-O2", "-target", "bpf", *include, *options, "-c", str(source), "-o", str(out)])
        if done.returncode:
            pytest.skip("this clang does not compile the corpora")
        hashes.add(program_hash(load(str(out))))
    assert len(hashes) == 1


def test_programs_of_the_corpora_that_differ_have_different_hashes() -> None:
    paths = [str(path) for path in sorted((CORPORA / "port-filter").glob("*.bpf.o"))]
    assert len({program_hash(load(path)) for path in paths}) == len(paths) > 2


def test_each_kind_of_input_says_what_its_hash_was_taken_over() -> None:
    program, table = loaded(OBJECTS[0]), load(str(CORPORA / "five-tuple" / "five-tuple.dev"))
    parser = load(str(CORPORA / "p4-vlan" / "vlan.p4"))
    assert [artefact_hash(each).of for each in (program, table, parser)] == ["program", "meaning", "file"]
    assert artefact_hash(parser).sha256 == parser.sha256
    with pytest.raises(InputError, match="no program hash"):
        program_hash(table)
    with pytest.raises(InputError, match="no table hash"):
        table_hash(program)
