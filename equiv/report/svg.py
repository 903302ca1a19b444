"""Graphs drawn as SVG: boxes with a title and lines of text, edges with labels. Plain shapes, no scripts, no fonts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from xml.sax.saxutils import escape

from equiv.report.layout import Box, Link, Placement, Route, place
from equiv.report.style import clean, shorten

FONT = "DejaVu Sans Mono, Menlo, Consolas, monospace"
FONT_SIZE = 12.0
ADVANCE = 7.7
"""Width of a character at that size: a little more than the fonts named need (7.2), as some viewers round upwards."""
LINE = 16.0
PAD = 9.0
MARGIN = 20.0
MAX_TEXT = 64
MAX_LABEL_LINES = 12
LOOP = 26.0
"""How far a self-loop reaches to the right of its box."""

Kind = Literal["start", "state", "accept", "drop", "punt", "other"]

COLOURS: dict[Kind, tuple[str, str]] = {  # fill, stroke
    "start": ("#dbeafe", "#1d4ed8"),
    "state": ("#eff6ff", "#3b6fb5"),
    "accept": ("#dcfce7", "#15803d"),
    "drop": ("#fee2e2", "#b91c1c"),
    "punt": ("#fef3c7", "#b45309"),
    "other": ("#f3f4f6", "#4b5563"),
}
ENDS: frozenset[Kind] = frozenset({"accept", "drop", "punt", "other"})


@dataclass(frozen=True, slots=True)
class Node:
    """A box: `title` in bold, then `lines`. `name` identifies it.

    `at` is where it stands in its source, as steps of a path say it (0: not known), `slots` the instructions in it.
    """

    name: str
    title: str
    lines: tuple[str, ...] = ()
    kind: Kind = "state"
    at: int = 0
    slots: frozenset[int] = frozenset()
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow between boxes named `source` and `target`, with a label of several lines."""

    source: str
    target: str
    label: tuple[str, ...] = ()
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph to draw, `notes` below its title. Reading starts at the first node; one edge for each pair of nodes."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    notes: tuple[str, ...] = ()

    def svg(self) -> str:
        """A document of its own."""
        return draw(self.title, self.nodes, self.edges, self.notes)

    def inline(self, key: str) -> str:
        """A part of a page, without title and notes; `key` keeps its ids apart from those of other drawings."""
        return draw(self.title, self.nodes, self.edges, inline=key)


def draw(title: str, nodes: Sequence[Node], edges: Sequence[Edge], notes: Sequence[str] = (), inline: str = "") -> str:
    """An SVG document, `notes` below its title. Reading starts at the first node; one edge for each pair of nodes.

    With `inline` it is an element for a page: that word begins its ids, title and notes are left to the page, and
    classes (`node`, `edge`, `label`, the kind, `marked`) let a style sheet choose colours.
    """
    texts = {(edge.source, edge.target): _label_lines(edge.label) for edge in edges}
    loops = {edge.source: _text_size(texts[edge.source, edge.target]) for edge in edges if edge.source == edge.target}
    sizes = {node.name: _node_size(node) for node in nodes}
    room = {node.name: _loop_room(loops.get(node.name)) for node in nodes}
    boxes = [Box(name, width + room[name], height, room[name]) for name, (width, height) in sizes.items()]
    links = [Link(edge.source, edge.target, _text_size(texts[edge.source, edge.target])) for edge in edges]
    placement = place(boxes, links)
    head = f"{inline}-head" if inline else "head"
    marked = {(edge.source, edge.target) for edge in edges if edge.marked}
    routes = sorted(placement.routes, key=lambda r: (r.link.source, r.link.target) in marked)  # those on top
    body = [_edge(route, head, (route.link.source, route.link.target) in marked) for route in routes]
    body += [_label(route.label, texts[route.link.source, route.link.target]) for route in placement.routes]
    for node in nodes:
        x, y = placement.centres[node.name]
        x -= room[node.name] / 2
        if node.name in loops:
            arrow = _self_loop((x, y), sizes[node.name], head, (node.name, node.name) in marked)
            label = loops[node.name]
            where = (x + sizes[node.name][0] / 2 + LOOP + label[0] / 2, y)
            body.append(arrow + _label(where, texts[node.name, node.name]))
        body.append(_node(node, (x, y), sizes[node.name]))
    return _inline(title, placement, body, head) if inline else _document(title, notes, placement, body)


def _inline(title: str, placement: Placement, body: Sequence[str], head: str) -> str:
    width, height = placement.width + MARGIN, placement.height + MARGIN
    return "\n".join(
        [
            f'<svg width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
            f'aria-label="{_escape(title)}" font-family="{FONT}" font-size="{FONT_SIZE:g}">',
            _marker(head, "tip"),
            _marker(f"{head}-marked", "tip marked"),
            f'<g transform="translate({MARGIN / 2:g} {MARGIN / 2:g})">',
            *body,
            "</g>",
            "</svg>",
        ]
    )


def _marker(name: str, style: str) -> str:
    size = 5 if "marked" in style else 7  # in widths of the line
    return (
        f'<defs><marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="{size}" markerHeight="{size}" '
        f'orient="auto"><path d="M0 0L10 5L0 10z" fill="#374151" class="{style}"/></marker></defs>'
    )


