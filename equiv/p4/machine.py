"""The machine that proofs run on: a parser's code over terms, stopping at every undecided decision.

Outcomes: code 1 or what the interface calls `accept`, 0 or what it calls `drop`; the parser error; what the parser's
code has as outputs. With `Interface.exact_end`, `accept` counts only at the packet's very end (D81).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import cast

from equiv.errors import InputError, Place
from equiv.machine.inputs import ADDRESS_WIDTH, LONGEST_PACKET, packet_length
from equiv.machine.interface import Interface
from equiv.machine.nearly import one_bit_off_conjunction
from equiv.machine.protocol import Branch, Decide, Done, Fork, Outcome, Snapshot, Stop, Stuck
from equiv.machine.watch import Edges, OnChoice, OnCompare, OnMove, Option, comparisons, edges_of
from equiv.p4.code import (
    ACCEPT,
    CURSOR,
    ERROR,
    ERROR_WIDTH,
    REJECT,
    Block,
    Choose,
    Jump,
    ParserCode,
    Set,
    Test,
    cell_name,
    cells_read,
    cursor,
    is_cell,
    targets,
    unasked,
)
from equiv.p4.liveness import guarded, liveness
from equiv.p4.view import accept_code, goes_on, observed_outputs, reject_code
from equiv.table.order import back_edges, weak_topological_order
from equiv.term import TRUE, Term, conj, const, eq, extract, ite, leaves, negate, substitute, ult

MAX_RUN = 200_000
"""Operations between two decisions after which a run is given up."""

MAX_READERS = 32
"""States for which it is kept what terms come to in them."""

NOWHERE = const(LONGEST_PACKET, ADDRESS_WIDTH)
"""No byte of a packet is there."""

NOT_AT_END = "accept, but not at the packet's end"


@dataclass(frozen=True, slots=True)
class State:
    """Before operation `pc` of block `block`. `cells` is never changed once the state is handed out."""

    block: str
    pc: int
    cells: Mapping[str, Term]


class ParserMachine:
    """`equiv.machine.protocol.Machine` for a parser's code under an interface. Inert after construction."""

    def __init__(self, name: str, code: ParserCode, interface: Interface) -> None:
        if interface.element_width != code.element:
            raise InputError(
                f"{name} is built for packet elements of {code.element} bits, not {interface.element_width}"
            )
        self.name = name
        self.code = code
        self.interface = interface
        self.on_move: OnMove | None = None
        self._readers: dict[int, _Reader] = {}
        """Of the latest states, by the identity of their cells; which do not change."""
        self.on_choice: OnChoice | None = None
        self.on_compare: OnCompare | None = None
        nowhere = Place(name)
        self._widths = {**code.widths, CURSOR: ADDRESS_WIDTH, ERROR: ERROR_WIDTH}
        self._nothing = {name: const(0, width) for name, width in self._widths.items()}
        self._names: dict[tuple[str, int], list[str]] = {}
        self._blocks: dict[str, Block] = dict(code.blocks)
        self._blocks[REJECT] = (Jump("", nowhere),)
        self._blocks[ACCEPT] = (Jump("", nowhere),)
        if interface.exact_end:
            at_end = eq(cursor(), packet_length())
            self._blocks[ACCEPT] = (
                Test(at_end, REJECT, nowhere, "at the packet's end", NOT_AT_END),
                Jump("", nowhere),
            )
        self._goes_on = interface.extracted is not None and interface.extracted.error is not None
        """Whether a parser that rejects with an error hands the packet on (D200)."""
        self._outputs = {verdict: self._observed(verdict) for verdict in (ACCEPT, REJECT)}
        successors = {
            name: list(dict.fromkeys(t for op in ops for t in targets(op) if t)) for name, ops in self._blocks.items()
        }
        order = weak_topological_order(successors, code.start)
        self._stride = 1 + max(len(ops) for ops in self._blocks.values())
        self._position = {name: i for i, name in enumerate(order)}
        self._loops = back_edges(successors, self._position)
        read = {v: cells_read(o.values()) for v, o in self._outputs.items()}
        if self._goes_on:  # the verdict depends on it, whatever is shown
            read[REJECT].add(ERROR)
        self._live = liveness(self._blocks, order, read)
        self._steering = liveness(self._blocks, order, {ACCEPT: (), REJECT: ()})  # what is shown counts for nothing
        shown = {verdict: [*terms.values()] for verdict, terms in self._outputs.items()}
        self._guarded = guarded(self._blocks, order, shown, self._live)

    # Protocol

    def start(self) -> State:
        cells = {CURSOR: const(0, ADDRESS_WIDTH), **self.code.initial}
        return State(self.code.start, 0, cells)

    def run(self, state: State, decide: Decide) -> Stop:
        for _ in range(MAX_RUN):
            op, before = self._blocks[state.block][state.pc], state
            match op:
                case Set():
                    state = self._set(state, op)
                case Jump(target=""):
                    return Done(self._outcome(state))
                case Jump(target=target):
                    state = State(target, 0, state.cells)
                case Test() | Choose():
                    branches = self._test(state, op, decide) if isinstance(op, Test) else self._ways(state, op, decide)
                    if len(branches) > 1:
                        return Fork(state, tuple(branches), op.place)
                    state = branches[0].state
            if self.on_move is not None:
                self.on_move((before.block, before.pc), (state.block, state.pc))
        return Stuck(f"{MAX_RUN} operations without a decision", self._blocks[state.block][state.pc].place)

    def spot(self, state: State) -> tuple[str, int]:
        """The block, and the operation in it."""
        return state.block, state.pc

    @property
    def blocks(self) -> Mapping[str, Block]:
        """The operations of each block, those of `accept` and `reject` too."""
        return self._blocks

    def snapshot(self, state: State, like: Collection[str] | None = None) -> Snapshot:
        del like  # there is one way to name the cells
        held = state.cells
        cells = {name: held[name] if name in held else self._nothing[name] for name in self._named(state)}
        for name in self._guarded.idle(state.block, state.pc, cells):
            cells[name] = self._nothing[name]
        offsets = frozenset(name for name in cells if name == CURSOR)
        ahead = cells.get(CURSOR, NOWHERE)  # parsers read at their cursor or past it, and only there
        return Snapshot((state.block, state.pc), cells, offsets, self._steering[state.block][state.pc], ahead)

    def resume(self, snapshot: Snapshot) -> State:
        block, pc = _location(snapshot)
        return State(block, pc, dict(snapshot.cells))

    def order(self, snapshot: Snapshot) -> int:
        block, pc = _location(snapshot)
        return self._position[block] * self._stride + pc

    def loop_end(self, snapshot: Snapshot) -> int:
        block, _ = _location(snapshot)
        return (self._loops.end(self._position[block]) + 1) * self._stride - 1

    def place(self, snapshot: Snapshot) -> Place | None:
        block, pc = _location(snapshot)
        return self._blocks[block][pc].place

    @property
    def assumptions(self) -> tuple[str, ...]:
        return self.code.assumptions

    # Operations

    def _cell(self, state: State, name: str) -> Term:
        found = state.cells.get(name)
        return const(0, self._widths[name]) if found is None else found

    def _named(self, state: State) -> list[str]:
        """The cells that some continuation still reads, in order."""
        where = state.block, state.pc
        found = self._names.get(where)
        if found is None:
            found = self._names[where] = sorted(self._live[state.block][state.pc])
        return found

    def _reader(self, state: State) -> _Reader:
        """What reads terms in this state. A side that waits is asked again and again where it is."""
        found = self._readers.get(id(state.cells))
        if found is None or found.cells is not state.cells:
            if len(self._readers) >= MAX_READERS:
                del self._readers[next(iter(self._readers))]
            found = self._readers[id(state.cells)] = _Reader(state.cells, {})
        return found

    def _set(self, state: State, op: Set) -> State:
        """Cells that nothing reads later are not worked out."""
        cells = dict(state.cells)
        live = self._live[state.block][state.pc + 1]
        read = self._reader(state)
        for name, value in op.values:
            if name in live:
                cells[name] = read(value)
            else:
                cells.pop(name, None)
        return State(state.block, state.pc + 1, cells)

    def _test(self, state: State, op: Test, decide: Decide) -> list[Branch]:
        read = self._reader(state)
        if self.on_compare is not None:
            for edges in map(edges_of, comparisons(op.condition)):
                met = Edges(read(edges.below), read(edges.above))
                self.on_compare((state.block, state.pc), met, lambda: state)
        condition = read(op.condition)
        known = _settled(condition, decide)
        branches: list[Branch] = []
        if known is not False:
            branches.append(Branch(condition, State(state.block, state.pc + 1, state.cells), op.yes))
        if known is not True:
            branches.append(Branch(negate(condition), State(op.otherwise, 0, state.cells), op.no))
        return branches

    def _ways(self, state: State, op: Choose, decide: Decide) -> list[Branch]:
        read = self._reader(state)
        if self.on_choice is not None:
            self.on_choice((state.block, state.pc), [_option(way.condition, read) for way in op.ways[:-1]])
        branches: dict[int, Branch] = {}
        undecided: dict[int, Term] = {}
        for i, way in enumerate(op.ways):
            condition = read(way.condition)
            known = _settled(condition, decide)
            if known is False:
                continue
            guard = conj(condition, *(negate(undecided[j]) for j in way.overlaps if j in undecided))
            if known:
                # It excludes the earlier ways that do not overlap with it, whether or not `decide` saw that.
                branches = {j: branch for j, branch in branches.items() if j in way.overlaps}
            if guard is condition or _settled(guard, decide) is not False:
                branches[i] = Branch(guard, State(way.target, 0, state.cells), way.label)
            if known:
                break
            undecided[i] = condition
        if not branches:  # only where the path itself is impossible
            last = op.ways[-1]
            return [Branch(TRUE, State(last.target, 0, state.cells), last.label)]
        return list(branches.values())

    # The end

    def _observed(self, verdict: str) -> dict[str, Term]:
        """Every observable that counts with this verdict, over cells."""
        code = accept_code(self.interface) if verdict == ACCEPT or self._goes_on else reject_code(self.interface)
        return observed_outputs(self.code, self.interface, code)

    def _outcome(self, state: State) -> Outcome:
        verdict = state.block
        read = self._reader(state)
        accepted = const(accept_code(self.interface), 32)
        code = accepted if verdict == ACCEPT else const(reject_code(self.interface), 32)
        if verdict == REJECT:
            code = ite(goes_on(self.interface, self._cell(state, ERROR)), accepted, code)
        if self.interface.clamp_to_length:
            length = extract(31, 0, packet_length())
            code = ite(ult(code, length), code, length)
        return Outcome(code, {name: read(term) for name, term in self._outputs[verdict].items()})


