"""Terms written as a table of nodes and read back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import Plain, Values, build
from strategies import expressions, seeds

from equiv.term import bvadd, bvmul, const, evaluate, extract, select, sign_extend, var
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
