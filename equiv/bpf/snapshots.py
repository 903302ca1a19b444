"""States as the proof engine stores them: what is discrete goes into the location, every live term into a named cell.

States that mean the same get the same location (D30): stack bytes are cut where the function's own loads and
stores cut them, whatever path wrote them; constant offsets of pointers to anything but the packet are discrete.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import pairwise
from typing import NamedTuple

from equiv.bpf import insn as isa
from equiv.bpf.cells import Cells, part
from equiv.bpf.cfg import ControlFlow, Function
from equiv.bpf.context import FLOW_KEY_FIELDS, NHOFF, THOFF
from equiv.bpf.environment import Environment
from equiv.bpf.layout import Units, normalised, stack_units
from equiv.bpf.liveness import Liveness
from equiv.bpf.loop_step import COUNT, INDEX, KEPT, MAP, is_loop
from equiv.bpf.map_access import place_of
from equiv.bpf.packet_snapshots import LayerShape, freeze, offsets, thaw
from equiv.bpf.significance import significance
from equiv.bpf.state import MAX_FRAMES, MOST_FRAMES, NOWHERE, Answers, Caller, State
from equiv.bpf.steering import steering
from equiv.bpf.values import WORD, ZERO, Pointer, Region, Unusable, Value, stack
from equiv.machine.loops import Loops
from equiv.machine.protocol import Snapshot
from equiv.term import Term, const, extract, zero_extend

STACK_SIZE = 512
ALL_REGISTERS = 0x3FF


class Location(NamedTuple):
    """Everything discrete about a state. `shape` says of each held value, by cell name, what kind it is."""

    slot: int
    calls: tuple[int, ...]
    answers: Answers
    meta_size: int
    spoiled: frozenset[str]
    shape: tuple[Shape, ...]
    packet: tuple[LayerShape, ...] = ()
    network: int = 14
    effects: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()


class Shape(NamedTuple):
    """One held value. `place`: register or offset in `store`; `held` None: a scalar, whose term is a cell."""

    store: str
    place: int
    size: int
    held: Unusable | PointerShape | None


class PointerShape(NamedTuple):
    """A pointer; its offset or key is None where it is a cell."""

    kind: str
    name: str
    frame: int
    key: int | None
    key_width: int
    offset: int | None


class Snapshots:
    """Freezes and thaws the states of one machine."""

    def __init__(self, env: Environment, flow: ControlFlow, live: Liveness) -> None:
        self._env = env
        self._flow = flow
        self._live = live
        self._steers = steering(env.program, flow)
        self._significant = significance(env.program, flow)
        self._units = {f.entry: stack_units(env.program, flow, f) for f in flow.functions}
        self._loops = {function.entry: _loops(flow, function) for function in flow.functions}
        self._cuts: dict[str, set[int]] = {}
        self._base = len(env.program.insns) * len(env.program.entries) + 2
        self._deepest = MOST_FRAMES if env.program.tail_calls else MAX_FRAMES

    # --- freezing -----------------------------------------------------------------------------------------------

    def snapshot(self, state: State, like: Collection[str] | None = None) -> Snapshot:
        """Freeze a state, memory cut as in the cells of the names `like` (None: as any state so far cut it)."""
        found: dict[str, Term] = {}
        shape: list[Shape] = []
        depth = len(state.callers)
        for number, caller in enumerate(state.callers):
            registers = self._live.registers_during_call(caller.call) >> 6
            if is_loop(caller):
                registers |= KEPT
            self._registers(found, shape, f"f{number}.r", 6, registers, caller.saved)
        held = [_significant(*pair) for pair in zip(state.regs, self._significant[state.pc], strict=True)]
        self._registers(found, shape, "r", 0, self._live.registers(state.pc) & ALL_REGISTERS, held)
        for number, cells in enumerate(state.stacks):
            if not cells:
                continue
            if number < depth:
                slot = state.callers[number].call
                live = self._live.stack_during_call(slot)
            else:
                slot = state.pc
                live = self._live.stack(slot)
            self._cells(found, shape, f"s{number}.", self._live_cells(cells, live, slot))
        if state.keys:
            self._cells(found, shape, "keys.", normalised(state.keys, KEY_UNITS, self._env.little))
        self._cells(found, shape, "meta.", self._cut_alike("meta.", "meta.", state.meta, like))
        self._cells(found, shape, "ctx.", state.ctx)
        if self._tail_calls_ahead(state):
            shape.append(_frozen(found, TAIL_CALLS, 0, 8, state.tail_calls))
        if state.linear is not None:
            shape.append(_frozen(found, "linear.", 0, 8, state.linear))
        if state.length is not None:
            shape.append(_frozen(found, "length.", 0, 8, state.length))
        if state.head is not NOWHERE:
            shape.append(_frozen(found, "head.", 0, 8, state.head))
        packet = freeze(state.packet, found)
        self._map_values(found, shape, state, like)
        calls = tuple(caller.call for caller in state.callers)
        for name in sorted(state.effects):
            found[f"{EFFECT}{name}"] = state.effects[name]
        fixed = (state.pc, calls, state.answers, state.meta_size, state.spoiled)
        effects = tuple(sorted(state.effects))
        location = Location(*fixed, tuple(shape), packet, state.network, effects, state.counts)
        cursors = _packet_offsets(shape).union(offsets(packet))
        return Snapshot(location, found, cursors, self._steering_cells(state, found, shape))

    def _tail_calls_ahead(self, state: State) -> bool:
        """Whether the count of tail calls may still matter: here, or after a return."""
        ahead = self._flow.tail_calls_ahead
        return bool(ahead) and (state.pc in ahead or any(caller.call + 1 in ahead for caller in state.callers))

    def _steering_cells(self, state: State, found: dict[str, Term], shape: list[Shape]) -> frozenset[str]:
        """Names of the cells on which a jump, an address or a helper may still depend."""
        names = set()
        depth = len(state.callers)
        for item in shape:
            frame = depth
            if item.store[0] in "sf" and item.store[1:-1].isdigit():
                frame = int(item.store[1:-1])
            slot = state.pc if frame >= depth else state.callers[frame].call + 1
            steers = self._steers[slot]
            if item.store[0] == "s":
                bits = steers >> 16 >> (STACK_SIZE + item.place) & ((1 << item.size) - 1)
            elif item.place in (INDEX, COUNT) and item.store[0] == "f":
                bits = 1
            elif item.store == "r" or item.store[0] == "f":
                bits = steers >> item.place & 1
            else:
                continue
            if bits:
                names.add(f"{item.store}{item.place}")
        return frozenset(names & found.keys())

    def _registers(
        self,
        found: dict[str, Term],
        shape: list[Shape],
        store: str,
        first: int,
        live: int,
        values: list[Value | None] | tuple[Value | None, ...],
    ) -> None:
        for register, value in enumerate(values, first):
            if value is not None and live >> (register - first) & 1:
                shape.append(_frozen(found, store, register, 8, value))

    def _live_cells(self, cells: Cells, live: int, slot: int) -> Cells:
        units = self._units[self._flow.function_at(slot).entry]
        return _living(normalised(_living(cells, live), units, self._env.little), live)

    def _cells(self, found: dict[str, Term], shape: list[Shape], store: str, cells: Cells) -> None:
        for offset in sorted(cells):
            size, value = cells[offset]
            shape.append(_frozen(found, store, offset, size, value))

    def _cut_alike(self, memory: str, store: str, cells: Cells, like: Collection[str] | None) -> Cells:
        """Cells cut wherever any state cut this memory so far, so that paths that wrote it differently look alike.

        With `like`, they are cut where cells of those names begin.
        """
        if like is None:
            cuts = self._cuts.setdefault(memory, set())
            for offset, (size, _) in cells.items():
                cuts |= {offset, offset + size}
        else:
            names = frozenset(like)
            places = (place for offset, (size, _) in cells.items() for place in range(offset, offset + size))
            cuts = {place for place in places if f"{store}{place}" in names}
        result = cells
        for offset, (size, value) in cells.items():
            inner = [cut for cut in range(offset + 1, offset + size) if cut in cuts]
            if not inner or not isinstance(value, Term):
                continue
            if result is cells:
                result = dict(cells)
            del result[offset]
            for start, end in pairwise((offset, *inner, offset + size)):
                result[start] = (end - start, part(value, size, start - offset, end - start, self._env.little))
        return result

    def _map_values(
        self, found: dict[str, Term], shape: list[Shape], state: State, like: Collection[str] | None
    ) -> None:
        """Overlays in order of map, then constant keys by value, then others in order of their first write."""
        symbolic = 0
        ordered = sorted(state.values.items(), key=lambda item: place_of(*item[0]))
        for (name, key), cells in ordered:
            there = PRESENCE.index(state.presence.get((name, key)))
            if key.is_const:
                store = f"map.{name}[{key.value}]."
                held = PointerShape("map value", name, 0, key.value, key.width, there)
            else:
                store = f"map.{name}#{symbolic}."
                symbolic += 1
                held = PointerShape("map value", name, 0, None, key.width, there)
                found[f"{store}key"] = key
            shape.append(Shape(store, OVERLAY, 0, held))
            self._cells(found, shape, store, self._cut_alike(f"map.{name}", store, cells, like))

    # --- thawing ------------------------------------------------------------------------------------------------

    def resume(self, snapshot: Snapshot) -> State:
        """The state that was frozen, with the terms that the cells now hold."""
        location = snapshot.location
        assert isinstance(location, Location)
        depth = len(location.calls)
        state = State()
        state.pc = location.slot
        state.answers = location.answers
        state.meta_size = location.meta_size
        state.spoiled = location.spoiled
        state.network = location.network
        state.effects = {name: snapshot.cells[f"{EFFECT}{name}"] for name in location.effects}
        state.counts = location.counts
        state.packet = thaw(location.packet, snapshot.cells)
        state.stacks = [{} for _ in range(depth + 1)]
        insns = self._env.program.insns
        loops = [(insn := insns[call]) is not None and isa.is_loop_call(insn) for call in location.calls]
        saved: list[list[Value | None]] = [[None] * (MAP - 5 if loop else 4) for loop in loops]
        stores: dict[str, Cells] = {"keys.": state.keys, "meta.": state.meta, "ctx.": state.ctx}
        stores |= {f"s{number}.": cells for number, cells in enumerate(state.stacks)}
        registers = {f"f{number}.r": values for number, values in enumerate(saved)}
        for item in location.shape:
            if item.place == OVERLAY:
                assert isinstance(item.held, PointerShape)
                key = _key(snapshot.cells, item.store, item.held)
                assert key is not None
                stores[item.store] = state.values[item.held.name, key] = {}
                there = PRESENCE[item.held.offset or 0]
                if there is not None:
                    state.presence[item.held.name, key] = there
                continue
            value = _thawed(snapshot.cells, item)
            if item.store == "r":
                state.regs[item.place] = value
            elif item.store == "linear.":
                assert isinstance(value, Term)
                state.linear = value
            elif item.store == "length.":
                assert isinstance(value, Term)
                state.length = value
            elif item.store == "head.":
                assert isinstance(value, Term)
                state.head = value
            elif item.store == TAIL_CALLS:
                assert isinstance(value, Term)
                state.tail_calls = value
            elif item.store in registers:
                registers[item.store][item.place - 6] = value
            else:
                stores[item.store][item.place] = (item.size, value)
        state.callers = tuple(Caller(call, tuple(kept)) for call, kept in zip(location.calls, saved, strict=True))
        state.regs[10] = Pointer(stack(depth), ZERO)
        return state

    # --- where --------------------------------------------------------------------------------------------------

    def slot(self, snapshot: Snapshot) -> int:
        """The slot of the instruction to execute next."""
        location = snapshot.location
        assert isinstance(location, Location)
        return location.slot

    def order(self, snapshot: Snapshot) -> int:
        """The functions' positions as digits, the entry function's first: what a call does comes before its return."""
        location = snapshot.location
        assert isinstance(location, Location)
        return self._number([self._flow.order[slot] for slot in (*location.calls, location.slot)])

    def loop_end(self, snapshot: Snapshot) -> int:
        """The order's end of the innermost loop around the slot or around a call that led to it."""
        location = snapshot.location
        assert isinstance(location, Location)
        slots = (*location.calls, location.slot)
        digits = [self._flow.order[slot] for slot in slots]
        for depth in range(len(slots) - 1, -1, -1):
            end = self._loops[self._flow.function_at(slots[depth]).entry].end(digits[depth])
            if end > digits[depth]:
                return self._number([*digits[:depth], end + 1]) - 1
        return self._number(digits)

    def _number(self, digits: list[int]) -> int:
        """Positions in the functions that call each other as one number, the entry function's most significant."""
        number = 0
        for digit in digits:
            number = number * self._base + digit + 1
        return int(number * self._base ** (self._deepest - len(digits)))


