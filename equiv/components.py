"""Strongly connected components of a directed graph.

A small module of our own, as it is all that a check needs of graph algorithms: importing a library for it took longer
than most checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

Node = TypeVar("Node")


def strongly_connected(successors: Mapping[Node, Iterable[Node]]) -> list[list[Node]]:
    """Every node in exactly one component; a component comes before those that lead to it.

    Nodes that only stand as successors count as nodes without any of their own. Tarjan's algorithm ("Depth-first search
    and linear graph algorithms", 1972) without recursion.
    """
    number: dict[Node, int] = {}
    low: dict[Node, int] = {}
    open_nodes: dict[Node, None] = {}  # in order of their numbers; those whose component is not complete
    components: list[list[Node]] = []
    for root in successors:
        if root in number:
            continue
        stack: list[tuple[Node, Iterator[Node]]] = []
        _enter(root, successors, stack, number, low, open_nodes)
        while stack:
            node, rest = stack[-1]
            for target in rest:
                if target not in number:
                    _enter(target, successors, stack, number, low, open_nodes)
                    break
                if target in open_nodes:
                    low[node] = min(low[node], number[target])
            else:
                stack.pop()
                if stack:
                    before = stack[-1][0]
                    low[before] = min(low[before], low[node])
                if low[node] == number[node]:
                    components.append(_close(node, open_nodes))
    return components


def _enter(
    node: Node,
    successors: Mapping[Node, Iterable[Node]],
    stack: list[tuple[Node, Iterator[Node]]],
    number: dict[Node, int],
    low: dict[Node, int],
    open_nodes: dict[Node, None],
) -> None:
    number[node] = low[node] = len(number)
    open_nodes[node] = None
    stack.append((node, iter(successors.get(node, ()))))


def _close(head: Node, open_nodes: dict[Node, None]) -> list[Node]:
    component: list[Node] = []
    while not component or component[-1] != head:
        component.append(open_nodes.popitem()[0])
    return component[::-1]
