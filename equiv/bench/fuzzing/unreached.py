"""Edges and rows that a campaign did not reach: whether the engine proves that no packet does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from equiv.bpf import insn as op
from equiv.bpf.symbolic import BpfMachine
from equiv.compiled.pair import Side
from equiv.compiled.shape import Edge
from equiv.errors import Unsupported
from equiv.fuzz.coverage import place_of
from equiv.loaded import Loaded
from equiv.machine.interface import Interface
from equiv.p4.machine import ParserMachine
from equiv.suite.goals import Coverable, Goal, goals_of
from equiv.suite.reach import reach
from equiv.suite.subject import coverable

Status = Literal["no packet reaches it", "a packet reaches it", "not decided", "not asked"]

QUESTION_SECONDS: Final = 15.0
"""How long the engine is asked about one edge."""
ANSWERS: Final[dict[str, Status]] = {
    "unreachable": "no packet reaches it",
    "reached": "a packet reaches it",
    "open": "not decided",
}
SAID: Final = {
    "truncation": "truncation",
    "require fails": "require fails",
    "advance backwards": "would move backwards",
}
"""What exits are called here, and by the engine."""


def unreached(side: Side, loaded: Loaded, interface: Interface, seconds: float) -> list[tuple[str, Status]]:
    """Each edge of a side that no run passed, in words, and what the engine, asked for `seconds`, says of it."""
    subject = loaded.program or loaded.table or loaded.parser
    if subject is None:
        return []
    seen = side.seen.raw
    try:
        machine = coverable(loaded, interface)
    except Unsupported:  # a parser beside something else
        edges = enumerate(side.source.edges)
        return [(place_of(edge, subject), "not asked") for number, edge in edges if not seen[number]]
    goals = goals_of(machine)
    until = time.monotonic() + seconds
    found: list[tuple[str, Status]] = []
    before: Counter[Edge] = Counter()
    for number, edge in enumerate(side.source.edges):
        if not seen[number]:
            goal = _goal(edge, before[edge], machine, goals)
            found.append((place_of(edge, subject), _asked(machine, goal, interface, until)))
        before[edge] += 1
    return found


def _asked(machine: Coverable, goal: Goal | None, interface: Interface, until: float) -> Status:
    if goal is None:
        return "not asked"
    if time.monotonic() > until:
        return "not decided"
    status, _ = reach(machine, goal, interface, QUESTION_SECONDS)
    return ANSWERS[status]


def _goal(edge: Edge, number: int, machine: Coverable, goals: Sequence[Goal]) -> Goal | None:
    """What of the engine's is this edge, the `number`-th that looks like it; None where there is no such thing."""
    if isinstance(machine, BpfMachine):
        insn = machine.program.insns[edge.at]
        target = op.jump_target(edge.at, insn) if insn is not None else None
        if target is None or edge.text not in ("taken", "not taken"):
            return None
        wanted = target if edge.text == "taken" else edge.at + 1
        here = [goal for goal in goals if goal.kind == "branch" and (goal.source, goal.target) == (edge.at, wanted)]
    elif isinstance(machine, ParserMachine):
        here = [goal for goal in goals if goal.place.line == edge.at and _says(goal, edge)]
    else:
        here = [goal for goal in goals if _is_at(goal, edge) and _is_like(goal, edge)]
    return here[number] if number < len(here) else None


def _says(goal: Goal, edge: Edge) -> bool:
    """Whether a goal of a parser is in the words of an edge."""
    said = (f"{edge.group}: {edge.text}", f"{edge.group} {edge.text}", edge.text)
    return goal.kind in ("exit", "check", "case", "default") and goal.text in said


def _is_like(goal: Goal, edge: Edge) -> bool:
    if edge.text.startswith(("select case", "row ")):
        return goal.kind in ("case", "default", "row")
    words = next((theirs for ours, theirs in SAID.items() if edge.text.startswith(ours)), None)
    return goal.kind == "exit" and words is not None and words in goal.text


def _is_at(goal: Goal, edge: Edge) -> bool:
    return goal.place.line == edge.at and isinstance(goal.source, tuple) and goal.source[0] == edge.group
