"""What is loaded against what was catalogued: the same, and no longer once anything of it is another (D145)."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from equiv.bpf import insn as isa
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapSpec, MapValueRef, Program
from equiv.oracle import VerifierRejected, inspect, syscall
from equiv.oracle.image import load
from equiv.oracle.inspect import LoadedProgram
from equiv.oracle.types import BTF_LOAD
from equiv.trust.reasons import Refused
from equiv.trust.tags import layout, loaded_code
from equiv.trust.twin import require_same
from tests.bpf.objects import BtfBuilder
from tests.bpf.programs import EXIT, call, copy, jump, ldx, mov, program, st
from tests.trust.on_kernel import MISSING, TC, XDP, Kernel

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

COUNTS = MapSpec("counts", 2, 4, 8, 4)
OTHER = MapSpec("other", 2, 4, 8, 4)
RODATA = MapSpec(".rodata", 2, 4, 8, 1, 1 << 7, initial=bytes(range(8)), frozen=True)
NEXT = MapSpec("next", 3, 4, 4, 2)
INNER = MapSpec("nest.inner", 2, 4, 8, 1)
NEST = MapSpec("nest", 12, 4, 4, 2, inner=INNER)


def lookup(name: str) -> list[Insn]:
    """r0 = the address of element 0 of the array, or 0."""
    return [
        st(isa.W, 10, -4, 0),
        copy(2, 10),
        Insn(isa.ALU64 | isa.ADD, 2, 0, 0, -4),
        Insn(isa.LD_IMM64, 1, isa.PSEUDO_MAP_FD, 0, 0, 0, MapRef(name)),
        call(1),
    ]


def rodata(offset: int) -> list[Insn]:
    """r6 = a byte of the read-only data that the verifier does not know, as it does not know the offset within it."""
    return [Insn(isa.LD_IMM64, 6, isa.PSEUDO_MAP_VALUE, 0, 0, 0, MapValueRef(".rodata", offset)), ldx(isa.B, 6, 6, 0)]


def of_maps(offset: int = 2, names: tuple[str, str] = ("counts", "other")) -> Program:
    """Looks both maps up, and returns a byte of the read-only data if they are there."""
    insns = [*rodata(offset), *lookup(names[0]), copy(7, 0), *lookup(names[1])]
    insns += [jump(isa.JEQ, 0, 2), jump(isa.JEQ, 7, 1), copy(0, 6), EXIT]
    return program(*insns[:-1], Insn(isa.ALU64 | isa.AND, 0, 0, 0, 3), EXIT, maps=[COUNTS, OTHER, RODATA])


def test_a_program_with_maps_as_in_its_object_is_the_same(kernel: Kernel) -> None:
    require_same(of_maps(), kernel.run(of_maps()), XDP)


SHAPES: dict[str, Callable[[MapSpec], MapSpec]] = {
    "entries": lambda spec: replace(spec, max_entries=spec.max_entries + 1),
    "value": lambda spec: replace(spec, value_size=16),
    "flags": lambda spec: replace(spec, flags=1 << 10),
    "type": lambda spec: replace(spec, type=6),
}


@pytest.mark.parametrize("what", SHAPES)
def test_map_of_another_shape_under_the_same_tag_is_refused(what: str, kernel: Kernel) -> None:
    other = kernel.named(SHAPES[what](COUNTS))
    running = kernel.run(of_maps(), maps={"counts": other})
    with pytest.raises(Refused, match=r"map counts is|made something else|instruction"):
        require_same(of_maps(), running, XDP)


def test_read_only_data_of_other_content_under_the_same_tag_is_refused(kernel: Kernel) -> None:
    other = kernel.named(replace(RODATA, initial=b"\xff" * 8))
    running = kernel.run(of_maps(), maps={".rodata": other})
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match=r"read-only data|instruction"):
        require_same(of_maps(), running, XDP)


def test_read_only_data_that_can_still_be_changed_is_refused(kernel: Kernel) -> None:
    other = kernel.named(replace(RODATA, frozen=False))
    running = kernel.run(of_maps(), maps={".rodata": other})
    with pytest.raises(Refused, match=r"not frozen|instruction|made something else"):
        require_same(of_maps(), running, XDP)


def test_another_offset_in_read_only_data_under_the_same_tag_is_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps(offset=3))
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match="instruction"):
        require_same(of_maps(), running, XDP)


def test_maps_that_changed_places_under_the_same_tag_are_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps(names=("other", "counts")))
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match="stands where"):
        require_same(of_maps(), running, XDP)


def test_one_map_in_place_of_two_under_the_same_tag_is_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps(names=("counts", "counts")))
    assert running.tag == kernel.run(of_maps()).tag
    with pytest.raises(Refused, match="one map where the catalogued program uses two"):
        require_same(of_maps(), running, XDP)


def test_two_maps_in_place_of_one_under_the_same_tag_are_refused(kernel: Kernel) -> None:
    running = kernel.run(of_maps())
    with pytest.raises(Refused, match="two maps where the catalogued program uses one"):
        require_same(of_maps(names=("counts", "counts")), running, XDP)


def test_program_of_another_type_is_of_the_wrong_interface(kernel: Kernel) -> None:
    running = kernel.run(of_maps(), TC)
    with pytest.raises(Refused) as refused:
        require_same(of_maps(), running, XDP)
    assert refused.value.reason == "wrong-interface"


def test_another_instruction_is_refused_by_its_tag(kernel: Kernel) -> None:
    changed = program(mov(0, 1), EXIT)
    with pytest.raises(Refused, match="another tag"):
        require_same(program(mov(0, 2), EXIT), kernel.run(changed), XDP)


# --- functions that somebody replaces --------------------------------------------------------------------------------

RAW_TRACEPOINT_OPEN = 17


def _types() -> tuple[int, tuple[int, int]]:
    """Types of two global functions that take nothing and return a number: a descriptor, and their numbers."""
    btf = BtfBuilder()
    number = btf.raw(1, "int", 4, words=[1 << 24 | 32])
    kind = btf.raw(13, "", number)
    functions = btf.raw(12, "first", kind, 1), btf.raw(12, "second", kind, 1)
    data = btf.build()
    held = ctypes.create_string_buffer(data, len(data))
    descriptor, _ = syscall.bpf(BTF_LOAD, struct.pack("=QQIII", ctypes.addressof(held), 0, len(data), 0, 0))
    return descriptor, functions


def _typed(types: int, functions: list[tuple[int, int]], keep: list[Any]) -> bytes:
    """What follows in the attribute of BPF_PROG_LOAD: the functions' first slots and types."""
    infos = b"".join(struct.pack("=II", *each) for each in functions)
    keep.append(ctypes.create_string_buffer(infos, len(infos)))
    return struct.pack("=II16xIIIIQI", 0, 0, 0, 0, types, 8, ctypes.addressof(keep[-1]), len(functions))


