"""Every access of a program: from an address that it computed to native memory, or to the interpreter.

An address names a region by its high half and a byte in it by its low half, as in `equiv.bpf.interpret.memory`; no
region, or not all bytes in it: ask the interpreter. This is all that stands between a program and this process.
"""

from __future__ import annotations

from equiv.bpf.interpret.maps import BPF_F_RDONLY_PROG, BPF_F_WRONLY_PROG
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.place import (
    FIRST_SLOT,
    FRAMES,
    KEYS_HI,
    STACK_HI,
    STACK_SIZE,
    VALUES_HI,
    VALUES_STEP,
    MapPlace,
    Memory,
)
from equiv.compiled.text import Code


def access(
    emit: Emit,
    address: str,
    size: int | str,
    *,
    write: bool,
    read: bool,
    whole: bool = True,
    plain: bool = False,
    value: str = "",
) -> str:
    """The native address of `size` bytes at `address`, which may be read or written as asked.

    `whole`: it is a load or store of the program itself, which must be aligned on the stack; `plain`: not a packet.
    What is written counts as known from then on. `value` is what a program stores, 64 bits: no address anywhere but on
    the stack (D180).
    """
    code = emit.code
    done, results = code.label("done"), list[tuple[str, str]]()

    def found(pointer: str) -> None:
        block = code.label("at")
        code.begin(block)
        results.append((pointer, block))
        code.goto(done)

    hi = code.op("lshr", "i64", address, 32)
    low = code.op("and", "i64", address, 0xFFFFFFFF)
    offset = code.op("sub", "i64", low, BASE_IN_SLOT)
    stack, other = code.label("stack"), code.label("other")
    code.branch(code.op("icmp eq", "i64", hi, STACK_HI), stack, other)
    code.begin(stack)
    code.require(_inside(code, STACK_SIZE, offset, size), emit.ask)
    if whole and size != 1:
        code.require(code.op("icmp eq", "i64", code.op("and", "i64", offset, int(size) - 1), 0), emit.ask)
    place = code.op("add", "i64", offset, emit.memory.stack)
    shadow = code.at("%own", code.op("add", "i64", offset, emit.memory.shadow))
    _known(emit, shadow, size, write=write, read=read)
    found(code.at("%own", place))
    code.begin(other)
    handed_on = is_address(emit, value) if value else "false"
    packet, more = code.label("packet"), code.label("more")
    code.branch(code.op("icmp eq", "i64", hi, code.load("i64", emit.packet_hi)), packet, more)
    code.begin(packet)
    if (plain and emit.kind != "buffer") or (write and emit.kind == "flow_dissector"):
        code.goto(emit.ask)
    else:
        if value:
            code.require(code.op("xor", "i1", handed_on, "true"), emit.ask)
        code.require(code.op("icmp sge", "i64", offset, code.load("i64", emit.first)), emit.ask)
        end = code.op("add", "i64", offset, size)
        code.require(code.op("icmp sle", "i64", end, code.load("i64", emit.last)), emit.ask)
        if emit.has_holes:
            holes = code.at("%own", code.op("add", "i64", offset, emit.memory.packet_shadow))
            _known(emit, holes, size, write=write, read=read)
        found(code.at(emit.packet, offset))
    code.begin(more)
    flags: int | str = (1 if write else 0) | (2 if read else 0) | (4 if whole else 0)
    if value:
        flags = code.op("or", "i64", flags, code.select(handed_on, "i64", 8, 0))
    arguments = (f"i64 {hi}", f"i64 {offset}", f"i64 {size}", f"i64 {flags}")
    pointer = code.call("ptr", f"resolve_{emit.side}", "ptr %own", *arguments)
    code.require(code.op("icmp ne", "ptr", pointer, "null"), emit.ask)
    found(pointer)
    code.begin(done)
    return code.let("phi ptr " + ", ".join(f"[{value}, %{block}]" for value, block in results))


def is_address(emit: Emit, value: str) -> str:
    """Whether a value of 64 bits is an address that this code gives out, or by chance looks like one."""
    code = emit.code
    above = code.op("sub", "i64", code.op("lshr", "i64", value, 32), FIRST_SLOT)
    return code.op("icmp ult", "i64", above, emit.beyond - FIRST_SLOT)


def _known(emit: Emit, shadow: str, size: int | str, *, write: bool, read: bool) -> None:
    """Ask unless the bytes to be read are known; mark those that are written."""
    code = emit.code
    if isinstance(size, int) and size in (1, 2, 4, 8):
        kind, ones = f"i{8 * size}", int.from_bytes(b"\x01" * size, "little")
        if read:
            code.require(code.op("icmp eq", kind, code.load(kind, shadow), ones), emit.ask)
        if write:
            code.store(kind, ones, shadow)
        return
    if read:
        code.require(code.call("i1", "known", f"ptr {shadow}", f"i64 {size}"), emit.ask)
    if write:
        code.fill(shadow, 1, size)


