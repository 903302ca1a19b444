"""Programs that nobody wrote: drawn alike for one seed, with mistakes that are single, and what equiv says of them."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from random import Random

import pytest

from equiv.bench.mutants import kernel
from equiv.bench.programs.builds import REFERENCE
from equiv.bench.random.command import _summary
from equiv.bench.random.judge import DrawnRow, Judged, Task, judge
from equiv.bench.random.places import PLACE, meant, mistakes, near, place
from equiv.bench.random.source import draw
from equiv.bench.random.writer import KINDS, Kind
from equiv.compiled.native import why_not
from equiv.fuzz.hunt import Limits
from equiv.oracle import available

SEEDS = range(60)


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_always_draws_the_same_program(kind: Kind) -> None:
    assert all(draw(Random(seed), kind) == draw(Random(seed), kind) for seed in SEEDS)
    assert len({draw(Random(seed), kind) for seed in SEEDS}) == len(SEEDS)


@pytest.mark.parametrize("kind", KINDS)
def test_places_are_not_inside_each_other(kind: Kind) -> None:
    for seed in SEEDS:
        source = draw(Random(seed), kind)
        assert not set("⟦⟧¦") & set(meant(source))
        assert all("⟦" not in found[1] for found in PLACE.finditer(source))


def test_a_mistake_changes_one_place() -> None:
    source = f"{place('a', 'b', 'c')} < {near(3)};\n{place('x', 'x')}\n"
    assert meant(source) == "a < 3;\nx\n"
    found = mistakes(source, Random(0), 9)
    assert {each.text.split("\n")[0] for each in found} == {"b < 3;", "c < 3;", "a < 4;", "a < 2;"}
    assert all(each.what.startswith("a < 3; → ") for each in found)


def test_number_zero_has_no_number_before_it() -> None:
    assert re.findall(r"[^⟦¦⟧]+", near(0)) == ["0", "1"]


ROW = DrawnRow("xdp-0-0", "xdp", "1 → 2", True, "equivalent", "", (), "holds", 5, (), "", 0.1)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (ROW, ""),
        (replace(ROW, kernel_differs=("verdict",), packet="00ff"), "called equivalent, and told apart in verdict"),
        (replace(ROW, certificate="rejected"), "its certificate is rejected"),
        (replace(ROW, certificate="undecided"), ""),
        (replace(ROW, verdict="error", reason="exit status 5"), "not checked: exit status 5"),
        (replace(ROW, verdict="different", kernel_differs=("verdict",)), ""),
    ],
)
def test_what_speaks_against_equiv_is_a_problem(row: DrawnRow, problem: str) -> None:
    assert row.problem.startswith(problem) and bool(row.problem) == bool(problem)
    shown = "\n".join(_summary([Judged((row,), size=40)]))
    assert ("**1 called equivalent" in shown) == row.missed
    assert problem in shown


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=available() or "")
@pytest.mark.skipif(shutil.which(REFERENCE.compiler) is None, reason=f"no {REFERENCE.compiler}")
@pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")
@pytest.mark.parametrize(("number", "seed"), [(0, 11), (1, 0), (2, 11)])
def test_what_is_said_of_drawn_programs_holds_in_the_kernel(
    number: int, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three short ones, one of each kind."""
    monkeypatch.setattr(kernel, "EXPLORED", Limits(seconds=0.3, differences=64))
    found = judge(Task(number, seed, builds=1, mistakes=1, runs=2000, seconds=5, timeout=20, certificates=True))
    assert found.size and found.rows
    assert not [(row.what, row.problem) for row in found.rows if row.problem]
    assert any(row.verdict in ("equivalent", "different") for row in found.rows)
