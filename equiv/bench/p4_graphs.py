"""Generated parse graphs as P4 source: layers of states, each of which extracts a header and selects by a field of it.

A graph has a variant that does the same and looks otherwise: states have other names and another order, so have the
cases of a `select`, and a state that always goes on to the same one takes that in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

KINDS = 8
"""Header instances; states of all layers share them, and the last one to extract one is what is left in it."""
BROAD = 2
"""States in a layer, for each way out of a state."""
UNCONDITIONAL = 0.25
"""Part of the states that go on to one state whatever the packet holds."""


@dataclass(frozen=True, slots=True)
class State:
    """`kinds` are extracted one after the other; `cases` select by the last one's field. No cases: go to `default`."""

    name: str
    kinds: tuple[int, ...]
    cases: tuple[tuple[int, str], ...]
    default: str


@dataclass(frozen=True, slots=True)
class Graph:
    """`states` in the order in which they are written; the first one extracted is called `start`."""

    states: tuple[State, ...]


def graph(depth: int, fan_out: int, seed: int = 0) -> Graph:
    """`depth` layers of `BROAD * fan_out` states, `fan_out` ways from each to the next layer, at last to `accept`."""
    random = Random(f"{depth} {fan_out} {seed}")
    names = [["start"], *([f"s{layer}_{i}" for i in range(BROAD * fan_out)] for layer in range(1, depth))]
    states = []
    for layer, row in enumerate(names):
        following = names[layer + 1] if layer + 1 < depth else ["accept"]
        for i, name in enumerate(row):
            targets = [following[(i + j) % len(following)] for j in range(fan_out)]
            if layer == 0 or random.random() >= UNCONDITIONAL:
                values = random.sample(range(1 << 16), fan_out)
                ways = tuple(zip(values, targets, strict=True))
                state = State(name, (random.randrange(KINDS),), ways, random.choice(("accept", "reject", following[0])))
            else:
                state = State(name, (random.randrange(KINDS),), (), targets[0])
            states.append(state)
    return _reached(states)


def variant(original: Graph, seed: int = 0) -> Graph:
    """The same parser, written otherwise."""
    random = Random(f"variant {len(original.states)} {seed}")
    by_name = {state.name: state for state in original.states}
    merged = []
    for state in original.states:
        while not state.cases and state.default in by_name and state.default != state.name:
            taken = by_name[state.default]
            state = State(state.name, (*state.kinds, *taken.kinds), taken.cases, taken.default)
        merged.append(state)
    kept = list(_reached(merged).states)
    numbers = random.sample(range(len(kept)), len(kept))
    names = {state.name: f"p{number}" for state, number in zip(kept, numbers, strict=True)} | {"start": "start"}
    renamed = [
        State(
            names[state.name],
            state.kinds,
            tuple(random.sample([(v, names.get(t, t)) for v, t in state.cases], len(state.cases))),
            names.get(state.default, state.default),
        )
        for state in kept
    ]
    random.shuffle(renamed)
    return Graph(tuple(renamed))


def broken(original: Graph, seed: int = 0) -> Graph:
    """`original` with one way to `accept` that leads to `reject`, so that some packet tells them apart."""
    random = Random(f"broken {len(original.states)} {seed}")
    ends = [state for state in original.states if "accept" in (state.default, *(target for _, target in state.cases))]
    chosen = random.choice(ends)
    if chosen.default == "accept":
        wrong = replace(chosen, default="reject")
    else:
        first = next(value for value, target in chosen.cases if target == "accept")
        wrong = replace(chosen, cases=tuple((v, "reject" if v == first else t) for v, t in chosen.cases))
    return Graph(tuple(wrong if state is chosen else state for state in original.states))


def _reached(states: Sequence[State]) -> Graph:
    """Those that `start` leads to."""
    by_name = {state.name: state for state in states}
    found, todo = set(), ["start"]
    while todo:
        name = todo.pop()
        if name in by_name and name not in found:
            found.add(name)
            todo += [by_name[name].default, *(target for _, target in by_name[name].cases)]
    return Graph(tuple(state for state in states if state.name in found))


def source(of: Graph) -> str:
    """P4_16 for the ebpf_model architecture."""
    lines = ["#include <ebpf_model.p4>"]
    for kind in range(KINDS):
        lines.append(f"header h{kind}_t {{ bit<8> a; bit<16> by; bit<{8 * (1 + kind % 4)}> b; }}")
    lines.append("struct headers_t {")
    lines += [f"    h{kind}_t h{kind};" for kind in range(KINDS)]
    lines += ["}", "", "parser P(packet_in packet, out headers_t hdr) {"]
    for state in of.states:
        lines.append(f"    state {state.name} {{")
        lines += [f"        packet.extract(hdr.h{kind});" for kind in state.kinds]
        if state.cases:
            lines.append(f"        transition select(hdr.h{state.kinds[-1]}.by) {{")
            lines += [f"            {value:#06x}: {target};" for value, target in state.cases]
            lines += [f"            default: {state.default};", "        }"]
        else:
            lines.append(f"        transition {state.default};")
        lines.append("    }")
    return "\n".join([*lines, "}", ""])
