"""That loops of the product end.

Merging shows that *if* both sides end they agree; a side that never ends would make that empty. So every cycle of
stored entries needs a rank: cells that never decrease along the cycle (or never increase) and strictly move on some
step. Steps on which the rank moves are taken out, and what is left must have a rank in turn (a lexicographic ranking
function). Values are integers that do not wrap, so a rank that only moves one way is used up.
"""

from __future__ import annotations

from collections.abc import Iterable

from equiv.components import strongly_connected
from equiv.proof.entry import Arrival, Entry
from equiv.proof.facts import Contradiction, Facts
from equiv.term import Term

Edge = tuple[Entry, Entry, Arrival]

Known = dict[int, Facts]
"""What is known on each edge, in the words of the entry it comes from, by the arrival's identity."""


def endless(entries: Iterable[Entry]) -> list[Entry]:
    """Entries on cycles for which no rank was found; empty where every loop of the product ends."""
    edges: list[Edge] = []
    known: Known = {}
    for entry in entries:
        for way in entry.arrivals.values():
            if way.source is not None and way.is_current:
                edges.append((way.source, entry, way))
                known[id(way)] = _known(way.source, way)
    return _unranked(edges, known)


def _known(source: Entry, way: Arrival) -> Facts:
    """All that holds on an edge: an arrival's own facts no longer speak of what its cells do not."""
    try:
        return source.facts.assume(*way.added)
    except Contradiction:
        return way.facts


def _unranked(edges: list[Edge], known: Known) -> list[Entry]:
    graph: dict[int, list[int]] = {}
    for source, target, _ in edges:
        graph.setdefault(source.id, []).append(target.id)
    remaining: list[Entry] = []
    for members in strongly_connected(graph):
        component = set(members)
        inner = [e for e in edges if e[0].id in component and e[1].id in component]
        if not inner:
            continue
        rest = _rank(inner, known)
        if rest is None:
            remaining += sorted({e[0].id: e[0] for e in inner}.values(), key=lambda e: e.id)
        elif rest:
            remaining += _unranked(rest, known)
    return remaining


def _rank(edges: list[Edge], known: Known) -> list[Edge] | None:
    """The edges on which the best rank does not move; None where no cell is a rank for all of `edges`."""
    common = set.intersection(*(set(entry.cells) for edge in edges for entry in edge[:2]))
    best: list[Edge] | None = None
    for name in sorted(common):
        for sign in (1, -1):
            still = _stays(edges, name, sign, known)
            if still is not None and len(still) < len(edges) and (best is None or len(still) < len(best)):
                best = still
    return best


def _stays(edges: list[Edge], name: str, sign: int, known: Known) -> list[Edge] | None:
    """Edges on which the cell may stay as it is; None if it can move against `sign` on any."""
    still = []
    for edge in edges:
        source, _, way = edge
        least = _least_change(known[id(way)], source.cells[name], way.cells[name], sign)
        if least is None or least < 0:
            return None
        if least == 0:
            still.append(edge)
    return still


def _least_change(facts: Facts, before: Term, after: Term, sign: int) -> int | None:
    """The least of `sign * (after - before)` over the integers."""
    a, b = facts.exact_form(before), facts.exact_form(after)
    if a is None or b is None:
        return None
    atoms = {atom: sign * c for atom, c in b[0].items()}
    for atom, coefficient in a[0].items():
        atoms[atom] = atoms.get(atom, 0) - sign * coefficient
    return facts.bound({t: c for t, c in atoms.items() if c}, sign * (b[1] - a[1]))[0]
