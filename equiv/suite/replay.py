"""A suite run: on an interpreter, or on the running kernel, against what it says must be shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from equiv.bpf.interpret import Executable, Fault
from equiv.errors import InputError, Place, Unsupported
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.oracle import KernelProgram, available
from equiv.p4.parser import P4, Parser
from equiv.proof.replay import differing
from equiv.suite.document import Read, Test


@dataclass(frozen=True, slots=True)
class Failure:
    """A packet (by number, from 1) that showed something else. `seen` is a text where it showed nothing at all."""

    number: int
    test: Test
    seen: Observation | str
    differs: tuple[str, ...]


@dataclass(slots=True)
class Replayed:
    """What became of a suite's packets. `not_run` counts, by reason, those that could not be run there."""

    passed: int = 0
    punted: int = 0
    failures: list[Failure] = field(default_factory=list)
    not_run: Counter[str] = field(default_factory=Counter)

    @property
    def ran(self) -> int:
        return self.passed + self.punted + len(self.failures)


def replay(suite: Read, loaded: Loaded, on_kernel: bool) -> Replayed:
    """Run the suite on `loaded`. Raises InputError or Unsupported where that cannot be."""
    if (loaded.parser is not None) is not (suite.interface.name == P4):
        kinds = ("parsers", "tables and programs")
        own, others = kinds if loaded.parser is None else kinds[::-1]
        raise Unsupported(f"this is a suite of {own}, which does not run on {others}", Place(loaded.path))
    if loaded.parser is not None and not on_kernel:
        return _run(*_on_parser(suite, loaded, loaded.parser))
    if not on_kernel:
        return _run(suite, _interpreter(loaded, suite))
    if loaded.program is None:
        raise InputError("only programs run on the kernel", Place(loaded.path), "--file FILE.bpf.o says which")
    if (reason := available()) is not None:
        raise InputError(f"the kernel cannot be asked: {reason}")
    try:
        with KernelProgram(loaded.program, suite.interface) as kernel, kernel.staying():

            def run(given: Input) -> Observation:
                fields = {k: v for k, v in kernel.natural_context(given.packet).items() if k.startswith("helper.")}
                return kernel.run(replace(given, context={**fields, **given.context}))

            return _run(suite, run)
    except NotRunnable as reason_:
        raise Unsupported(str(reason_), Place(loaded.path)) from reason_


def _on_parser(suite: Read, loaded: Loaded, parser: Parser) -> tuple[Read, Callable[[Input], Observation]]:
    """The suite with this parser's errors, too, and how it is run. Raises Unsupported for smaller elements."""
    width = suite.interface.element_width
    if parser.element < width:
        raise Unsupported(f"it takes {parser.element} bits at a time, the suite gives {width}", Place(loaded.path))
    errors = tuple(dict.fromkeys((*suite.interface.errors, *parser.errors))) if suite.interface.errors else ()
    interface = replace(suite.interface, errors=errors)
    return replace(suite, interface=interface), lambda given: loaded.execute(interface, given)


def _interpreter(loaded: Loaded, suite: Read) -> Callable[[Input], Observation]:
    if loaded.program is None:
        return lambda given: loaded.execute(suite.interface, given)
    executable = Executable(loaded.program, suite.interface)
    return lambda given: executable.run(given, trace=False)


def _run(suite: Read, run: Callable[[Input], Observation]) -> Replayed:
    found = Replayed()
    for number, test in enumerate(suite.tests, 1):
        try:
            seen = run(test.given)
        except NotRunnable as reason:
            found.not_run[str(reason)] += 1
            continue
        except Fault as fault:
            found.failures.append(Failure(number, test, f"a fault: {fault.message}", ("fault",)))
            continue
        if "punt" in (seen.verdict, test.expected.verdict):
            found.punted += 1
            continue
        differs = differing(suite.interface, test.expected, seen, test.given)
        if differs:
            found.failures.append(Failure(number, test, seen, differs))
        else:
            found.passed += 1
    return found
