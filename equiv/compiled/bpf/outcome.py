"""The end of a run: the return code as the interface counts it, and the observables into their places."""

from __future__ import annotations

from equiv.bpf.interpret.contexts import ETHERNET_SIZE
from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.maps import observed_entry
from equiv.compiled.bpf.memory import is_address, value_at
from equiv.compiled.codes import counts, normalised
from equiv.compiled.shape import OK, Place
from equiv.machine.interface import Observable


def finish(emit: Emit) -> None:
    """Write the result of the run and return."""
    code, interface = emit.code, emit.shape.interface
    returned = emit.get(0)
    code.require(code.op("xor", "i1", is_address(emit, returned), "true"), emit.ask)
    raw = code.op("and", "i64", returned, (1 << interface.code_width) - 1)
    final = normalised(code, emit.shape, raw)
    result = emit.own(emit.memory.result)
    code.store("i64", final, result)
    if emit.kind == "flow_dissector":
        _clamp(emit)
    by_name = {observable.name: observable for observable in interface.observables}
    for place in emit.shape.places:
        if place.name not in by_name:  # only parsers have it
            continue
        _observe(emit, place, by_name[place.name], final, raw, code.at(result, place.offset))
        if not code.is_open:  # it is not compiled
            return
    code.end(f"ret i32 {OK}")


def _observe(emit: Emit, place: Place, observable: Observable, final: str, raw: str, at: str) -> None:
    code, name = emit.code, place.name
    if place.kind == "span":
        start, end = (emit.first, emit.origin) if name == "meta" else (emit.origin, emit.last)
        first = code.load("i64", start)
        size = code.op("sub", "i64", code.load("i64", end), first)
        if emit.kind in ("tc", "socket_filter"):
            size = emit.length
        if emit.has_holes:
            look, on = code.label("look"), code.label("on")
            code.branch(counts(code, place, final), look, on)
            code.begin(look)
            holes = code.at("%own", code.op("add", "i64", first, emit.memory.packet_shadow))
            code.require(code.call("i1", "known", f"ptr {holes}", f"i64 {size}"), emit.ask)
            code.begin(on)
        code.store("ptr", code.at(emit.packet, first), at)
        code.store("i64", size, code.at(at, 8))
    elif observable.map_name:
        _map_value(emit, observable, at)
    elif place.effect:
        code.store("i64", _effect(emit, place), at)
    elif name == "r0":
        code.store("i64", raw, at)
    elif name.startswith("keys."):
        source = emit.own(emit.memory.keys + observable.offset)
        if place.kind == "int":
            code.store("i64", code.resized(code.load(f"i{observable.width}", source), observable.width, 64), at)
        else:
            code.copy(at, source, place.size)
    elif name == "meta.size":
        code.store("i64", code.op("sub", "i64", code.load("i64", emit.origin), code.load("i64", emit.first)), at)
    elif name == "cb":
        code.copy(at, emit.cb, place.size)
    elif name in emit.fields:
        code.store("i64", code.load("i64", emit.fields[name]), at)
    else:
        emit.refuse(f"observable {name}")


def _effect(emit: Emit, place: Place) -> str:
    """What helpers and writes did to an skb, of that what compiled programs can do."""
    code, names = emit.code, emit.shape.row.names
    if place.name in ("redirect.to", "redirect.flags"):
        return code.load("i64", emit.redirect[place.name == "redirect.flags"])
    if emit.kind != "tc":
        return "0"
    match place.name:
        case "vlan.protocol":
            low = code.load("i16", code.at("%row", names["vlan_proto"]))
            return code.resized(code.swapped(low, 16), 16, 64)
        case "vlan.tci":
            return code.load("i64", code.at("%row", names["vlan_tci"]))
        case "tstamp.changed":
            before = code.load("i64", code.at("%row", names["tstamp"]))
            return code.op("xor", "i64", before, code.load("i64", emit.fields["tstamp"]))
    return "0"


def _map_value(emit: Emit, observable: Observable, at: str) -> None:
    code, place = emit.code, emit.memory.maps.get(observable.map_name)
    if place is None or place.is_trie:
        emit.refuse(f"what map {observable.map_name} holds")
        return
    if observable.map_key is None:
        observed_entry(emit, place, at)
        return
    if not place.is_array or observable.map_key >= place.capacity:
        emit.refuse(f"what map {observable.map_name} holds")
        return
    code.copy(at, value_at(code, emit.memory, place, str(observable.map_key)), observable.width // 8)


def _clamp(emit: Emit) -> None:
    """Flow keys after `bpf_flow_dissect`: 14 <= nhoff <= thoff <= length of the linear part, as far as that allows."""
    code, keys = emit.code, emit.own(emit.memory.keys)
    linear = "%length" if emit.shape.interface.split == "linear" else "%linear"
    length = code.op("and", "i64", linear, 0xFFFF)
    low: str = str(ETHERNET_SIZE)
    for offset in (0, 2):
        place = code.at(keys, offset)
        value = code.resized(code.load("i16", place), 16, 64)
        value = code.select(code.op("icmp ult", "i64", value, low), "i64", low, value)
        low = code.select(code.op("icmp ugt", "i64", value, length), "i64", length, value)
        code.store("i16", code.resized(low, 64, 16), place)
