"""Maps of a program that the kernel runs, from native code: what a run left is read, and undone before the next (D350).

Values that are given are written anew before each run. Of hashes that the program writes only what it touched is put
back: the kernel's side of it keeps a journal (`equiv.oracle.journal`).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct
from dataclasses import dataclass, field
from typing import Any, Final

from equiv.compiled.native import NotCompiled
from equiv.compiled.shape import Fields, Shape
from equiv.compiled.text import Code
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import Observable, observed_key
from equiv.oracle import KernelProgram, VerifierRejected, journal, syscall
from equiv.oracle.maps import ARRAYS, HASHES, KEYED, OUTER

MAP_ATTRIBUTE: Final = 32
"""Bytes of `union bpf_attr` for the commands on map elements: descriptor, key, value, flags."""
ONE_BY_ONE: Final = "the kernel runs one input at a time: "
_TABLE: Final = struct.Struct("=QQQ")
"""Of a map whose entries are put back: how many there are, where their keys and their values lie."""


@dataclass(frozen=True, slots=True)
class Observed:
    """Where in a side's own block the key and the value of an entry stand that is compared.

    Of a hash the key comes with the input, `key_at` in its row; what is compared says whether the entry is there.
    """

    descriptor: int
    key: bytes
    key_at: int | None
    at_key: int
    at_value: int
    start: int
    size: int

    def looked_up(self, calls: Calls) -> str:
        """Where the bytes stand that are compared."""
        code = calls.code
        value = code.at("%own", self.at_value)
        if self.key_at is None:
            code.store("i32", int.from_bytes(self.key, "little"), code.at("%own", self.at_key))
            calls.element(self.descriptor, code.at("%own", self.at_key), value)
            code.require(calls.succeeds(syscall.MAP_LOOKUP_ELEM), "ask")
            return code.at(value, self.start)
        entry = code.at("%own", self.at_key)
        there, missing, on = code.label("there"), code.label("missing"), code.label("on")
        calls.element(self.descriptor, code.at("%row", self.key_at), value)
        code.branch(calls.succeeds(syscall.MAP_LOOKUP_ELEM), there, missing)
        code.begin(there)
        code.store("i8", 1, entry)
        code.copy(code.at(entry, 1), code.at(value, self.start), self.size)
        code.goto(on)
        code.begin(missing)
        code.require(calls.is_missing(), "ask")
        code.fill(entry, 0, 1 + self.size)
        code.begin(on)
        return entry


@dataclass(frozen=True, slots=True)
class Calls:
    """bpf(2) on elements of maps, from `code`; `attribute` is where the side's own block has room for a `bpf_attr`."""

    code: Code
    attribute: int

    def element(self, descriptor: int, key: str, value: str) -> None:
        """Say which element the next call is about."""
        code, attribute = self.code, self.code.at("%own", self.attribute)
        code.fill(attribute, 0, MAP_ATTRIBUTE)
        code.store("i32", descriptor, attribute)
        code.store("ptr", key, code.at(attribute, 8))
        code.store("ptr", value, code.at(attribute, 16))

    def succeeds(self, command: int) -> str:
        """Make the call: whether it went well."""
        return self.done(command, self.code.at("%own", self.attribute))

    def done(self, command: int, attribute: str) -> str:
        """The same with another attribute."""
        code, number = self.code, syscall.SYSCALL_NUMBERS[platform.machine()]
        arguments = f"i64 {number}, i64 {command}, ptr {attribute}, i64 {MAP_ATTRIBUTE}"
        result = code.let(f"call i64 (i64, ...) @syscall({arguments})")
        return code.op("icmp sge", "i64", result, 0)

    def is_missing(self) -> str:
        """Whether the call that failed just now did because there is no such element."""
        code = self.code
        return code.op("icmp eq", "i32", code.load("i32", code.call("ptr", "__errno_location")), errno.ENOENT)


def observed(kernel: KernelProgram, shape: Shape, fields: Fields) -> dict[str, Observed]:
    """By observable, where its entry of a map is read. Raises NotCompiled for maps that are not read."""
    found = {}
    for observable in shape.interface.observables:
        if observable.map_name:
            found[observable.name] = _observed(kernel, shape, fields, observable)
    return found


