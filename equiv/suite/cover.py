"""What one input covers: the symbolic machine is run along it and watched.

Of a program, the interpreter says which way it went; the symbolic machine only at which edges numbers were compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from equiv.bpf.interpret import Executable
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input
from equiv.machine.drive import MAX_FORKS, assignment_for
from equiv.machine.protocol import Fork
from equiv.machine.watch import Edges, Option, Spot, watching
from equiv.suite.bits import met
from equiv.suite.goals import SIDES, Coverable
from equiv.term import Term, evaluate

Covered = frozenset[tuple[Spot | None, Spot]]
"""Keys of goals."""


def cover(machine: Coverable, given: Input) -> Covered:
    """The keys of all goals that a run on `given` covers. Raises NotRunnable where a program cannot be run on it."""
    if isinstance(machine, BpfMachine):
        moves = pairwise(Executable(machine.program, machine.interface).slots_visited(given))
        ways = {move for source, target in moves for move in ((source, target), (None, target))}
        return frozenset(ways | {key for key in _watched(machine, given) if key[1] in SIDES})
    return _watched(machine, given)


def _watched(machine: Coverable, given: Input) -> Covered:
    """What the symbolic machine passes on `given`."""
    assignment = assignment_for(given)
    memo: dict[Term, int] = {}
    found: set[tuple[Spot | None, Spot]] = set()
    state = machine.start()
    here: list[Spot] = [machine.spot(state)]  # type: ignore[arg-type]

    def moved(source: Spot, target: Spot) -> None:
        found.add((source, target))
        found.add((None, target))
        here[0] = target

    def decide(condition: Term) -> bool:
        return bool(evaluate(condition, assignment, memo))

    def choice(spot: Spot, options: Sequence[Option]) -> None:
        for each in met(options):
            if evaluate(each.term, assignment, memo):
                found.add((spot, each.target))

    def compare(spot: Spot, edges: Edges | None, before: object) -> None:
        for side, term in () if edges is None else (("below", edges.below), ("above", edges.above)):
            if evaluate(term, assignment, memo):
                found.add((spot, side))

    with watching(machine, moved, choice, compare):
        for _ in range(MAX_FORKS):
            stop = machine.run(state, decide)  # type: ignore[arg-type]
            if not isinstance(stop, Fork):
                break
            taken = [branch for branch in stop.branches if decide(branch.guard)]
            if len(taken) != 1:
                break
            source, state = machine.spot(stop.before), taken[0].state
            if machine.spot(state) != source:
                moved(source, machine.spot(state))
    return frozenset(found)
