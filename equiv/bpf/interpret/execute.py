"""Running a decoded program on one input: calls, addresses of maps, the step budget, and what the run showed."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from equiv.bpf.interpret.alu import M32, M64
from equiv.bpf.interpret.contexts import (
    ETHERNET_SIZE,
    FLOW_KEYS_SIZE,
    BufferContext,
    Context,
    SkbContext,
    Started,
    XdpContext,
    start_context,
)
from equiv.bpf.interpret.decode import DONE, UNRELOCATED, Step, decode
from equiv.bpf.interpret.faults import UNSET, Fault
from equiv.bpf.interpret.helpers.sock_maps import SockChange
from equiv.bpf.interpret.loops import Loop, after_iteration
from equiv.bpf.interpret.maps import PROG_ARRAY, MapState, OuterState, inner_name, start_map
from equiv.bpf.interpret.memory import Memory, Region
from equiv.bpf.interpret.trace import path_of
from equiv.bpf.program import FunctionRef, Insn, MapRef, MapValueRef, Program
from equiv.bpf.time_stamps import awareness, entry_of
from equiv.errors import Place
from equiv.machine.concrete import Input, NotRunnable, Observation, TraceStep
from equiv.machine.interface import Interface, Observable, observed_key

STACK_SIZE: Final = 512
MAX_FRAMES: Final = 8
MOST_FRAMES: Final = 48
STEP_BUDGET: Final = 1_000_000
"""Instructions after which a run counts as endless: as many as the kernel's verifier is ready to look at."""
MAX_TAIL_CALLS: Final = 33
"""MAX_TAIL_CALL_CNT (include/linux/bpf.h)."""
NETWORK_HEADER: Final = -0x100000
LINK_HEADER: Final = -0x200000
"""SKF_NET_OFF and SKF_LL_OFF: where legacy packet loads address headers."""
TRACED: Final = 200_000
"""How many of the last instructions the path is made from."""


@dataclass(slots=True)
class Frame:
    """What a call saves: r6 to r10 and where to go on. `loop` is the bpf_loop that made the call, if one did."""

    registers: list[int]
    back: int
    loop: Loop | None = None


