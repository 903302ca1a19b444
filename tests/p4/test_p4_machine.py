"""The symbolic machine of P4 parsers against their interpreter, on random parsers and packets (D84)."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from p4_strategies import inputs, programs
from parsing import resumed

from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive
from equiv.machine.protocol import Done
from equiv.p4.parser import ParserOptions, parser_interface
from equiv.p4.program import parse_p4
from equiv.term import evaluate


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), inputs())
def test_machine_agrees_with_the_interpreter_in_everything_observed(text: str, given_input: Input) -> None:
    parser = parse_p4("t.p4", text)
    interface = parser_interface(parser, parser, ParserOptions())
    concrete = parser.execute(interface, given_input, "left")
    assignment = assignment_for(given_input)
    machine = parser.machine(interface, "left")
    stop = drive(machine, assignment)
    assert isinstance(stop, Done)
    for outcome in (stop.outcome, resumed(machine, assignment)):
        assert evaluate(outcome.code, assignment) == concrete.code
        assert {name: evaluate(term, assignment) for name, term in outcome.values.items()} == dict(concrete.values)
