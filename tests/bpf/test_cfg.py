"""Control flow: successors, order, loop heads."""

from __future__ import annotations

import random
from collections.abc import Sequence

import networkx
import pytest

from equiv.bpf import insn as isa
from equiv.bpf.cfg import ControlFlow, _weak_topological_order, control_flow
from equiv.bpf.program import Insn, Program
from tests.bpf.objects import add, call_distance, exit_, goto, insn, jump_if_equal, load_imm64, mov


def program(insns: Sequence[Insn | None], functions: dict[int, str] | None = None) -> Program:
    return Program("p.o", "", "p", "xdp", "little", tuple(insns), functions or {0: "p"}, {})


LOOP = [
    mov(1, 0),
    add(1, 1),  # 1: head
    jump_if_equal(1, 5, 2),
    mov(2, 0),  # 3: body
    goto(-4),
    mov(0, 1),  # 5: after the loop
    exit_(),
]


def test_branch_goes_on_and_to_its_target() -> None:
    flow = control_flow(program(LOOP))
    assert flow.successors == ((1,), (2,), (3, 5), (4,), (1,), (6,), ())


def test_loop_body_comes_before_what_follows_the_loop() -> None:
    flow = control_flow(program(LOOP))
    assert flow.loop_heads == {1}
    assert flow.order[0] < flow.order[1] < flow.order[3] < flow.order[5]
    assert max(flow.order[1:5]) < flow.order[5]


def test_conditional_jump_to_the_next_slot_has_one_successor() -> None:
    flow = control_flow(program([jump_if_equal(1, 0, 0), exit_()]))
    assert flow.successors == ((1,), ())


def test_wide_load_is_followed_by_the_slot_behind_it() -> None:
    flow = control_flow(program([load_imm64(1, 5), None, exit_()]))
    assert flow.successors == ((2,), (), ())
    assert len(flow.blocks) == 1


def test_block_that_ends_with_a_wide_load_goes_on() -> None:
    flow = control_flow(program([load_imm64(1, 5), None, jump_if_equal(1, 0, -1), goto(-2), exit_()]))
    assert {block.start: block.successors for block in flow.blocks} == {0: (2,), 2: (3, 2), 3: (2,), 4: ()}
    assert flow.loop_heads == {2}


def test_long_goto_is_followed() -> None:
    flow = control_flow(program([insn(isa.JMP32 | isa.JA, imm=1), exit_(), exit_()]))
    assert flow.successors[0] == (2,)
    assert flow.reachable == {0, 2}


def test_join_after_two_branches_is_a_join_but_no_loop_head() -> None:
    flow = control_flow(program([jump_if_equal(1, 0, 1), mov(0, 1), mov(0, 2), exit_()]))
    assert flow.joins == {2}
    assert not flow.loop_heads


def test_call_stays_in_its_function_and_orders_are_per_function() -> None:
    flow = control_flow(program([call_distance(1), exit_(), mov(0, 1), exit_()], {0: "p", 2: "sub"}))
    assert flow.successors == ((1,), (), (3,), ())
    assert flow.order == (0, 1, 0, 1)
    assert flow.function_at(1).name == "p"
    assert flow.function_at(3).name == "sub"


def test_unreachable_code_comes_last() -> None:
    flow = control_flow(program([goto(1), mov(0, 1), exit_()]))
    assert flow.order == (0, 2, 1)
    assert flow.reachable == {0, 2}


def test_inner_loop_ends_before_the_rest_of_the_outer_one() -> None:
    flow = control_flow(
        program(
            [
                mov(1, 0),
                add(1, 1),  # 1: outer head
                add(2, 1),  # 2: inner head
                jump_if_equal(2, 3, -2),
                mov(3, 0),  # 4: rest of the outer loop
                jump_if_equal(1, 3, -5),
                exit_(),
            ]
        )
    )
    assert flow.loop_heads == {1, 2}
    assert list(flow.order) == sorted(flow.order)


def random_graph(seed: int) -> dict[int, tuple[int, ...]]:
    chance = random.Random(seed)
    size = chance.randint(1, 14)
    return {node: tuple({chance.randrange(size) for _ in range(chance.randint(0, 2))}) for node in range(size)}


def reached(graph: dict[int, tuple[int, ...]]) -> networkx.DiGraph:
    whole = networkx.DiGraph()
    whole.add_nodes_from(graph)
    whole.add_edges_from((node, successor) for node, following in graph.items() for successor in following)
    return whole.subgraph(networkx.descendants(whole, 0) | {0})


@pytest.mark.parametrize("seed", range(400))
def test_order_of_any_graph_is_weakly_topological(seed: int) -> None:
    graph = random_graph(seed)
    ordered, heads = _weak_topological_order(0, graph)
    view = reached(graph)
    assert sorted(ordered) == sorted(view.nodes)
    position = {node: index for index, node in enumerate(ordered)}
    # Cutting the edges into loop heads that go backwards leaves only edges that go forwards.
    assert all(position[a] < position[b] or b in heads for a, b in view.edges)
    assert networkx.is_directed_acyclic_graph(view.subgraph(set(view.nodes) - heads))
    for component in networkx.strongly_connected_components(view):
        positions = [position[node] for node in component]
        assert max(positions) - min(positions) == len(component) - 1
        first = min(positions)
        assert all(position[a] < first for node in component for a in view.predecessors(node) if a not in component)


def nested_loops(depth: int) -> ControlFlow:
    """Slot i (0 < i <= depth) starts a loop that slot 2 * depth + 1 - i closes."""
    opening = [mov(1, 0) for _ in range(depth)]
    closing = [jump_if_equal(1, 0, -(2 * i + 2)) for i in range(depth)]
    return control_flow(program([mov(0, 0), *opening, *closing, exit_()]))


def test_deeply_nested_loops_are_ordered_completely() -> None:
    flow = nested_loops(3000)
    assert sorted(flow.order) == list(range(len(flow.order)))
    assert flow.order[-1] == len(flow.order) - 1
    backward = [
        (a, b) for a, following in enumerate(flow.successors) for b in following if flow.order[b] <= flow.order[a]
    ]
    assert len(backward) == 3000
    assert {b for _, b in backward} <= flow.loop_heads


def test_long_straight_program_needs_no_recursion() -> None:
    size = 60_000
    flow = control_flow(program([*(jump_if_equal(1, 0, 1) for _ in range(size)), mov(0, 0), exit_()]))
    assert len(flow.blocks) == size + 2  # the last jump goes to the exit
    assert list(flow.order) == list(range(size + 2))
