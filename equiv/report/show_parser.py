"""What was understood of a parser: of a P4 source file, or of an automaton."""

from __future__ import annotations

from collections.abc import Iterable

from equiv.errors import Unsupported
from equiv.p4 import model as m
from equiv.p4.automata.parser import AutomatonParser
from equiv.p4.parser import Parser
from equiv.p4.program import P4Parser
from equiv.report.style import Style, clean

ENDS = ("accept", "reject")


def show_parser(parser: Parser, style: Style, verbose: bool) -> Iterable[str]:
    """What it is, what a later control could read, and a line for each state; observables too if `verbose`."""
    match parser:
        case P4Parser():
            yield from _show_p4(parser, style)
        case AutomatonParser():
            yield from _show_automaton(parser, style)
        case _:
            raise Unsupported(f"showing a {parser.kind} parser")
    if verbose and parser.observables:
        yield ""
        yield style.bold(f"{len(parser.observables)} observables, besides verdict, error and bits consumed")
        yield from (f"  {clean(o.name)}  {o.width} bits" for o in parser.observables)


def _show_p4(parser: P4Parser, style: Style) -> Iterable[str]:
    program = parser.model
    yield style.bold(f"{clean(parser.file)}:{clean(parser.program)}: P4 parser")
    yield f"  sha256        {parser.sha256}"
    yield f"  architecture  {clean(program.architecture) or 'not said: no main'}"
    yield f"  element       {parser.element} bits: everything consumed is a multiple of this"
    for parameter in program.main.parameters:
        direction = f"{parameter.direction} " if parameter.direction else ""
        yield f"  parameter     {direction}{parameter.var.type} {parameter.var.name.rpartition('.')[2]}"
    for name, width in program.value_sets.items():
        yield f"  value set     {clean(name)}, {width} bits"
    for declared in program.parsers.values():
        yield ""
        count = len(declared.states)
        yield style.bold(f"parser {clean(declared.name)}, {count} state{'' if count == 1 else 's'}")
        for state in declared.states.values():
            targets = dict.fromkeys(case.target for case in state.transition.cases)
            if state.transition.keys and not _complete(state.transition):
                targets["error.NoMatch"] = None
            yield f"  {clean(state.name)} ({state.place.line}) -> {', '.join(map(clean, targets))}"


def _complete(transition: m.Transition) -> bool:
    """Whether some case is sure to match, as far as can be seen."""
    return any(all(isinstance(k, m.Anything) for k in case.keysets) for case in transition.cases)


def _show_automaton(parser: AutomatonParser, style: Style) -> Iterable[str]:
    automaton = parser.automaton
    yield style.bold(f"{clean(parser.file)}: P4 automaton {clean(automaton.name)}")
    yield f"  sha256   {parser.sha256}"
    yield f"  element  {parser.element} bits: everything consumed is a multiple of this"
    for name, width in automaton.headers.items():
        yield f"  header   {clean(name)}, {width} bits"
    yield ""
    yield style.bold(f"{len(automaton.states)} states, begun in {clean(automaton.start)}")
    for state in automaton.states.values():
        targets = dict.fromkeys([*(case.target for case in state.cases), state.default])
        yield f"  {clean(state.name)}, {state.consumes} bits -> {', '.join(map(clean, targets))}"