def _observed(kernel: KernelProgram, shape: Shape, fields: Fields, observable: Observable) -> Observed:
    try:
        looked_up = kernel.looked_up(observable.map_name)
    except KeyError:
        raise NotCompiled(f"{ONE_BY_ONE}a map that it lacks is compared") from None
    spec, place = looked_up.spec, (looked_up.start, looked_up.spec.value_size)
    if observable.map_key is None:
        name = observed_key(observable.map_name)
        at = next((at for found, at, size in shape.row.keys if found == name and size == spec.key_size), None)
        if at is None or spec.type not in HASHES:
            raise NotCompiled(f"{ONE_BY_ONE}entries of a map of type {spec.type} are compared")
        return Observed(
            looked_up.descriptor, b"", at, fields.take(1 + spec.value_size), fields.take(looked_up.size), *place
        )
    if spec.type not in ARRAYS or observable.map_key >= spec.max_entries:
        raise NotCompiled(f"{ONE_BY_ONE}entries of other maps than arrays are compared")
    key = observable.map_key.to_bytes(4, kernel.program.byte_order)
    return Observed(looked_up.descriptor, key, None, fields.take(8), fields.take(looked_up.size), *place)


@dataclass(frozen=True, slots=True)
class Undone:
    """How hashes are put back. `plan` says what the journal notes, `unwritten` are maps that the program cannot write.

    `damaged` is set in the block where something could not be put back: then every run asks, until contents are given.
    """

    kernel: KernelProgram
    plan: journal.Plan
    unwritten: frozenset[str]
    program: int
    """Descriptor of the program that keeps the journal; -1 where there is nothing to keep."""
    journal: Any
    """The journal's memory, as ctypes has it."""
    tables: int
    damaged: int
    keep: list[object] = field(default_factory=list)

    @property
    def names(self) -> frozenset[str]:
        """Maps that need not be written anew before each run."""
        return self.unwritten | {spec.name for spec in self.plan.maps}

    def begin(self, block: ctypes.Array[ctypes.c_char], given: Input) -> None:
        """Say what hashes hold from now on, behind `KernelProgram.begin`."""
        self.keep.clear()
        struct.pack_into("<Q", block, self.damaged, 0)
        if self.program >= 0:
            ctypes.memset(self.journal, 0, 8)
        for number, spec in enumerate(self.plan.maps):
            entries = self.kernel.begun(spec.name, given)
            packed = (b"".join(key for key, _ in entries), b"".join(value for _, value in entries))
            held = [ctypes.create_string_buffer(part, max(1, len(part))) for part in packed]
            self.keep.append(held)
            at = self.tables + number * _TABLE.size
            _TABLE.pack_into(block, at, len(entries), *map(ctypes.addressof, held))

    def emit(self, calls: Calls) -> None:
        """Put back what the run before touched. Goes to `damaged` where that fails, which `emit_end` begins."""
        if self.program < 0:
            return
        code = calls.code
        code.require(code.op("icmp eq", "i64", code.load("i64", code.at("%own", self.damaged)), 0), "ask")
        noted = code.let(f"inttoptr i64 {ctypes.addressof(self.journal)} to ptr")
        count = code.load("i64", noted)
        some, on = code.label("some"), code.label("on")
        code.branch(code.op("icmp ne", "i64", count, 0), some, on)
        code.begin(some)
        code.require(code.op("icmp ule", "i64", count, journal.SLOTS), "damaged")
        for added in (True, False):  # what was added goes first: a full map has no room for what was removed
            self._each(calls, noted, count, added)
        code.store("i64", 0, noted)
        code.begin(on)

    def emit_end(self, calls: Calls) -> None:
        """The block `damaged`."""
        if self.program < 0:
            return
        calls.code.begin("damaged")
        calls.code.store("i64", 1, calls.code.at("%own", self.damaged))
        calls.code.goto("ask")

    def _each(self, calls: Calls, noted: str, count: str, added: bool) -> None:
        """Go through the journal: remove what was added, or write anew what was there."""
        code = calls.code
        at = code.slot("i64")
        code.store("i64", 0, at)
        head, body, over = code.label("head"), code.label("body"), code.label("over")
        code.begin(head)
        index = code.load("i64", at)
        code.branch(code.op("icmp ult", "i64", index, count), body, over)
        code.begin(body)
        code.store("i64", code.op("add", "i64", index, 1), at)
        slot = code.at(noted, code.op("add", "i64", code.op("mul", "i64", index, self.plan.stride), 8))
        labels = [code.label("of") for _ in self.plan.maps]
        cases = " ".join(f"i32 {number}, label %{label}" for number, label in enumerate(labels))
        helper, number = code.load("i32", slot), code.load("i32", code.at(slot, 4))
        key = code.at(slot, journal.KEY_AT)
        code.end(f"switch i32 {number}, label %damaged [{cases}]")
        for number_, label in enumerate(labels):
            code.begin(label)
            self._one(calls, number_, helper, key, added, head)
        code.begin(over)

    def _one(self, calls: Calls, number: int, helper: str, key: str, added: bool, head: str) -> None:
        code, spec = calls.code, self.plan.maps[number]
        place = self.kernel.looked_up(spec.name)
        found, none = code.label("found"), code.label("none")
        at = self._find(code, number, key, found, none)
        code.begin(found)
        if not added:
            values = code.load("ptr", code.at("%own", self.tables + number * _TABLE.size + 16))
            value = code.at(values, code.op("mul", "i64", code.load("i64", at), place.size))
            calls.element(place.descriptor, key, value)
            code.require(calls.succeeds(syscall.MAP_UPDATE_ELEM), "damaged")
        code.goto(head)
        code.begin(none)
        if added:
            delete, failed = code.label("delete"), code.label("failed")
            code.branch(code.op("icmp eq", "i32", helper, journal.UPDATE), delete, head)
            code.begin(delete)
            calls.element(place.descriptor, key, "null")
            code.branch(calls.succeeds(syscall.MAP_DELETE_ELEM), head, failed)
            code.begin(failed)
            code.require(calls.is_missing(), "damaged")
        code.goto(head)

    def _find(self, code: Code, number: int, key: str, found: str, none: str) -> str:
        """Look for the key among the entries that were given: their index is in the variable that is returned."""
        size = self.plan.maps[number].key_size
        kind, table = f"i{8 * size}", self.tables + number * _TABLE.size
        at = code.slot("i64")
        code.store("i64", -1, at)
        head, look = code.label("head"), code.label("look")
        count, keys = code.load("i64", code.at("%own", table)), code.load("ptr", code.at("%own", table + 8))
        wanted = code.load(kind, key)
        code.begin(head)
        index = code.op("add", "i64", code.load("i64", at), 1)
        code.store("i64", index, at)
        code.branch(code.op("icmp ult", "i64", index, count), look, none)
        code.begin(look)
        held = code.load(kind, code.at(keys, code.op("mul", "i64", index, size)))
        code.branch(code.op("icmp eq", kind, held, wanted), found, head)
        return at


