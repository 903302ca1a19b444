"""The parse graph that is drawn."""

from __future__ import annotations

from equiv.table.graph import parse_graph
from equiv.table.parse import parse_table

GRAPH = parse_graph(
    parse_table(
        """interface xdp;
header h_t { bit<8> x; } h_t h;
limit start 3 else punt;
state start on truncation more {
    extract(h); require h.x != 9 else drop; transition select(h.x) { 1: more; default: start; }
}
tcam { row more: u8[0] == 1 -> accept; row more: default -> drop, advance 1; }
"""
    )
)


def edges(kind: str) -> set[tuple[str, str, str]]:
    return {(a, b, data["label"]) for a, b, data in GRAPH.edges(data=True) if data["kind"] == kind}


def test_states_rows_and_verdicts_are_nodes_of_their_kind() -> None:
    assert {name: data["kind"] for name, data in GRAPH.nodes(data=True)} == {
        "start": "state",
        "more": "rows",
        "verdict accept": "verdict",
        "verdict drop": "verdict",
        "verdict punt": "verdict",
    }


def test_every_way_out_of_a_state_is_an_edge() -> None:
    assert edges("case") == {("start", "more", "1"), ("start", "start", "default")}
    assert edges("else") == {("start", "verdict drop", "not: require h.x != 9")}
    assert edges("truncation") == {("start", "more", "on truncation")}
    assert edges("limit") == {("start", "verdict punt", "after 3 entries")}
    assert edges("row") == {
        ("more", "verdict accept", "u8[0] == 1 -> accept"),
        ("more", "verdict drop", "default -> drop, advance 1"),
    }


def test_nodes_say_what_happens_in_them_and_where_they_stand() -> None:
    assert GRAPH.nodes["start"]["label"] == "start\nextract(h)\nrequire h.x != 9 else drop"
    assert GRAPH.nodes["more"]["line"] == 7
