"""What becomes of a difference that depends on stack which nobody has written (D360).

In: models of the engine in which such bytes are unknowns, one set for each side. No interpreter runs them; the kernel
does, on stacks that were filled before. Out: a counterexample that the kernel shows, or why the answer is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from equiv.confirmed import Case
from equiv.machine.concrete import Input, ReadsUnwritten
from equiv.machine.inputs import unwritten_at
from equiv.machine.protocol import Machine
from equiv.result import Counterexample, UnknownCause
from equiv.solve.backend import Model

Found = tuple[Model, Input, Sequence[str]]
"""A model, the input in it, and the observables that it predicts to differ; none: it predicts a fault."""

MOST_STACKS: Final = 8
"""So many of the stacks that models give are tried; each is run several times."""


def _stack(model: Model) -> bytes:
    """What a model has in the frame of the function that the program begins with; bytes of others do no harm."""
    from equiv.bpf.access import STACK_SIZE  # checks of tables and parsers need nothing of programs

    content = bytearray(STACK_SIZE)
    for name, value in model.variables.items():
        if (at := unwritten_at(name)) is not None:
            content[at.offset] = value & 0xFF
    return bytes(content)


def not_interpreted(case: Case, given: Input) -> str:
    """Where an interpreter ends a run as it reads what nobody has written; "" where neither does."""
    try:
        case.run_left(given), case.run_right(given)
    except ReadsUnwritten as error:
        return str(error)
    return ""


def is_on_unwritten(case: Case, found: Found) -> bool:
    """Whether no interpreter shows what was found, as it rests on bytes that nobody has written.

    The symbolic machine may take a byte for such that it has dropped as dead too soon; then nothing was found.
    """
    model, given, _ = found
    return bool(not_interpreted(case, given)) or (any(map(unwritten_at, model.variables)) and not case.differ(given))


def shown_on_unwritten(
    case: Case, found: Sequence[Found], machines: tuple[Machine, Machine], doubtful: list[UnknownCause]
) -> list[Counterexample]:
    """What the kernel shows of such inputs; where that is no difference, `doubtful` gets the reasons."""
    from equiv.kernel_only import shown_by_the_kernel_alone

    stacks = [_stack(model) for model, _, _ in found[:MOST_STACKS]]
    shown = shown_by_the_kernel_alone(case, (given for _, given, _ in found), stacks)
    if shown is not None:
        return [shown]
    doubtful += [unwritten_cause(case, each, machines) for each in found]
    return []


def unwritten_cause(case: Case, found: Found, machines: tuple[Machine, Machine]) -> UnknownCause:
    """Where a side first reads a byte that nobody has written, and what may depend on it."""
    from equiv.bpf.symbolic import BpfMachine

    model, given, differs = found
    read = [at for name in model.variables if (at := unwritten_at(name)) is not None]
    if not read:  # nothing depends on such bytes, but interpreters stop at them all the same
        what = f"a difference in {', '.join(differs)}" if differs else "a fault"
        return UnknownCause(f"{what} was not confirmed: {not_interpreted(case, given)}")
    at = min(read, key=lambda each: each.number)
    machine, loaded = (machines[0], case.left) if at.side == "left" else (machines[1], case.right)
    place = machine.place_of(at.slot) if isinstance(machine, BpfMachine) else None
    what = f": {', '.join(differs)} may depend on what is there" if differs else ""
    return UnknownCause(f"reads uninitialised stack byte at offset {at.offset}{what}", place, loaded.side.title)
