"""Propositional refutations: found by a SAT solver, completed with hints, for `lrat_check` to go through.

A solver says which clauses it learned (DRAT; Wetzler, Heule and Hunt 2014). `with_hints` finds for each the clauses
that it follows from by unit propagation, leaves out what the empty clause does not need, and gives an LRAT proof
(Cruz-Filipe, Heule, Hunt, Kaufmann and Schneider-Kamp 2017).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from equiv.refutation.circuit import Clause, Literal
from equiv.refutation.lrat_check import Step


class NoRefutation(Exception):
    """There is no refutation to be had; the text says why."""


def refuted(clauses: Sequence[Clause], seconds: float) -> list[Step]:
    """A refutation of `clauses`, by Glucose (Audemard and Simon 2009), in about the time given. Raises NoRefutation."""
    try:
        from pysat.solvers import Solver
    except ImportError:
        raise NoRefutation("python-sat is not installed (pip install 'equiv[proofs]')") from None
    with Solver(name="glucose4", bootstrap_with=[list(clause) for clause in clauses], with_proof=True) as solver:
        timer = threading.Timer(seconds, solver.interrupt)
        timer.start()
        try:
            answer = solver.solve_limited(expect_interrupt=True)
        finally:
            timer.cancel()
        if answer is None:
            raise NoRefutation("the SAT solver found none in the time given")
        if answer:
            raise NoRefutation("the clauses can be satisfied")
        return with_hints(clauses, list(read_drat(solver.get_proof() or ())), seconds)


def with_hints(clauses: Sequence[Clause], learned: Iterable[tuple[bool, Clause]], seconds: float) -> list[Step]:
    """The steps to the empty clause, from a DRAT proof: clauses added (True) and deleted (False), in order.

    Raises NoRefutation where a clause does not follow by unit propagation, or not in the time given.
    """
    until = time.monotonic() + seconds
    propagation = _Propagation(clauses)
    steps: list[Step] = []
    for added, clause in (*learned, (True, ())):
        if time.monotonic() > until:
            raise NoRefutation("it took too long to complete the proof")
        if not added:
            propagation.remove(clause)
            continue
        hints = propagation.conflict(clause)
        if hints is None:
            raise NoRefutation("a step of the solver's proof does not follow by unit propagation")
        steps.append(Step(propagation.add(clause), clause, hints))
        if not clause:
            break
    return _needed(steps, len(clauses))


def _needed(steps: list[Step], given: int) -> list[Step]:
    """The steps that the last one rests on, numbered anew behind the `given` clauses."""
    wanted = {steps[-1].number}
    for step in reversed(steps):
        if step.number in wanted:
            wanted.update(step.hints)
    kept = [step for step in steps if step.number in wanted]
    names = {step.number: given + place for place, step in enumerate(kept, 1)}
    return [Step(names[step.number], step.clause, tuple(names.get(hint, hint) for hint in step.hints)) for step in kept]


class _Propagation:
    """Unit propagation with two watched literals. What holds without assumptions stays assigned."""

    def __init__(self, clauses: Sequence[Clause]) -> None:
        self._clauses: dict[int, list[Literal]] = {}
        self._numbers: dict[Clause, list[int]] = {}
        self._watches: dict[Literal, list[int]] = {}
        self._reasons: dict[Literal, int] = {}
        """True literals, in the order in which they became so, to the clause that made them (0: an assumption)."""
        self._fixed: set[int] = set()
        """The clauses among those reasons, between two questions."""
        self._refuted: int | None = None
        self._next = 1
        for clause in clauses:
            self.add(clause)

    def add(self, clause: Clause) -> int:
        """A clause that is known from now on; its number."""
        number, self._next = self._next, self._next + 1
        literals = list(dict.fromkeys(clause))
        self._numbers.setdefault(tuple(sorted(literals)), []).append(number)
        self._clauses[number] = literals
        literals.sort(key=lambda literal: -literal in self._reasons)  # watch what is not false
        for literal in literals[:2]:
            self._watches.setdefault(literal, []).append(number)
        open_literals = [literal for literal in literals if -literal not in self._reasons]
        if not open_literals:
            self._refuted = self._refuted or number
        elif len(open_literals) == 1 and open_literals[0] not in self._reasons and self._refuted is None:
            before = len(self._reasons)
            self._refuted = self._propagate([(open_literals[0], number)])
            self._fixed.update(islice(self._reasons.values(), before, None))
        return number

    def remove(self, clause: Clause) -> None:
        """Forget a clause, unless something that always holds rests on it."""
        numbers = self._numbers.get(tuple(sorted(set(clause))))
        if numbers and numbers[-1] not in self._fixed:
            self._clauses.pop(numbers.pop(), None)

    def conflict(self, clause: Clause) -> tuple[int, ...] | None:
        """The clauses by which `clause` follows, in order of propagation; None if it does not."""
        before = len(self._reasons)
        found = self._refuted
        if found is None:
            todo: list[tuple[Literal, int]] = []
            for literal in clause:
                if literal in self._reasons:  # it holds anyway
                    found = self._reasons[literal]
                    return (*self._chain(found, clause), found)
                todo.append((-literal, 0))
            found = self._propagate(todo)
        hints = None if found is None else (*self._chain(found, clause), found)
        while len(self._reasons) > before:
            self._reasons.popitem()
        return hints

    def _chain(self, last: int, denied: Clause) -> tuple[int, ...]:
        """The clauses that made the literals of clause `last` false, in that order, where those of `denied` are."""
        assumed = {-literal for literal in denied}
        needed = {-literal for literal in self._clauses[last]} - assumed
        hints = []
        for literal, reason in reversed(self._reasons.items()):
            if literal in needed and reason:
                hints.append(reason)
                needed |= {-other for other in self._clauses[reason] if other != literal} - assumed
        return tuple(reversed(hints))

    def _propagate(self, todo: list[tuple[Literal, int]]) -> int | None:
        """Make literals true and follow up; the clause that becomes false."""
        reasons, watches, clauses = self._reasons, self._watches, self._clauses
        queue: list[Literal] = []
        for literal, reason in todo:
            if literal not in reasons:
                reasons[literal] = reason
                queue.append(literal)
        at = 0
        while at < len(queue):
            false = -queue[at]
            at += 1
            watching = watches.get(false, [])
            kept: list[int] = []
            for place, number in enumerate(watching):
                literals = clauses.get(number)
                if literals is None:
                    continue
                if literals[0] == false and len(literals) > 1:
                    literals[0], literals[1] = literals[1], literals[0]
                first = literals[0]
                if first in reasons:
                    kept.append(number)
                    continue
                for other in range(2, len(literals)):
                    if -literals[other] not in reasons:
                        literals[1], literals[other] = literals[other], literals[1]
                        watches.setdefault(literals[1], []).append(number)
                        break
                else:
                    kept.append(number)
                    if -first in reasons:
                        watches[false] = kept + watching[place + 1 :]
                        return number
                    reasons[first] = number
                    queue.append(first)
            watches[false] = kept
        return None


def read_drat(lines: Iterable[str]) -> Iterator[tuple[bool, Clause]]:
    """Clauses added (True) and deleted (False), from the lines of a DRAT file in text form."""
    for line in lines:
        words = line.split()
        if words and words[0] != "c":
            added = words[0] != "d"
            yield added, tuple(int(word) for word in words[not added :] if word != "0")


def dimacs(clauses: Sequence[Clause]) -> str:
    """The clauses as a DIMACS file."""
    most = max((abs(literal) for clause in clauses for literal in clause), default=0)
    lines = [f"p cnf {most} {len(clauses)}", *(" ".join(map(str, (*clause, 0))) for clause in clauses)]
    return "\n".join(lines) + "\n"


def lrat(steps: Iterable[Step]) -> str:
    """The steps as an LRAT file."""
    return "".join(" ".join(map(str, (step.number, *step.clause, 0, *step.hints, 0))) + "\n" for step in steps)