def _document(title: str, notes: Sequence[str], placement: Placement, body: Sequence[str]) -> str:
    top = MARGIN + (2 + len(notes)) * LINE
    width, height = placement.width + 2 * MARGIN, placement.height + MARGIN + top
    width = max(width, *(len(clean(text)) * ADVANCE + 2 * MARGIN for text in (title, *notes)))
    shift = (width - placement.width) / 2
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
            f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{FONT}" font-size="{FONT_SIZE:g}">',
            f"<title>{_escape(title)}</title>",
            _marker("head", "tip"),
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="{MARGIN:g}" y="{MARGIN + FONT_SIZE:g}" font-weight="bold">{_escape(title)}</text>',
            *(
                f'<text x="{MARGIN:g}" y="{MARGIN + FONT_SIZE + number * LINE:g}">{_escape(note)}</text>'
                for number, note in enumerate(notes, 1)
            ),
            f'<g transform="translate({shift:.1f} {top:g})">',
            *body,
            "</g>",
            "</svg>",
            "",
        ]
    )


def _node(node: Node, centre: tuple[float, float], size: tuple[float, float]) -> str:
    (x, y), (width, height) = centre, size
    fill, stroke = COLOURS[node.kind]
    radius = height / 2 if node.kind in ENDS else 6.0
    border = 2.5 if node.kind == "start" else 1.3
    parts = [
        f'<g class="node {node.kind}{" marked" * node.marked}">'
        f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{radius:.1f}" fill="{fill}" stroke="{stroke}" stroke-width="{border:g}"/>'
    ]
    baseline = y - height / 2 + PAD / 2 + FONT_SIZE
    parts.append(
        f'<text x="{x:.1f}" y="{baseline:.1f}" text-anchor="middle" font-weight="bold">'
        f"{_escape(_cut(node.title))}</text>"
    )
    for number, line in enumerate(node.lines, 1):
        parts.append(
            f'<text x="{x - width / 2 + PAD:.1f}" y="{baseline + number * LINE:.1f}" xml:space="preserve">'
            f"{_escape(_cut(line))}</text>"
        )
    return "".join([*parts, "</g>"])


def _edge(route: Route, head: str, marked: bool) -> str:
    path = ""
    previous: tuple[float, float] | None = None
    for x, begin, end in route.pieces:
        if previous is None:
            path = f"M{x:.1f} {begin:.1f}"
        else:
            middle = (previous[1] + begin) / 2
            path += f"C{previous[0]:.1f} {middle:.1f} {x:.1f} {middle:.1f} {x:.1f} {begin:.1f}"
        if end != begin:
            path += f"L{x:.1f} {end:.1f}"
        previous = (x, end)
    return _arrow(path, route.turned, head, marked)


def _arrow(path: str, dashed: bool, head: str, marked: bool) -> str:
    dash = ' stroke-dasharray="6 4"' if dashed else ""
    width, head, style = (3, f"{head}-marked", "edge marked") if marked else (1.2, head, "edge")
    return (
        f'<path class="{style}" d="{path}" fill="none" stroke="#374151" stroke-width="{width:g}"{dash} '
        f'marker-end="url(#{head})"/>'
    )


def _self_loop(centre: tuple[float, float], size: tuple[float, float], head: str, marked: bool) -> str:
    (x, y), (width, height) = centre, size
    right, reach = x + width / 2, min(height / 2 - 3, 12.0)
    path = (
        f"M{right:.1f} {y - reach:.1f}C{right + LOOP:.1f} {y - reach - 6:.1f} "
        f"{right + LOOP:.1f} {y + reach + 6:.1f} {right + 1:.1f} {y + reach:.1f}"
    )
    return _arrow(path, True, head, marked)


def _label(centre: tuple[float, float], lines: Sequence[str]) -> str:
    if not lines:
        return ""
    (x, y), (width, height) = centre, _text_size(lines)
    parts = [
        f'<g class="label"><rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
        f'height="{height:.1f}" fill="#ffffff" fill-opacity="0.92"/>'
    ]
    baseline = y - height / 2 + FONT_SIZE
    for number, line in enumerate(lines):
        parts.append(
            f'<text x="{x:.1f}" y="{baseline + number * LINE:.1f}" text-anchor="middle" fill="#1f2937">'
            f"{_escape(line)}</text>"
        )
    return "".join([*parts, "</g>"])


def _label_lines(label: Sequence[str]) -> tuple[str, ...]:
    lines = [_cut(line) for line in label if line]
    if len(lines) > MAX_LABEL_LINES:
        lines = [*lines[: MAX_LABEL_LINES - 1], f"… {len(lines) - MAX_LABEL_LINES + 1} more"]
    return tuple(lines)


def _text_size(lines: Sequence[str]) -> tuple[float, float]:
    if not lines:
        return (0.0, 0.0)
    return (max(map(len, lines)) * ADVANCE + 6.0, len(lines) * LINE)


def _node_size(node: Node) -> tuple[float, float]:
    longest = max(len(_cut(text)) for text in (node.title, *node.lines))
    padding = 2 * PAD if node.kind not in ENDS else 3 * PAD
    return (max(longest * ADVANCE + padding, 50.0), (1 + len(node.lines)) * LINE + PAD)


def _loop_room(label: tuple[float, float] | None) -> float:
    return 0.0 if label is None else LOOP + label[0] + 4.0


def _cut(text: str) -> str:
    return shorten(clean(text), MAX_TEXT)


def _escape(text: str) -> str:
    return escape(clean(text), {'"': "&quot;"})