@dataclass(slots=True, eq=False)
class Run:
    """The mutable state of one run; made and dropped by `Executable.run`."""

    program: Program
    given: Input
    memory: Memory
    context: Context
    context_address: int
    maps: dict[str, MapState]
    registers: list[int]
    frames: list[Frame] = field(default_factory=list)
    map_at: dict[int, MapState] = field(default_factory=dict)
    map_addresses: dict[str, int] = field(default_factory=dict)
    stacks: list[int] = field(default_factory=list)
    effects: dict[str, int | bytes] = field(default_factory=dict)
    """What helpers did that is observed: a redirect's target."""
    counts: dict[str, int] = field(default_factory=dict)
    """How often each helper was called that gives another input every time."""
    sock_changes: list[SockChange] = field(default_factory=list)
    """Sockets that were put into maps, in order."""
    function_at: dict[int, int] = field(default_factory=dict)
    tail_calls: int = 0
    stamp_aware: Mapping[int, bool | None] = field(default_factory=dict)

    def new_stack(self, depth: int) -> int:
        """The address just past a fresh stack frame for call depth `depth`."""
        if depth == len(self.stacks):
            below = bool(self.given.context.get("packet_above_stack"))  # D51
            self.stacks.append(self.memory.reserve(below=below))
        base = self.stacks[depth]
        self.memory.add(
            Region(
                "stack", base, bytearray(STACK_SIZE), 0, STACK_SIZE, defined=bytearray(STACK_SIZE), origin=STACK_SIZE
            )
        )
        return base + STACK_SIZE

    def enter(self, target: int, back: int) -> int:
        """Call the function at slot `target`; it returns to slot `back`."""
        r = self.registers
        if len(self.frames) + 1 >= MOST_FRAMES:
            raise NotRunnable(f"calls nest deeper than {MOST_FRAMES} frames, those before tail calls included")
        if len(self.frames) + 1 >= MAX_FRAMES and not self.tail_calls:  # the verifier counts those of one program
            raise Fault(f"calls nest deeper than {MAX_FRAMES} frames")
        self.frames.append(Frame(r[6:11], back))
        r[0] = r[6] = r[7] = r[8] = r[9] = UNSET
        r[10] = self.new_stack(len(self.frames))
        return target

    def tail_call(self, context: int, address: int, index: int) -> int | None:
        """bpf_tail_call: the slot to go on at, or None where it falls through (D50)."""
        if context != self.context_address:
            raise Fault("makes a tail call without the context in r1")
        array = self.map_at.get(address)
        if array is None or array.spec.type != PROG_ARRAY:
            raise Fault("makes a tail call through something that is no program array")
        held = self.program.tail_calls.get(array.spec.name)
        if held is None:
            raise NotRunnable(f"makes a tail call through map {array.spec.name}, whose programs are not given")
        target = held.get(index & M32)
        if target is None or self.tail_calls >= MAX_TAIL_CALLS:
            return None
        self.tail_calls += 1
        self.runs_at(target)
        r = self.registers
        for register in (0, 2, 3, 4, 5, 6, 7, 8, 9):
            r[register] = UNSET
        r[10] = self.new_stack(len(self.frames))
        return target

    def leave(self) -> int:
        """Return from the current function: the slot to go on at."""
        if not self.frames:
            return DONE
        loop = self.frames[-1].loop
        if loop is not None and (again := after_iteration(self, loop)) is not None:
            return again
        r = self.registers
        frame = self.frames.pop()
        r[6:11] = frame.registers
        r[1] = r[2] = r[3] = r[4] = r[5] = UNSET
        if self.tail_calls:
            self.runs_at(frame.back)
        return frame.back

    def runs_at(self, slot: int) -> None:
        """Let the context know which program goes on: what it is shown may depend on that (D400)."""
        if isinstance(self.context, SkbContext):
            self.context.aware = self.stamp_aware[entry_of(self.stamp_aware, slot)]

    def address_of(self, ref: MapRef | MapValueRef | FunctionRef) -> int:
        """What LD_IMM64 puts into a register for a reference."""
        match ref:
            case MapRef(name):
                return self.map_address(name)
            case MapValueRef(name, offset):
                return (self._map(name).entry(0).base + offset) & M64
            case FunctionRef(target, name):
                return self._function_address(target, name)

    def _function_address(self, target: int, name: str) -> int:
        for address, slot in self.function_at.items():
            if slot == target:
                return address
        address = self.memory.allocate("function", b"", name=name).base
        self.function_at[address] = target
        return address

    def _map(self, name: str) -> MapState:
        if name not in self.maps:
            raise Fault(f"uses map {name}, which the object does not have")
        return self.maps[name]

    def map_address(self, name: str) -> int:
        """The address of one of the object's maps."""
        return self.address_of_map(name, self._map(name))

    def address_of_map(self, name: str, state: MapState) -> int:
        """The address of a map that is told from others by `name`."""
        address = self.map_addresses.get(name)
        if address is None:
            region = self.memory.allocate("map", b"", name=name)
            address = self.map_addresses[name] = region.base
            self.map_at[address] = state
        return address

    def atomic_address(self, address: int, size: int) -> int:
        """The address of an atomic access; the kernel allows none on packets and contexts, and none misaligned."""
        address &= M64
        region, _ = self.memory.find(address, size)
        plain = region.kind == "packet" and isinstance(self.context, BufferContext)
        if (region.kind in ("packet", "context") and not plain) or address % size:
            raise Fault(f"atomic access to the {region}" if not address % size else "misaligned atomic access")
        return address

    def packet_load(self, context: int, offset: int, size: int, *, constant: bool) -> int | None:
        """A legacy packet load: the number at `offset`, or None where the packet has none.

        Negative offsets count from a header (D41); `constant` says that the instruction's own part is negative.
        """
        if context != self.context_address or not isinstance(self.context, SkbContext):
            raise Fault("legacy packet load without an skb in r6")
        packet = self.context.packet
        if offset < 0:
            if not constant and self.context.kind == "socket_filter":
                raise NotRunnable("legacy packet load in a socket filter at a negative offset that is not constant")
            if offset >= NETWORK_HEADER:
                offset += self.context.network - NETWORK_HEADER
            elif offset >= LINK_HEADER:
                offset -= LINK_HEADER
            else:
                return None
            if packet.end < offset + size <= self.context.length:
                raise NotRunnable("reads a header that is not linear: what that gives depends on the kernel's version")
        if offset + size > self.context.length:
            return None
        if packet.read is not None and packet.input_start is not None:
            packet.read.update(range(offset, offset + size))
        return int.from_bytes(packet.data[offset : offset + size], "big")


