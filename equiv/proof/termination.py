"""That loops of the product end (D3).

Merging shows that *if* both sides end they agree; a side that never ends would make that empty. So every cycle of
stored entries needs a rank: numbers that never decrease along the cycle (or never increase) and strictly move on some
step. Steps on which the rank moves are taken out, and what is left must have a rank in turn (a lexicographic ranking
function). Values are integers that do not wrap, so a rank that only moves one way is used up. Where bounds
do not show how a cell moves, a solver is asked whether it is more, or no less, than before, as an unsigned number.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from equiv.components import strongly_connected
from equiv.proof.entry import Arrival, Entails, Entry, undecided
from equiv.proof.facts import Contradiction, Facts
from equiv.proof.intervals import Interval
from equiv.term import Term, uge, ult

Edge = tuple[Entry, Entry, Arrival]

EdgeName = tuple[int, int]
"""The id of the entry that an edge comes from, and the number of the branch taken there."""


class Cells(Protocol):
    """The name of the cell that holds a number, by entry id."""

    def __getitem__(self, entry: int, /) -> str: ...


Candidate = tuple[Cells, int]
"""A number that may be a rank, and the sign of its steps."""

Known = dict[int, Facts]
"""What is known on each edge, in the words of the entry it comes from, by the arrival's identity."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A number that moves one way (`sign` 1: up) along every edge of a cycle, and stays as it is on `still` at most.

    `cells` names by entry id the cell that holds it. Ranks come in order: each is for the edges that those before it
    left still.
    """

    cells: dict[int, str]
    sign: int
    still: frozenset[EdgeName]


@dataclass(frozen=True, slots=True)
class Termination:
    """`endless` are entries on cycles for which no rank was found; none where every loop of the product ends."""

    endless: tuple[Entry, ...]
    ranks: tuple[Rank, ...]


def termination(entries: Iterable[Entry], entails: Entails = undecided) -> Termination:
    """Ranks of all loops. `entails` is asked on cycles for which the facts' bounds show none."""
    edges: list[Edge] = []
    known: Known = {}
    names: dict[int, EdgeName] = {}
    for entry in entries:
        for (_, label), way in entry.arrivals.items():
            if way.source is not None and way.is_current:
                edges.append((way.source, entry, way))
                known[id(way)] = _known(way.source, way)
                names[id(way)] = way.source.id, label[0]
    ranks: list[Rank] = []
    remaining = _unranked(edges, known, names, entails, ranks)
    return Termination(tuple(remaining), tuple(ranks))


def _known(source: Entry, way: Arrival) -> Facts:
    """All that holds on an edge: an arrival's own facts no longer speak of what its cells do not."""
    try:
        return source.facts.assume(*way.added)
    except Contradiction:
        return way.facts


def _unranked(
    edges: list[Edge], known: Known, names: dict[int, EdgeName], entails: Entails, ranks: list[Rank]
) -> list[Entry]:
    """Entries on cycles of `edges` without a rank; the ranks of the others are added to `ranks`."""
    graph: dict[int, list[int]] = {}
    for source, target, _ in edges:
        graph.setdefault(source.id, []).append(target.id)
    remaining: list[Entry] = []
    component_of = {i: number for number, members in enumerate(strongly_connected(graph)) for i in members}
    within: dict[int, list[Edge]] = {}
    for edge in edges:
        if (number := component_of[edge[0].id]) == component_of[edge[1].id]:
            within.setdefault(number, []).append(edge)
    for _, inner in sorted(within.items()):
        component = {entry.id for source, target, _ in inner for entry in (source, target)}
        best = _rank(inner, known, _same_cell(inner))
        if best is None:
            best = _rank(inner, known, _carried(inner, known))
        if best is None:
            best = _rank(inner, known, _same_cell(inner), entails)
        if best is None:
            remaining += sorted({e[0].id: e[0] for e in inner}.values(), key=lambda e: e.id)
            continue
        (cells, sign), still = best
        ranks.append(Rank({i: cells[i] for i in component}, sign, frozenset(names[id(way)] for _, _, way in still)))
        remaining += _unranked(still, known, names, entails, ranks)
    return remaining


