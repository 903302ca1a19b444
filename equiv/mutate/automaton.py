"""An automaton as JSON with one mistake: a value, a width, a target, the order of two cases, a missing extract."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from equiv.mutate.change import Change

KINDS = ("value", "width", "target", "order", "extract")


def mutate_automaton(text: str, random: Random) -> Change | None:
    """An automaton's JSON with one mistake; None where the kind that was drawn has no place in it."""
    document = json.loads(text)
    name, state = random.choice(sorted(document["states"].items()))
    transition: dict[str, Any] = state["transition"]
    kind = random.choice(KINDS)
    cases = transition.get("cases", [])
    extracts = [op for op in state["ops"] if op["op"] == "extract"]
    match kind:
        case "value":
            exact = [p for case in cases for p in case["patterns"] if p["kind"] == "exact" and p["bits"]]
            if not exact:
                return None
            pattern = random.choice(exact)
            at = random.randrange(len(pattern["bits"]))
            bits = pattern["bits"]
            pattern["bits"] = bits[:at] + "10"[int(bits[at])] + bits[at + 1 :]
            what = f"{bits} is {pattern['bits']}"
        case "width":
            if not extracts:
                return None
            op = random.choice(extracts)
            new = op["width"] + random.choice((-4, 4))
            if new <= 0:
                return None
            header = next(h for h in document["headers"] if h["name"] == op["hdr"])
            state["extract_bits"] += new - op["width"]
            op["width"] = header["width"] = new
            what = f"{op['hdr']} has {new} bits"
        case "target":
            targets = [*document["states"], "accept", "reject"]
            places = [(case, "next") for case in cases]
            places.append((transition, "next" if transition["kind"] == "goto" else "default"))
            place, key = random.choice(places)
            target = random.choice(targets)
            if place[key] == target:
                return None
            what, place[key] = f"{place[key]} is {target}", target
        case "order":
            if len(cases) < 2:
                return None
            at = random.randrange(len(cases) - 1)
            cases[at], cases[at + 1] = cases[at + 1], cases[at]
            what = f"case {at + 2} comes first"
        case _:
            if not extracts:
                return None
            op = random.choice(extracts)
            state["ops"].remove(op)
            state["extract_bits"] -= op["width"]
            what = f"{op['hdr']} is not extracted"
    return Change(json.dumps(document), kind, f"{name}: {what}")
