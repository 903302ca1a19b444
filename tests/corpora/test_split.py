"""Programs whose result depends on how an skb is split between linear and paged data are told from others."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv import api

CORPORA = Path(__file__).resolve().parents[2] / "corpora"


@pytest.mark.parametrize("name", ["rewrite/rewrite", "rewrite/rewrite-direct", "tc-mark/tc-mark"])
def test_a_program_that_looks_past_the_linear_part_in_time_does_not_depend_on_it(name: str) -> None:
    path = str(CORPORA / f"{name}.bpf.o")
    result = api.check(path, path, right_linear=True, timeout=100)
    assert result.verdict == "equivalent"
    assert "the right side gets every packet in one linear piece, the left side in any pieces" in result.assumptions


def test_a_program_that_does_not_is_different_from_itself_with_the_split_in_the_counterexample() -> None:
    path = str(CORPORA / "rewrite/rewrite-direct.not-pulled.bpf.o")
    result = api.check(path, path, right_linear=True, timeout=100)
    assert result.verdict == "different"
    (example,) = result.counterexamples
    assert example.input.linear is not None
    assert 14 <= example.input.linear < len(example.input.packet)


def test_with_one_split_on_both_sides_it_is_itself() -> None:
    path = str(CORPORA / "rewrite/rewrite-direct.not-pulled.bpf.o")
    assert api.check(path, path, timeout=100).verdict == "equivalent"
