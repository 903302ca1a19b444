"""Drawings: nothing is printed over anything else, and every node and edge is there."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from equiv.report.layout import Box, Link, Placement, place
from equiv.report.svg import Edge, Node, draw

SVG = "{http://www.w3.org/2000/svg}"

sizes = st.floats(10, 200)
label_sizes = st.one_of(st.just((0.0, 0.0)), st.tuples(sizes, st.floats(10, 60)))


@st.composite
def graphs(draw_: st.DrawFn) -> tuple[list[Box], list[Link]]:
    names = [f"n{i}" for i in range(draw_(st.integers(1, 12)))]
    boxes = [Box(name, draw_(sizes), draw_(st.floats(10, 80))) for name in names]
    pairs = draw_(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), unique=True, max_size=25))
    return boxes, [Link(source, target, draw_(label_sizes)) for source, target in pairs]


Rectangle = tuple[float, float, float, float]


def rectangles(boxes: list[Box], placement: Placement) -> list[Rectangle]:
    """Everything that holds text: boxes and labels."""
    found = []
    for box in boxes:
        x, y = placement.centres[box.name]
        found.append((x - box.width / 2, y - box.height / 2, x + box.width / 2, y + box.height / 2))
    for route in placement.routes:
        (x, y), (width, height) = route.label, route.link.label
        if width:
            found.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    return found


def overlap(a: Rectangle, b: Rectangle) -> bool:
    tolerance = 1e-6
    return min(a[2], b[2]) - max(a[0], b[0]) > tolerance and min(a[3], b[3]) - max(a[1], b[1]) > tolerance


@given(graphs())
@settings(max_examples=150)
def test_no_text_covers_another(graph: tuple[list[Box], list[Link]]) -> None:
    boxes, links = graph
    placement = place(boxes, links)
    assert not [pair for pair in combinations(rectangles(boxes, placement), 2) if overlap(*pair)]


@given(graphs())
@settings(max_examples=100)
def test_everything_lies_inside_the_drawing(graph: tuple[list[Box], list[Link]]) -> None:
    boxes, links = graph
    placement = place(boxes, links)
    for left, top, right, bottom in rectangles(boxes, placement):
        assert left >= -1e-6 and top >= -1e-6
        assert right <= placement.width + 1e-6 and bottom <= placement.height + 1e-6


@given(graphs())
@settings(max_examples=100)
def test_every_edge_runs_from_its_source_to_its_target(graph: tuple[list[Box], list[Link]]) -> None:
    boxes, links = graph
    placement = place(boxes, links)
    size = {box.name: box for box in boxes}
    assert [route.link for route in placement.routes] == [link for link in links if link.source != link.target]
    for route in placement.routes:
        (start_x, start_y, _), (end_x, _, end_y) = route.pieces[0], route.pieces[-1]
        for name, x, y in ((route.link.source, start_x, start_y), (route.link.target, end_x, end_y)):
            centre_x, centre_y = placement.centres[name]
            assert abs(x - centre_x) <= size[name].width / 2
            assert abs(abs(y - centre_y) - size[name].height / 2) < 1e-6


@given(graphs())
@settings(max_examples=100)
def test_vertical_pieces_of_edges_pass_beside_boxes(graph: tuple[list[Box], list[Link]]) -> None:
    boxes, links = graph
    placement = place(boxes, links)
    for route in placement.routes:
        for x, begin, end in route.pieces[1:-1]:
            for box in boxes:
                centre_x, centre_y = placement.centres[box.name]
                beside = abs(x - centre_x) >= box.width / 2
                above_or_below = (
                    max(begin, end) <= centre_y - box.height / 2 or min(begin, end) >= centre_y + box.height / 2
                )
                assert beside or above_or_below


@given(graphs())
@settings(max_examples=50)
def test_same_graph_gives_the_same_drawing(graph: tuple[list[Box], list[Link]]) -> None:
    assert place(*graph) == place(*graph)


def test_only_edges_that_close_a_cycle_run_upwards() -> None:
    boxes = [Box(name, 50, 20) for name in "abc"]
    placement = place(boxes, [Link("a", "b"), Link("b", "c"), Link("c", "a")])
    assert [route.turned for route in placement.routes] == [False, False, True]


def test_a_drawing_names_all_nodes_edges_and_self_loops() -> None:
    nodes = [
        Node("start", "start", ("extract(eth)",), "start"),
        Node("v", "vlan"),
        Node("accept", "accept", (), "accept"),
    ]
    edges = [Edge("start", "v", ("0x8100",)), Edge("v", "v", ("again",)), Edge("v", "accept", ("default",))]
    root = ElementTree.fromstring(draw("table", nodes, edges))
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {"table", "start", "extract(eth)", "vlan", "accept", "0x8100", "again", "default"} <= set(texts)
    arrows = [element for element in root.iter(f"{SVG}path") if "marker-end" in element.attrib]
    assert len(arrows) == 3


def test_hostile_names_stay_text() -> None:
    name = '</text><script>alert("x")</script>\x00\x1b\ud800'
    root = ElementTree.fromstring(draw(name, [Node("a", name, (name,)), Node("b", "b")], [Edge("a", "b", (name,))]))
    assert not list(root.iter(f"{SVG}script"))


def test_long_labels_are_cut_and_say_so() -> None:
    label = tuple(f"value {i}" for i in range(40))
    drawing = draw("t", [Node("a", "a"), Node("b", "b")], [Edge("a", "b", label)])
    assert "value 10<" in drawing and "value 39" not in drawing
    assert "… 29 more" in drawing
