"""One program in the kernel: loaded once, run on many inputs, observed like the interpreter observes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from types import TracebackType
from typing import Final

from equiv.bpf import insn as op
from equiv.bpf.context_use import ContextUse, context_use
from equiv.bpf.helper_table import TABLE
from equiv.bpf.interpret.execute import Executable
from equiv.bpf.interpret.faults import Fault
from equiv.bpf.interpret.maps import inner_name
from equiv.bpf.program import MapSpec, Program
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface, Observable, observed_key
from equiv.oracle import buffer, contexts, journal, painter, probe
from equiv.oracle.buffer import BufferRuns
from equiv.oracle.image import VerifierRejected, image, load, referenced_maps
from equiv.oracle.maps import ARRAYS, DATA, OUTER, KernelMap
from equiv.oracle.test_run import TC, nonlinear_skbs, test_run

__all__ = ["KernelProgram", "VerifierRejected"]

MAX_GROWTH: Final = 4096
"""By how much a program can make a packet longer in a test run, in bytes, metadata included."""
LONGEST_FRAME: Final = 3520
"""Bytes that a test run's XDP frame has room for in one piece: a page less headroom and skb_shared_info."""
LONGEST_SKB: Final = 16064
"""What an skb can be made to grow to (BPF_SKB_MAX_LEN with pages of 4096 bytes)."""
TAG_HELPERS: Final = frozenset({18, 19, 31, 50})
"""skb_vlan_push, skb_vlan_pop, skb_change_proto, skb_adjust_room: what they change a test run does not give back."""
EFFECTS: Final = frozenset({13, 21, 23, 30, 32, 50, 51, 124, 152, 155, 192})
"""Redirects, copies that are sent, tunnel keys and options, encapsulation, sockets that a packet is given to, the
clock of a time stamp."""
XDP_ADJUST_TAIL: Final = 65
GET_SMP_PROCESSOR_ID: Final = 8
NOT_OF_THE_INPUT: Final = {
    number: row.name
    for number, row in TABLE.items()
    if row.model in ("input", "oracle") and row.name != "get_smp_processor_id"
}
"""Helpers by number whose results differ from run to run, or from machine to machine."""
SKB_LOAD_BYTES: Final = 26
SKB_LOAD_BYTES_RELATIVE: Final = 68


@dataclasses.dataclass(frozen=True, slots=True)
class LookedUp:
    """A map in the kernel: a lookup gives `size` bytes, of which a value's begin at `start`."""

    spec: MapSpec
    descriptor: int
    start: int
    size: int


