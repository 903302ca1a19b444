"""The one interface to SMT solvers: is a conjunction of terms satisfiable, and by what?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from equiv.errors import InputError
from equiv.term import Assignment, Term

Status = Literal["sat", "unsat", "unknown"]


@dataclass(frozen=True, slots=True)
class Model:
    """A satisfying assignment: `variables` by name, `arrays` by array name and index. What is missing is free."""

    variables: Mapping[str, int] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[int, int]] = field(default_factory=dict)

    def assignment(self) -> Assignment:
        """The model as an assignment of every variable and element, 0 where it says nothing."""
        lookup = {name: (lambda index, table=table: table.get(index, 0)) for name, table in self.arrays.items()}
        return Assignment(self.variables, lookup)


@dataclass(frozen=True, slots=True)
class Answer:
    """`unknown` is what a time limit gives; nothing may be concluded from it."""

    status: Status
    model: Model | None = None


class Backend(Protocol):
    """A solver. Elements of one array at equal indices are equal in every model it returns."""

    name: str
    queries: int
    seconds: float
    deadline: float | None
    """When to give up whatever is asked, by `time.monotonic`."""

    def check(self, conjuncts: Iterable[Term], *, timeout: float | None = None, model: bool = False) -> Answer:
        """Whether all of `conjuncts` (width 1) can hold at once. `timeout` in seconds of an idle machine's work."""
        ...


def make_backend(name: str, seed: int = 0) -> Backend:
    """The solver called `name`: `z3` or `bitwuzla`. Raises InputError where it is unknown or not installed."""
    match name:
        case "z3":
            from equiv.solve.z3_backend import Z3Backend

            return Z3Backend(seed)
        case "bitwuzla":
            try:
                from equiv.solve.bitwuzla_backend import BitwuzlaBackend
            except ImportError as error:
                raise InputError("solver 'bitwuzla' is not installed", hint="pip install bitwuzla") from error
            return BitwuzlaBackend(seed)
    raise InputError(f"no solver {name!r}", hint="known: z3, bitwuzla")
