"""Generated parse graphs and their variants mean what they say; mutants have one mistake."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from equiv.bench.p4_graphs import broken, graph, source, variant
from equiv.bench.p4_growth import main as growth
from equiv.bench.p4_growth import measure
from equiv.bench.p4_mutants import main as mutants
from equiv.mutate.source import mutate_source

CORPORA = Path(__file__).parents[2] / "corpora"


@pytest.mark.parametrize(("depth", "fan_out"), [(2, 1), (5, 2), (3, 4)])
def test_variants_are_equivalent_and_broken_graphs_are_not(depth: int, fan_out: int) -> None:
    for against in ("itself", "variant", "broken"):
        assert measure(depth, fan_out, against, "all", 60).as_expected, against


def test_a_variant_is_written_otherwise() -> None:
    original = graph(6, 3)
    other = variant(original)
    assert {state.name for state in original.states} & {state.name for state in other.states} == {"start"}
    assert len(other.states) <= len(original.states)
    assert source(original) != source(other)
    assert broken(original) != original


def test_the_largest_graph_has_2000_states() -> None:
    assert 1950 <= len(graph(128, 8).states) <= 2100


def test_growth_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert growth(["--most", "4", "--observe", "accept", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["against"] for row in rows} == {"itself", "variant", "broken"}


def test_growth_of_one_kind_and_of_graphs_of_some_size_only(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--least", "5", "--most", "8", "--observe", "all", "--against", "variant"]
    assert growth([*chosen, "--json"]) == 0
    assert [(row["states"], row["against"]) for row in json.loads(capsys.readouterr().out)] == [(8, "variant")]
    with pytest.raises(SystemExit):
        growth(["--least", "5", "--most", "4"])
    assert "no graph has so many states" in capsys.readouterr().err


def test_a_mutant_differs_in_one_place() -> None:
    text = (CORPORA / "p4-vlan" / "vlan.p4").read_text("utf-8")
    kinds = set()
    for seed in range(60):
        mutant = mutate_source(text, Random(seed))
        if mutant is not None:
            kinds.add(mutant.kind)
            assert mutant.text != text or mutant.kind == "order"
    assert kinds == {"value", "width", "target", "order", "extract"}


def test_mutants_are_settled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "p4-vlan").mkdir()
    (tmp_path / "p4-vlan" / "vlan.p4").write_text((CORPORA / "p4-vlan" / "vlan.p4").read_text("utf-8"))
    assert mutants(["--corpora", str(tmp_path), "--count", "6", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 6
    assert all(row["confirmed_by"] or row["certificate"] == "holds" for row in rows)
