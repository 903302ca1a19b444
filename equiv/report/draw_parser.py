"""Parse graphs of P4 parsers, of BMv2's and of automata: states and what they do, cases on the ways between them."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from equiv.errors import Unsupported
from equiv.p4 import model as m
from equiv.p4.automata import model as a
from equiv.p4.automata.parser import AutomatonParser
from equiv.p4.parser import Parser
from equiv.p4.printer import case_text, expr_text, statement_text
from equiv.p4.program import P4Parser
from equiv.report.svg import Drawing, Edge, Kind, Node

LABEL_COLUMNS = 34
SHARED_BY = 5
"""An end that more states lead to than this is drawn anew beside each of them."""
MAX_STATEMENTS = 10
ENDS: Mapping[str, Kind] = {"accept": "accept", "reject": "drop", "error.NoMatch": "drop"}

Ways = Iterable[tuple[str, str]]
"""Targets with what leads to them; '' where nothing is decided."""


def parser_drawing(parser: Parser) -> Drawing:
    """The parse graph of a parser. Raises Unsupported for what has none."""
    match parser:
        case P4Parser():
            return _p4(parser.model)
        case AutomatonParser():
            return _automaton(parser.automaton)
        case _:
            raise Unsupported(f"drawing a {parser.kind} parser")


def _p4(program: m.Program) -> Drawing:
    """The main parser first; sub-parsers beside it, with arrows from the states that run them."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    for declared in sorted(program.parsers.values(), key=lambda each: each is not program.main):
        prefix = "" if declared is program.main else f"{declared.name}."
        names = sorted(declared.states, key=lambda name: name != "start")
        ways: dict[str, dict[str, list[str]]] = {}
        for name in names:
            state = declared.states[name]
            lines = [statement_text(statement) for statement in state.statements]
            if len(lines) > MAX_STATEMENTS:
                lines = [*lines[: MAX_STATEMENTS - 1], f"… {len(lines) - MAX_STATEMENTS + 1} more"]
            if prefix and name == "start":
                lines.insert(0, f"of parser {declared.name}")
            if state.transition.keys:
                lines.append(f"select({', '.join(map(expr_text, state.transition.keys))})")
            kind: Kind = "start" if name == "start" and not prefix else "state"
            nodes.append(Node(prefix + name, name, tuple(lines), kind, state.place.line))
            ways[name] = _by_target(_p4_ways(state))
            edges += [
                Edge(prefix + name, f"{each.parser}.start", ("runs",))
                for each in _runs(state.statements)
                if each.parser in program.parsers and each.parser != declared.name
            ]
        more, between = _ends(ways, prefix)
        nodes += more
        edges += between
    merged: dict[tuple[str, str], tuple[str, ...]] = {}
    for edge in edges:
        merged[edge.source, edge.target] = (*merged.get((edge.source, edge.target), ()), *edge.label)
    title = f"{program.file}: {program.main.name}"
    return Drawing(title, tuple(nodes), tuple(Edge(*ends, label) for ends, label in merged.items()))


def _p4_ways(state: m.State) -> Ways:
    transition = state.transition
    for case in transition.cases:
        yield case.target, case_text(case) if transition.keys else ""
    complete = any(all(isinstance(each, m.Anything) for each in case.keysets) for case in transition.cases)
    if transition.keys and not complete:
        yield "error.NoMatch", "no case matches"


def _runs(statements: Iterable[m.Statement]) -> Iterable[m.Run]:
    for statement in statements:
        match statement:
            case m.Run():
                yield statement
            case m.If(then=then, otherwise=otherwise):
                yield from _runs((*then, *otherwise))


def _automaton(automaton: a.Automaton) -> Drawing:
    names = sorted(automaton.states, key=lambda name: name != automaton.start)
    nodes, ways = [], {}
    for name in names:
        state = automaton.states[name]
        lines = [f"takes {state.consumes} bits", *(_op_text(op) for op in state.ops)]
        if state.keys:
            lines.append(f"select({', '.join(map(_bits_text, state.keys))})")
        nodes.append(Node(name, name, tuple(lines), "start" if name == automaton.start else "state"))
        decided = bool(state.cases)
        cases = [(case.target, _patterns_text(case)) for case in state.cases]
        ways[name] = _by_target([*cases, (state.default, "default" if decided else "")])
    more, edges = _ends(ways, "")
    return Drawing(f"{automaton.file}: {automaton.name}", (*nodes, *more), tuple(edges))


def _op_text(op: a.Extract | a.Assign) -> str:
    match op:
        case a.Extract(header=header):
            return f"extract({header})"
        case a.Assign(header=header, expr=expr):
            return f"{header} = {_bits_text(expr)}"


def _bits_text(expr: a.Expr) -> str:
    match expr:
        case a.Literal(bits=bits):
            return f"0b{bits}"
        case a.Slice(header=header, lo=lo, hi=hi):
            return f"{header}[{lo}:{hi}]"
        case a.Concat(parts=parts):
            return " ++ ".join(map(_bits_text, parts))


def _patterns_text(case: a.Case) -> str:
    shown = ["_" if pattern is None else f"0b{pattern}" for pattern in case.patterns]
    return shown[0] if len(shown) == 1 else f"({', '.join(shown)})"


def _by_target(ways: Ways) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for target, text in ways:
        found.setdefault(target, []).extend(textwrap.wrap(text, LABEL_COLUMNS))
    return found


def _ends(ways: Mapping[str, Mapping[str, list[str]]], prefix: str) -> tuple[list[Node], list[Edge]]:
    """Boxes for accept and reject, and all arrows; an end that many states lead to has a box beside each of them."""
    arrivals = {end: sum(end in targets for targets in ways.values()) for end in ENDS}
    nodes: dict[str, Node] = {}
    edges = []
    for name, targets in ways.items():
        for target, label in targets.items():
            reached = prefix + target
            if target in ENDS and target not in ways:
                reached = f"{prefix}end {target}" + (f" of {name}" if arrivals[target] > SHARED_BY else "")
                nodes[reached] = Node(reached, target, (), ENDS[target])
            edges.append(Edge(prefix + name, reached, tuple(label)))
    return list(nodes.values()), edges