def support(memory: Memory, side: str, flow: bool) -> str:
    """The function that finds what `access` does not know by itself: deeper stack frames, flow keys, map values."""
    code = Code(f"define internal ptr @resolve_{side}(ptr %own, i64 %hi, i64 %offset, i64 %size, i64 %flags) noinline")
    wants_write = code.op("icmp ne", "i64", code.op("and", "i64", "%flags", 1), 0)
    wants_read = code.op("icmp ne", "i64", code.op("and", "i64", "%flags", 2), 0)
    whole = code.op("icmp ne", "i64", code.op("and", "i64", "%flags", 4), 0)
    code.require(code.op("icmp sge", "i64", "%offset", 0), "no")
    plain = code.op("icmp eq", "i64", code.op("and", "i64", "%flags", 8), 0)
    values, others = code.label("values"), code.label("others")
    map_hi = code.op("sub", "i64", "%hi", VALUES_HI)
    code.branch(code.op("icmp ult", "i64", map_hi, VALUES_STEP * max(1, len(memory.numbers))), values, others)
    code.begin(values)
    code.require(plain, "no")
    _values(code, memory, map_hi, wants_write, wants_read)
    code.begin(others)
    if flow:
        keys, deeper = code.label("keys"), code.label("deeper")
        code.branch(code.op("icmp eq", "i64", "%hi", KEYS_HI), keys, deeper)
        code.begin(keys)
        code.require(code.both(plain, _inside(code, 56)), "no")
        code.end(f"ret ptr {code.at('%own', code.op('add', 'i64', '%offset', memory.keys))}")
        code.begin(deeper)
    depth = code.op("sub", "i64", "%hi", STACK_HI)
    code.require(code.op("icmp ult", "i64", depth, FRAMES), "no")
    code.require(code.op("icmp ule", "i64", depth, code.load("i64", code.at("%own", memory.depths))), "no")
    code.require(_inside(code, STACK_SIZE), "no")
    misaligned = code.op("and", "i64", "%offset", code.op("sub", "i64", "%size", 1))
    unfit = code.op("and", "i1", whole, code.op("icmp ne", "i64", misaligned, 0))
    code.require(code.op("xor", "i1", unfit, "true"), "no")
    place = code.op("add", "i64", "%offset", code.op("mul", "i64", depth, STACK_SIZE))
    shadow = code.at("%own", code.op("add", "i64", place, memory.shadow))
    reading, readable, writing, ready = (code.label(name) for name in ("reading", "readable", "writing", "ready"))
    code.branch(wants_read, reading, readable)
    code.begin(reading)
    code.require(code.call("i1", "known", f"ptr {shadow}", "i64 %size"), "no")
    code.begin(readable)
    code.branch(wants_write, writing, ready)
    code.begin(writing)
    code.fill(shadow, 1, "%size")
    code.begin(ready)
    code.end(f"ret ptr {code.at('%own', code.op('add', 'i64', place, memory.stack))}")
    code.begin("no")
    code.end("ret ptr null")
    return code.text()


def _inside(code: Code, room: int, offset: str = "%offset", size: int | str = "%size") -> str:
    """Whether `size` bytes at `offset` (not negative, or as large as that is unsigned) are among `room` bytes."""
    fits = code.op("icmp ule", "i64", size, room)
    return code.both(fits, code.op("icmp ule", "i64", offset, code.op("sub", "i64", room, size)))


def _values(code: Code, memory: Memory, map_hi: str, wants_write: str, wants_read: str) -> None:
    number = code.op("lshr", "i64", map_hi, VALUES_STEP.bit_length() - 1)
    index = code.op("and", "i64", map_hi, VALUES_STEP - 1)
    labels = {place.number: code.label("map") for place in memory.maps.values()}
    cases = " ".join(f"i64 {each}, label %{label}" for each, label in labels.items())
    code.end(f"switch i64 {number}, label %no [{cases}]")
    for place in memory.maps.values():
        code.begin(labels[place.number])
        code.require(_inside(code, place.spec.value_size), "no")
        code.require(code.op("icmp ult", "i64", index, place.value_count), "no")
        if place.spec.frozen or place.spec.flags & BPF_F_RDONLY_PROG:
            code.require(code.op("xor", "i1", wants_write, "true"), "no")
        if place.spec.flags & BPF_F_WRONLY_PROG:
            code.require(code.op("xor", "i1", wants_read, "true"), "no")
        dirty = code.at("%own", memory.dirty)
        code.store("i64", code.op("or", "i64", code.load("i64", dirty), code.resized(wants_write, 1, 64)), dirty)
        code.end(f"ret ptr {code.at(value_at(code, memory, place, index), '%offset')}")


def value_at(code: Code, memory: Memory, place: MapPlace, index: str) -> str:
    """The native address of a value."""
    start = code.op("add", "i64", code.op("mul", "i64", index, place.stride), memory.area + place.values)
    return code.at("%own", start)


def known() -> str:
    """The function that says whether all bytes of a shadow are set: eight at a time, then one by one."""
    code = Code("define internal i1 @known(ptr %shadow, i64 %size)")
    at = code.slot("i64", 0)
    head, eight, tail, look, yes = (code.label(name) for name in ("head", "eight", "tail", "look", "yes"))
    code.begin(head)
    index = code.load("i64", at)
    ahead = code.op("add", "i64", index, 8)
    code.branch(code.op("icmp ule", "i64", ahead, "%size"), eight, tail)
    code.begin(eight)
    code.store("i64", ahead, at)
    ones = int.from_bytes(b"\x01" * 8, "little")
    code.branch(code.op("icmp eq", "i64", code.load("i64", code.at("%shadow", index)), ones), head, "no")
    code.begin(tail)
    rest = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", rest, "%size"), look, yes)
    code.begin(look)
    code.store("i64", code.op("add", "i64", rest, 1), at)
    is_set = code.op("icmp ne", "i8", code.load("i8", code.at("%shadow", rest)), 0)
    code.branch(is_set, tail, "no")
    code.begin("no")
    code.end("ret i1 false")
    code.begin(yes)
    code.end("ret i1 true")
    return code.text()