TAIL_CALLS = "tail_calls."
"""The cell `tail_calls.0` holds how many tail calls were made, where more may follow (D50)."""

EFFECT = "effect."
"""Prefix of the cells that hold what helpers did."""


def _loops(flow: ControlFlow, function: Function) -> Loops:
    order = flow.order
    slots = range(function.entry, function.end)
    return Loops((order[t], order[s]) for s in slots for t in flow.successors[s] if order[t] <= order[s])


OVERLAY = 1 << 20
"""`Shape.place` that opens the cells of a map value. The offset of its pointer is an index into `PRESENCE`."""

PRESENCE = (None, (False, False), (False, True), (True, False), (True, True))
"""What a state's `presence` may say of an entry."""

KEY_UNITS: Units = {
    byte: (offset, offset + size) for offset, size in FLOW_KEY_FIELDS.items() for byte in range(offset, offset + size)
}
"""Flow keys are frozen field by field."""


def _packet_offsets(shape: list[Shape]) -> frozenset[str]:
    """Names of the cells that hold the offset of a pointer into the packet, or a flow key that is one."""
    return frozenset(
        f"{item.store}{item.place}"
        for item in shape
        if _is_cursor(item) or (item.store == "keys." and item.place in (NHOFF, THOFF))
    )


def _significant(value: Value | None, width: int) -> Value | None:
    """A register's number without the bits above `width`, which nothing looks at (D191)."""
    if not isinstance(value, Term) or width >= WORD:
        return value
    return zero_extend(WORD - width, extract(width - 1, 0, value)) if width else ZERO


