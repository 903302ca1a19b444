"""Runs an automaton on one string of bits: Python strings of '0' and '1', over the model itself.

Written apart from the symbolic machine, of which it knows nothing, so that a replay here is a second opinion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from equiv.machine.concrete import TraceStep
from equiv.p4.automata.model import Assign, Automaton, Concat, Expr, Extract, Literal, Slice, State

MAX_STATES = 200_000


@dataclass(frozen=True, slots=True)
class Ran:
    """How a run ended: whether in accept, how many bits were consumed, and what headers hold then."""

    accepted: bool
    consumed: int
    store: dict[str, str]
    path: tuple[TraceStep, ...]


def run(automaton: Automaton, bits: str, initial: Mapping[str, str]) -> Ran:
    """Run on `bits`; headers hold `initial` at first (all ones and zeros; zeros where nothing is given)."""
    store = {name: initial.get(name, "0" * wide) for name, wide in automaton.headers.items()}
    path: list[TraceStep] = []
    at, where = 0, automaton.start
    for _ in range(MAX_STATES):
        if where in ("accept", "reject"):
            return Ran(where == "accept", at, store, tuple(path))
        state = automaton.states[where]
        taken = bits[at : at + state.consumes]
        if len(taken) < state.consumes:
            path.append(TraceStep(automaton.file, 0, f"state {where} at bit {at}: too short"))
            return Ran(False, at, store, tuple(path))
        path.append(TraceStep(automaton.file, 0, f"state {where} at bit {at}"))
        at += state.consumes
        for op in state.ops:
            match op:
                case Extract(header=header, width=wide):
                    store[header], taken = taken[:wide], taken[wide:]
                case Assign(header=header, expr=expr):
                    store[header] = value(expr, store)
        where = following(state, store)
    return Ran(False, at, store, tuple(path))


def following(state: State, store: Mapping[str, str]) -> str:
    """The state that the transition of `state` leads to."""
    keys = [value(key, store) for key in state.keys]
    for case in state.cases:
        if all(pattern is None or pattern == key for pattern, key in zip(case.patterns, keys, strict=True)):
            return case.target
    return state.default


def value(expr: Expr, store: Mapping[str, str]) -> str:
    """The bits that `expr` stands for."""
    match expr:
        case Literal(bits=bits):
            return bits
        case Slice(header=header, lo=lo, hi=hi):
            return store[header][lo : hi + 1]
        case Concat(parts=parts):
            return "".join(value(part, store) for part in parts)