class KernelProgram:
    """A program loaded into the running kernel, with its maps. A context manager; `close` releases everything.

    Raises VerifierRejected where the kernel does not load the program, NotRunnable where it uses what a test run
    cannot stand for, OSError where bpf(2) is not to be had (see `available`).
    """

    def __init__(self, program: Program, interface: Interface) -> None:
        if program.byte_order != sys.byteorder:
            raise NotRunnable(f"a {program.byte_order}-endian program on a {sys.byteorder}-endian machine")
        if program.core:
            raise NotRunnable(next(iter(program.core.values())))
        self.program = program
        self.interface = interface
        self.cpu = min(os.sched_getaffinity(0))
        self._stays = False
        self._interpreted = Executable(program, interface)
        self._use = context_use(program)
        self._refuse_helpers()
        self._resources = contextlib.ExitStack()
        self._maps: dict[str, KernelMap] = {}
        self._probing: tuple[int, KernelMap] | None = None
        self._painting: tuple[int, KernelMap] | None = None
        self._is_painted = False
        try:
            for name in referenced_maps(program):
                self._maps[name] = self._create(name)
            self._fill_map_arrays()
            self._code = image(program, {name: made.descriptor for name, made in self._maps.items()})
            if interface.context == "buffer":
                if program.tail_calls:
                    raise NotRunnable("a plain function cannot be run with tail calls")
                self._buffers = BufferRuns.make(self._code, program.byte_order, self.cpu, self._load_open)
                self._resources.callback(self._buffers.close)
            else:
                self._descriptor = self._load(self._code)
                self._fill_program_arrays()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> KernelProgram:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the program and its maps."""
        self._resources.close()

    @property
    def descriptor(self) -> int:
        """The loaded program's file descriptor; not of interface `buffer`, whose programs are loaded inside others."""
        return self._descriptor

    @property
    def map_specs(self) -> list[MapSpec]:
        """The maps that the program refers to."""
        return [made.spec for made in self._maps.values()]

    def looked_up(self, name: str) -> LookedUp:
        """Where the bytes of one of the program's maps come from: for who calls bpf(2) himself. Raises KeyError."""
        found = self._maps[name]
        start, size = found.place()
        return LookedUp(found.spec, found.descriptor, start, size)

    @property
    def use(self) -> ContextUse:
        """What the program may look at and call."""
        return self._use

    def begin(self, given: Input, most: int, but: Collection[str] = ()) -> tuple[list[tuple[int, bytes, bytes]], bool]:
        """Give the maps their contents; what to write before every further run: a map's descriptor, key, value.

        That undoes what a run wrote into values, not entries that it added or removed; not of the maps in `but`. Maps
        of which more than `most` values in all would have to be written are left out: False where there are such.
        Raises NotRunnable.
        """
        written: list[tuple[int, bytes, bytes]] = []
        complete = True
        for name, kernel_map in self._maps.items():
            self._fill(name, kernel_map, given)
            if kernel_map.spec.frozen or kernel_map.spec.type not in DATA or name in but:
                continue
            contents = {**(kernel_map.spec.contents or {}), **given.maps.get(name, {})}
            count = kernel_map.spec.max_entries if kernel_map.spec.type in ARRAYS else len(contents)
            if len(written) + count > most:
                complete = False
            else:
                written += [(kernel_map.descriptor, *entry) for entry in kernel_map.entries(contents)]
        return written, complete

    def begun(self, name: str, given: Input) -> list[tuple[bytes, bytes]]:
        """All entries that `begin` gave to a hash: keys, values as bpf(2) takes them."""
        contents = {**(self._maps[name].spec.contents or {}), **given.maps.get(name, {})}
        return self._maps[name].begun(contents, given.context.get(f"map.{name}.count", 0))

    def cannot_write(self, name: str) -> bool:
        """Whether the kernel takes the program with a map in this place that no program may write."""
        descriptors = {each: made.descriptor for each, made in self._maps.items()}
        try:
            twin = KernelMap.create(journal.without_writes(self._maps[name].spec), self.program.byte_order, self.cpu)
        except NotRunnable:
            return False
        try:
            os.close(self._load_open(image(self.program, {**descriptors, name: twin.descriptor})))
        except VerifierRejected:
            return False
        finally:
            twin.close()
        return not self.program.tail_calls

    def noting(self, plan: journal.Plan) -> tuple[int, object]:
        """The program that keeps a journal, and the journal's memory. Raises VerifierRejected or NotRunnable."""
        notes = KernelMap.create(plan.journal, self.program.byte_order, self.cpu)
        self._resources.callback(notes.close)
        descriptors = {name: made.descriptor for name, made in self._maps.items()}
        descriptor = self._load(image(plan.program, {**descriptors, plan.journal.name: notes.descriptor}))
        return descriptor, plan.opened(notes.descriptor)

    def probing(self) -> tuple[int, int]:
        """The program inside a caller that sets and reads fields (`equiv.oracle.probe`), and that caller's map."""
        descriptor, fields = self._probing_program()
        return descriptor, fields.descriptor

    def run(self, given: Input) -> Observation:
        """What the kernel shows on `given`. Raises NotRunnable where a test run cannot stand for that input."""
        self._refuse_environment(given)
        for name, kernel_map in self._maps.items():
            self._fill(name, kernel_map, given)
        with self._pinned():
            if self.interface.context == "xdp_md":
                code, values = self._run_xdp(given)
            elif self.interface.context == "flow_dissector":
                code, values = self._run_flow_dissector(given)
            elif self.interface.context == "buffer":
                code, values = self._run_buffer(given)
            else:
                code, values = self._run_skb(given)
        code = self.interface.normalise(code, len(given.packet))
        shown = {**values, "code": code}
        observed = {o.name: self._observed(o, shown, given) for o in self.interface.observables}
        observed = {
            o.name: observed[o.name] for o in self.interface.observables if o.kind != "effect" or observed[o.name]
        }
        return Observation(self.interface.label(code), code, observed)

    def run_on_stack(self, given: Input, content: bytes) -> Observation:
        """What the kernel shows where the stack holds these 512 bytes, lowest address first, before the program runs.

        Raises NotRunnable as `run` does, and where the program cannot be entered that way.
        """
        descriptor, contents = self._painting_program()
        contents.fill({bytes(4): content})
        plain, self._descriptor, self._is_painted = self._descriptor, descriptor, True
        try:
            return self.run(given)
        finally:
            self._descriptor, self._is_painted = plain, False

    def contents(self, name: str) -> dict[bytes, bytes]:
        """What a map that the program refers to holds now: after a run, what that left there."""
        return self._maps[name].contents()

    def _create(self, name: str) -> KernelMap:
        if name not in self.program.maps:
            raise NotRunnable(f"map {name} is not in the object")
        created = KernelMap.create(self.program.maps[name], self.program.byte_order, self.cpu)
        self._resources.callback(created.close)
        return created

    def _load(self, code: bytes) -> int:
        descriptor = self._load_open(code)
        self._resources.callback(os.close, descriptor)
        return descriptor

    def _load_open(self, code: bytes) -> int:
        return load(code, self.interface.program_type, self.program.license)

    def _fill(self, name: str, kernel_map: KernelMap, given: Input) -> None:
        """What a map holds when the run begins."""
        contents = {**(kernel_map.spec.contents or {}), **given.maps.get(name, {})}
        inner = given.maps.get(inner_name(name), {})
        kernel_map.fill(contents, inner, given.context.get(f"map.{name}.count", 0))

    def _fill_map_arrays(self) -> None:
        """Put the object's own maps where its maps of maps have them."""
        for outer in [made for made in self._maps.values() if made.spec.type in OUTER]:
            for index, name in outer.spec.slots.items():
                if name not in self._maps:
                    self._maps[name] = self._create(name)
                outer.set_descriptor(index, self._maps[name].descriptor)

    def _fill_program_arrays(self) -> None:
        """Load every program that a tail call may enter, and put it where the arrays have it."""
        loaded = {0: self._descriptor}
        descriptors = {name: made.descriptor for name, made in self._maps.items()}
        for name, held in self.program.tail_calls.items():
            for index, entry in held.items():
                if entry not in loaded:
                    loaded[entry] = self._load(image(self.program, descriptors, entry))
                self._maps[name].set_descriptor(index, loaded[entry])

    def _refuse_helpers(self) -> None:
        use, kind = self._use, self.interface.context
        for number, name in NOT_OF_THE_INPUT.items():
            if number in use.helpers:
                raise NotRunnable(f"calls bpf_{name}, whose result is not a function of the packet")
        if kind == "__sk_buff" and self.interface.program_type != TC and SKB_LOAD_BYTES_RELATIVE in use.helpers:
            raise NotRunnable("a test run of a socket filter has the packet's headers elsewhere than a packet socket")
        if (
            kind == "__sk_buff"
            and self.interface.program_type != TC
            and any(insn is not None and op.is_packet_load(insn) and insn.imm < 0 for insn in self.program.insns)
        ):
            raise NotRunnable("a test run of a socket filter has the packet's headers elsewhere than a packet socket")

    def _refuse_environment(self, given: Input) -> None:
        if given.context.get("packet_above_stack"):
            raise NotRunnable("the stack is above packets in this kernel's memory")
        wanted = given.context.get("helper.get_smp_processor_id")
        if GET_SMP_PROCESSOR_ID in self._use.helpers and wanted != self.cpu:
            raise NotRunnable(f"the run happens on CPU {self.cpu}, not {wanted}")

        if any(given.oracles.get("headroom", {}).values()):
            raise NotRunnable("a test run has zeros in front of the packet")
        room = given.context.get("tailroom")
        if XDP_ADJUST_TAIL in self._use.helpers and room is not None and room != LONGEST_FRAME - len(given.packet):
            raise NotRunnable("a test run has other room behind the packet")

    def natural_context(self, packet: bytes) -> dict[str, int]:
        """The context fields that a test run of `packet` has, as far as they are not 0 and cannot be chosen."""
        if self.interface.context == "xdp_md":
            return {"ingress_ifindex": contexts.LOOPBACK, "helper.get_smp_processor_id": self.cpu}
        if self.interface.context != "__sk_buff":
            return {}
        kind = contexts.pkt_type_of(packet)
        return {"ifindex": contexts.LOOPBACK, "pkt_type": kind, "helper.get_smp_processor_id": self.cpu}

    @contextlib.contextmanager
    def staying(self) -> Iterator[None]:
        """Stay on one CPU for many runs, which each would see to otherwise."""
        with self._pinned():
            self._stays = True
            try:
                yield
            finally:
                self._stays = False

    @contextlib.contextmanager
    def _pinned(self) -> Iterator[None]:
        """Stay on one CPU, so that per-CPU values are those of the run."""
        if self._stays:
            yield
            return
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.cpu})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def _run_xdp(self, given: Input) -> tuple[int, Mapping[str, int | bytes]]:
        if given.linear is not None and given.linear < len(given.packet):
            raise NotRunnable("XDP frames in several fragments")
        context = contexts.xdp_context(given, self._use)
        code, data, after = test_run(self._descriptor, given.packet, len(given.packet) + MAX_GROWTH, context)
        size, end = contexts.XDP_MD.unpack(after)[:2]
        if end != len(data) or len(given.packet) > LONGEST_FRAME:
            raise NotRunnable("a packet of this length gets several fragments in a test run")
        return code, {"meta": data[:size], "meta.size": size, "packet": data[size:]}

    def _run_flow_dissector(self, given: Input) -> tuple[int, Mapping[str, int | bytes]]:
        if given.linear is not None and given.linear < len(given.packet):
            raise NotRunnable("a test run of a flow dissector has linear packets only")
        if SKB_LOAD_BYTES in self._use.helpers:
            self._refuse_read_of_skb(given)
        code, keys, _ = test_run(self._descriptor, given.packet, contexts.FLOW_KEYS_SIZE, contexts.flow_context(given))
        return code, {"keys": keys}

    def _refuse_read_of_skb(self, given: Input) -> None:
        """Raises NotRunnable where it matters that bpf_skb_load_bytes always fails, as a test run has no skb."""
        without = dataclasses.replace(given, context={**given.context, "no_skb": 1})
        try:
            runs = [self._interpreted.run(each, trace=False) for each in (given, without)]
        except Fault as error:
            raise NotRunnable(f"a test run of a flow dissector has no skb; interpreted: {error}") from error
        if runs[0] != runs[1]:
            raise NotRunnable("a test run of a flow dissector has no skb: bpf_skb_load_bytes fails there")

    def _run_buffer(self, given: Input) -> tuple[int, Mapping[str, int | bytes]]:
        test_run(self._buffers.prepare(given), buffer.FRAME, 0, None)
        code = self._buffers.returned()
        return code, {"r0": code}

    def _run_skb(self, given: Input) -> tuple[int, Mapping[str, int | bytes]]:
        ethernet = self.interface.program_type == TC
        if given.linear is not None and given.linear < len(given.packet) and ethernet and not nonlinear_skbs():
            raise NotRunnable("this kernel's test run makes linear skbs only")
        order = self.program.byte_order
        probed = ethernet and self._needs_probe(given)
        run = contexts.skb_run(given, self._use, ethernet=ethernet, probed=probed, order=order)
        if self._is_painted and (probed or run.shorten):
            raise NotRunnable("the program runs inside a caller that uses the stack in its own way")
        if not probed and not run.shorten:
            code, data, after = test_run(self._descriptor, run.frame, self._room(run.frame), run.context)
            return code, {**contexts.skb_values(after, order), "packet": data}
        descriptor, fields = self._probing_program()
        probe.prepare(fields, given.context, run.shorten)
        code, data, after = test_run(descriptor, run.frame, self._room(run.frame), run.context)
        return code, {**contexts.skb_values(after, order), **probe.results(fields), "packet": data}

    def _room(self, frame: bytes) -> int:
        """How many bytes of the packet to take back: none where nobody compares them."""
        compared = any(o.kind == "packet" for o in self.interface.observables)
        return len(frame) + LONGEST_SKB if compared else 0

    def _needs_probe(self, given: Input) -> bool:
        """Whether a field that a test run hides may have, or get, another value than 0."""
        offsets = [contexts.SKB_OFFSETS[name] for name in contexts.PROBED]
        if not TAG_HELPERS.isdisjoint(self._use.helpers):
            return True
        return any(given.context.get(name) for name in contexts.PROBED) or any(
            self._use.writes(offset, 4) for offset in offsets
        )

    def _probing_program(self) -> tuple[int, KernelMap]:
        """The program inside the caller of `probe`, and the caller's map; loaded when first needed."""
        if self._probing is None:
            fields = KernelMap.create(probe.PROBE, self.program.byte_order, self.cpu)
            self._resources.callback(fields.close)
            try:
                self._probing = self._load(probe.wrapped(self._code, fields, self.program.byte_order)), fields
            except VerifierRejected as error:
                raise NotRunnable(f"cannot be run inside a caller that reads {', '.join(contexts.PROBED)}") from error
        return self._probing

    def _painting_program(self) -> tuple[int, KernelMap]:
        """The caller that fills the stack (`equiv.oracle.painter`), and the map that says with what."""
        if self._painting is None:
            if self.interface.context == "buffer" or painter.TAIL_CALL in self._use.helpers:
                raise NotRunnable("a tail call before the program's own would count with them")
            made = []
            for spec in (painter.CONTENTS, painter.PROGRAMS):
                made.append(KernelMap.create(spec, self.program.byte_order, self.cpu))
                self._resources.callback(made[-1].close)
            contents, programs = made
            code = painter.painter(contents, programs, self.program.byte_order)
            try:
                programs.set_descriptor(0, self._descriptor)
                self._painting = self._load(code), contents
            except (OSError, VerifierRejected) as error:
                raise NotRunnable(f"the kernel does not let the program be entered by a tail call: {error}") from error
        return self._painting

    def _observed(self, observable: Observable, values: Mapping[str, int | bytes], given: Input) -> int | bytes:
        order = self.program.byte_order
        if observable.map_name:
            return self._map_value(observable, given)
        if observable.kind == "effect":
            return self._effect(observable, values, given)
        if observable.name.startswith("keys."):
            keys = values["keys"]
            assert isinstance(keys, bytes)
            content = keys[observable.offset : observable.offset + observable.width // 8]
            return content if observable.kind == "bytes" else int.from_bytes(content, order)
        if observable.name in values:
            return values[observable.name]
        if observable.name in contexts.PROBED:
            return 0  # neither given nor written: `_needs_probe`
        raise NotRunnable(f"a test run does not show {observable.name}")

    def _effect(self, observable: Observable, values: Mapping[str, int | bytes], given: Input) -> int | bytes:
        """What helpers did, as far as a test run shows it; 0: nothing."""
        order = self.program.byte_order
        if not self.interface.counts(observable, int(values["code"])):
            return 0
        match observable.name:
            case "vlan.protocol" if "vlan_proto" in values:
                return int.from_bytes(int(values["vlan_proto"]).to_bytes(2, order), "big")
            case "vlan.tci" if "vlan_tci" in values:
                return values["vlan_tci"]
            case "tstamp.changed" if "tstamp" in values:
                return int(values["tstamp"]) ^ given.context.get("tstamp", 0)
            case "protocol.changed" if "protocol" in values:
                first = int.from_bytes(contexts.ethertype_protocol(given.packet), order)
                return int.from_bytes((int(values["protocol"]) ^ first).to_bytes(2, order), "big")
        if observable.name in self._effects(given):
            raise NotRunnable(f"a test run does not show {observable.name}")
        return 0

    def _effects(self, given: Input) -> frozenset[str]:
        """Names of what helpers do on `given`, by the interpreter: whether that is right, a test run does not show."""
        called = self._use.helpers & EFFECTS
        return frozenset(self._interpreted.run(given, trace=False).values) if called else frozenset()

    def _map_value(self, observable: Observable, given: Input) -> bytes:
        name = observable.map_name
        if name not in self._maps:
            self._maps[name] = self._create(name)
            self._fill(name, self._maps[name], given)
        if observable.map_key is None:  # D52
            size = self._maps[name].spec.key_size
            try:
                key = given.context.get(observed_key(name), 0).to_bytes(size, "big")
                return b"\x01" + self._maps[name].value(key)
            except KeyError:
                return bytes(1 + self._maps[name].spec.value_size)
        try:
            return self._maps[name].value(observable.map_key.to_bytes(4, self.program.byte_order))
        except KeyError:
            raise NotRunnable(f"map {name} has no entry {observable.map_key}") from None