@dataclass(frozen=True, slots=True)
class _Reader:
    """Terms over cells as terms over inputs: what the cells of one state hold put in. A cell never set holds 0."""

    cells: Mapping[str, Term]
    memo: dict[Term, Term]

    def __call__(self, term: Term) -> Term:
        found = self.memo.get(term)
        if found is None:
            if term.op == "var":
                return self._held(cell_name(term), term.width) if is_cell(term) else term
            values = {leaf: self._held(name, leaf.width) for leaf, name in _cells_in(term)}
            found = self.memo[term] = substitute(term, values, self.memo) if values else term
        return found

    def _held(self, name: str, width: int) -> Term:
        held = self.cells.get(name)
        return const(0, width) if held is None else held


@lru_cache(maxsize=100_000)
def _cells_in(term: Term) -> tuple[tuple[Term, str], ...]:
    """The cells that `term` reads, with their names."""
    return tuple((leaf, cell_name(leaf)) for leaf in leaves(term) if is_cell(leaf))


def _option(condition: Term, read: _Reader) -> Option:
    """A way of a choice; `condition` is over cells, what is told of it over inputs."""
    return Option(read(condition), *(read(term) for term in _aspects(condition)))


@lru_cache(maxsize=4096)
def _aspects(condition: Term) -> tuple[Term, Term, Term]:
    """What is told of a condition beside itself, over cells."""
    return (one_bit_off_conjunction(condition), *unasked(condition))


def _location(snapshot: Snapshot) -> tuple[str, int]:
    """Block and operation, as `ParserMachine.snapshot` put them there."""
    return cast("tuple[str, int]", snapshot.location)


def _settled(condition: Term, decide: Decide) -> bool | None:
    return bool(condition.value) if condition.is_const else decide(condition)
