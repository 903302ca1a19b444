"""Names for parts of observables that are byte arrays, for people to read."""

from __future__ import annotations

from equiv.loaded import Loaded
from equiv.machine.interface import Interface
from equiv.p4.convention import Convention
from equiv.result import OutputField


def output_fields(a: Loaded, b: Loaded, interface: Interface) -> tuple[OutputField, ...]:
    """Names for parts of byte-array observables, from whichever side is a table or has types for them."""
    if isinstance(interface.relation, Convention):
        return tuple(
            OutputField(
                p.name, p.observable, p.offset, p.size, "little" if p.little else "big", p.stands_for, p.low, p.width
            )
            for p in interface.relation.places
        )
    for side in (a, b):
        if side.table:
            return tuple(
                OutputField(o.name, o.observable, o.offset, o.size, "little" if o.order == "little" else "big")
                for o in side.table.outputs
                if o.order != "int"
            )
    return ()
