"""The symbolic machine of automata against their interpreter, and what acceptance means (D80, D81)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from automata_strategies import automata, inputs
from hypothesis import given, settings
from hypothesis import strategies as st
from parsing import resumed

from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive
from equiv.machine.interface import Observable
from equiv.machine.protocol import Done
from equiv.p4.automata.load import parse_automaton
from equiv.p4.automata.lower import element_width
from equiv.p4.automata.parser import AutomatonParser
from equiv.p4.parser import ParserOptions, parser_interface
from equiv.term import evaluate


@settings(max_examples=150, deadline=None)
@given(automata(), st.data(), st.booleans())
def test_machine_agrees_with_the_interpreter_in_verdict_and_headers(automaton: Any, data: Any, exact_end: bool) -> None:
    parser = AutomatonParser(automaton)
    element = data.draw(st.sampled_from([w for w in (1, 2, 4, 8) if w <= element_width(automaton)]))
    extra = tuple(Observable(name, "int", width) for name, width in automaton.headers.items())
    interface = replace(
        parser_interface(parser, parser, ParserOptions(exact_end=exact_end)), observables=extra, element_width=element
    )
    given_input: Input = data.draw(inputs(automaton, element))
    concrete = parser.execute(interface, given_input, "left")
    assignment = assignment_for(given_input)
    machine = parser.machine(interface, "left")
    stop = drive(machine, assignment)
    if not isinstance(stop, Done):
        return  # a loop that consumes nothing cannot be written: every state here extracts
    for outcome in (stop.outcome, resumed(machine, assignment)):
        assert evaluate(outcome.code, assignment) == concrete.code
        assert {name: evaluate(term, assignment) for name, term in outcome.values.items()} == dict(concrete.values)


def document(**states: Any) -> Any:
    widths: dict[str, int] = {}
    for state in states.values():
        widths |= {op["hdr"]: op["width"] for op in state["ops"]}
    headers = [{"name": name, "width": width} for name, width in widths.items()]
    return {"name": "t", "conventions": {}, "headers": headers, "states": states}


def extracting(header: str, width: int, transition: dict[str, Any]) -> dict[str, Any]:
    return {
        "extract_bits": width,
        "ops": [{"op": "extract", "hdr": header, "width": width}],
        "transition": transition,
    }


def test_accept_counts_only_at_the_very_end() -> None:
    parser = AutomatonParser(parse_automaton(document(s=extracting("h", 8, {"kind": "goto", "next": "accept"})), "t"))
    interface = parser_interface(parser, parser, ParserOptions())
    verdicts = [parser.execute(interface, Input(bytes(size)), "left").verdict for size in (0, 1, 2)]
    assert verdicts == ["reject", "accept", "reject"]


def test_without_exact_end_the_rest_is_payload() -> None:
    parser = AutomatonParser(parse_automaton(document(s=extracting("h", 8, {"kind": "goto", "next": "accept"})), "t"))
    interface = parser_interface(parser, parser, ParserOptions(exact_end=False))
    verdicts = [parser.execute(interface, Input(bytes(size)), "left").verdict for size in (0, 1, 2)]
    assert verdicts == ["reject", "accept", "accept"]


def test_first_matching_case_wins() -> None:
    cases = [
        {"patterns": [{"kind": "exact", "bits": "1"}], "next": "accept"},
        {"patterns": [{"kind": "exact", "bits": "1"}], "next": "reject"},
    ]
    key = {"op": "slice", "hdr": "h", "lo": 0, "hi": 0}
    select = {"kind": "select", "on": [key], "cases": cases, "default": "reject"}
    parser = AutomatonParser(parse_automaton(document(s=extracting("h", 1, select)), "t"))
    interface = parser_interface(parser, parser, ParserOptions())
    assert interface.element_width == 1
    assert parser.execute(interface, Input(b"\1"), "left").verdict == "accept"
    stop = drive(parser.machine(interface, "left"), assignment_for(Input(b"\1")))
    assert isinstance(stop, Done)
    assert stop.outcome.code.value == 1


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda d: d["states"]["s"].update(extract_bits=9), "do not add up"),
        (lambda d: d["states"]["s"]["transition"].update(next="nowhere"), "does not exist"),
        (lambda d: d["states"]["s"]["ops"][0].update(width=7), "extracts 7 bits"),
        (lambda d: d.update(headers=[]), "no header"),
        (lambda d: d["states"]["s"]["transition"].update(kind="jump"), "kind 'jump'"),
    ],
)
def test_unusable_automaton_is_refused_and_says_why(change: Any, what: str) -> None:
    made = document(s=extracting("h", 8, {"kind": "goto", "next": "accept"}))
    change(made)
    from equiv.errors import EquivError

    with pytest.raises(EquivError, match=what):
        parse_automaton(made, "t")


def test_state_to_start_in_must_exist() -> None:
    made = document(s=extracting("h", 8, {"kind": "goto", "next": "accept"}))
    with pytest.raises(InputError, match="no state `t`"):
        parse_automaton(made, "t", "t")