def _living(cells: Cells, live: int) -> Cells:
    """The cells of which any byte is live, by the frame's byte mask."""
    return {offset: cell for offset, cell in cells.items() if live >> (STACK_SIZE + offset) & ((1 << cell[0]) - 1)}


def _is_cursor(item: Shape) -> bool:
    return isinstance(item.held, PointerShape) and item.held.kind == "pkt" and item.held.offset is None


def _frozen(found: dict[str, Term], store: str, place: int, size: int, value: Value) -> Shape:
    name = f"{store}{place}"
    if isinstance(value, Term):
        found[name] = value
        return Shape(store, place, size, None)
    if isinstance(value, Unusable):
        return Shape(store, place, size, value)
    region, offset = value
    key = region.key
    if key is not None and not key.is_const:
        found[f"{name}.key"] = key
    fixed = offset.value if offset.is_const and (region.kind != "pkt" or offset.value >> (WORD - 1)) else None
    if fixed is None:
        found[name] = offset
    held = PointerShape(
        region.kind,
        region.name,
        region.frame,
        key.value if key is not None and key.is_const else None,
        key.width if key is not None else 0,
        fixed,
    )
    return Shape(store, place, size, held)


def _thawed(found: Mapping[str, Term], item: Shape) -> Value:
    name = f"{item.store}{item.place}"
    held = item.held
    if held is None:
        return found[name]
    if isinstance(held, Unusable):
        return held
    region = Region(held.kind, held.name, held.frame, _key(found, f"{name}.", held))  # type: ignore[arg-type]
    return Pointer(region, found[name] if held.offset is None else const(held.offset, WORD))


def _key(found: Mapping[str, Term], prefix: str, held: PointerShape) -> Term | None:
    if not held.key_width:
        return None
    return found[f"{prefix}key"] if held.key is None else const(held.key, held.key_width)
