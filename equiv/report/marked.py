"""Drawings with one path marked: from the steps of a run to the boxes and arrows that it went along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from equiv.bpf import insn as isa
from equiv.bpf.program import Program
from equiv.machine.concrete import Observation, TraceStep
from equiv.report.style import clean, shorten
from equiv.report.svg import COLOURS, ENDS, Drawing, Edge, Kind, Node

STATE = re.compile(r"state (\S+) at (?:offset|bit) \d+")
BY_LINE = re.compile(r"(\d+): (taken|not taken)")
BY_BRANCH = re.compile(r"(\d+): .*: (taken|not taken)$")
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
    following: dict[str, list[str]] = {}
    for edge in drawing.edges:
        following.setdefault(edge.source, []).append(edge.target)
    way = _Way([of_slot[0]] if 0 in of_slot else [], set())
    for slot, taken in _decisions(seen.path):
        insn = program.insns[slot] if slot < len(program.insns) else None
        if insn is None or not isa.is_conditional(insn) or slot not in of_slot:
            continue
        jump = isa.jump_target(slot, insn) if taken else None
        here, target = of_slot[slot], of_slot.get(slot + 1 if jump is None else jump)
        for name in filter(None, (here, target)):
            if name not in way.nodes:
                way.nodes.append(name)
        if target is not None and target != here:
            way.edges.add((here, target))
    for name in way.nodes:  # grows: what is entered without a decision
        if len(following.get(name, ())) == 1:
            (target,) = following[name]
            way.edges.add((name, target))
            if target not in way.nodes:
                way.nodes.append(target)
    leaving = [name for name in way.nodes if name not in following]
    if not leaving:
        return _marked(drawing, way, "", None, "")
    return _marked(drawing, _ending_in(way, leaving[0]), seen.verdict, None, "")


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


def _decisions(path: Sequence[TraceStep]) -> Iterable[tuple[int, bool]]:
    for step in path:
        whole = BY_BRANCH.match(step.text)
        if whole:
            yield int(whole[1][-9:]), whole[2] == "taken"
            continue
        _, gap, note = step.text.rpartition("  [")
        if gap:
            yield from ((int(slot[-9:]), way == "taken") for slot, way in BY_LINE.findall(note))


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


def around(drawing: Drawing, most: int) -> tuple[Drawing, int]:
    """A drawing of at most about `most` boxes, those marked and what they lead to; and how many are left out."""
    if len(drawing.nodes) <= most:
        return drawing, 0
    keep = {node.name for node in drawing.nodes if node.marked}
    if not keep:
        keep = {drawing.nodes[0].name}
    following: Mapping[str, list[str]] = _following(drawing)
    for name in list(keep):
        for target in following.get(name, ()):
            if len(keep) < most:
                keep.add(target)
    names = [node.name for node in drawing.nodes if node.name in keep][: 4 * most]
    kept = set(names)
    return (
        replace(
            drawing,
            nodes=tuple(node for node in drawing.nodes if node.name in kept),
            edges=tuple(edge for edge in drawing.edges if edge.source in kept and edge.target in kept),
        ),
        len(drawing.nodes) - len(kept),
    )


def _following(drawing: Drawing) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for edge in drawing.edges:
        found.setdefault(edge.source, []).append(edge.target)
    return found
