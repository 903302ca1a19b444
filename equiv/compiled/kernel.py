"""The running kernel as one side of a batch: BPF_PROG_TEST_RUN called from native code (`equiv.oracle.program`).

What a test run shows is put where the other side's result is, so that the loop compares them like any two. Runs that
need more than a plain call (another context, a probe, packets of other lengths) ask, and are made one by one.
"""

from __future__ import annotations

import ctypes
import platform
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.helper_table import TABLE
from equiv.compiled.codes import normalised
from equiv.compiled.kernel_maps import (
    MAP_ATTRIBUTE,
    ONE_BY_ONE,
    Calls,
    Observed,
    Undone,
    observed,
    rewrite,
    undone,
    written_anew,
)
from equiv.compiled.native import NotCompiled
from equiv.compiled.shape import ASK, CB_SIZE, OK, Edge, Fields, Shape
from equiv.compiled.text import Code
from equiv.machine.concrete import Input, NotRunnable
from equiv.machine.interface import Observable
from equiv.oracle import KernelProgram, contexts, probe, syscall
from equiv.oracle.maps import ARRAYS
from equiv.oracle.program import EFFECTS, LONGEST_FRAME, MAX_GROWTH, TAG_HELPERS
from equiv.oracle.test_run import nonlinear_skbs

UPDATE, DELETE = 2, 3
MOST_WRITTEN: Final = 64
"""Values of maps that are written anew before each run, at most."""
SKB_LOAD_BYTES: Final = 26
PROG_FD, RETVAL, SIZE_IN, SIZE_OUT, DATA_IN, DATA_OUT = 0, 4, 8, 12, 16, 24
CONTEXT_SIZE_IN, CONTEXT_SIZE_OUT, CONTEXT_IN, CONTEXT_OUT = 40, 44, 48, 56
"""Offsets in `union bpf_attr` for BPF_PROG_TEST_RUN (include/uapi/linux/bpf.h)."""
LONGEST_TAKEN: Final = 3520
GIVEN_BACK: Final = {"mark": (8, 32), "priority": (32, 32), "tstamp": (152, 64)}
"""Offsets and widths of the fields of `struct __sk_buff` that a test run takes and gives back, beside cb."""


@dataclass(frozen=True, slots=True)
class KernelSource:
    """A program that the kernel runs (`equiv.compiled.pair.Source`)."""

    text: str
    size: int
    result: int
    reason: int
    kernel: KernelProgram
    written: int
    """Where in the block the address and number of `MAP_ATTRIBUTE`s are that undo what a run wrote."""
    hashes: Undone | None = None
    """How hashes are put back of which entries are written, added, removed or compared."""
    both: bool = False
    edges: tuple[Edge, ...] = ()
    reasons: tuple[str, ...] = ("",)
    keep: list[object] = field(default_factory=list)

    def begin(
        self, block: ctypes.Array[ctypes.c_char], given: Mapping[str, Mapping[bytes, bytes]], counts: Mapping[str, int]
    ) -> bool:
        """Give the kernel's maps their contents, and say how to restore them; False where that is too much."""
        mine = {name: entries for name, entries in given.items() if name in self.kernel.program.maps}
        context = {f"map.{name}.count": count for name, count in counts.items()}
        try:
            whole = Input(b"", None, context, mine)
            entries, complete = self.kernel.begin(whole, MOST_WRITTEN, self.hashes.names if self.hashes else ())
            if self.hashes is not None:
                self.hashes.begin(block, whole)
        except (NotRunnable, OSError):
            return False
        if not complete and not self.both:
            return False
        self.keep.clear()
        packed, held = written_anew(entries)
        self.keep.append(held)
        attributes = ctypes.create_string_buffer(packed, max(1, len(packed)))
        self.keep.append(attributes)
        struct.pack_into("<QQ", block, self.written, ctypes.addressof(attributes), len(entries))
        return True


def kernel_source(kernel: KernelProgram, shape: Shape, head: str, *, both: bool = False) -> KernelSource:
    """The calls as text of a native function with the head `head`. Raises NotCompiled for what needs more than one.

    `both` says that the other side is run by the kernel, too: what a test run chooses itself is the same for both, and
    what it does not show is not compared. Maps with many values then go on from run to run, so that a difference counts
    only once it was seen from the same contents.
    """
    if both:
        _refuse_in_general(kernel)
        if any(observable.map_name and observable.map_key is None for observable in kernel.interface.observables):
            raise NotCompiled(f"{ONE_BY_ONE}entries of hashes are compared")
    else:
        _refuse(kernel)
    fields = Fields()
    result, reason = fields.take(shape.size), fields.take(8)
    attribute, context_in = fields.take(syscall.ATTRIBUTE_SIZE), fields.take(contexts.SKB_SIZE)
    context_out, frame = fields.take(contexts.SKB_SIZE), fields.take(14 + LONGEST_TAKEN + 64)
    output = fields.take(2 * MAX_GROWTH + LONGEST_TAKEN)
    written, probed = fields.take(16), fields.take(8 + probe.PROBE.value_size)
    maps = observed(kernel, shape, fields)
    changes = not both and bool(kernel.use.helpers & {UPDATE, DELETE})
    hashes = undone(kernel, fields) if changes or any(each.key_at is not None for each in maps.values()) else None
    calls = Calls(Code(head), attribute)
    emit = _Emit(
        kernel, shape, calls, result, attribute, context_in, context_out, frame, output, written, probed, maps, hashes
    )
    emit.run()
    return KernelSource(emit.code.text(), fields.take(64, 64), result, reason, kernel, written, hashes, both)