def start_maps(program: Program, memory: Memory, given: Input) -> dict[str, MapState]:
    """The program's maps as the input has them."""
    outer = {inner_name(name): name for name, spec in program.maps.items() if spec.inner is not None}
    unknown = set(given.maps) - set(program.maps) - set(outer)
    if unknown:
        raise NotRunnable(f"the input gives contents of map {min(unknown)}, which the program does not have")
    counts = given.context
    maps = {
        name: start_map(
            spec, memory, {**(spec.contents or {}), **given.maps.get(name, {})}, counts.get(f"map.{name}.count", 0)
        )
        for name, spec in program.maps.items()
    }
    for state in maps.values():
        if isinstance(state, OuterState):
            state.inner_contents = given.maps.get(inner_name(state.spec.name), {})
    return maps


def _following(program: Program, slot: int) -> Insn | None:
    """The instruction behind a slot, as far as it is known before the program is loaded."""
    return program.insns[slot + 1] if slot + 1 < len(program.insns) and slot + 1 not in program.core else None


class Executable:
    """A program decoded for one interface, to be run on many inputs."""

    def __init__(self, program: Program, interface: Interface) -> None:
        self.program = program
        self.interface = interface
        self._stamp_aware = awareness(program)
        self._code_mask = (1 << interface.code_width) - 1
        self._steps: list[Step] = [
            UNRELOCATED if i in program.core else decode(i, insn, program.byte_order, _following(program, i))
            for i, insn in enumerate(program.insns)
        ]

    def run(self, given: Input, *, trace: bool = True) -> Observation:
        """What the program shows on `given`.

        Raises Fault for what the kernel's verifier would not have let happen, NotRunnable for what is not modelled.
        """
        return self._run(given, trace)[0]

    def run_with_maps(self, given: Input) -> tuple[Observation, dict[str, dict[bytes, bytes]]]:
        """What the program shows on `given`, and what its maps hold afterwards."""
        seen, run = self._run(given, False)
        return seen, {name: state.contents() for name, state in run.maps.items()}

    def _run(self, given: Input, trace: bool) -> tuple[Observation, Run]:
        visited: deque[int] | None = deque(maxlen=TRACED) if trace else None
        run, started = self._started(Memory(self.program.byte_order), given)
        self._execute(run, visited)
        path = path_of(self.program, visited) if visited is not None else ()
        return self._observe(run, started, path), run

    def run_in(self, memory: Memory, visited: deque[int], given: Input) -> Run:
        """A whole run in a memory of the caller's, the slots that it goes through appended to `visited`."""
        run, _ = self._started(memory, given)
        self._execute(run, visited)
        return run

    def slots_visited(self, given: Input) -> Sequence[int]:
        """The slots that a run on `given` went through, in order; of a very long one the last. Raises as `run` does."""
        visited: deque[int] = deque(maxlen=TRACED)
        self.run_in(Memory(self.program.byte_order), visited, given)
        return visited

    def _started(self, memory: Memory, given: Input) -> tuple[Run, Started]:
        started = start_context(self.interface, given, memory)
        maps = start_maps(self.program, memory, given)
        run = Run(self.program, given, memory, started.context, started.arguments[0], maps, [UNSET] * 11)
        run.stamp_aware = self._stamp_aware
        run.runs_at(0)
        run.registers[1 : 1 + len(started.arguments)] = started.arguments
        run.registers[10] = run.new_stack(0)
        return run, started

    def _execute(self, run: Run, visited: deque[int] | None) -> None:
        steps, registers, pc = self._steps, run.registers, 0
        count = len(steps)
        try:
            for _ in range(STEP_BUDGET):
                if visited is not None:
                    visited.append(pc)
                pc = steps[pc](run, registers)
                if pc < 0 or pc >= count:
                    break
            else:
                raise Fault(f"did not end within {STEP_BUDGET} instructions")
            if pc != DONE:
                raise Fault(f"jumps out of the program, to slot {pc}")
            if run.memory.is_address(registers[0]):
                raise NotRunnable("returns an address")
            registers[0] &= self._code_mask
        except Fault as fault:
            raise Fault(fault.message, self.place(pc), fault.hint) from None
        except NotRunnable as stop:
            raise type(stop)(f"{self.place(pc)}: {stop}") from None

    def place(self, pc: int) -> Place:
        """Where slot `pc` is, in the source where the object says so."""
        line = self.program.line_at(pc)
        program, insn = self.program.place_at(pc)
        if line is None:
            return Place(self.program.path, program=program, insn=insn)
        return Place(line.file, line.line, line.column, excerpt=line.text, program=program, insn=insn)

    def _observe(self, run: Run, started: Started, path: tuple[TraceStep, ...]) -> Observation:
        code = self.interface.normalise(run.registers[0], len(run.given.packet))
        keys = _clamped_keys(run, started.keys) if started.keys else b""
        values: dict[str, int | bytes] = {}
        for observable in self.interface.observables:
            value = _observed(observable, run, keys, self.interface.counts(observable, code))
            if value is not None:
                values[observable.name] = value
        read = frozenset(i for i in run.context.packet.read or () if i >= 0)
        return Observation(self.interface.label(code), code, values, path, read)


