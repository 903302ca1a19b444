"""A weak topological order of states: predecessors first, and the whole body of a loop before what follows it."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence

from equiv.components import strongly_connected
from equiv.machine.loops import Loops

Graph = Mapping[str, Sequence[str]]


def weak_topological_order(successors: Graph, start: str) -> list[str]:
    """All keys of `successors`, those reachable from `start` first.

    Strongly connected components come in topological order; within one, its first state as the file has it that is
    entered from outside leads, and the rest, without the edges back to it, is ordered the same way again. As that is
    quadratic in how deep loops nest, very deep nests fall back to reverse postorder at some level.
    """
    reached = set(_postorder(successors, start))
    rank = {name: i for i, name in enumerate(successors)}
    rank[start] = -1
    result: list[str] = []
    budget = 10_000 + 20 * len(rank)
    work: list[list[str]] = [[n for n in successors if n not in reached], [n for n in successors if n in reached]]
    while work:
        nodes = work.pop()
        if len(nodes) <= 1:
            result += nodes
            continue
        inner = _restrict(successors, nodes)
        budget -= len(nodes)
        components = strongly_connected(inner)
        if len(components) > 1:
            work += reversed(_topological(components, inner, rank))
            continue
        inside = set(nodes)
        targets = {b for a, after in successors.items() if a not in inside for b in after}
        entered = [n for n in nodes if n == start or n in targets]
        head = min(entered or nodes, key=rank.__getitem__)
        if budget < 0:
            result += reversed(list(_postorder(inner, head)))
        else:
            work += [[n for n in nodes if n != head], [head]]
    return result


def _restrict(graph: Graph, nodes: Collection[str]) -> dict[str, list[str]]:
    inside = set(nodes)
    return {name: [target for target in graph[name] if target in inside] for name in nodes}


def _topological(components: list[list[str]], graph: Graph, rank: Mapping[str, int]) -> list[list[str]]:
    """The components, predecessors first; of those that could come next, the one that the file has first."""
    ordered = [sorted(component, key=rank.__getitem__) for component in components]
    home = {name: index for index, component in enumerate(ordered) for name in component}
    after = [{home[b] for a in component for b in graph[a]} - {index} for index, component in enumerate(ordered)]
    waiting = [0] * len(ordered)
    for targets in after:
        for target in targets:
            waiting[target] += 1
    ready = [(rank[ordered[index][0]], index) for index, count in enumerate(waiting) if not count]
    heapq.heapify(ready)
    result = []
    while ready:
        _, index = heapq.heappop(ready)
        result.append(ordered[index])
        for target in after[index]:
            waiting[target] -= 1
            if not waiting[target]:
                heapq.heappush(ready, (rank[ordered[target][0]], target))
    return result


def _postorder(graph: Graph, start: str) -> Iterator[str]:
    """What is reachable from `start`, each after all that it leads to, but for edges back."""
    seen = {start}
    stack = [(start, iter(graph[start]))]
    while stack:
        node, rest = stack[-1]
        for target in rest:
            if target not in seen:
                seen.add(target)
                stack.append((target, iter(graph[target])))
                break
        else:
            stack.pop()
            yield node


def back_edges(successors: Mapping[str, list[str]], position: Mapping[str, int]) -> Loops:
    """The loops of an order: `position` of each state in it."""
    return Loops(
        (position[target], position[source])
        for source, targets in successors.items()
        for target in targets
        if position[target] <= position[source]
    )
