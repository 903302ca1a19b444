"""Maps in native code: what an input gives lies in the pristine area, a run works on a copy (`interpret/maps.py`).

Entries of hashes and tries are looked through one by one: an input gives few. What is not compiled: LRU maps that are
full, changes of tries, maps of maps, device maps, large arrays.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from typing import Final

from equiv.bpf.interpret.maps import BPF_F_RDONLY_PROG, LRU_HASH, LRU_PERCPU_HASH, PERCPU_HASH
from equiv.bpf.interpret.memory import BASE_IN_SLOT
from equiv.bpf.program import Program
from equiv.compiled.bpf.emit import Emit
from equiv.compiled.bpf.memory import access, value_at
from equiv.compiled.bpf.place import GIVEN, RECENT, VALUES_HI, VALUES_STEP, MapPlace, Memory
from equiv.compiled.text import Code
from equiv.machine.interface import observed_key

NONE: Final = -1
"""What looking for an entry gives where there is none."""
REFUSED: Final = 1 << 40
"""What an update or deletion gives that the interpreter has to do."""
EXISTS, MUST_EXIST = 1, 2


def restore(emit: Emit) -> None:
    """Begin with the maps as they are given, if the run before changed them."""
    if not emit.memory.area_size:
        return
    code, dirty = emit.code, emit.own(emit.memory.dirty)
    again, on = code.label("again"), code.label("on")
    code.branch(code.op("icmp ne", "i64", code.load("i64", dirty), 0), again, on, likely=False)
    code.begin(again)
    code.copy(emit.own(emit.memory.area), emit.own(emit.memory.pristine), emit.memory.area_size)
    code.store("i64", 0, dirty)
    code.begin(on)


# --- calls ---------------------------------------------------------------------------------------------------------


def lookup(emit: Emit) -> str:
    """bpf_map_lookup_elem(r1 map, r2 key): the address of a value, 0 where there is none."""
    code = emit.code

    def of(place: MapPlace) -> str:
        key = access(emit, emit.get(2), place.spec.key_size, write=False, read=True, whole=False)
        index = code.call("i64", f"find_{emit.side}_{place.number}", "ptr %own", f"ptr {key}")
        hi = code.op("add", "i64", index, VALUES_HI + place.number * VALUES_STEP)
        address = code.op("add", "i64", code.op("shl", "i64", hi, 32), BASE_IN_SLOT)
        return code.select(code.op("icmp eq", "i64", index, NONE), "i64", 0, address)

    return _of_each(emit, of)


def update(emit: Emit) -> str:
    """bpf_map_update_elem(r1 map, r2 key, r3 value, r4 flags): 0 or a negative errno."""
    code = emit.code

    def of(place: MapPlace) -> str:
        key = access(emit, emit.get(2), place.spec.key_size, write=False, read=True, whole=False)
        value = access(emit, emit.get(3), place.spec.value_size, write=False, read=True, whole=False)
        arguments = ("ptr %own", f"ptr {key}", f"ptr {value}", f"i64 {emit.get(4)}")
        result = code.call("i64", f"update_{emit.side}_{place.number}", *arguments)
        code.require(code.op("icmp ne", "i64", result, REFUSED), emit.ask)
        return result

    return _of_each(emit, of)


def delete(emit: Emit) -> str:
    """bpf_map_delete_elem(r1 map, r2 key): 0 or a negative errno."""
    code = emit.code

    def of(place: MapPlace) -> str:
        key = access(emit, emit.get(2), place.spec.key_size, write=False, read=True, whole=False)
        result = code.call("i64", f"delete_{emit.side}_{place.number}", "ptr %own", f"ptr {key}")
        code.require(code.op("icmp ne", "i64", result, REFUSED), emit.ask)
        return result

    return _of_each(emit, of)


def _of_each(emit: Emit, of: Callable[[MapPlace], str]) -> str:
    """What `of` gives for the map whose address r1 is; other maps are for the interpreter."""
    code, result, done = emit.code, emit.code.slot("i64"), emit.code.label("done")
    labels = {name: code.label("of") for name in emit.memory.maps}
    cases = " ".join(f"i64 {emit.memory.map_address(name)}, label %{label}" for name, label in labels.items())
    other = code.label("uncompiled")
    code.end(f"switch i64 {emit.get(1)}, label %{other} [{cases}]")
    for name, label in labels.items():
        code.begin(label)
        code.store("i64", of(emit.memory.maps[name]), result)
        code.goto(done)
    code.begin(other)
    emit.refuse("a map of this kind")
    code.begin(done)
    return code.load("i64", result)


def observed_entry(emit: Emit, place: MapPlace, at: str) -> None:
    """Whether the map has the observed key, one byte, and its value or zeros (D52)."""
    code = emit.code
    name = observed_key(place.spec.name)
    key = next(code.at("%row", offset) for found, offset, _ in emit.shape.row.keys if found == name)
    index = code.call("i64", f"find_{emit.side}_{place.number}", "ptr %own", f"ptr {key}")
    there, missing, on = code.label("there"), code.label("missing"), code.label("on")
    code.branch(code.op("icmp ne", "i64", index, NONE), there, missing)
    code.begin(there)
    code.store("i8", 1, at)
    code.copy(code.at(at, 1), value_at(code, emit.memory, place, index), place.spec.value_size)
    code.goto(on)
    code.begin(missing)
    code.fill(at, 0, 1 + place.spec.value_size)
    code.begin(on)


# --- functions of each map -----------------------------------------------------------------------------------------


def functions(memory: Memory, side: str) -> str:
    """What the calls above call."""
    texts = []
    for place in memory.maps.values():
        texts.append(_find(memory, side, place))
        texts.append(_update(memory, side, place))
        texts.append(_delete(memory, side, place))
    return "".join(texts)


def _part(code: Code, memory: Memory, offset: int | str) -> str:
    if isinstance(offset, int):
        return code.at("%own", memory.area + offset)
    return code.at("%own", code.op("add", "i64", offset, memory.area))


def _number(code: Code, memory: Memory, offset: int) -> str:
    return code.resized(code.load("i32", _part(code, memory, offset)), 32, 64)


def _find(memory: Memory, side: str, place: MapPlace) -> str:
    """The index of the value under a key, or NONE."""
    code = Code(f"define internal i64 @find_{side}_{place.number}(ptr %own, ptr %key)")
    if place.is_array:
        index = code.resized(code.load("i32", "%key"), 32, 64)
        inside = code.op("icmp ult", "i64", index, place.spec.max_entries)
        code.end(f"ret i64 {code.select(inside, 'i64', index, NONE)}")
    elif place.is_trie:
        _longest_prefix(code, memory, place)
    else:
        entry = _entry(code, memory, place)
        code.end(f"ret i64 {_value_of(code, memory, place, entry)}")
        code.begin("none")
        _remember(code, place)
        code.end(f"ret i64 {NONE}")
    return code.text()


def _remember(code: Code, place: MapPlace) -> None:
    """Note a key that was not found: what a campaign gives the map next."""
    counter = code.at("%own", place.recent)
    number = code.load("i64", counter)
    code.store("i64", code.op("add", "i64", number, 1), counter)
    slot = code.op("mul", "i64", code.op("and", "i64", number, RECENT - 1), place.spec.key_size)
    code.copy(code.at("%own", code.op("add", "i64", slot, place.recent + 8)), "%key", place.spec.key_size)


def missed(memory: Memory, block: bytes) -> dict[str, list[bytes]]:
    """By map, keys that the last runs looked for and did not find."""
    found = {}
    for name, place in memory.maps.items():
        if not place.is_array:
            count = min(RECENT, int.from_bytes(block[place.recent : place.recent + 8], "little"))
            at, size = place.recent + 8, place.spec.key_size
            found[name] = [block[at + i * size : at + (i + 1) * size] for i in range(count)]
    return found


def _value_of(code: Code, memory: Memory, place: MapPlace, entry: str) -> str:
    at = code.op("add", "i64", code.op("mul", "i64", entry, 4), place.index)
    return code.resized(code.load("i32", _part(code, memory, at)), 32, 64)


def _present(code: Code, memory: Memory, place: MapPlace, entry: str) -> str:
    return _part(code, memory, code.op("add", "i64", entry, place.present))


def _key_at(code: Code, memory: Memory, place: MapPlace, entry: str) -> str:
    at = code.op("add", "i64", code.op("mul", "i64", entry, place.spec.key_size), place.keys)
    return _part(code, memory, at)


def _entry(code: Code, memory: Memory, place: MapPlace) -> str:
    """The present entry with the key; goes to the block `none` where there is none."""
    used = _number(code, memory, place.live + 4)
    at = code.slot("i64", 0)
    head, look, there, found, following = (code.label(name) for name in ("head", "look", "there", "found", "next"))
    kind = f"i{8 * place.spec.key_size}"
    wanted = code.load(kind, "%key")
    code.begin(head)
    entry = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", entry, used), look, "none")
    code.begin(look)
    same = code.op("icmp eq", kind, code.load(kind, _key_at(code, memory, place, entry)), wanted)
    code.branch(same, there, following, likely=False)
    code.begin(there)
    present = code.load("i8", _present(code, memory, place, entry))
    code.branch(code.op("icmp ne", "i8", present, 0), found, following)
    code.begin(following)
    code.store("i64", code.op("add", "i64", entry, 1), at)
    code.goto(head)
    code.begin(found)
    return entry


def _longest_prefix(code: Code, memory: Memory, place: MapPlace) -> None:
    """The entry of a trie with the longest prefix of the key that is not longer than the key's own."""
    size = place.spec.key_size - 4
    bits, kind = 8 * size, f"i{8 * size}"
    length = code.resized(code.load("i32", "%key"), 32, 64)
    code.require(code.op("icmp ule", "i64", length, bits), "none")
    wanted = code.big_endian(code.at("%key", 4), size)
    used = _number(code, memory, place.live + 4)
    at, best, result = code.slot("i64", 0), code.slot("i64", -1), code.slot("i64", NONE)
    head, look, better, following, over = (code.label(name) for name in ("head", "look", "better", "next", "over"))
    code.begin(head)
    entry = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", entry, used), look, over)
    code.begin(look)
    key = _key_at(code, memory, place, entry)
    own = code.resized(code.load("i32", key), 32, 64)
    # A shift by all bits is not defined, so a prefix of none of them is shifted by one less and matches anyway.
    apart = code.op("xor", kind, code.big_endian(code.at(key, 4), size), wanted)
    none = code.op("icmp eq", "i64", own, 0)
    rest = code.op("sub", "i64", bits, code.select(none, "i64", 1, own))
    equal = code.op("icmp eq", kind, code.op("lshr", kind, apart, code.resized(rest, 64, bits)), 0)
    fits = code.both(
        code.either(none, equal),
        code.op("icmp ule", "i64", own, length),
        code.op("icmp sgt", "i64", own, code.load("i64", best)),
    )
    code.branch(fits, better, following)
    code.begin(better)
    code.store("i64", own, best)
    code.store("i64", _value_of(code, memory, place, entry), result)
    code.goto(following)
    code.begin(following)
    code.store("i64", code.op("add", "i64", entry, 1), at)
    code.goto(head)
    code.begin(over)
    found = code.load("i64", result)
    hit = code.label("hit")
    code.branch(code.op("icmp ne", "i64", found, NONE), hit, "none")
    code.begin(hit)
    code.end(f"ret i64 {found}")
    code.begin("none")
    _remember(code, place)
    code.end(f"ret i64 {NONE}")


