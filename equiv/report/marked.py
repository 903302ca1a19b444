"""Drawings with one path marked: from the steps of a run to the boxes and arrows that it went along."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from equiv.bpf import insn as isa
from equiv.bpf.program import Program
from equiv.machine.concrete import Observation
from equiv.report.style import clean, shorten
from equiv.report.svg import COLOURS, ENDS, Drawing, Edge, Kind, Node
from equiv.report.walked import walked

STATE = re.compile(r"state (\S+) at (?:offset|bit) \d+")
CALL = "call"
"""Label of an arrow to a function that is called, and comes back."""
ENDING = "ending"
"""Name of the box that shows how a run ended, where the drawing has none for that."""


@dataclass(slots=True)
class _Way:
    """Boxes and arrows gone along; boxes by name, in the order in which they were entered."""

    nodes: list[str]
    edges: set[tuple[str, str]]


def mark_states(drawing: Drawing, seen: Observation) -> Drawing:
    """A parse graph with the states that a run went through, and how it ended."""
    edges = {(edge.source, edge.target) for edge in drawing.edges}
    by_title: dict[str, list[Node]] = {}
    for node in drawing.nodes:
        by_title.setdefault(node.title, []).append(node)
    way = _Way([], set())
    for step in seen.path:
        entered = STATE.match(step.text)
        if entered:
            same = by_title.get(entered[1], [])
            exact = [node for node in same if node.at == step.line] or same
            if exact:
                _enter(way, exact[0].name, edges)
        elif step.text == "-> accept" and way.nodes:  # where a sub-parser ends, too
            inner = {n.name for n in by_title.get("accept", [])}
            way.edges |= {(a, b) for a, b in edges if a == way.nodes[-1] and b in inner}
    if not way.nodes:
        return drawing
    ends = {node.name for node in by_title.get(seen.verdict, []) if node.kind in ENDS}
    last = next(((a, b) for a, b in edges if a == way.nodes[-1] and b in ends), None)
    why = seen.path[-1].text.rpartition(" -> ")[0] or seen.path[-1].text
    return _marked(drawing, way, seen.verdict, last, "" if STATE.match(seen.path[-1].text) else why)


def mark_flow(drawing: Drawing, program: Program, seen: Observation) -> Drawing:
    """A program's control flow with the boxes that a run went through, told by the ways that its jumps went."""
    of_slot = {slot: node.name for node in drawing.nodes for slot in node.slots}
    slots = {node.name: min(node.slots, default=0) for node in drawing.nodes}
    edges = {(edge.source, edge.target) for edge in drawing.edges}
    outermost = _outermost(program)
    way = _Way([of_slot[0]] if 0 in of_slot else [], set())
    end, exits = way.nodes[-1] if way.nodes else "", _exits(program)
    left = 0 in exits
    for slot, following in walked(program, seen.path):
        here, there = of_slot.get(slot), of_slot.get(following)
        if here is None or there is None:
            continue
        if (here, there) in edges and (here != there or following <= slot):
            way.edges.add((here, there))
        way.nodes += [name for name in dict.fromkeys((here, there)) if name not in way.nodes]
        if outermost(slots[there]):
            end, left = there, following in exits
    return _marked(drawing, _ending_in(way, end), seen.verdict if end and left else "", None, "")


def _exits(program: Program) -> set[int]:
    return {slot for slot, insn in enumerate(program.insns) if insn is not None and isa.is_exit(insn)}


def _outermost(program: Program) -> Callable[[int], bool]:
    """Tells slots of programs from slots of functions that they call: only the former end a run."""
    starts = sorted(program.functions)
    return lambda slot: starts[bisect_right(starts, slot) - 1] in program.entries


def _ending_in(way: _Way, name: str) -> _Way:
    """The same way, with `name` entered last."""
    return _Way([*(other for other in way.nodes if other != name), name], way.edges)


def _enter(way: _Way, name: str, edges: set[tuple[str, str]]) -> None:
    """Go on to a box from the last one that has an arrow to it: what a sub-parser was run by goes on after it."""
    for before in reversed(way.nodes):
        if (before, name) in edges:
            way.edges.add((before, name))
            break
    way.nodes.append(name)


def _marked(drawing: Drawing, way: _Way, verdict: str, last: tuple[str, str] | None, why: str) -> Drawing:
    """The drawing with the way marked; a box for the verdict is added where no arrow leads to one."""
    nodes, edges = set(way.nodes), set(way.edges)
    added: list[Node] = []
    more: list[Edge] = []
    if last is not None:
        nodes.add(last[1])
        edges.add(last)
    elif verdict:
        kind: Kind = next((kind for kind in COLOURS if kind == verdict and kind in ENDS), "other")
        if verdict in ("reject", "aborted"):
            kind = "drop"
        added.append(Node(ENDING, clean(verdict), (), kind, marked=True))
        label = (shorten(clean(why), 40),) if why else ()
        more.append(Edge(way.nodes[-1], ENDING, label, marked=True))
    entered = {target for _, target in edges}
    return replace(
        drawing,
        nodes=(*(replace(n, marked=n.name in nodes or n.name in entered) for n in drawing.nodes), *added),
        edges=(*(replace(e, marked=(e.source, e.target) in edges) for e in drawing.edges), *more),
    )


def around(drawing: Drawing, most: int, arrows: int) -> tuple[Drawing, int]:
    """A drawing of at most about `most` boxes and `arrows`, those marked and what they lead to; and how many boxes and
    arrows are left out."""
    kept = {node.name for node in drawing.nodes}
    if len(drawing.nodes) > most:
        kept = {node.name for node in drawing.nodes if node.marked} or {drawing.nodes[0].name}
        for edge in drawing.edges:
            if len(kept) < most and edge.source in kept:
                kept.add(edge.target)
    nodes = [node for node in drawing.nodes if node.name in kept][: 2 * most]
    kept = {node.name for node in nodes}
    between = [edge for edge in drawing.edges if edge.source in kept and edge.target in kept]
    edges = sorted(between, key=lambda edge: not edge.marked)[:arrows] if len(between) > arrows else between
    left_out = len(drawing.nodes) - len(nodes) + len(drawing.edges) - len(edges)
    return replace(drawing, nodes=tuple(nodes), edges=tuple(edges)), left_out
