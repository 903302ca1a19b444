"""Names for parts of observables that are byte arrays, for people to read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from equiv.loaded import Loaded
from equiv.machine.interface import Interface
from equiv.result import OutputField

if TYPE_CHECKING:
    from equiv.p4.convention import Named


def output_fields(a: Loaded, b: Loaded, interface: Interface) -> tuple[OutputField, ...]:
    """Names for parts of byte-array observables, from whichever side is a table or has types for them."""
    if interface.relation is not None:
        from equiv.p4.convention import Convention

        if isinstance(interface.relation, Convention):
            return tuple(map(_named, interface.relation.places))
    for side in (a, b):
        if side.table:
            return tuple(
                OutputField(o.name, o.observable, o.offset, o.size, "little" if o.order == "little" else "big")
                for o in side.table.outputs
                if o.order != "int"
            )
    return ()


def _named(part: Named) -> OutputField:
    order: Literal["little", "big"] = "little" if part.little else "big"
    return OutputField(part.name, part.observable, part.offset, part.size, order, part.stands_for, part.low, part.width)