def _observed(observable: Observable, run: Run, keys: bytes, counts: bool) -> int | bytes | None:
    """The observable's value. Raises NotRunnable where it `counts` and a byte of it is not known."""
    name, size = observable.name, observable.width // 8
    if observable.kind == "packet":
        return _packet(run, counts)
    if observable.kind == "effect":
        _note_skb(run)
        done = run.effects.get(name, 0) if counts else 0
        return done if done and done != bytes(size) else None
    if observable.map_name:
        state = run.maps.get(observable.map_name)
        if state is None:
            raise NotRunnable(f"observes map {observable.map_name}, which the program does not have")
        if observable.map_key is None:
            return _any_entry(run, state)
        value = state.entry(observable.map_key)
        return run.memory.content(value) if counts else bytes(value.data)
    if name == "r0":
        return run.registers[0]
    if name.startswith("keys."):
        content = keys[observable.offset : observable.offset + size]
    elif isinstance(run.context, XdpContext) and name in ("meta", "meta.size"):
        packet = run.context.packet
        if name == "meta.size":
            return packet.origin - packet.start
        if counts and packet.defined is not None and 0 in packet.defined[packet.start : packet.origin]:
            raise NotRunnable("hands on metadata bytes that were never written")
        content = bytes(packet.data[packet.start : packet.origin])
    elif isinstance(run.context, SkbContext) and name == "cb":
        content = bytes(run.context.cb)
    elif isinstance(run.context, SkbContext):
        return run.context.fields.get(name, 0)
    else:
        raise NotRunnable(f"observes {name}")
    return content if observable.kind == "bytes" else int.from_bytes(content, run.memory.order)


def _any_entry(run: Run, state: MapState) -> bytes:
    """Whether the map has the observed key, one byte, and its value or zeros (D52)."""
    key = run.given.context.get(observed_key(state.spec.name), 0).to_bytes(state.spec.key_size, "big")
    found = state.lookup(key)
    return bytes(1 + state.spec.value_size) if found is None else b"\x01" + run.memory.content(found)


def _note_skb(run: Run) -> None:
    """Among the effects: the tag beside an skb, and what of protocol, tstamp and pkt_type has changed."""
    if isinstance(run.context, SkbContext) and run.context.kind == "tc":
        fields, order = run.context.fields, run.memory.order
        changed = fields["protocol"] ^ fields["first_protocol"]
        run.effects["protocol.changed"] = int.from_bytes(changed.to_bytes(2, order), "big")
        run.effects["vlan.protocol"] = int.from_bytes(fields.get("vlan_proto", 0).to_bytes(2, order), "big")
        run.effects["vlan.tci"] = fields.get("vlan_tci", 0)
        for name in ("tstamp", "tstamp_type", "pkt_type"):
            run.effects[f"{name}.changed"] = fields.get(name, 0) ^ run.given.context.get(name, 0)


def _packet(run: Run, counts: bool) -> bytes:
    """The packet as it is now, all of it (D61)."""
    packet = run.context.packet
    end = packet.end if isinstance(run.context, XdpContext) else len(packet.data)
    if counts and packet.defined is not None and 0 in packet.defined[packet.origin : end]:
        raise NotRunnable("hands on packet bytes that nobody has written since the packet's start was moved forward")
    return bytes(packet.data[packet.origin : end])


def _clamped_keys(run: Run, keys: Region) -> bytes:
    """Flow keys after the clamp of `bpf_flow_dissect` (net/core/flow_dissector.c): offsets stay in the linear part."""
    order, length = run.memory.order, len(run.given.packet)
    if run.given.linear is not None:
        length = min(run.given.linear, length)  # `hlen` is `skb_headlen` (D192)
    content = bytearray(keys.data[:FLOW_KEYS_SIZE])
    nhoff = min(max(int.from_bytes(content[0:2], order), ETHERNET_SIZE), length)
    thoff = min(max(int.from_bytes(content[2:4], order), nhoff), length)
    content[0:4] = nhoff.to_bytes(2, order) + thoff.to_bytes(2, order)
    return bytes(content)
