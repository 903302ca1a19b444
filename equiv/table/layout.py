"""Where outputs live: which part of which observable each one is, and how those observables are put together.

D10 is the record for what an output that was not assigned has, and for the flow keys' addresses, which are a union.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from equiv.errors import InputError, Place
from equiv.machine.interface import Interface, Observable, map_observable
from equiv.table.model import Output, Table

ENCODINGS: dict[str, tuple[int, Literal["big", "little"]]] = {
    "u8": (8, "big"),
    **{f"be{n}": (n, "big") for n in (16, 24, 32, 48, 64, 128)},
    **{f"le{n}": (n, "little") for n in (16, 32, 64)},
}
"""Width in bits and order in memory of each encoding."""

ADDRESSES = "keys.addrs"
ADDRESS_VIEWS = {"ipv4_src": (0, 32), "ipv4_dst": (4, 32), "ipv6_src": (0, 128), "ipv6_dst": (16, 128)}
"""Offset in bytes and width in bits of the union's members (include/uapi/linux/bpf.h, struct bpf_flow_keys)."""

RETURN = "return"
METADATA = "meta"
METADATA_SIZE = "meta.size"


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes of an observable that outputs only ever assign as a whole: the unit of storage.

    `cell` names the cell that holds it, `width` bits, as the number that `order` puts into memory. `output` is the
    output it is, or empty for a piece of a union.
    """

    cell: str
    observable: str
    offset: int
    width: int
    order: Literal["big", "little", "int"]


DONE_BY_PROGRAMS = ("packet", "effect")
"""Kinds of observables that no output of a table is bound to."""


def observed(table: Table, interface: Interface) -> Interface:
    """`interface` with the table's map values observed too."""
    for value in table.maps:
        interface = interface.observing_map(value.map_name, value.key, value.size)
    return interface


def observables(table: Table, interface: Interface) -> dict[str, Observable]:
    """All that outputs are bound to, by name; the metadata with the width that the table gives it."""
    found = {o.name: o for o in observed(table, interface).observables if o.kind not in DONE_BY_PROGRAMS}
    if METADATA in found:
        old = found[METADATA]
        found[METADATA] = Observable(old.name, old.kind, 8 * table.metadata, old.offset, old.when)
    return found


def require_places(table: Table, interface: Interface) -> None:
    """Raise InputError if an output is bound to something that `interface` does not have.

    Concerns interfaces other than the one the table names (`tc` and `tc_linear` go together).
    """
    available = observables(table, interface)
    for output in table.outputs:
        if output.observable != RETURN and output.observable not in available:
            raise InputError(f"interface `{interface.name}` has no output place `{output.spelled}`", output.place)
    if table.metadata and METADATA not in available:
        raise InputError(f"interface `{interface.name}` has no metadata", Place(table.file))


def segments(table: Table) -> dict[str, tuple[Segment, ...]]:
    """The pieces of storage of each output, by its name, lowest address first."""
    cuts = sorted(
        {o.offset for o in table.outputs if o.observable == ADDRESSES}
        | {o.offset + o.size for o in table.outputs if o.observable == ADDRESSES}
    )
    pieces: dict[str, tuple[Segment, ...]] = {}
    for output in table.outputs:
        if output.observable == ADDRESSES and _shares(output, table):
            pieces[output.name] = tuple(
                Segment(f"out.{ADDRESSES}[{start}]", ADDRESSES, start, 8 * (end - start), "big")
                for start, end in pairwise(cuts)
                if output.offset <= start < output.offset + output.size
            )
        else:
            pieces[output.name] = (
                Segment(f"out.{output.name}", output.observable, output.offset, output.width, output.order),
            )
    return pieces


def _shares(output: Output, table: Table) -> bool:
    return any(o is not output and overlap(o, output) for o in table.outputs)


def overlap(a: Output, b: Output) -> bool:
    """Whether two outputs have a byte in common."""
    return a.observable == b.observable and a.offset < b.offset + b.size and b.offset < a.offset + a.size