def _rank(
    edges: list[Edge], known: Known, candidates: Iterable[Candidate], entails: Entails = undecided
) -> tuple[Candidate, list[Edge]] | None:
    """The best rank and the edges on which it does not move; None where no candidate is a rank for all of `edges`."""
    best: tuple[Candidate, list[Edge]] | None = None
    for cells, sign in candidates:
        still = _stays(edges, cells, sign, known, entails)
        if still is not None and len(still) < len(edges) and (best is None or len(still) < len(best[1])):
            best = (cells, sign), still
    return best


def _same_cell(edges: list[Edge]) -> Iterator[Candidate]:
    """Cells that every entry has."""
    common = set.intersection(*(set(entry.cells) for edge in edges for entry in edge[:2]))
    for name in sorted(common):
        for sign in (1, -1):
            yield _Everywhere(name), sign


def _carried(edges: list[Edge], known: Known) -> Iterator[Candidate]:
    """Numbers that programs keep in one cell here and in another there, followed from one entry to the next.

    At each step the cell is taken that surely moves the right way, and by the least.
    """
    following: dict[int, list[Edge]] = {}
    for edge in edges:
        following.setdefault(edge[0].id, []).append(edge)
    root = min((edge[0] for edge in edges), key=lambda entry: entry.id)
    for name in sorted(root.cells):
        for sign in (1, -1):
            cells = {root.id: name}
            todo = [root.id]
            while todo:
                for source, target, way in following.get(todo.pop(), ()):
                    if target.id in cells:
                        continue
                    before = source.cells[cells[source.id]]
                    nearest = _nearest(known[id(way)], before, target, way, sign)
                    if nearest is None:
                        todo = []
                        cells = {}
                        break
                    cells[target.id] = nearest
                    todo.append(target.id)
            if cells:
                yield cells, sign


def _nearest(facts: Facts, before: Term, target: Entry, way: Arrival, sign: int) -> str | None:
    """The cell of `target` that is `before` or as little as possible beyond it; None where none is surely not short."""
    best: tuple[int, str] | None = None
    for name in sorted(target.cells):
        change = _change(facts, before, way.cells[name], sign)
        if change is None or change[0] is None or change[0] < 0 or change[1] is None:
            continue
        if best is None or change[1] < best[0]:
            best = change[1], name
    return None if best is None else best[1]


@dataclass(frozen=True, slots=True)
class _Everywhere:
    """The cell of one name, whatever the entry."""

    name: str

    def __getitem__(self, entry: int) -> str:
        return self.name


def _stays(edges: list[Edge], cells: Cells, sign: int, known: Known, entails: Entails) -> list[Edge] | None:
    """Edges on which the number may stay as it is; None if it can move against `sign` on any."""
    still = []
    for edge in edges:
        source, target, way = edge
        before, after = source.cells[cells[source.id]], way.cells[cells[target.id]]
        least = (_change(known[id(way)], before, after, sign) or (None, None))[0]
        if least is not None and least > 0:
            continue
        low, high = (before, after)[::sign]
        comparable = low.width == high.width
        if comparable and entails(known[id(way)], ult(low, high)):
            continue
        if least != 0 and not (comparable and entails(known[id(way)], uge(high, low))):
            return None
        still.append(edge)
    return still


def _change(facts: Facts, before: Term, after: Term, sign: int) -> Interval | None:
    """Bounds of `sign * (after - before)` over the integers; None where a term may wrap."""
    a, b = facts.exact_form(before), facts.exact_form(after)
    if a is None or b is None:
        return None
    atoms = {atom: sign * c for atom, c in b[0].items()}
    for atom, coefficient in a[0].items():
        atoms[atom] = atoms.get(atom, 0) - sign * coefficient
    return facts.bound({t: c for t, c in atoms.items() if c}, sign * (b[1] - a[1]))
