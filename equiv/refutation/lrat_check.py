"""A checker of LRAT refutations that searches nothing: python3 lrat_check.py FOLDER, or CNF LRAT.

Needs nothing but Python. Every step names the clauses that its own follows from; each of them must leave one literal
that is not false yet, the last one none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

Clause = tuple[int, ...]


class Step(NamedTuple):
    """A clause that follows by unit propagation from the clauses of `hints`, in that order."""

    number: int
    clause: Clause
    hints: tuple[int, ...]


def check(clauses: Sequence[Clause], steps: Iterable[Step]) -> bool:
    """Whether `steps` refute `clauses`, which have the numbers 1 and up."""
    known = dict(enumerate(clauses, 1))
    for step in steps:
        true = {-literal for literal in step.clause}
        conflict = False
        for hint in step.hints:
            left = {literal for literal in known.get(hint, ()) if -literal not in true}
            if hint not in known or len(left) > 1:
                return False
            conflict = not left
            true |= left
        if not conflict:
            return False
        if not step.clause:
            return True
        known[step.number] = step.clause
    return False


def read_dimacs(text: str) -> list[Clause]:
    """The clauses of a DIMACS file, one in each line. Raises ValueError."""
    lines = [line.split() for line in text.splitlines() if line[:1] not in ("c", "p", "")]
    clauses = [tuple(map(int, words)) for words in lines]
    if any(clause[-1] != 0 or 0 in clause[:-1] for clause in clauses):
        raise ValueError("a line is not one clause")
    return [clause[:-1] for clause in clauses]


def read_lrat(text: str) -> Iterator[Step]:
    """Steps of an LRAT file; deletions are left out: nothing follows from less. Raises ValueError."""
    for line in text.splitlines():
        words = line.split()
        if len(words) > 1 and words[1] != "d":
            numbers = tuple(map(int, words))
            end = numbers.index(0, 1)
            yield Step(numbers[0], numbers[1:end], numbers[end + 1 : -1])


def main(arguments: list[str]) -> int:
    """Check one refutation, or all in a folder. Returns 0 if every one is right."""
    if len(arguments) == 2:
        pairs = [(Path(arguments[0]), Path(arguments[1]))]
    else:
        pairs = [(cnf, cnf.with_suffix(".lrat")) for cnf in sorted(Path(*arguments).glob("*.cnf"))]
    wrong = [str(cnf) for cnf, lrat in pairs if not check(read_dimacs(cnf.read_text()), read_lrat(lrat.read_text()))]
    print("\n".join(f"{name}: not refuted" for name in wrong) or f"{len(pairs)} refutations are right")
    return 1 if wrong or not pairs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
