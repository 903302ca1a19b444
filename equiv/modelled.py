"""From a solver's model to an input of the sides of a check: how their maps look decides what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from equiv.loaded import ARRAY, PERCPU_ARRAY, Loaded
from equiv.machine.concrete import Input
from equiv.machine.interface import Interface
from equiv.proof.replay import MapLayout, input_from_model
from equiv.proof.taint import with_default
from equiv.solve.backend import Model

if TYPE_CHECKING:
    from equiv.bpf.program import MapSpec, Program


def input_of(model: Model, interface: Interface, sides: Sequence[Loaded]) -> Input:
    """The input that `model` stands for; results of helpers that it does not say are 0."""
    return completed(input_from_model(model, interface, map_layouts(sides)), sides)


def completed(given: Input, sides: Sequence[Loaded]) -> Input:
    """`given` with what a program asks for that no packet determines, where it asks for such things."""
    return with_default(given) if any(s.program and _asks(s.program) for s in sides) else given


def map_layouts(sides: Sequence[Loaded]) -> dict[str, MapLayout]:
    """How keys and values of the sides' maps lie in memory, by map name."""
    order = next((s.program.byte_order for s in sides if s.program), "little")
    specs: dict[str, MapSpec] = {}
    for side in sides:
        if side.program:
            specs.update(side.program.maps)
    layouts = {
        name: MapLayout(spec.key_size, spec.value_size, spec.type in (ARRAY, PERCPU_ARRAY), order)
        for name, spec in specs.items()
    }
    for name, spec in specs.items():
        if spec.inner is not None:  # D53: the keys of both, as they lie in memory
            size = spec.key_size + spec.inner.key_size
            is_array = spec.inner.type in (ARRAY, PERCPU_ARRAY)
            layouts[f"{name}[]"] = MapLayout(size, spec.inner.value_size, is_array, "big")
    for side in sides:
        for value in side.table.maps if side.table else ():
            layouts.setdefault(value.map_name, MapLayout(4, value.size, True, order))
    return layouts


def _asks(program: Program) -> bool:
    """Whether a program calls helpers whose results no packet determines, or functions of the kernel."""
    from equiv.bpf.helper_table import TABLE
    from equiv.bpf.insn import is_helper_call
    from equiv.bpf.map_access import SOCKS
    from equiv.bpf.program import ExternRef

    if any(spec.type in SOCKS for spec in program.maps.values()):
        return True
    if any(insn is not None and isinstance(insn.ref, ExternRef) for insn in program.insns):
        return True
    called = (TABLE.get(insn.imm) for insn in program.insns if insn is not None and is_helper_call(insn))
    return any(row is not None and row.model in ("input", "oracle") for row in called)