def test_a_program_of_which_somebody_replaces_a_function_is_refused(kernel: Kernel) -> None:
    call_second = Insn(isa.JMP | isa.CALL, 0, isa.PSEUDO_CALL, 0, 1, 0, FunctionRef(2, "second"))
    given = program(call_second, EXIT, mov(0, 2), EXIT, functions={0: "first", 2: "second"})
    code, keep = loaded_code(given), []
    assert code is not None
    with ExitStack() as resources:
        types, (first, second) = _types()
        resources.callback(os.close, types)
        target = load(code, XDP, "GPL", _typed(types, [(0, first), (2, second)], keep))
        resources.callback(os.close, target)
        running = inspect.read_program(target)
        require_same(given, running, XDP)
        replacement = loaded_code(program(mov(0, 1), EXIT))
        assert replacement is not None
        more = _typed(types, [(0, second)], keep) + struct.pack("=IQIII", 0, 0, 0, second, target)
        try:
            extension = load(replacement, inspect.EXTENSION, "GPL", more)
        except VerifierRejected as error:
            pytest.skip(f"this kernel loads no extensions: {error.message}")
        resources.callback(os.close, extension)
        require_same(given, running, XDP)  # loaded, but not attached yet
        link, _ = syscall.bpf(RAW_TRACEPOINT_OPEN, struct.pack("=QI", 0, extension))
        resources.callback(os.close, link)
        with pytest.raises(Refused, match="replaces one of its functions"):
            require_same(given, running, XDP)


def test_a_program_that_is_said_to_be_extended_is_refused(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    given = program(mov(0, 2), EXIT)
    running = kernel.run(given)
    monkeypatch.setattr(inspect, "extensions_of", lambda number: [77] if number == running.id else [])
    with pytest.raises(Refused, match="program 77 replaces one of its functions"):
        require_same(given, running, XDP)


# --- tail calls and maps of maps ------------------------------------------------------------------------------------


def _tail() -> Program:
    """Tail-calls what `next` holds at 1: the function at slot 6, which returns 2."""
    insns = [Insn(isa.LD_IMM64, 2, isa.PSEUDO_MAP_FD, 0, 0, 0, MapRef("next")), mov(3, 1), call(12), mov(0, 1), EXIT]
    return program(
        *insns, mov(0, 2), EXIT, maps=[NEXT], functions={0: "first", 6: "second"}, tail_calls={"next": {1: 6}}
    )


def _running_tail(kernel: Kernel, held: dict[int, Program | int]) -> LoadedProgram:
    array = kernel.named(NEXT)
    running = kernel.run(_tail(), maps={"next": array})
    for index, each in held.items():
        if isinstance(each, int):
            kernel.run(_tail(), maps={"next": array}, entry=each)
        else:
            kernel.run(each)
        array.set_descriptor(index, kernel.descriptor)
    return running


def test_program_array_that_holds_what_the_object_says_is_the_same(kernel: Kernel) -> None:
    assert list(layout(_tail(), 6)) == [6]
    require_same(_tail(), _running_tail(kernel, {1: 6}), XDP)


@pytest.mark.parametrize(
    "held",
    [{}, {0: 6}, {0: 6, 1: 6}, {1: program(mov(0, 1), EXIT)}, {1: 0}],
    ids=["nothing", "elsewhere", "more", "another program", "the first program"],
)
def test_program_array_that_holds_something_else_is_refused(held: dict[int, Any], kernel: Kernel) -> None:
    with pytest.raises(Refused, match=r"program array|another tag|one program"):
        require_same(_tail(), _running_tail(kernel, held), XDP)


def _nest() -> Program:
    return program(*lookup("nest"), mov(0, 2), EXIT, maps=[NEST])


def test_map_of_maps_shows_its_shape_by_what_it_holds(kernel: Kernel) -> None:
    outer = kernel.named(NEST)
    running = kernel.run(_nest(), maps={"nest": outer})
    with pytest.raises(Refused, match="holds 0 maps"):
        require_same(_nest(), running, XDP)
    outer.set_descriptor(0, kernel.map(INNER).descriptor)
    require_same(_nest(), running, XDP)
    other = replace(_nest(), maps={"nest": replace(NEST, inner=replace(INNER, value_size=16))})
    with pytest.raises(Refused, match=r"nest\[\] is"):
        require_same(other, running, XDP)
