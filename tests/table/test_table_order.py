"""The order in which a proof visits states."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from equiv.table.order import weak_topological_order


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=30).map(lambda e: (n, e))
    )
)
def test_every_state_is_ordered_once_and_acyclic_graphs_topologically(graph: tuple[int, list[tuple[int, int]]]) -> None:
    size, edges = graph
    names = [f"s{i}" for i in range(size)]
    forward = {name: [names[b] for a, b in edges if names[a] == name and a < b] for name in names}
    every = {name: [names[b] for a, b in edges if names[a] == name] for name in names}
    assert sorted(weak_topological_order(every, "s0")) == sorted(names)
    order = weak_topological_order(forward, "s0")
    reached = {"s0"}
    for name in order:
        if name in reached:
            reached.update(forward[name])
    for name in reached:
        assert all(order.index(name) < order.index(other) for other in forward[name])


def test_inner_loop_stays_together_before_the_rest_of_the_outer_one() -> None:
    graph = {"start": ["outer"], "outer": ["inner", "end"], "tail": ["outer"], "inner": ["body", "tail"],
             "body": ["inner"], "end": []}  # fmt: skip
    assert weak_topological_order(graph, "start") == ["start", "outer", "inner", "body", "tail", "end"]


def test_thousand_nested_loops_are_ordered_in_reasonable_time() -> None:
    names = [f"s{i}" for i in range(1000)]
    graph = {a: [b, "s0"] for a, b in pairwise(names)} | {names[-1]: names[:]}
    assert weak_topological_order(graph, "s0") == names