def _update(memory: Memory, side: str, place: MapPlace) -> str:
    code = Code(f"define internal i64 @update_{side}_{place.number}(ptr %own, ptr %key, ptr %value, i64 %flags)")
    if place.is_trie or place.spec.frozen or place.spec.flags & BPF_F_RDONLY_PROG:
        code.end(f"ret i64 {REFUSED}")
        return code.text()
    code.require(code.op("icmp eq", "i64", code.op("and", "i64", "%flags", 4), 0), "refused")
    code.require(code.op("icmp ule", "i64", "%flags", 2), "invalid")
    code.store("i64", 1, code.at("%own", memory.dirty))
    if place.is_array:
        index = code.resized(code.load("i32", "%key"), 32, 64)
        code.require(code.op("icmp ult", "i64", index, place.spec.max_entries), "beyond")
        code.require(code.op("icmp ne", "i64", "%flags", EXISTS), "exists")
        code.move(value_at(code, memory, place, index), "%value", place.spec.value_size)
        code.end("ret i64 0")
    else:
        _update_hash(code, memory, place)
    for label, number in (("invalid", errno.EINVAL), ("beyond", errno.E2BIG), ("exists", errno.EEXIST)):
        code.begin(label)
        code.end(f"ret i64 {-number}")
    code.begin("refused")
    code.end(f"ret i64 {REFUSED}")
    return code.text()