def bind(
    table_metadata: int,
    maps: dict[str, int],
    interface: Interface,
    name: str,
    encoding: str,
    spelled: str,
    place: Place,
) -> Output:
    """The output `name` at the place that reads `spelled`: "meta[4]", "map m[0][2]", "keys.sport", "mark", "return".

    `maps` gives the size of each declared map value by its observable's name. Raises InputError.
    """
    if encoding and encoding not in ENCODINGS:
        raise InputError(f"unknown encoding `{encoding}`", place, "known: " + ", ".join(ENCODINGS))
    width, order = ENCODINGS.get(encoding, (0, "big"))
    if spelled == RETURN:
        return _whole(name, RETURN, 32, "int", encoding, spelled, place)
    base, offset = _split(spelled)
    if base.startswith("keys.") and base[5:] in ADDRESS_VIEWS and interface.context == "flow_dissector":
        start, bits = ADDRESS_VIEWS[base[5:]]
        output = _whole(name, ADDRESSES, bits, "big", encoding, spelled, place)
        return Output(name, ADDRESSES, start, bits, "big", "", output.spelled, place)
    total = _total(base, table_metadata, maps, interface, place)
    observable = next((o for o in interface.observables if o.name == base and o.kind not in DONE_BY_PROGRAMS), None)
    if observable is not None and base not in (METADATA, ADDRESSES, "cb"):
        kind: Literal["big", "int"] = "int" if observable.kind == "int" else "big"
        return _whole(name, base, observable.width, kind, encoding, spelled, place)
    if not encoding or offset is None:
        raise InputError(
            f"`{spelled}` needs an encoding and an offset", place, f"for example `output be32 {name} at {base}[0];`"
        )
    if offset + width // 8 > total:
        what = f"the {total} bytes of metadata" if base == METADATA else f"the {total} bytes of `{base}`"
        raise InputError(f"bytes {offset} to {offset + width // 8 - 1} are outside {what}", place)
    if base == ADDRESSES and order == "little":
        raise InputError("addresses in the flow keys are big-endian", place)
    return Output(name, base, offset, width, order, encoding, spelled, place)


def _whole(
    name: str, observable: str, width: int, order: Literal["big", "int"], encoding: str, spelled: str, place: Place
) -> Output:
    base, offset = _split(spelled)
    if encoding or offset is not None:
        hint = f"write `output {name} at {base};`"
        raise InputError(f"`{base}` is {width} bits wide and has an order of its own", place, hint)
    return Output(name, observable, 0, width, order, "", spelled, place)


def _total(base: str, metadata: int, maps: dict[str, int], interface: Interface, place: Place) -> int:
    """How many bytes the observable called `base` (as spelled in a place) has."""
    if base == METADATA and any(o.name == METADATA for o in interface.observables):
        if not metadata:
            raise InputError("an output in metadata, but no metadata is declared", place, "add e.g. `metadata 16;`")
        return metadata
    if base.startswith("map."):
        if base not in maps:
            raise InputError(f"`{base}` is not declared", place, f"add e.g. `{base.replace('.', ' ', 1)} size 8;`")
        return maps[base]
    for observable in interface.observables:
        if (
            observable.name == base
            and base not in (METADATA, METADATA_SIZE)
            and observable.kind not in DONE_BY_PROGRAMS
        ):
            return observable.width // 8
    raise InputError(f"interface `{interface.name}` has no output place `{base}`", place, _places(interface))


def _places(interface: Interface) -> str:
    names = [o.name for o in interface.observables if o.name != METADATA_SIZE and o.kind not in DONE_BY_PROGRAMS]
    if ADDRESSES in names:
        names += [f"keys.{view}" for view in ADDRESS_VIEWS]
    return "known: " + ", ".join([*names, "map NAME[KEY]", RETURN])


def _split(spelled: str) -> tuple[str, int | None]:
    """ "meta[4]" → ("meta", 4); "map m[0][2]" → ("map.m[0]", 2); "mark" → ("mark", None)."""
    if spelled.startswith("map "):
        map_name, key, offset = spelled[4:].replace("]", "").split("[")
        return map_observable(map_name, int(key)), int(offset)
    base, bracket, offset = spelled.partition("[")
    return base, int(offset[:-1]) if bracket else None
