"""What was understood of a device's table: its states, outputs and limits, and a drawing of its parse graph."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from equiv.machine.interface import load_interface
from equiv.report.style import Style, clean
from equiv.report.svg import COLOURS, Drawing, Edge, Kind, Node
from equiv.table.graph import parse_graph
from equiv.table.model import ParseState, RowState, Select, State, Table
from equiv.table.printer import expr_text, to_text

START = "start"
ELSE = "else"
LABEL_COLUMNS = 34
SHARED_BY = 5
"""A verdict that more states lead to than this is drawn anew beside each of them."""


def show_table(table: Table, style: Style, verbose: bool) -> Iterable[str]:
    """The table's declarations and a line for each state; the whole table as it was understood if `verbose`."""
    named = f' "{clean(table.name)}"' if table.name else ""
    yield style.bold(f"{clean(table.file)}: device table{named}")
    yield f"  sha256      {table.sha256}"
    yield f"  interface   {table.interface}: {load_interface(table.interface).title}"
    yield f"  source      {clean(table.source) or 'not said'}"
    yield f"  truncation  {table.truncation.name}"
    if table.offset_width is not None:
        yield f"  offset      {table.offset_width} bits; unchecked advances wrap around"
    limits = (f"{limit.what} {limit.count} else {limit.otherwise.name}" for limit in table.limits)
    yield from _list("limits", limits)
    yield from _list("registers", (f"bit<{r.width}> {r.name} = {r.initial}" for r in table.registers))
    yield from _list("headers", (f"{h.name}, {h.size} bytes: {_fields(table, h.name)}" for h in table.headers))
    if table.metadata:
        yield f"  metadata    {table.metadata} bytes"
    yield from _list("maps", (f"{m.map_name}[{m.key}], {m.size} bytes" for m in table.maps))
    width = max((len(output.name) for output in table.outputs), default=0)
    yield from _list("outputs", (f"{o.name.ljust(width)}  {o.encoding:5} at {o.spelled}" for o in table.outputs))
    yield ""
    yield style.bold(f"{len(table.states)} state{'' if len(table.states) == 1 else 's'}")
    width = max(map(len, table.states))
    yield from (f"  {name.ljust(width)}  {_state(state)}" for name, state in table.states.items())
    if verbose:
        yield ""
        yield style.bold("as understood")
        yield from (f"  {clean(line)}".rstrip() for line in to_text(table).splitlines())


def _fields(table: Table, name: str) -> str:
    header = next(header for header in table.headers if header.name == name)
    return ", ".join(f"{field.name} {field.width}" for field in header.fields)


def _state(state: State) -> str:
    """`line 20: 3 statements → parse_ipv4, drop`."""
    if isinstance(state, RowState):
        what = f"{len(state.rows)} TCAM row{'' if len(state.rows) == 1 else 's'}"
        targets = [row.target.name for row in state.rows]
    else:
        what = f"{len(state.statements)} statement{'' if len(state.statements) == 1 else 's'}"
        targets = _targets(state)
    return f"line {state.place.line}: {what} → {', '.join(dict.fromkeys(targets))}"


def _targets(state: ParseState) -> list[str]:
    if isinstance(state.transition, Select):
        return [case.target.name for case in state.transition.cases]
    return [state.transition.target.name]


def _list(title: str, items: Iterable[str]) -> Iterable[str]:
    for number, item in enumerate(items):
        yield f"  {'' if number else title:10}  {item}"


def table_drawing(table: Table) -> Drawing:
    """The parse graph. Edges between the same states are drawn as one that has all their labels."""
    graph = parse_graph(table)
    ends = [name for name, data in graph.nodes(data=True) if data["kind"] == "verdict"]
    popular = {name for name in ends if len(set(graph.predecessors(name))) > SHARED_BY}
    nodes = {}
    for name in sorted(graph.nodes, key=lambda name: name != START):
        data = graph.nodes[name]
        title, *lines = data["label"].split("\n")
        kind: Kind = "start" if name == START else _end_kind(title) if name in ends else "state"
        if name not in popular:
            nodes[name] = Node(name, title, (*lines, *_decides_by(table.states.get(name))), kind, data["line"])
    labels: dict[tuple[str, str], list[str]] = {}
    for source, target, data in graph.edges(data=True):
        if target in popular:
            title = graph.nodes[target]["label"]
            target = f"{target} of {source}"
            nodes[target] = Node(target, title, (), _end_kind(title))
        lines = labels.setdefault((source, target), [])
        lines += [line for line in _label(data["kind"], data["label"]) if line != ELSE or line not in lines]
    edges = [Edge(source, target, tuple(lines)) for (source, target), lines in labels.items()]
    notes = [f"interface {table.interface}; on truncation {table.truncation.name}"]
    notes += [f"limit {limit.what} {limit.count} else {limit.otherwise.name}" for limit in table.limits]
    return Drawing(table.file, tuple(nodes.values()), tuple(edges), tuple(notes))


def _decides_by(state: State | None) -> tuple[str, ...]:
    """What the labels on the ways out of a state are compared with."""
    match state:
        case ParseState(transition=Select(keys=keys)):
            return (f"select({', '.join(map(expr_text, keys))})",)
        case RowState():
            return ("TCAM rows",)
    return ()


def _end_kind(verdict: str) -> Kind:
    return next((kind for kind in COLOURS if kind == verdict), "other")


def _label(kind: str, text: str) -> list[str]:
    """A way's condition, and for a TCAM row what it does, on short lines. The box says what an `else` belongs to."""
    if kind == "else":
        return [ELSE]
    if kind != "row":
        return textwrap.wrap(text, LABEL_COLUMNS)
    condition, _, consequence = text.partition(" -> ")
    actions = consequence.partition(", ")[2]
    lines = textwrap.wrap(condition, LABEL_COLUMNS)
    return lines + [f"· {line}" for line in textwrap.wrap(actions, LABEL_COLUMNS)]
