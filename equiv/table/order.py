"""A weak topological order of states: predecessors first, and the whole body of a loop before what follows it."""

from __future__ import annotations

from collections.abc import Mapping

import networkx


def weak_topological_order(successors: Mapping[str, list[str]], start: str) -> list[str]:
    """All keys of `successors`, those reachable from `start` first.

    Strongly connected components come in topological order; within one, its first state as the file has it that is
    entered from outside leads, and the rest, without the edges back to it, is ordered the same way again. As that is
    quadratic in how deep loops nest, very deep nests fall back to reverse postorder at some level.
    """
    graph = networkx.DiGraph()
    graph.add_nodes_from(successors)
    graph.add_edges_from((a, b) for a, targets in successors.items() for b in targets)
    reached = {start, *networkx.descendants(graph, start)}
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
        inner = graph.subgraph(nodes)
        budget -= len(nodes)
        components = list(networkx.strongly_connected_components(inner))
        if len(components) > 1:
            condensed = networkx.condensation(inner, components)
            key = {c: min(rank[n] for n in condensed.nodes[c]["members"]) for c in condensed}
            ordered = list(networkx.lexicographical_topological_sort(condensed, key=key.__getitem__))
            work += [sorted(condensed.nodes[c]["members"], key=rank.__getitem__) for c in reversed(ordered)]
            continue
        inside = set(nodes)
        entered = [n for n in nodes if n == start or any(p not in inside for p in graph.predecessors(n))]
        head = min(entered or nodes, key=rank.__getitem__)
        if budget < 0:
            result += reversed(list(networkx.dfs_postorder_nodes(inner, head)))
        else:
            work += [[n for n in nodes if n != head], [head]]
    return result
