"""The relation that a finished exploration found, as a certificate holds it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from equiv.certificate.relation import JointState, Rank, Relation, Symbol, Way
from equiv.errors import InternalError
from equiv.machine.protocol import Machine, Snapshot
from equiv.proof.entry import Arrival, Entry
from equiv.proof.frozen import Finished
from equiv.proof.product import Product
from equiv.proof.product import Way as Label
from equiv.proof.termination import Rank as FoundRank


def relation_of(product: Product, ranks: Iterable[FoundRank]) -> Relation:
    """The joint states that can be reached from the start, numbered from 0 in the order in which they were made."""
    ways: dict[Label, tuple[Entry | None, Arrival]] = {
        label: (None, ending.arrival) for label, ending in product.endings.items() if ending.arrival.is_current
    }
    for entry in product.all_entries():
        ways |= {label: (entry, way) for label, way in entry.arrivals.items() if way.is_current}
    start, _ = ways[-1, ()]
    reached = _reached(start, ways)
    numbers = {entry.id: number for number, entry in enumerate(reached)}

    def way(label: Label) -> Way | None:
        if label not in ways:
            return None
        target, arrival = ways[label]
        return Way(None if target is None else numbers[target.id], *arrival.answers)

    states = tuple(_state(product, entry, way) for entry in reached)
    first = way((-1, ()))
    assert first is not None
    return Relation(first, states, tuple(each for each in (_numbered(rank, numbers) for rank in ranks) if each.cells))


def _reached(start: Entry | None, ways: dict[Label, tuple[Entry | None, Arrival]]) -> list[Entry]:
    following: dict[int, list[Entry]] = {}
    for (source, _), (target, _) in ways.items():
        if target is not None:
            following.setdefault(source, []).append(target)
    found: dict[int, Entry] = {}
    todo = [] if start is None else [start]
    while todo:
        entry = todo.pop()
        if entry.id not in found:
            found[entry.id] = entry
            todo += following.get(entry.id, ())
    return [found[number] for number in sorted(found)]


def _state(product: Product, entry: Entry, way: Callable[[Label], Way | None]) -> JointState:
    left, right = entry.answers
    if right is None:
        raise InternalError(f"joint state {entry.id} was not gone on from")
    count = _branches(entry)
    return JointState(
        cells=entry.cells,
        facts=tuple(entry.facts.terms()),
        symbols=tuple(Symbol(term, at.cell, at.low) for term, at in entry.symbols.items()),
        answers=(left, right),
        moves=entry.moves,
        ways=tuple(way((entry.id, (number,))) for number in range(count)),
        places=(_place(product.left, entry, "L"), _place(product.right, entry, "R")),
    )


def _branches(entry: Entry) -> int:
    """How many branches to write down: those after the last that is taken are taken by no input either."""
    return max((label[0] + 1 for label in entry.ways if label), default=0)


def _place(machine: Machine, entry: Entry, side: str) -> str:
    location = entry.left if side == "L" else entry.right
    if isinstance(location, Finished):
        return "ended"
    cells = {name[2:]: term for name, term in entry.cells.items() if name[0] == side}
    place = machine.place(Snapshot(location, cells))
    return "" if place is None else str(place)


def _numbered(rank: FoundRank, numbers: dict[int, int]) -> Rank:
    cells = {numbers[i]: name for i, name in rank.cells.items() if i in numbers}
    return Rank(cells, rank.sign, frozenset((numbers[i], branch) for i, branch in rank.still if i in numbers))
