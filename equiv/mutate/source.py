"""P4 source with one mistake: a value, a mask, a width, a target, the order of two cases, a missing extract."""

from __future__ import annotations

import re
from itertools import pairwise
from random import Random

from equiv.mutate.change import Change

KINDS = ("value", "mask", "width", "target", "order", "extract")
CASE = re.compile(r"^(?P<key>\s*[^/\n;{}]*?):\s*(?P<target>\w+);[^\n]*\n", re.M)
LITERAL = re.compile(r"(?<![\w.])(?:\d+w)?(?:0[xX][0-9a-fA-F]+|\d+)\b")
WIDTH = re.compile(r"(?<=bit<)\d+(?=>)")
STATE = re.compile(r"^\s*state (\w+) \{", re.M)
EXTRACT = re.compile(r"^\s*\w+\.extract\([^;]*\);[^\n]*\n", re.M)


def mutate_source(text: str, random: Random) -> Change | None:
    """P4 source with one mistake; None where the kind that was drawn has no place in it."""
    body = text.index("parser ")
    kind = random.choice(KINDS)
    cases = [case for case in CASE.finditer(text, body) if "?" not in case["key"]]
    match kind:
        case "value" | "mask":
            found = [
                literal
                for case in cases
                for literal in LITERAL.finditer(text, case.start("key"), case.end("key"))
                if (text[: literal.start()].rstrip().endswith("&&&")) is (kind == "mask")
            ]
            if not found:
                return None
            literal = random.choice(found)
            old = int(literal[0].split("w")[-1], 0)
            new = old ^ 1 << random.randrange(max(old.bit_length(), 1))
            return _replaced(text, literal.span(), hex(new), kind, f"{literal[0]} is {new:#x}")
        case "width":
            found = list(WIDTH.finditer(text, 0, body))
            if not found:
                return None
            width = random.choice(found)
            new = int(width[0]) + random.choice((-8, 8))
            return _replaced(text, width.span(), str(new), kind, f"bit<{width[0]}> is bit<{new}>") if new > 0 else None
        case "target":
            if not cases:
                return None
            case = random.choice(cases)
            target = random.choice([*STATE.findall(text, body), "accept", "reject"])
            if target == case["target"]:
                return None
            return _replaced(text, case.span("target"), target, kind, f"{case['key'].strip()} leads to {target}")
        case "order":
            pairs = [(a, b) for a, b in pairwise(cases) if a.end() == b.start()]
            if not pairs:
                return None
            a, b = random.choice(pairs)
            return _replaced(text, (a.start(), b.end()), b[0] + a[0], kind, f"{b['key'].strip()} comes first")
    found = list(EXTRACT.finditer(text, body))
    if not found:
        return None
    extract = random.choice(found)
    return _replaced(text, extract.span(), "", kind, f"{extract[0].strip()} is missing")


def _replaced(text: str, span: tuple[int, int], new: str, kind: str, what: str) -> Change:
    line = text.count("\n", 0, span[0]) + 1
    return Change(text[: span[0]] + new + text[span[1] :], kind, f"line {line}: {what}")