def _refuse_in_general(kernel: KernelProgram) -> None:
    if platform.machine() not in syscall.SYSCALL_NUMBERS or kernel.interface.context == "buffer":
        raise NotCompiled("test runs are made one by one")
    if kernel.use.helpers & (TAG_HELPERS | EFFECTS):
        raise NotCompiled(f"{ONE_BY_ONE}a test run does not give back all that the helpers do")


def _refuse(kernel: KernelProgram) -> None:
    _refuse_in_general(kernel)
    program, use, kind = kernel.program, kernel.use, kernel.interface.context
    if any(s.type in ARRAYS and not s.frozen and s.max_entries > MOST_WRITTEN for s in kernel.map_specs):
        raise NotCompiled(f"{ONE_BY_ONE}an array is too large to be written anew for each")
    if not use.helpers <= set(TABLE):
        raise NotCompiled(f"{ONE_BY_ONE}the program calls a helper that may do anything to its maps")
    if kind == "flow_dissector" and SKB_LOAD_BYTES in use.helpers:
        raise NotCompiled(f"{ONE_BY_ONE}a test run of a flow dissector has no skb")
    if kind == "xdp_md" and (use.reads(12, 8) or 65 in use.helpers):
        raise NotCompiled(f"{ONE_BY_ONE}the program looks at where a frame comes from")
    taken = {"mark", "priority", "tstamp", "cb", "data_end", "ifindex"}
    hidden = [name for name in contexts.SKB_OFFSETS if name not in taken | {"protocol", "vlan_present", "vlan_tci"}]
    if kind == "__sk_buff" and any(
        use.reads(contexts.SKB_OFFSETS[name], contexts.SKB_SIZES.get(name, 4)) for name in hidden
    ):
        raise NotCompiled(f"{ONE_BY_ONE}the program looks at fields that a test run chooses")
    if kind == "__sk_buff" and kernel.interface.program_type != 3 and use.reads(contexts.SKB_OFFSETS["protocol"], 4):
        raise NotCompiled(f"{ONE_BY_ONE}the program looks at the protocol")
    if any(insn is not None and op.is_packet_load(insn) and insn.imm < 0 for insn in program.insns):
        raise NotCompiled(f"{ONE_BY_ONE}packet loads count from a header")