def _update_hash(code: Code, memory: Memory, place: MapPlace) -> None:
    entry = _entry(code, memory, place)
    code.require(code.op("icmp ne", "i64", "%flags", EXISTS), "exists")
    if place.spec.type in (PERCPU_HASH, LRU_PERCPU_HASH):  # in place
        at = value_at(code, memory, place, _value_of(code, memory, place, entry))
        code.move(at, "%value", place.spec.value_size)
    else:  # pointers to the old value keep seeing the old value
        _fresh_value(code, memory, place, entry)
    code.end("ret i64 0")
    code.begin("none")
    code.require(code.op("icmp ne", "i64", "%flags", MUST_EXIST), "missing")
    live = _number(code, memory, place.live)
    others = _number(code, memory, place.live + 8)
    has_room = code.op("icmp ult", "i64", code.op("add", "i64", live, others), place.spec.max_entries)
    full = "refused" if place.spec.type in (LRU_HASH, LRU_PERCPU_HASH) else "beyond"
    code.require(has_room, full)
    used = _number(code, memory, place.live + 4)
    code.require(code.op("icmp ult", "i64", used, place.capacity), "refused")
    _fresh_value(code, memory, place, used)
    code.move(_key_at(code, memory, place, used), "%key", place.spec.key_size)
    code.store("i8", 1, _present(code, memory, place, used))
    for offset, before in ((place.live, live), (place.live + 4, used)):
        more = code.resized(code.op("add", "i64", before, 1), 64, 32)
        code.store("i32", more, _part(code, memory, offset))
    code.end("ret i64 0")
    code.begin("missing")
    code.end(f"ret i64 {-errno.ENOENT}")


