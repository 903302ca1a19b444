"""The one interface to SMT solvers: is a conjunction of terms satisfiable, and by what (D2)?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
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
    deadline: float | None
    """When to give up whatever is asked, by `time.monotonic`."""

    @property
    def queries(self) -> int:
        """How often it was asked."""
        ...

    @property
    def seconds(self) -> float:
        """How long its answers took."""
        ...

    def check(self, conjuncts: Iterable[Term], *, timeout: float | None = None, model: bool = False) -> Answer:
        """Whether all of `conjuncts` (width 1) can hold at once. `timeout` in seconds of an idle machine's work."""
        ...


class OnDemand:
    """A solver that is loaded when it is first asked: that takes longer than most proofs that ask nothing."""

    def __init__(self, name: str, make: Callable[[], Backend]) -> None:
        self.name = name
        self.deadline: float | None = None
        self._make = make
        self._made: Backend | None = None

    @property
    def queries(self) -> int:
        return self._made.queries if self._made else 0

    @property
    def seconds(self) -> float:
        return self._made.seconds if self._made else 0.0

    def check(self, conjuncts: Iterable[Term], *, timeout: float | None = None, model: bool = False) -> Answer:
        if self._made is None:
            self._made = self._make()
        self._made.deadline = self.deadline
        return self._made.check(conjuncts, timeout=timeout, model=model)


def make_backend(name: str, seed: int = 0) -> Backend:
    """The solver called `name`: `z3` or `bitwuzla`. Raises InputError where it is unknown or not installed."""

    def z3() -> Backend:
        from equiv.solve.z3_backend import Z3Backend

        return Z3Backend(seed)

    def bitwuzla() -> Backend:
        try:
            from equiv.solve.bitwuzla_backend import BitwuzlaBackend
        except ImportError as error:
            raise InputError(f"solver 'bitwuzla' cannot be loaded: {error}", hint="pip install bitwuzla") from error
        return BitwuzlaBackend(seed)

    match name:
        case "z3":
            return OnDemand(name, z3)
        case "bitwuzla":
            if find_spec(name) is None:
                raise InputError("solver 'bitwuzla' is not installed", hint="pip install bitwuzla")
            return OnDemand(name, bitwuzla)
    raise InputError(f"no solver {name!r}", hint="known: z3, bitwuzla")
