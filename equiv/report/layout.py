"""Layered layout of a directed graph, top down, so that no text overlaps another.

The classical four steps (Sugiyama, Tagawa and Toda 1981): turn edges that close a cycle around, give each node a
layer, order the layers' items so that few edges cross, then place them. Edges that span several layers are chains of
items, and an edge's label is such an item too: what has a place of its own cannot be overprinted.

Lengths are in SVG user units (pixels); y grows downwards.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

GAP_X = 22.0
"""Least distance between neighbours in a layer."""
GAP_Y = 26.0
"""Height between two layers: room for curves."""
SWEEPS = 16

Size = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A node to place: its width and height. Links meet all of its sides but the right-hand `margin`."""

    name: str
    width: float
    height: float
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Link:
    """An edge to draw, and the size of its label ((0, 0): none)."""

    source: str
    target: str
    label: Size = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Route:
    """Where an edge runs, from its source: vertical pieces (x, y from, y to), joined by curves.

    `label` is the middle of its label. `turned` marks an edge that runs upwards because it closes a cycle.
    """

    link: Link
    pieces: tuple[tuple[float, float, float], ...]
    label: tuple[float, float]
    turned: bool


@dataclass(frozen=True, slots=True)
class Placement:
    """The middle of each box, by name, a route for each link (self-loops have none), and the size of it all."""

    centres: dict[str, tuple[float, float]]
    routes: tuple[Route, ...]
    width: float
    height: float


@dataclass(slots=True)
class _Item:
    """One slot in a layer: a box, or a piece of a link. `upper` and `lower` are neighbours with their weights."""

    width: float
    height: float
    box: str = ""
    upper: list[tuple[_Item, float]] = field(default_factory=list)
    lower: list[tuple[_Item, float]] = field(default_factory=list)
    layer: int = 0
    index: int = 0
    x: float = 0.0
    y: float = 0.0


Chain = list[_Item]
Layers = list[list[_Item]]


def place(boxes: Sequence[Box], links: Sequence[Link]) -> Placement:
    """Lay out a graph; the first box is where reading starts. Links name boxes; one link for each pair of boxes."""
    order = [box.name for box in boxes]
    drawn = [link for link in links if link.source != link.target]
    turned = _closing_edges(order, drawn)
    downwards = [
        (i, link.target, link.source) if i in turned else (i, link.source, link.target) for i, link in enumerate(drawn)
    ]
    ranks = _ranks(order, [(upper, lower) for _, upper, lower in downwards])
    layers: Layers = [[] for _ in range(2 * max(ranks.values(), default=0) + 1)]
    items = {box.name: _Item(box.width, box.height, box.name) for box in boxes}
    for name in order:
        layers[2 * ranks[name]].append(items[name])
    chains = [
        _chain(items, layers, (upper, 2 * ranks[upper]), (lower, 2 * ranks[lower]), drawn[i].label, i in turned)
        for i, upper, lower in downwards
    ]
    _order(layers)
    width = _set_x(layers)
    height, extents = _set_y(layers)
    ports = _ports(items, {box.name: box.margin for box in boxes}, chains)
    routes = [
        _route(drawn[i], chain, ports, extents, i in turned) for (i, _, _), chain in zip(downwards, chains, strict=True)
    ]
    return Placement({name: (item.x, item.y) for name, item in items.items()}, tuple(routes), width, height)


def _closing_edges(order: Sequence[str], links: Sequence[Link]) -> set[int]:
    """Links that lead back to a node on the depth-first path to them."""
    successors: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for index, link in enumerate(links):
        successors[link.source].append((index, link.target))
    state: dict[str, Literal["open", "done"]] = {}
    closing = set()
    for root in order:
        if root in state:
            continue
        state[root] = "open"
        stack = [(root, iter(successors[root]))]
        while stack:
            node, pending = stack[-1]
            for index, target in pending:
                if state.get(target) == "open":
                    closing.add(index)
                elif target not in state:
                    state[target] = "open"
                    stack.append((target, iter(successors[target])))
                    break
            else:
                state[node] = "done"
                stack.pop()
    return closing


def _ranks(order: Sequence[str], downwards: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Longest path from a source, over edges that form no cycle."""
    lower: dict[str, list[str]] = defaultdict(list)
    waiting = dict.fromkeys(order, 0)
    for one, other in downwards:
        lower[one].append(other)
        waiting[other] += 1
    ranks = dict.fromkeys(order, 0)
    ready = [name for name in order if not waiting[name]]
    while ready:
        name = ready.pop()
        for other in lower[name]:
            ranks[other] = max(ranks[other], ranks[name] + 1)
            waiting[other] -= 1
            if not waiting[other]:
                ready.append(other)
    return ranks


def _chain(
    items: dict[str, _Item], layers: Layers, upper: tuple[str, int], lower: tuple[str, int], label: Size, turned: bool
) -> Chain:
    """Items for one link in every layer it passes; the one nearest to the link's source carries the label."""
    chain = [items[upper[0]]]
    first, last = upper[1] + 1, lower[1] - 1
    labelled = last if turned else first
    for layer in range(first, last + 1):
        size = label if layer == labelled else (0.0, 0.0)
        item = _Item(*size)
        layers[layer].append(item)
        chain.append(item)
    chain.append(items[lower[0]])
    for one, other in pairwise(chain):
        # Long edges straighten before boxes move towards each other.
        weight = 1.0 + 3.0 * (not one.box) + 3.0 * (not other.box)
        one.lower.append((other, weight))
        other.upper.append((one, weight))
    return chain


def _order(layers: Layers) -> None:
    """Order each layer by the mean place of its neighbours, downwards and upwards in turn; keep the best order met."""
    for number, layer in enumerate(layers):
        _number(layer)
        for item in layer:
            item.layer = number
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers)
    for sweep in range(SWEEPS):
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            layer.sort(key=lambda item: _mean_index(item.upper if downwards else item.lower, item.index))
            _number(layer)
        crossings = _crossings(layers)
        if crossings < fewest:
            fewest, best = crossings, [list(layer) for layer in layers]
        if not fewest:
            break
    for layer, kept in zip(layers, best, strict=True):
        layer[:] = kept
        _number(layer)


