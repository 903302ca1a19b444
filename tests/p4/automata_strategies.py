"""Small random automata, as the documents that files hold, and packets for them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from equiv.machine.concrete import Input
from equiv.p4.automata.load import parse_automaton
from equiv.p4.automata.lower import initial_store
from equiv.p4.automata.model import Automaton

NAMES = ("A", "B", "C")


@st.composite
def automata(draw: st.DrawFn) -> Automaton:
    """One with up to three states, and headers whose widths share a factor of 1, 2, 4 or 8."""
    unit = draw(st.sampled_from((1, 2, 4, 8)))
    headers = {name: unit * draw(st.integers(1, 3)) for name in NAMES}
    count = draw(st.integers(1, 3))
    states = [f"s{i}" for i in range(count)]
    document = {
        "name": "t",
        "conventions": {},
        "headers": [{"name": n, "width": w} for n, w in headers.items()],
        "states": {state: draw(_state(headers, [*states, "accept", "reject"])) for state in states},
    }
    return parse_automaton(document, "t.json")


@st.composite
def _state(draw: st.DrawFn, headers: dict[str, int], targets: list[str]) -> dict[str, Any]:
    order = draw(st.permutations(NAMES))[: draw(st.integers(1, 3))]
    ops: list[dict[str, Any]] = [{"op": "extract", "hdr": order[0], "width": headers[order[0]]}]
    for name in order[1:]:
        if draw(st.booleans()):
            ops.append({"op": "extract", "hdr": name, "width": headers[name]})
        else:
            ops.append({"op": "assign", "hdr": name, "expr": draw(_expr(headers, headers[name]))})
    consumed = sum(op["width"] for op in ops if op["op"] == "extract")
    if draw(st.integers(0, 4)) == 0:
        return {
            "extract_bits": consumed,
            "ops": ops,
            "transition": {"kind": "goto", "next": draw(st.sampled_from(targets))},
        }
    keys = draw(st.lists(_slice(headers), min_size=1, max_size=2))
    cases = [
        {
            "patterns": [
                {"kind": "any"}
                if draw(st.integers(0, 3)) == 0
                else {"kind": "exact", "bits": draw(_bits(key["hi"] - key["lo"] + 1))}
                for key in keys
            ],
            "next": draw(st.sampled_from(targets)),
        }
        for _ in range(draw(st.integers(0, 3)))
    ]
    transition = {"kind": "select", "on": keys, "cases": cases, "default": draw(st.sampled_from(targets))}
    return {"extract_bits": consumed, "ops": ops, "transition": transition}


@st.composite
def _slice(draw: st.DrawFn, headers: dict[str, int]) -> dict[str, Any]:
    name = draw(st.sampled_from(NAMES))
    lo = draw(st.integers(0, headers[name] - 1))
    return {"op": "slice", "hdr": name, "lo": lo, "hi": min(headers[name] - 1, lo + draw(st.integers(0, 2)))}


@st.composite
def _expr(draw: st.DrawFn, headers: dict[str, int], width: int) -> dict[str, Any]:
    part = draw(_slice(headers))
    wide = part["hi"] - part["lo"] + 1
    if wide > width:
        return {"op": "lit", "bits": draw(_bits(width))}
    rest = {"op": "lit", "bits": draw(_bits(width - wide))}
    return {"op": "concat", "args": draw(st.permutations([part, rest]))}


def _bits(width: int) -> st.SearchStrategy[str]:
    return st.text("01", min_size=width, max_size=width)


@st.composite
def inputs(draw: st.DrawFn, automaton: Automaton, element: int) -> Input:
    """A packet of elements, and header contents to begin with on the left."""
    packet = bytes(draw(st.lists(st.integers(0, (1 << element) - 1), max_size=16)))
    context = {
        initial_store("left", name): draw(st.integers(0, (1 << wide) - 1)) for name, wide in automaton.headers.items()
    }
    return Input(packet, context=context)
