"""The checker of certificates: from the two machines and a relation, everything that has to be proved.

It shares the machines with the search that found the relation, and the question, but nothing of the search: it merges
nothing, chooses nothing and guesses nothing. Machines are run as the relation says; what that takes for granted, and
that the relation covers where they stop, becomes an obligation. Where a joint state is, is seen from the first way that
leads there: a certificate says nothing about the insides of machines.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from equiv.certificate.obligation import Assumptions, Obligation
from equiv.certificate.relation import Edge, JointState, Rank, Relation
from equiv.components import strongly_connected
from equiv.machine.inputs import SYMBOL_PREFIX, is_input_name
from equiv.machine.interface import Interface
from equiv.machine.protocol import Done, Fault, Fork, Machine, Native, Outcome, Snapshot, Stop, Stuck
from equiv.machine.question import start_conditions, violations
from equiv.term import (
    FALSE,
    Term,
    conj,
    const,
    disj,
    eq,
    extract,
    leaves,
    negate,
    substitute,
    uge,
    ugt,
    ule,
    zero_extend,
)

Cells = dict[str, Term]
"""Cells of both sides, `L.` and `R.` in front of their names."""


class Rejected(Exception):
    """The relation is not one of these two machines; the text says what does not fit."""


@dataclass(frozen=True, slots=True)
class Ended:
    """Where a side is that has ended; its cells are its outcome."""

    punt: bool


@dataclass(frozen=True, slots=True)
class _Side:
    """One machine where it stopped."""

    machine: Machine
    stop: Stop


@dataclass(slots=True)
class Checker:
    """One relation of two machines. `obligations` gives what has to be proved, and may be called once."""

    left: Machine
    right: Machine
    interface: Interface
    relation: Relation
    punts: int = 0
    """Ways on which a device hands the packet to the host: nothing is asked of them."""
    _places: dict[int, tuple[Hashable, Hashable]] = field(default_factory=dict)
    _arrivals: dict[Edge, tuple[int, Assumptions, Cells]] = field(default_factory=dict)

    def obligations(self) -> Iterator[Obligation]:
        """Everything that has to hold and does not plainly do so. Raises Rejected where something cannot hold."""
        states = self.relation.states
        for number, state in enumerate(states):
            _require_known_names(number, state)
            if state.ways and not state.moves:
                raise Rejected(f"joint state {number} has ways on, but neither side moves")
        yield from self._start()
        done: set[int] = set()
        todo = sorted(self._places)
        while todo:
            number = todo.pop()
            if number in done:
                continue
            done.add(number)
            yield from self._state(number)
            todo += [way.target for way in states[number].ways if way is not None and way.target is not None]
        if unreached := sorted(set(range(len(states))) - done):
            raise Rejected(f"nothing leads to joint state {unreached[0]}")
        yield from self._ranks()

    # --- ways ---------------------------------------------------------------------------------------------------

    def _start(self) -> Iterator[Obligation]:
        known = Assumptions(start_conditions(self.interface))
        way = self.relation.start
        if way.other is None:
            raise Rejected("the start does not say what is known of the right side")
        claims: list[Term] = []
        sides = {
            "L": _run(self.left, self.left.start(), way.answers, claims, "the start, left"),
            "R": _run(self.right, self.right.start(), way.other, claims, "the start, right"),
        }
        yield from self._arrive("the start", known, claims, sides, way.target, None)

    def _state(self, number: int) -> Iterator[Obligation]:
        state, name = self.relation.states[number], f"joint state {number}"
        left, right = self._places[number]
        known = Assumptions(state.facts)
        claims: list[Term] = []
        sides = {
            "L": _run(self.left, _resumed(self.left, left, state, "L"), state.answers[0], claims, f"{name}, left"),
            "R": _run(self.right, _resumed(self.right, right, state, "R"), state.answers[1], claims, f"{name}, right"),
        }
        if not state.moves:
            yield from self._arrive(name, known, claims, sides, None, None)
            return
        fork = sides[state.moves].stop
        if not isinstance(fork, Fork):
            raise Rejected(f"{name} says that side {state.moves} decides something, and it does not")
        if self._ends(sides):
            raise Rejected(f"{name} goes on where the run has ended")
        if len(state.ways) > len(fork.branches):
            raise Rejected(f"{name} has more ways on than there are branches")
        claims.append(disj(*(branch.guard for branch in fork.branches)))
        yield from _obligation(name, known, claims)
        for branch_number, branch in enumerate(fork.branches):
            way = state.ways[branch_number] if branch_number < len(state.ways) else None
            way_name = f"{name}, branch {branch_number}"
            if way is None:
                yield from _obligation(way_name, known, [negate(branch.guard)])
                continue
            taken = known.and_also(branch.guard)
            found: list[Term] = []
            moved = dict(sides)
            moved[state.moves] = _run(sides[state.moves].machine, branch.state, way.answers, found, way_name)
            if way.other is not None:
                other = "R" if state.moves == "L" else "L"
                waiting = sides[other].stop
                if not isinstance(waiting, Fork):
                    raise Rejected(f"{way_name} moves a side that has ended")
                moved[other] = _run(sides[other].machine, waiting.before, way.other, found, way_name)
            yield from self._arrive(way_name, taken, found, moved, way.target, (number, branch_number))

    def _arrive(
        self,
        name: str,
        known: Assumptions,
        claims: list[Term],
        sides: dict[str, _Side],
        target: int | None,
        edge: Edge | None,
    ) -> Iterator[Obligation]:
        """What has to hold where the two sides stopped: that they ended well, or that `target` covers this."""
        ended = self._ends(sides)
        if ended and target is not None:
            raise Rejected(f"{name} leads on where the run has ended")
        if ended:
            yield from _obligation(name, known, [*claims, *self._good_end(sides)])
            return
        if target is None:
            raise Rejected(f"{name} ends where a side would run on")
        if not 0 <= target < len(self.relation.states):
            raise Rejected(f"{name} leads to a joint state that there is not")
        state = self.relation.states[target]
        left, right = (_frozen(sides[side], [n[2:] for n in state.cells if n[0] == side]) for side in "LR")
        cells = {f"L.{n}": t for n, t in left.cells.items()} | {f"R.{n}": t for n, t in right.cells.items()}
        places = left.location, right.location
        if self._places.setdefault(target, places) != places:
            raise Rejected(f"{name} does not stop where joint state {target} is")
        if edge is not None:
            self._arrivals[edge] = target, known, cells
        yield from _obligation(name, known, [*claims, *_covering(state, cells, name, target)])

    def _ends(self, sides: dict[str, _Side]) -> bool:
        """Whether nothing more is asked here: both sides have ended, or one met something final."""
        stops = [sides["L"].stop, sides["R"].stop]
        if any(isinstance(stop, Fault | Stuck) or (isinstance(stop, Done) and stop.outcome.punt) for stop in stops):
            return True
        return all(isinstance(stop, Done) for stop in stops)

    def _good_end(self, sides: dict[str, _Side]) -> list[Term]:
        left, right = sides["L"].stop, sides["R"].stop
        if any(isinstance(stop, Done) and stop.outcome.punt for stop in (left, right)):
            self.punts += 1
            return []
        if isinstance(left, Done) and isinstance(right, Done):
            return [negate(wrong) for wrong in violations(self.interface, left.outcome, right.outcome).values()]
        return [FALSE]  # what is not modelled, or not allowed, must not be reached

    # --- termination --------------------------------------------------------------------------------------------

    def _ranks(self) -> Iterator[Obligation]:
        """Every rank moves as it says on the cycles it is for, and no cycle is left when all have been used."""
        edges = {edge: target for edge, (target, _, _) in self._arrivals.items()}
        for number, rank in enumerate(self.relation.ranks):
            inner = [edge for edge in _on_cycles(edges) if edge[0] in rank.cells and edges[edge] in rank.cells]
            for edge in inner:
                yield from self._rank_step(f"rank {number}, joint state {edge[0]}, branch {edge[1]}", rank, edge)
            if any((edge[0] in rank.cells) != (edges[edge] in rank.cells) for edge in _on_cycles(edges)):
                raise Rejected(f"rank {number} is for a part of a cycle")
            for edge in inner:
                if edge not in rank.still:
                    del edges[edge]
        if cycling := _on_cycles(edges):
            raise Rejected(f"nothing shows that joint state {cycling[0][0]} is not reached again and again")

    def _rank_step(self, name: str, rank: Rank, edge: Edge) -> Iterator[Obligation]:
        target, known, cells = self._arrivals[edge]
        before = self.relation.states[edge[0]].cells.get(rank.cells[edge[0]])
        after = cells.get(rank.cells[target])
        if before is None or after is None:
            raise Rejected(f"{name}: there is no such cell")
        width = max(before.width, after.width)
        low, high = (zero_extend(width - term.width, term) for term in (before, after)[:: rank.sign])
        yield from _obligation(name, known, [uge(high, low) if edge in rank.still else ugt(high, low)])


def _require_known_names(number: int, state: JointState) -> None:
    """Cells are of a side; variables are inputs or made up, and only those made up may stand for what a cell holds."""
    for name in state.cells:
        if name[:2] not in ("L.", "R."):
            raise Rejected(f"joint state {number} has a cell {name!r}, which is of neither side")
    terms = [*state.cells.values(), *state.facts]
    for leaf in frozenset[Term]().union(*map(leaves, terms)):
        if leaf.op == "var" and not is_input_name(leaf.data[0]) and not leaf.data[0].startswith(SYMBOL_PREFIX):
            raise Rejected(f"joint state {number} speaks of {leaf.data[0]!r}, which is no input and no symbol")
    for symbol in state.symbols:
        if symbol.term.op != "var" or not symbol.term.data[0].startswith(SYMBOL_PREFIX):
            raise Rejected(f"joint state {number} says that an input is what a cell holds")


def _obligation(name: str, known: Assumptions, goals: Iterable[Term]) -> Iterator[Obligation]:
    rest = known.open_goals(goals)
    if rest:
        yield Obligation(name, known.conditions, rest)


def _run(machine: Machine, state: Native | Done, answers: str, claims: list[Term], name: str) -> _Side:
    """Run a machine, its questions answered as the relation says. What it says is added to `claims`."""
    if isinstance(state, Done):
        if answers:
            raise Rejected(f"{name}: answers for a side that has ended")
        return _Side(machine, state)
    given = iter(answers)

    def decide(guard: Term) -> bool | None:
        match next(given, "."):
            case "T":
                claims.append(guard)
                return True
            case "F":
                claims.append(negate(guard))
                return False
        return None

    stop = machine.run(state, decide)
    if next(given, None) is not None:
        raise Rejected(f"{name}: more answers than questions")
    return _Side(machine, stop)


def _resumed(machine: Machine, place: Hashable, state: JointState, side: str) -> Native | Done:
    cells = {name[2:]: term for name, term in state.cells.items() if name[0] == side}
    if isinstance(place, Ended):
        values = {name[6:]: term for name, term in cells.items() if name.startswith("value.")}
        return Done(Outcome(cells["code"], values, place.punt))
    return machine.resume(Snapshot(place, cells))


def _frozen(side: _Side, like: list[str]) -> Snapshot:
    if isinstance(side.stop, Done):
        outcome = side.stop.outcome
        cells = {"code": outcome.code} | {f"value.{name}": term for name, term in outcome.values.items()}
        return Snapshot(Ended(outcome.punt), cells)
    assert isinstance(side.stop, Fork)
    return side.machine.snapshot(side.stop.before, like)


def _covering(state: JointState, cells: Cells, name: str, target: int) -> Iterator[Term]:
    """What must hold for a joint state to cover `cells`: its symbols read off them, all of it is as it says."""
    if set(state.cells) != set(cells) or any(cells[n].width != term.width for n, term in state.cells.items()):
        raise Rejected(f"{name}: joint state {target} has other cells than its place")
    values: dict[Term, Term] = {}
    for symbol in state.symbols:
        cell, width = cells.get(symbol.cell), symbol.term.width
        if cell is None or symbol.low < 0 or symbol.low + width > cell.width:
            raise Rejected(f"joint state {target} has a symbol that cannot be read off a cell")
        value = values[symbol.term] = extract(symbol.low + width - 1, symbol.low, cell)
        yield conj(uge(value, const(symbol.term.lo, width)), ule(value, const(symbol.term.hi, width)))
    memo: dict[Term, Term] = {}
    for cell_name, stored in state.cells.items():
        yield eq(substitute(stored, values, memo), cells[cell_name])
    for fact in state.facts:
        yield substitute(fact, values, memo)


def _on_cycles(edges: dict[Edge, int]) -> list[Edge]:
    """The edges within strongly connected parts."""
    graph: dict[int, list[int]] = {}
    for (source, _), target in edges.items():
        graph.setdefault(source, []).append(target)
    part = {node: number for number, nodes in enumerate(strongly_connected(graph)) for node in nodes}
    return [edge for edge in edges if part[edge[0]] == part[edges[edge]]]