@dataclass(slots=True, eq=False)
class _Emit:
    """The state of emitting one side. Offsets are in its own block."""

    kernel: KernelProgram
    shape: Shape
    calls: Calls
    result: int
    attribute: int
    context_in: int
    context_out: int
    frame: int
    output: int
    written: int
    probed: int
    maps: Mapping[str, Observed]
    hashes: Undone | None

    @property
    def code(self) -> Code:
        return self.calls.code

    def run(self) -> None:
        """The whole function."""
        code, kind = self.code, self.shape.interface.context
        code.require(code.op("icmp ule", "i64", "%length", LONGEST_TAKEN), "ask")
        if kind != "__sk_buff" or not (self._is_tc and nonlinear_skbs()):
            code.require(code.op("icmp eq", "i64", "%linear", "%length"), "ask")
        rewrite(self.calls, self.written)
        if self.hashes is not None:
            self.hashes.emit(self.calls)
        code.fill(self._own(self.attribute), 0, syscall.ATTRIBUTE_SIZE)
        code.fill(self._own(self.context_in), 0, contexts.SKB_SIZE)
        if kind == "xdp_md":
            self._xdp()
        elif kind == "flow_dissector":
            self._flow_dissector()
        else:
            self._skb()
        if self.hashes is not None:
            self.hashes.emit_end(self.calls)
        code.begin("ask")
        code.end(f"ret i32 {ASK}")

    def _probe(self, command: int, descriptor: int) -> None:
        """Write, or read, the fields that the caller around the program sets and shows."""
        code, attribute = self.code, self._own(self.attribute)
        code.fill(attribute, 0, MAP_ATTRIBUTE)
        code.store("i32", descriptor, attribute)
        code.store("i64", 0, self._own(self.probed))
        code.store("ptr", self._own(self.probed), code.at(attribute, 8))
        code.store("ptr", self._own(self.probed + 8), code.at(attribute, 16))
        code.require(self.calls.done(command, attribute), "ask")
        code.fill(attribute, 0, MAP_ATTRIBUTE)

    @property
    def _is_tc(self) -> bool:
        return self.shape.interface.program_type == 3

    def _own(self, offset: int) -> str:
        return self.code.at("%own", offset)

    def _put(self, offset: int, width: int, value: str | int) -> None:
        kind = "ptr" if width == 0 else f"i{width}"
        self.code.store(kind, value, self._own(self.attribute + offset))

    def _call(
        self, data: str, size: str, room: str | int, context_in: int, context_out: int, program: int | None = None
    ) -> tuple[str, str]:
        """Make the call: the return code, normalised, and how many bytes came back. Asks where the kernel refuses."""
        code = self.code
        plain = self.kernel.descriptor if self.hashes is None or self.hashes.program < 0 else self.hashes.program
        self._put(PROG_FD, 32, plain if program is None else program)
        self._put(SIZE_IN, 32, code.resized(size, 64, 32))
        self._put(SIZE_OUT, 32, code.resized(room, 64, 32) if isinstance(room, str) else room)
        self._put(DATA_IN, 0, data)
        self._put(DATA_OUT, 0, "null" if room == 0 else self._own(self.output))
        for at, offset, context_size, where in (
            (CONTEXT_IN, CONTEXT_SIZE_IN, context_in, self.context_in),
            (CONTEXT_OUT, CONTEXT_SIZE_OUT, context_out, self.context_out),
        ):
            self._put(at, 0, self._own(where) if context_size else "null")
            self._put(offset, 32, context_size)
        number = syscall.SYSCALL_NUMBERS[platform.machine()]
        arguments = (f"i64 {number}", f"i64 {syscall.PROG_TEST_RUN}", f"ptr {self._own(self.attribute)}")
        done = code.let(f"call i64 (i64, ...) @syscall({', '.join(arguments)}, i64 {syscall.ATTRIBUTE_SIZE})")
        code.require(code.op("icmp sge", "i64", done, 0), "ask")
        raw = code.resized(code.load("i32", self._own(self.attribute + RETVAL)), 32, 64)
        final = normalised(code, self.shape, raw)
        code.store("i64", final, self._own(self.result))
        back = code.resized(code.load("i32", self._own(self.attribute + SIZE_OUT)), 32, 64)
        return final, back

    def _finish(self, shown: Mapping[str, str], spans: Mapping[str, tuple[str, str]]) -> None:
        """Put numbers, and addresses of bytes, where the observables are; what is not shown is 0."""
        code = self.code
        by_name = {observable.name: observable for observable in self.shape.interface.observables}
        spans = {**spans, **{name: (each.looked_up(self.calls), "0") for name, each in self.maps.items()}}
        for place in self.shape.places:
            at = code.at(self._own(self.result), place.offset)
            if place.kind == "span":
                pointer, size = spans.get(place.name, ("%given", "%length"))
                code.store("ptr", pointer, at)
                code.store("i64", size, code.at(at, 8))
            elif place.name in spans:
                code.copy(at, spans[place.name][0], place.size)
            elif place.name.startswith("keys."):
                self._key(by_name[place.name], at)
            else:
                code.store("i64", shown.get(place.name, "0"), at)
        code.end(f"ret i32 {OK}")

    def _key(self, observable: Observable, at: str) -> None:
        code, source = self.code, self._own(self.output + observable.offset)
        if observable.kind == "int":
            value = code.load(f"i{observable.width}", source)
            code.store("i64", code.resized(value, observable.width, 64), at)
        else:
            code.copy(at, source, observable.width // 8)

    def _xdp(self) -> None:
        code = self.code
        code.require(code.op("icmp ule", "i64", "%length", LONGEST_FRAME), "ask")
        code.store("i32", code.resized("%length", 64, 32), self._own(self.context_in + 4))
        room = code.op("add", "i64", "%length", MAX_GROWTH)
        _, back = self._call("%given", "%length", room, contexts.XDP_MD.size, contexts.XDP_MD.size)
        size, end = (code.resized(code.load("i32", self._own(self.context_out + at)), 32, 64) for at in (0, 4))
        code.require(code.op("icmp eq", "i64", end, back), "ask")
        code.require(code.op("icmp ule", "i64", size, back), "ask")
        output = self._own(self.output)
        rest = code.op("sub", "i64", back, size)
        self._finish({"meta.size": size}, {"meta": (output, size), "packet": (code.at(output, size), rest)})

    def _flow_dissector(self) -> None:
        code = self.code
        flags = code.load("i32", code.at("%row", self.shape.row.names["flags"]))
        code.store("i32", flags, self._own(self.context_in + contexts.FLOW_KEYS_FLAGS))
        self._call("%given", "%length", contexts.FLOW_KEYS_SIZE, contexts.FLOW_KEYS_SIZE, 0)
        self._finish({}, {})

    def _skb(self) -> None:
        code, row, use = self.code, self.shape.row, self.kernel.use
        probing = self._is_tc and any(use.writes(contexts.SKB_OFFSETS[name], 4) for name in contexts.PROBED)
        if probing and self.hashes is not None and self.hashes.program >= 0:
            raise NotCompiled(f"{ONE_BY_ONE}a caller is put around a program that adds or removes entries of maps")
        program, probe_map = self.kernel.probing() if probing else (None, 0)
        for name, offset in row.names.items():
            value = code.load("i64", code.at("%row", offset))
            if name in GIVEN_BACK:
                at, width = GIVEN_BACK[name]
                code.store(f"i{width}", code.resized(value, 64, width), self._own(self.context_in + at))
            elif name in contexts.PROBED and not probing:
                code.require(code.op("icmp eq", "i64", value, 0), "ask")
        code.copy(self._own(self.context_in + contexts.SKB_OFFSETS["cb"]), code.at("%row", row.cb or 0), CB_SIZE)
        if use.reads(contexts.SKB_OFFSETS["ifindex"], 4):  # a test run has its own
            place = code.load("i64", code.at("%row", row.names["ifindex"]))
            code.require(code.op("icmp eq", "i64", place, contexts.LOOPBACK), "ask")
        data, size = "%given", "%length"
        if self._is_tc:
            self._long_enough()
            is_split = code.op("icmp ult", "i64", "%linear", "%length")
            end = code.select(is_split, "i64", "%linear", 0)
            place = self._own(self.context_in + contexts.SKB_OFFSETS["data_end"])
            code.store("i32", code.resized(end, 64, 32), place)
        else:  # a header in front: a test run's data begins behind it
            data, size = self._own(self.frame), code.op("add", "i64", "%length", contexts.ETHERNET_SIZE)
            code.fill(data, 0, 12)
            code.store("i16", int.from_bytes(contexts.EXPERIMENTAL, "little") - (1 << 16), code.at(data, 12))
            code.copy(code.at(data, contexts.ETHERNET_SIZE), "%given", "%length")
        compared = any(o.kind == "packet" for o in self.shape.interface.observables)
        room: str | int = code.op("add", "i64", size, MAX_GROWTH) if compared else 0
        if probing:
            code.fill(self._own(self.probed + 8), 0, probe.PROBE.value_size)
            for name, at in probe.BEFORE.items():
                value = code.op("and", "i64", code.load("i64", code.at("%row", row.names[name])), 0xFFFF)
                code.store("i32", code.resized(value, 64, 32), self._own(self.probed + 8 + at))
            self._probe(syscall.MAP_UPDATE_ELEM, probe_map)
        _, back = self._call(data, size, room, contexts.SKB_SIZE, contexts.SKB_SIZE, program)
        shown = {}
        if probing:
            self._probe(syscall.MAP_LOOKUP_ELEM, probe_map)
            for name in contexts.PROBED:
                value = code.load("i32", self._own(self.probed + 8 + probe.AFTER[name]))
                shown[name] = code.resized(value, 32, 64)
        for name, (at, width) in GIVEN_BACK.items():
            shown[name] = code.resized(code.load(f"i{width}", self._own(self.context_out + at)), width, 64)
        shown["tstamp.changed"] = code.op(
            "xor", "i64", shown["tstamp"], code.load("i64", code.at("%row", row.names["tstamp"]))
        )
        cb = self._own(self.context_out + contexts.SKB_OFFSETS["cb"])
        self._finish(shown, {"cb": (cb, str(CB_SIZE)), "packet": (self._own(self.output), back)})

    def _long_enough(self) -> None:
        """Ask about IPv4 and IPv6 frames shorter than their fixed header: a test run refuses those as they are."""
        code = self.code
        code.require(code.op("icmp uge", "i64", "%length", contexts.ETHERNET_SIZE), "ask")
        kind = code.load("i16", code.at("%given", 12))
        for name, header in contexts.SHORTEST_BEHIND_ETHERNET.items():
            (number,) = struct.unpack("<h", name)
            is_kind = code.op("icmp eq", "i16", kind, number)
            short = code.op("icmp ult", "i64", "%length", contexts.ETHERNET_SIZE + header)
            code.require(code.op("xor", "i1", code.both(is_kind, short), "true"), "ask")
