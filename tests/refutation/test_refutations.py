"""Refutations over clauses: found, completed, checked; nothing that does not follow gets past the checker."""

from __future__ import annotations

import random
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from equiv.refutation import lrat_check
from equiv.refutation.lrat_check import Step, check, read_dimacs, read_lrat
from equiv.refutation.proof import NoRefutation, dimacs, lrat, read_drat, refuted, with_hints

Clauses = list[tuple[int, ...]]

ALL_SIGNS: Clauses = [tuple(s * v for s, v in zip(signs, (1, 2, 3))) for signs in product((1, -1), repeat=3)]


def pigeons(holes: int) -> Clauses:
    """One pigeon more than there are holes."""

    def at(pigeon: int, hole: int) -> int:
        return pigeon * holes + hole + 1

    somewhere = [tuple(at(p, h) for h in range(holes)) for p in range(holes + 1)]
    apart = [(-at(p, h), -at(q, h)) for h in range(holes) for p in range(holes + 1) for q in range(p)]
    return somewhere + apart


def random_clauses(rng: random.Random, variables: int, count: int) -> Clauses:
    def literal() -> int:
        return rng.choice((1, -1)) * rng.randint(1, variables)

    return [tuple(literal() for _ in range(rng.randint(1, 3))) for _ in range(count)]


def can_be_satisfied(clauses: Clauses, variables: int) -> bool:
    return any(
        all(any((literal > 0) == values[abs(literal) - 1] for literal in clause) for clause in clauses)
        for values in product((True, False), repeat=variables)
    )


@pytest.mark.parametrize("clauses", [ALL_SIGNS, pigeons(3), pigeons(5), [(1,), (-1,)], [()]])
def test_what_a_solver_refutes_is_checked_and_written_and_read(clauses: Clauses) -> None:
    pytest.importorskip("pysat", reason="python-sat is not installed")
    steps = refuted(clauses, 30)
    assert check(clauses, steps)
    assert list(read_lrat(lrat(steps))) == steps
    assert read_dimacs(dimacs(clauses)) == clauses


@pytest.mark.parametrize("seed", range(150))
def test_refutations_are_found_just_where_there_are_any(seed: int) -> None:
    pytest.importorskip("pysat", reason="python-sat is not installed")
    rng = random.Random(seed)
    clauses = random_clauses(rng, 6, rng.randint(4, 30))
    if can_be_satisfied(clauses, 6):
        with pytest.raises(NoRefutation, match="can be satisfied"):
            refuted(clauses, 30)
    else:
        assert check(clauses, refuted(clauses, 30))


@pytest.mark.parametrize("seed", range(100))
def test_no_steps_refute_what_can_be_satisfied(seed: int) -> None:
    """Random steps, and the right ones for other clauses."""
    pytest.importorskip("pysat", reason="python-sat is not installed")
    rng = random.Random(seed)
    clauses = pigeons(3)
    steps = refuted(clauses, 30)
    less = [clause for clause in clauses if rng.random() < 0.9]
    if can_be_satisfied(less, 12):
        assert not check(less, steps)
    known = 4 + len(ALL_SIGNS)
    lies = [Step(known + n, random_clauses(rng, 3, 1)[0], tuple(rng.choices(range(1, known), k=3))) for n in range(5)]
    assert not check(ALL_SIGNS[:-1], [*lies, Step(99, (), tuple(rng.choices(range(1, 30), k=4)))])


def test_steps_that_leave_something_out_are_not_taken() -> None:
    steps = with_hints(ALL_SIGNS, [(True, (1, 2)), (True, (1,)), (True, (-1, 2))], 10)
    assert check(ALL_SIGNS, steps)
    for place, step in enumerate(steps):
        for hint in range(len(step.hints)):
            short = step._replace(hints=step.hints[:hint] + step.hints[hint + 1 :])
            assert not check(ALL_SIGNS, [*steps[:place], short, *steps[place + 1 :]])
        assert not check(ALL_SIGNS, [*steps[:place], *steps[place + 1 :]])
    assert not check(ALL_SIGNS, [])
    assert not check([], [Step(1, (), ())])


def test_a_clause_that_does_not_follow_is_no_proof() -> None:
    with pytest.raises(NoRefutation, match="does not follow"):
        with_hints(ALL_SIGNS[:-1], [(True, (1,)), (True, (-1,))], 10)
    with pytest.raises(NoRefutation, match="does not follow"):
        with_hints([(1, 2), (-1, 2)], [(True, (2,)), (True, ())], 10)


def test_deleted_clauses_are_gone_unless_something_rests_on_them() -> None:
    deleted = [(True, (1, 2)), (False, (1, 2, 3)), (False, (1, 2, -3)), (True, (1,)), (False, (1,)), (True, (-1, 2))]
    assert check(ALL_SIGNS, with_hints(ALL_SIGNS, deleted, 10))
    with pytest.raises(NoRefutation):
        with_hints(ALL_SIGNS, [(False, ALL_SIGNS[0]), (True, (1, 2))], 10)


def test_drat_is_read_line_by_line() -> None:
    assert list(read_drat(["c hello", "1 -2 0", "d 3 0", "", "0"])) == [(True, (1, -2)), (False, (3,)), (True, ())]


def test_the_checker_runs_on_its_own(tmp_path: Path) -> None:
    checker = tmp_path / "lrat_check.py"
    checker.write_text(Path(lrat_check.__file__).read_text(encoding="utf-8"), encoding="utf-8")
    steps = with_hints(ALL_SIGNS, [(True, (1, 2)), (True, (1,)), (True, (-1, 2))], 10)
    (tmp_path / "1.cnf").write_text(dimacs(ALL_SIGNS))
    (tmp_path / "1.lrat").write_text(lrat(steps))
    command = [sys.executable, "-I", str(checker), str(tmp_path)]
    right = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (right.returncode, right.stdout) == (0, "1 refutations are right\n")
    (tmp_path / "1.cnf").write_text(dimacs(ALL_SIGNS[1:]))
    wrong = subprocess.run(command, capture_output=True, text=True, check=False)
    assert wrong.returncode == 1 and "not refuted" in wrong.stdout