def _fresh_value(code: Code, memory: Memory, place: MapPlace, entry: str) -> None:
    """Give the entry a value of its own that nothing points to yet."""
    index = _number(code, memory, place.next_value)
    code.require(code.op("icmp ult", "i64", index, place.value_count), "refused")
    code.move(value_at(code, memory, place, index), "%value", place.spec.value_size)
    at = code.op("add", "i64", code.op("mul", "i64", entry, 4), place.index)
    code.store("i32", code.resized(index, 64, 32), _part(code, memory, at))
    after = code.resized(code.op("add", "i64", index, 1), 64, 32)
    code.store("i32", after, _part(code, memory, place.next_value))


def _delete(memory: Memory, side: str, place: MapPlace) -> str:
    code = Code(f"define internal i64 @delete_{side}_{place.number}(ptr %own, ptr %key)")
    if place.is_trie or place.spec.frozen or place.spec.flags & BPF_F_RDONLY_PROG:
        code.end(f"ret i64 {REFUSED}")
        return code.text()
    if place.is_array:
        code.end(f"ret i64 {-errno.EINVAL}")
        return code.text()
    entry = _entry(code, memory, place)
    code.store("i64", 1, code.at("%own", memory.dirty))
    code.store("i8", 0, _present(code, memory, place, entry))
    fewer = code.op("sub", "i64", _number(code, memory, place.live), 1)
    code.store("i32", code.resized(fewer, 64, 32), _part(code, memory, place.live))
    code.end("ret i64 0")
    code.begin("none")
    code.end(f"ret i64 {-errno.ENOENT}")
    return code.text()


# --- what a run begins with ----------------------------------------------------------------------------------------


def contents(
    program: Program, memory: Memory, given: Mapping[str, Mapping[bytes, bytes]], counts: Mapping[str, int]
) -> bytes | None:
    """The pristine area for an input's maps; None where that input is for the interpreter."""
    area = bytearray(memory.area_size)
    for name in given:
        if name not in memory.maps:
            return None
    for name, place in memory.maps.items():
        entries = {**(program.maps[name].contents or {}), **given.get(name, {})}
        if any(len(k) != place.spec.key_size or len(v) != place.spec.value_size for k, v in entries.items()):
            return None
        if place.is_array:
            _fill_array(area, place, entries)
        elif len(entries) > GIVEN or not _fill_entries(area, place, entries, counts.get(name, 0)):
            return None
    return bytes(area)


def _fill_array(area: bytearray, place: MapPlace, entries: Mapping[bytes, bytes]) -> None:
    initial = (place.spec.initial or b"").ljust(place.spec.value_size, b"\x00")
    for index in range(place.capacity if any(initial) else 0):
        at = place.values + index * place.stride
        area[at : at + place.spec.value_size] = initial
    for key, value in entries.items():
        index = int.from_bytes(key, "little")
        if index < place.capacity:
            at = place.values + index * place.stride
            area[at : at + len(value)] = value


def _fill_entries(area: bytearray, place: MapPlace, entries: Mapping[bytes, bytes], count: int) -> bool:
    if place.is_trie:
        found: dict[tuple[int, int], tuple[bytes, bytes]] = {}
        for key, value in entries.items():
            length, bits = int.from_bytes(key[:4], "little"), 8 * (place.spec.key_size - 4)
            if length > bits:
                return False
            found[length, int.from_bytes(key[4:], "big") >> (bits - length)] = key, value
        entries = dict(found.values())
    for index, (key, value) in enumerate(entries.items()):
        at, own = place.keys + index * place.spec.key_size, place.values + index * place.stride
        area[at : at + len(key)] = key
        area[own : own + len(value)] = value
        area[place.present + index] = 1
        area[place.index + 4 * index : place.index + 4 * index + 4] = index.to_bytes(4, "little")
    others = max(0, count - len(entries))
    for offset, number in ((place.live, len(entries)), (place.live + 4, len(entries)), (place.live + 8, others)):
        area[offset : offset + 4] = min(number, 0xFFFFFFFF).to_bytes(4, "little")
    area[place.next_value : place.next_value + 4] = len(entries).to_bytes(4, "little")
    return True
