"""Strongly connected components, compared with networkx."""

from __future__ import annotations

import networkx
from hypothesis import given
from hypothesis import strategies as st

from equiv.components import strongly_connected

GRAPHS = st.dictionaries(st.integers(0, 14), st.lists(st.integers(0, 14), max_size=5), max_size=15)


@given(GRAPHS)
def test_components_are_those_that_networkx_finds(graph: dict[int, list[int]]) -> None:
    reference = networkx.DiGraph()
    reference.add_nodes_from(graph)
    reference.add_edges_from((a, b) for a, targets in graph.items() for b in targets)
    found = strongly_connected(graph)
    assert sorted(map(sorted, found)) == sorted(map(sorted, networkx.strongly_connected_components(reference)))


@given(GRAPHS)
def test_components_come_before_those_that_lead_to_them(graph: dict[int, list[int]]) -> None:
    found = strongly_connected(graph)
    position = {node: index for index, component in enumerate(found) for node in component}
    assert all(position[b] <= position[a] for a, targets in graph.items() for b in targets)


def test_long_chains_and_long_cycles_need_no_recursion() -> None:
    size = 50_000
    chain = {n: [n + 1] for n in range(size)}
    assert strongly_connected(chain) == [[n] for n in reversed(range(size + 1))]
    cycle = {n: [(n + 1) % size] for n in range(size)}
    assert [len(component) for component in strongly_connected(cycle)] == [size]
