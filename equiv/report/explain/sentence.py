"""The sentence: who does what with which packet."""

from __future__ import annotations

import re

from equiv.machine.concrete import Observation
from equiv.report.explain.outputs import in_words
from equiv.report.explain.packets import given_in_words, headers_of, packet_in_words
from equiv.report.observables import VERDICT, comparable
from equiv.report.style import clean
from equiv.result import Counterexample, Result

NOUNS = {"bpf": "program", "dev": "table", "p4": "parser", "bmv2": "parser", "automaton": "automaton"}
VERBS = {"accept": "accepts", "drop": "drops", "reject": "rejects", "redirect": "redirects"}
"""Others are answered: `answers pipe`."""
OUTPUTS_ASKED = "what is asked: compared are the verdict and the outputs"
"""How the assumption begins that is made where outputs of unlike sides are compared (D121)."""
STATE = re.compile(r"state (\S+) at (?:offset|bit) \d+")


def explain(result: Result, found: Counterexample) -> str:
    """One counterexample in one sentence, on one line. Says nothing but what the counterexample shows."""
    left, right = _nouns(result)
    packet, given = packet_in_words(found, result), given_in_words(found.input)
    seen = comparable(found.left, found.right, result.fields)
    violated = [name for name in found.differs if name not in seen]
    if violated:
        return clean(_violated(violated, found, result, packet + given))
    one, other = _does(found.left, found.right)
    if VERDICT in found.differs:
        which = " that" if packet.count(" and ") + packet.count(",") == 0 else ", which"
        return clean(f"The {right} {other} {packet}{which} the {left} {one}{given}{_states(found, result)}.")
    told = in_words(found, result, headers_of(found, result), (f"the {left}", f"the {right}"))
    return clean(f"Both {_both(found.left)} {packet}{given}, but {told}.")


def _nouns(result: Result) -> tuple[str, str]:
    """What the two sides are called."""
    left, right = NOUNS.get(result.left.kind, "side"), NOUNS.get(result.right.kind, "side")
    return (left, right) if left != right else (f"left {left}", f"right {right}")


def _does(left: Observation, right: Observation) -> tuple[str, str]:
    """What either side does with the packet; with return codes where the verdicts have one name."""
    if left.verdict == right.verdict:
        return f"{_verb(left)} with code {left.code}", f"{_verb(right)} with code {right.code}"
    return _verb(left), _verb(right)


def _verb(seen: Observation) -> str:
    return VERBS.get(seen.verdict, f"answers {seen.verdict} to")


def _both(seen: Observation) -> str:
    """The same of both sides."""
    return seen.verdict if seen.verdict in VERBS else f"answer {seen.verdict} to"


def _violated(names: list[str], found: Counterexample, result: Result, packet: str) -> str:
    """What was asked does not hold: conditions in the user's words, or outputs that are not the same."""
    conditions = ", ".join(f"`{name}`" for name in names)
    left, right = _nouns(result)
    if result.right.kind == "property":
        return f"The {left} {_verb(found.left)} {packet}, which violates {conditions}."
    does = f"the {left} {_verb(found.left)} it and the {right} {_verb(found.right)} it"
    if any(text.startswith(OUTPUTS_ASKED) for text in result.assumptions):
        if found.left.verdict == found.right.verdict:
            return f"Both {_both(found.left)} {packet}, but do not give the same {conditions}."
        return f"For {packet} the two sides do not give the same {conditions}: {does}."
    return f"What happens to {packet} violates {conditions}: {does}."


def _states(found: Counterexample, result: Result) -> str:
    """In which states two parsers end."""
    if result.interface != "p4":
        return ""
    one, other = _last_state(found.left), _last_state(found.right)
    if not one or not other:
        return ""
    if one == other:
        return f"; both end in state {one}"
    return f"; they end in states {one} and {other}"


def _last_state(seen: Observation) -> str:
    entered = [match[1] for step in seen.path if (match := STATE.match(step.text))]
    return entered[-1] if entered else ""
