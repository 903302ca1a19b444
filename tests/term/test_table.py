"""Terms written as a table of nodes and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Plain, Values, build
from strategies import expressions, seeds

from equiv.term import bvadd, bvmul, conj, const, disj, evaluate, extract, negate, select, sign_extend, var
from equiv.term.table import MalformedTerm, TermTable, read_terms

X = var("x", 8, 3, 200)


@settings(max_examples=300)
@given(st.lists(expressions(), min_size=1, max_size=3), seeds)
def test_what_is_read_back_means_what_was_written(plain: list[Plain], seed: int) -> None:
    terms = [build(each) for each in plain]
    table = TermTable()
    places = [table.add(term) for term in terms]
    read = read_terms(json.loads(json.dumps(table.nodes)))
    values = Values(seed).assignment(*terms)
    assert [evaluate(read[place], values) for place in places] == [evaluate(term, values) for term in terms]


def test_every_node_is_written_once_and_before_what_is_made_of_it() -> None:
    table = TermTable()
    whole = bvadd(bvmul(X, const(3, 8)), sign_extend(4, extract(3, 0, select("pkt", var("i", 64)))))
    place = table.add(whole)
    assert table.add(whole) == place and table.add(X) < place
    assert len({json.dumps(node) for node in table.nodes}) == len(table.nodes)


@pytest.mark.parametrize(
    "node",
    [
        None,
        [],
        ["const", 8],
        ["const", 8, -1],
        ["const", 8, 256],
        ["const", True, 1],
        ["const", 0, 0],
        ["const", 1 << 21, 0],
        ["var", 8, "", 0, 1],
        ["var", 8, "y", 2, 1],
        ["var", 8, "y", 0, 256],
        ["select", 8, "pkt"],
        ["select", 8, "pkt", 9],
        ["add", 8, [0], [1, 2], 0],
        ["add", 8, [0], [256], 0],
        ["add", 16, [0], [1], 0],
        ["extract", 2, 0, 1, 1],
        ["extract", 9, 0, 8, 0],
        ["concat", 8, 0],
        ["concat", 15, 0, 0],
        ["not", 16, 0],
        ["sext", 4, 0],
        ["ite", 8, 0, 0, 0],
        ["eq", 8, 0, 0],
        ["ult", 1, 0, 1],
        ["mul", 8, 0],
        ["mul", 8, 0, 0, 0],
        ["and", 8, 0, 0, 0],
        ["and", 1, 2],
        ["nand", 8, 0, 0],
        ["mul", 8, 0, -1],
        ["mul", 8, 0, 1.5],
    ],
)
def test_malformed_nodes_are_refused(node: Any) -> None:
    before = [["var", 8, "x", 3, 200], ["const", 16, 5], ["eq", 1, 0, 0]]
    with pytest.raises(MalformedTerm, match="term 3"):
        read_terms([*before, node])


def doubled(op: str, width: int, times: int) -> list[list[Any]]:
    """Each node twice in the next."""
    nodes: list[list[Any]] = [["var", width, "x", 0, (1 << width) - 1]]
    for place in range(times):
        nodes.append([op, width if op != "concat" else 2 * nodes[-1][1], place, place])
    return nodes


BOMBS: dict[str, list[list[Any]]] = {
    "shared parts": [["var", 8, "y", 0, 255], *doubled("mul", 8, 60)],
    "many pieces": doubled("concat", 1, 20),
    "wide terms": [["var", 1 << 20, "x", 0, 1], *(["not", 1 << 20, place] for place in range(40))],
    "multiplied": doubled("mul", 4096, 1),
    "factors": [["var", 14000, "x", 0, 1], ["add", 14000, [0], [(1 << 13000) - 1], 0]],
}


@pytest.mark.parametrize("nodes", BOMBS.values(), ids=BOMBS)
def test_a_short_table_cannot_ask_for_much(nodes: list[Any]) -> None:
    with pytest.raises(MalformedTerm, match="than so few nodes may have"):
        read_terms(nodes)


def test_parts_that_are_shared_are_cut_and_negated_once() -> None:
    """Else these would take longer than anyone waits."""
    product, truth = var("x", 64), var("b", 1)
    for place in range(100):
        product = bvmul(product, product)
        truth = conj(disj(truth, var(f"p{place}", 1)), disj(truth, var(f"q{place}", 1)))
    assert extract(7, 0, product).width == 8
    assert negate(negate(truth)) is truth