def undone(kernel: KernelProgram, fields: Fields) -> Undone:
    """How the program's hashes are put back between runs. Raises NotCompiled where they cannot be."""
    keyed = [spec for spec in kernel.map_specs if spec.type in KEYED and not spec.frozen]
    if any(spec.type in OUTER for spec in kernel.map_specs):
        raise NotCompiled(f"{ONE_BY_ONE}maps hold maps")
    try:
        unwritten = frozenset(spec.name for spec in keyed if kernel.cannot_write(spec.name))
        plan = journal.plan(kernel.program, [spec.name for spec in keyed if spec.name not in unwritten])
        descriptor, memory = kernel.noting(plan) if plan.maps else (-1, None)
    except (NotRunnable, VerifierRejected) as error:
        reason = str(error) if isinstance(error, NotRunnable) else "its calls of map helpers cannot be replaced"
        raise NotCompiled(f"{ONE_BY_ONE}{reason}") from error
    tables, damaged = fields.take(_TABLE.size * max(1, len(plan.maps))), fields.take(8)
    return Undone(kernel, plan, unwritten, descriptor, memory, tables, damaged)


def written_anew(entries: list[tuple[int, bytes, bytes]]) -> tuple[bytes, list[object]]:
    """`MAP_ATTRIBUTE`s that write these values (a map's descriptor, key, value), and the memory that they point to."""
    packed, keep = b"", list[object]()
    for descriptor, key, value in entries:
        held = ctypes.create_string_buffer(key, len(key)), ctypes.create_string_buffer(value, len(value))
        keep.append(held)
        packed += struct.pack("=IxxxxQQQ", descriptor, *map(ctypes.addressof, held), 0)
    return packed, keep


def rewrite(calls: Calls, written: int) -> None:
    """Write anew what the run before may have written into maps: `written` is where their number and address are."""
    code, at = calls.code, calls.code.slot("i64", 0)
    attributes = code.load("ptr", code.at("%own", written))
    count = code.load("i64", code.at("%own", written + 8))
    head, body, on = code.label("head"), code.label("body"), code.label("on")
    code.begin(head)
    index = code.load("i64", at)
    code.branch(code.op("icmp ult", "i64", index, count), body, on)
    code.begin(body)
    code.store("i64", code.op("add", "i64", index, 1), at)
    attribute = code.at(attributes, code.op("mul", "i64", index, MAP_ATTRIBUTE))
    code.require(calls.done(syscall.MAP_UPDATE_ELEM, attribute), "ask")
    code.goto(head)
    code.begin(on)
