"""Mutants of the corpora: nothing that has an opinion of one contradicts anything else that has."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equiv.bench import main
from equiv.bench.manifest import load_corpora
from equiv.bench.soundness import stand, workers
from equiv.bench.soundness.command import equivalent_pairs, read_state
from equiv.bench.soundness.report import report
from equiv.bench.soundness.rows import Asked, Group, Row, groups
from equiv.bench.soundness.stand import Mutant, Stand
from equiv.bench.soundness.workers import judge_group, read_row, write_row
from equiv.errors import InputError
from equiv.question import Posed

CORPORA = str(Path(__file__).parents[2] / "corpora")
ASKED = Asked(seed=1, timeout=10.0, packets=100, runs=20, kernel=True, native=5000)
FAST = ["five-tuple", "gre", "p4-gre"]


def judged(only: list[str], count: int, asked: Asked = ASKED) -> list[Row]:
    rows: list[Row] = []
    for group in groups(equivalent_pairs(CORPORA, only), count):
        judge_group(group, asked, group.numbers, rows.append)
    return rows


def test_a_sample_of_mutants_is_judged_without_contradiction() -> None:
    rows = judged(FAST, 60)
    assert [(row.pair, row.what, row.problem, row.input) for row in rows if row.problem] == []
    assert sorted(row.number for row in rows) == list(range(60))
    assert {row.of for row in rows} == {"bpf", "dev", "p4"}
    assert sum(row.verdict == "different" for row in rows) > 30
    assert sum(row.killed for row in rows) > 30


def one(monkeypatch: pytest.MonkeyPatch, said: tuple[str, str, tuple[str, str]]) -> list[Row]:
    monkeypatch.setattr(stand, "prove", lambda posed, timeout: said)
    return judged(["gre"], 8, replace(ASKED, kernel=False))


def test_a_prover_that_calls_everything_equivalent_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = one(monkeypatch, ("equivalent", "", ("", "")))
    assert any("called equivalent, and told apart" in row.problem and row.input for row in rows)
    assert all(bool(row.problem) is (row.killed or row.faulted) for row in rows)
    assert "## Contradictions" in report(rows, len(rows), "equiv", {})


def test_a_prediction_that_does_not_replay_is_a_contradiction(monkeypatch: pytest.MonkeyPatch) -> None:
    class Finding:
        faults: tuple[Any, ...] = ()
        unknown: tuple[Any, ...] = ()

        def __init__(self, model: object) -> None:
            self.witnesses = [type("Witness", (), {"model": model, "observables": ("verdict",)})]

    class Engine:
        def __init__(self, *_: object) -> None: ...

        def run(self) -> Finding:
            from equiv.solve.backend import Model

            return Finding(Model({"len": 14}))

    from equiv.bench.soundness.stand import prove, question_of
    from equiv.question import pose

    monkeypatch.setattr(stand, "Engine", Engine)
    pair = equivalent_pairs(CORPORA, ["gre"])[0]
    posed: Posed = pose(pair.left, pair.right, question_of(pair))
    assert prove(posed, 5)[2][0] == "a predicted difference does not replay"


def test_a_mutant_that_kills_its_process_is_a_row_and_the_others_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Stand.judge

    def dies(self: Stand, mutant: Mutant) -> Row:
        if mutant.number == 2:
            os._exit(9)
        if mutant.number == 4:
            raise RuntimeError("a defect")
        return judge(self, mutant)

    monkeypatch.setattr(Stand, "judge", dies)
    rows = {row.number: row for row in judged(["gre"], 8)}
    assert rows[2].problem == "its process died"
    assert rows[4].problem.startswith("RuntimeError: a defect")
    assert not any(row.problem for number, row in rows.items() if number not in (2, 4))


def test_a_mutant_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs(self: Stand, mutant: Mutant) -> Row:
        import time

        time.sleep(60)
        raise AssertionError

    monkeypatch.setattr(Stand, "judge", hangs)
    monkeypatch.setattr(workers, "GRACE_SECONDS", 0.1)
    rows = judged(["gre"], 2, replace(ASKED, timeout=0.1))
    assert [row.problem for row in rows] == ["no answer in time"] * 2


def test_the_same_seed_gives_the_same_mutants() -> None:
    group = Group(equivalent_pairs(CORPORA, ["gre"])[0], "right", (0, 1, 2, 3))
    first, second = ([m.drawn.what for m in Stand(group, ASKED).mutants()] for _ in range(2))
    other = [m.drawn.what for m in Stand(group, replace(ASKED, seed=7)).mutants()]
    assert first == second != other
    assert len(set(first)) == 4


def test_mutants_are_dealt_to_both_sides_of_all_equivalent_pairs() -> None:
    pairs = equivalent_pairs(CORPORA, [])
    dealt = groups(pairs, 1000)
    assert {(g.pair.id, g.side) for g in dealt} == {(p.id, side) for p in pairs for side in ("left", "right")}
    assert sorted(n for g in dealt for n in g.numbers) == list(range(1000))
    assert len(pairs) == sum(
        pair.expected == "equivalent" and not pair.with_itself and not pair.others
        for c in load_corpora(CORPORA)
        for pair in c.pairs
    )


def test_a_run_that_was_cut_short_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "rows"
    command = ["soundness", "--corpora", CORPORA, "--only", "gre", "--packets", "50", "--no-kernel", "--json"]
    command += ["--state", str(state)]
    assert main([*command, "--count", "4"]) == 0
    first = capsys.readouterr().out
    state.write_bytes(state.read_bytes() + b'{"number": 4, "pa')  # killed while it wrote
    for count in ("4", "5", "5"):
        assert main([*command, "--count", count]) == 0
        again = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert again[:4] == [json.loads(line) for line in first.splitlines()]
    assert len(again) == 5


def test_a_run_may_stop_early_and_says_so(tmp_path: Path) -> None:
    target = tmp_path / "report.md"
    command = ["soundness", "--corpora", CORPORA, "--only", "gre", "--count", "4", "--seconds", "0.001"]
    assert main([*command, "--output", str(target)]) == 0
    assert "were not judged in the time given**" in target.read_text("utf-8")


def test_a_state_that_is_something_else_is_refused(tmp_path: Path) -> None:
    command = ["soundness", "--corpora", CORPORA, "--only", "gre", "--count", "2", "--state"]
    for text in ("something else\n", "[1]\n\n", '{"number": 1}\n\n', "{}\n{}\n"):
        (tmp_path / "rows").write_text(text)
        with pytest.raises(InputError, match="not rows"):
            main([*command, str(tmp_path / "rows")])


def test_a_file_of_somebody_else_is_left_as_it_is(tmp_path: Path) -> None:
    """Also one whose last line has no end, as a row has that was being written when the run was cut short."""
    command = ["soundness", "--corpora", CORPORA, "--only", "gre", "--count", "2", "--state", str(tmp_path / "rows")]
    row = write_row(Row(0, "a/b=c", "a", "left", "dev", "mask", "x", "different"))
    texts = (
        "notes",
        '{"numbers": []}',
        '{"number": 1}',
        "a\nb",
        f"{row}\nnotes",
        'notes\n{"number": 4, "pa',
        "{}",
        "[1]",
        "{",
    )
    for text in texts:
        (tmp_path / "rows").write_text(text)
        with pytest.raises(InputError, match="not rows"):
            main(command)
        assert (tmp_path / "rows").read_text() == text, "it is not ours to change"


@pytest.mark.parametrize("rest", ["{", '{"num', '{"number": 4, "pair": "a}', "whole"])
def test_what_was_being_written_when_a_run_was_cut_short_is_taken_off(tmp_path: Path, rest: str) -> None:
    row = write_row(Row(0, "a/b=c", "a", "left", "dev", "mask", "x", "different"))
    (tmp_path / "rows").write_text(f"{row}\n{row if rest == 'whole' else rest}")
    assert read_state(str(tmp_path / "rows"), []) == []
    assert (tmp_path / "rows").read_text() == f"{row}\n"


def test_rows_are_written_and_read() -> None:
    row = Row(3, "a/b=c", "a", "left", "dev", "mask", "x → y", "different", killed=True, differs=("verdict",))
    assert read_row(write_row(row)) == row