def _number(layer: list[_Item]) -> None:
    for index, item in enumerate(layer):
        item.index = index


def _mean_index(neighbours: Sequence[tuple[_Item, float]], otherwise: float) -> float:
    return sum(item.index for item, _ in neighbours) / len(neighbours) if neighbours else otherwise


def _crossings(layers: Layers) -> int:
    """How many pairs of edges cross: inversions, counted with a Fenwick tree."""
    total = 0
    for layer in layers:
        ends = [index for item in layer for index in sorted(other.index for other, _ in item.lower)]
        tree = [0] * (max(ends, default=0) + 2)
        for seen, end in enumerate(ends):
            total += seen
            position = end + 1
            while position:  # those that end at or left of this one do not cross it
                total -= tree[position]
                position -= position & -position
            position = end + 1
            while position < len(tree):
                tree[position] += 1
                position += position & -position
    return total


def _set_x(layers: Layers) -> float:
    """Place items as near to their neighbours as order and gaps allow; returns the drawing's width."""
    for layer in layers:
        _spread(layer, [0.0] * len(layer), [1.0] * len(layer))
    for sweep in range(2 * SWEEPS):
        downwards = sweep % 2 == 0
        for layer in layers if downwards else reversed(layers):
            wanted, weights = [], []
            for item in layer:
                near = item.upper if downwards else item.lower
                if item.box and sweep >= SWEEPS:  # boxes settle in the middle; pieces of links go straight on
                    near = item.upper + item.lower
                weight = sum(w for _, w in near)
                wanted.append(sum(other.x * w for other, w in near) / weight if near else item.x)
                weights.append(weight or 0.1)
            _spread(layer, wanted, weights)
    left = min((item.x - item.width / 2 for layer in layers for item in layer), default=0.0)
    for layer in layers:
        for item in layer:
            item.x -= left
    return max((item.x + item.width / 2 for layer in layers for item in layer), default=0.0)


def _spread(layer: list[_Item], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """The places nearest to those wanted (least squares) that keep order and gaps: pool adjacent violators."""
    offsets = [0.0]
    for left, right in pairwise(layer):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + GAP_X)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, number of items
    for target, offset, weight in zip(wanted, offsets, weights, strict=False):
        mean, total, count = target - offset, weight, 1
        while blocks and blocks[-1][0] > mean:
            other, other_total, other_count = blocks.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total, count = total + other_total, count + other_count
        blocks.append((mean, total, count))
    means = [mean for mean, _, count in blocks for _ in range(count)]
    for item, mean, offset in zip(layer, means, offsets, strict=False):
        item.x = mean + offset


def _set_y(layers: Layers) -> tuple[float, list[tuple[float, float]]]:
    """Stack the layers; returns the drawing's height and where each layer begins and ends."""
    y = 0.0
    extents = []
    for layer in layers:
        height = max((item.height for item in layer), default=0.0)
        for item in layer:
            item.y = y + height / 2
        extents.append((y, y + height))
        y += height + GAP_Y
    return max(y - GAP_Y, 0.0), extents


Ports = dict[tuple[int, int], float]
"""Where a link's end meets its box: x, by the identities of the end's item and of the neighbour in the chain."""


def _ports(items: dict[str, _Item], margins: dict[str, float], chains: Sequence[Chain]) -> Ports:
    """Spread the ends of links over their box's upper and lower side, in the order in which they come."""
    sides: dict[tuple[str, bool], list[_Item]] = defaultdict(list)
    for chain in chains:
        sides[chain[0].box, True].append(chain[1])
        sides[chain[-1].box, False].append(chain[-2])
    ports = {}
    for (name, _), others in sides.items():
        item = items[name]
        middle = item.x - margins[name] / 2
        usable = min((item.width - margins[name]) * 0.8, 26.0 * (len(others) - 1))
        step = usable / (len(others) - 1) if len(others) > 1 else 0.0
        for index, other in enumerate(sorted(others, key=lambda o: o.x)):
            ports[id(item), id(other)] = middle - usable / 2 + index * step
    return ports


def _route(link: Link, chain: Chain, ports: Ports, extents: Sequence[tuple[float, float]], turned: bool) -> Route:
    upper, lower = chain[0], chain[-1]
    bottom = upper.y + upper.height / 2
    top = lower.y - lower.height / 2
    pieces = [(ports[id(upper), id(chain[1])], bottom, extents[upper.layer][1])]
    pieces += [(item.x, *extents[item.layer]) for item in chain[1:-1]]
    pieces.append((ports[id(lower), id(chain[-2])], extents[lower.layer][0], top))
    labelled = chain[-2] if turned else chain[1]
    if turned:
        pieces = [(x, end, begin) for x, begin, end in reversed(pieces)]
    return Route(link, tuple(pieces), (labelled.x, labelled.y), turned)
