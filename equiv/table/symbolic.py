"""The machine that proofs run on: a table's code over bit-vector terms, stopping at every undecided decision.

Cells: "cursor" (64 bits), registers, header fields ("eth.type"), what outputs hold ("out.saddr"), counters of limits
("$steps", "$visits.NAME"). A cell that was never set holds 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import cast

from equiv.errors import Place
from equiv.machine.inputs import ADDRESS_WIDTH, linear_length, packet_bytes, packet_length
from equiv.machine.interface import Interface
from equiv.machine.nearly import one_bit_off
from equiv.machine.protocol import Branch, Decide, Done, Fork, Snapshot, Stop, Stuck
from equiv.machine.watch import OnChoice, OnCompare, OnMove, Option
from equiv.table import layout
from equiv.table.code import (
    COUNTER_WIDTH,
    CURSOR,
    NEXT,
    RETURNED,
    STEPS,
    Choose,
    Jump,
    Load,
    Op,
    Set,
    Test,
    Way,
    compile_table,
    unmasked,
    visits,
)
from equiv.table.liveness import Liveness, steering
from equiv.table.model import Binary, Table, Target
from equiv.table.order import back_edges, weak_topological_order
from equiv.table.outcome import Outcomes
from equiv.table.terms import ORDERED, Reader, aligned, edges
from equiv.table.verdicts import code_of
from equiv.term import FALSE, TRUE, Term, bvadd, conj, const, extract, negate

MAX_RUN = 200_000
"""Operations between two decisions after which a run is given up."""


_OFFSETS = frozenset({CURSOR, NEXT})
"""Cells that hold packet offsets."""


@dataclass(frozen=True, slots=True)
class State:
    """Before operation `pc` of state `name`. `cells` is never changed once the state is handed out."""

    name: str
    pc: int
    cells: Mapping[str, Term]


class TableMachine:
    """`equiv.machine.protocol.Machine` for a table under an interface. Inert after construction.

    Raises InputError if `interface` lacks something that the table uses.
    """

    def __init__(self, table: Table, interface: Interface) -> None:
        layout.require_places(table, interface)
        self.name = table.file
        self.table = table
        self.interface = interface
        self.on_move: OnMove | None = None
        self.on_choice: OnChoice | None = None
        self.on_compare: OnCompare | None = None
        self._pieces = layout.segments(table)
        self._linear = packet_length() if interface.split == "linear" else linear_length()
        self._outcomes = Outcomes(table, interface)
        self._code: dict[str, tuple[Op, ...]] = dict(compile_table(table))
        for verdict in [t for ops in self._code.values() for op in ops for t in _targets(op) if t.kind == "verdict"]:
            if verdict.name != "punt":
                code_of(interface, verdict)
            self._code.setdefault(_entry(verdict), (Jump(verdict, verdict.place),))
        successors = {name: [_entry(t) for op in ops for t in _targets(op)] for name, ops in self._code.items()}
        for name in successors:
            successors[name] = [s for s in dict.fromkeys(successors[name]) if s != name or s in table.states]
        order = weak_topological_order(successors, "start")
        self._stride = 1 + max(len(ops) for ops in self._code.values())
        self._position = {name: i for i, name in enumerate(order)}
        self._loops = back_edges(successors, self._position)
        self._widths = _cell_widths(table, self._outcomes)
        self._liveness = Liveness(self._code, order, self._pieces, table.instances, self._outcomes.cells_read)

    # Protocol

    def start(self) -> State:
        self._steering = steering(self._code, self._pieces)
        cells: dict[str, Term] = {CURSOR: const(0, ADDRESS_WIDTH)}
        for register in self.table.registers:
            cells[register.name] = const(register.initial, register.width)
        for segment in self._outcomes.segments.values():
            cells[segment.cell] = self._outcomes.initial(segment)
        return State("start", 0, cells)

    def run(self, state: State, decide: Decide) -> Stop:
        for _ in range(MAX_RUN):
            op, before = self._code[state.name][state.pc], state
            match op:
                case Set() | Load():
                    state = self._take(state, op)
                case Jump(target=target):
                    if target.kind == "verdict":
                        return Done(self._outcomes.outcome(target, self._reader(state).cell))
                    state = State(target.name, 0, state.cells)
                case Test() | Choose():
                    branches = self._test(state, op, decide) if isinstance(op, Test) else self._ways(state, op, decide)
                    if len(branches) > 1:
                        return Fork(state, tuple(branches), op.place)
                    state = branches[0].state
            if self.on_move is not None:
                self.on_move((before.name, before.pc), (state.name, state.pc))
        return Stuck(f"{MAX_RUN} operations without a decision", self._code[state.name][state.pc].place)

    def spot(self, state: State) -> tuple[str, int]:
        """The state of the table, and the operation in it."""
        return state.name, state.pc

    @property
    def code(self) -> Mapping[str, tuple[Op, ...]]:
        """The operations of each state, and of each verdict (`verdict NAME`)."""
        return self._code

    def snapshot(self, state: State, like: Collection[str] | None = None) -> Snapshot:
        del like  # there is one way to name the cells
        live = self._liveness.at(state.name, state.pc)
        cells = {name: self._cell(state, name, self._widths[name]) for name in sorted(live)}
        offsets, steering = _OFFSETS.intersection(cells), self._steering.intersection(cells)
        return Snapshot((state.name, state.pc), cells, offsets, steering)

    def resume(self, snapshot: Snapshot) -> State:
        name, pc = _location(snapshot)
        return State(name, pc, dict(snapshot.cells))

    def order(self, snapshot: Snapshot) -> int:
        name, pc = _location(snapshot)
        return self._position[name] * self._stride + pc

    def loop_end(self, snapshot: Snapshot) -> int:
        name, _ = _location(snapshot)
        return (self._loops.end(self._position[name]) + 1) * self._stride - 1

    def place(self, snapshot: Snapshot) -> Place | None:
        name, pc = _location(snapshot)
        return self._code[name][pc].place

    @property
    def assumptions(self) -> tuple[str, ...]:
        return (f"the device does what {self.table.file} says",)

    # Operations

    @staticmethod
    def _cell(state: State, name: str, width: int) -> Term:
        found = state.cells.get(name)
        return const(0, width) if found is None else found

    def _reader(self, state: State) -> Reader:
        return Reader(lambda name, width: self._cell(state, name, width), self._pieces, self._linear)

    def _take(self, state: State, op: Set | Load) -> State:
        cells = dict(state.cells)
        if isinstance(op, Set):
            reader = self._reader(state)
            for to in op.to:
                cells[to.cell] = reader.low_bits(op.value, to.width, to.low)
        else:
            self._load(state, op, cells)
        return State(state.name, state.pc + 1, cells)

    def _load(self, state: State, op: Load, cells: dict[str, Term]) -> None:
        """Fields that are read later, each from no more bytes than it touches."""
        cursor = self._cell(state, CURSOR, ADDRESS_WIDTH)
        live = self._liveness.at(state.name, state.pc + 1)
        for part in self.table.instances[op.instance].fields:
            name = f"{op.instance}.{part.name}"
            if name not in live:
                cells.pop(name, None)
                continue
            first, end = part.offset // 8, (part.offset + part.width + 7) // 8
            covering = packet_bytes(bvadd(cursor, const(first, ADDRESS_WIDTH)), end - first)
            low = 8 * end - part.offset - part.width
            cells[name] = extract(low + part.width - 1, low, covering)

    def _test(self, state: State, op: Test, decide: Decide) -> list[Branch]:
        reader, tested = self._reader(state), op.condition
        if self.on_compare is not None and isinstance(tested, Binary) and tested.op in ORDERED:
            met = edges(tested.op, reader.value(tested.left), reader.value(tested.right))
            self.on_compare((state.name, state.pc), met, lambda: state)
        condition = reader.condition(tested)
        known = _settled(condition, decide)
        branches: list[Branch] = []
        if known is not False:
            branches.append(Branch(condition, State(state.name, state.pc + 1, state.cells), op.yes))
        if known is not True:
            branches.append(Branch(negate(condition), State(_entry(op.otherwise), 0, state.cells), op.no))
        return branches

    def _ways(self, state: State, op: Choose, decide: Decide) -> list[Branch]:
        reader = self._reader(state)
        if self.on_choice is not None:
            self.on_choice((state.name, state.pc), [_option(reader, way) for way in op.ways[:-1]])
        branches: dict[int, Branch] = {}
        undecided: dict[int, Term] = {}
        for i, way in enumerate(op.ways):
            condition = conj(*(reader.condition(c) for c in way.conditions))
            known = _settled(condition, decide)
            if known is False:
                continue
            guard = conj(condition, *(negate(undecided[j]) for j in way.overlaps if j in undecided))
            if known:
                # It excludes the earlier ways that do not overlap with it, whether or not `decide` saw that.
                branches = {j: branch for j, branch in branches.items() if j in way.overlaps}
            if guard is condition or _settled(guard, decide) is not False:
                branches[i] = Branch(guard, State(state.name, way.pc, state.cells), way.label)
            if known:
                break
            undecided[i] = condition
        if not branches:  # only where the path itself is impossible
            return [Branch(TRUE, State(state.name, op.ways[-1].pc, state.cells), op.ways[-1].label)]
        return list(branches.values())


def _option(reader: Reader, way: Way) -> Option:
    holds = conj(*(reader.condition(c) for c in way.conditions))
    equations = [c for c in way.conditions if isinstance(c, Binary) and c.op == "=="]
    others = [reader.condition(c) for c in way.conditions if c not in equations]
    missed = one_bit_off([aligned(reader.value(c.left), reader.value(c.right)) for c in equations], others)
    rest = unmasked(way.conditions)
    if not rest:
        return Option(holds, missed, FALSE, FALSE)
    clear, all_set = (conj(*(reader.condition(pair[which]) for pair in rest)) for which in (0, 1))
    return Option(holds, missed, clear, all_set)


def _location(snapshot: Snapshot) -> tuple[str, int]:
    """State and operation, as `TableMachine.snapshot` put them there."""
    return cast("tuple[str, int]", snapshot.location)


def _settled(condition: Term, decide: Decide) -> bool | None:
    return bool(condition.value) if condition.is_const else decide(condition)


def _targets(op: Op) -> list[Target]:
    """Where `op` can leave its state for."""
    match op:
        case Test(otherwise=target) | Jump(target=target):
            return [target]
    return []


def _entry(target: Target) -> str:
    """The key of the code that runs at `target`; a verdict has code of its own, so that it can be resumed at."""
    return target.name if target.kind == "state" else f"verdict {target.name}"


def _cell_widths(table: Table, outcomes: Outcomes) -> dict[str, int]:
    return {
        CURSOR: ADDRESS_WIDTH,
        NEXT: ADDRESS_WIDTH,
        RETURNED: 1,
        STEPS: COUNTER_WIDTH,
        **{visits(name): COUNTER_WIDTH for name in table.states},
        **{register.name: register.width for register in table.registers},
        **{f"{i}.{f.name}": f.width for i, header in table.instances.items() for f in header.fields},
        **{cell: segment.width for cell, segment in outcomes.segments.items()},
    }
