"""The parse graph as a `networkx` graph, for drawing."""

from __future__ import annotations

import networkx

from equiv.table.model import Limit, ParseState, RowState, Select, State, Table, Target
from equiv.table.printer import case_text, row_text, statement_text


def parse_graph(table: Table) -> networkx.MultiDiGraph:
    """Nodes: states and the verdicts that are reached; one edge per way from one to another.

    Node attributes: `kind` ("state", "rows" or "verdict"), `label` (a line per statement, after the name), `line`.
    Edge attributes: `kind` ("goto", "case", "row", "else", "truncation" or "limit"), `label`, `line`.
    Verdict nodes are called "verdict NAME", as a state can have no such name. Truncation edges are drawn only where a
    state has a truncation target of its own.
    """
    graph = networkx.MultiDiGraph()
    for name, state in table.states.items():
        graph.add_node(name, kind=_kind(state), label=_label(state), line=state.place.line)
    for name, state in table.states.items():
        for target, kind, label in _ways(table, state):
            node = target.name if target.kind == "state" else f"verdict {target.name}"
            if node not in graph:
                graph.add_node(node, kind="verdict", label=target.name, line=0)
            graph.add_edge(name, node, kind=kind, label=label, line=target.place.line)
    return graph


def _kind(state: State) -> str:
    return "rows" if isinstance(state, RowState) else "state"


def _label(state: State) -> str:
    if isinstance(state, RowState):
        return state.name
    return "\n".join([state.name, *(statement_text(s) for s in state.statements)])


def _ways(table: Table, state: State) -> list[tuple[Target, str, str]]:
    ways: list[tuple[Target, str, str]] = []
    if isinstance(state, ParseState):
        for statement in state.statements:
            otherwise = getattr(statement, "otherwise", None) or getattr(
                getattr(statement, "bounds", None), "otherwise", None
            )
            if otherwise is not None:
                ways.append((otherwise, "else", f"not: {statement_text(statement).split(' else ')[0]}"))
        if isinstance(state.transition, Select):
            ways += [(case.target, "case", case_text(case.keysets)) for case in state.transition.cases]
        else:
            ways.append((state.transition.target, "goto", ""))
    else:
        ways += [(row.target, "row", row_text(row)) for row in state.rows]
    if state.truncation:
        ways.append((state.truncation, "truncation", "on truncation"))
    limit: Limit | None = table.limit(state.name)
    if limit:
        ways.append((limit.otherwise, "limit", f"after {limit.count} entries"))
    return ways
