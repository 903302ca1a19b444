"""Reports from rows made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from equiv.bench.growth import growth_report, ratio, size_of
from equiv.bench.manifest import Corpus
from equiv.bench.markdown import corpora_report, summary, table, time_table
from equiv.bench.measure import Row
from equiv.errors import InputError

PROVED = Row(
    "gre/a=b", "gre", "gre/a", "gre/b", "equivalent", "equivalent", "", "", 10, 12, 3, 2.0, 1.0, 0.25, 90_000_000,
    {"explore": 0.5, "trace": 0.25}, certificate="holds", certificate_bytes=29_000, obligations=4, verify_seconds=0.5,
)  # fmt: skip
UNCERTIFIED = replace(PROVED, certificate="", certificate_bytes=0, obligations=0, verify_seconds=None)
REFUTED = replace(
    UNCERTIFIED,
    id="gre/a=c",
    expected="different",
    verdict="different",
    bug="a | b",
    confirmed_by=("interpreter", "kernel"),
    packet_size=38,
)
SLOW = replace(UNCERTIFIED, id="gre/a=slow", verdict="unknown", reason="the time limit\nwas reached", seconds=7.0)
LARGE = replace(PROVED, id="gre/a=large", peak_rss_bytes=400_000_000)
ITSELF = replace(PROVED, id="gre/a=itself", right="gre/a")


def test_summary_counts_verdicts_confirmations_and_what_is_over_the_target() -> None:
    text = "\n".join(summary([PROVED, REFUTED, SLOW, LARGE]))
    assert "3 of 4 verdicts as expected" in text
    assert "(1 different, 2 equivalent, 1 unknown)" in text
    assert "`gre/a=slow` is unknown (expected equivalent)" in text
    assert "1 counterexamples: 1 confirmed by both interpreters, 1 also by the kernel" in text
    assert "2 of 4 under 5 s and 300 MB" in text
    assert "slowest: `gre/a=slow` 7.00 s" in text
    assert "largest: `gre/a=large` 400 MB" in text


def test_time_is_told_apart_by_phase_and_adds_up() -> None:
    lines = time_table([PROVED, ITSELF])
    assert "| engine: explore | 1.00 | 25% |" in lines
    assert "| engine: trace | 0.50 | 12% |" in lines
    assert "| engine: the rest (replay, shrinking, kernel) | 0.50 | 12% |" in lines
    assert "| starting, reading the inputs, writing | 2.00 | 50% |" in lines


def test_pairs_are_listed_by_corpus_and_files_against_themselves_apart() -> None:
    report = corpora_report([Corpus("gre", "GRE", ()), Corpus("mpls", "MPLS", ())], [PROVED, REFUTED, ITSELF], ["# T"])
    assert "## GRE (gre)" in report
    assert "MPLS" not in report
    assert "| a = c | different | 10 | 3 | 1.000 | 2.00 | 90 |  |  | 38 | interpreter, kernel | a \\| b |" in report
    assert report.index("## Every file against itself") < report.index("| gre/a | equivalent |")


@pytest.mark.parametrize(("cells", "rule"), [(("1", "×2.5", "30%"), "---:"), (("1", "one"), "---")])
def test_columns_of_numbers_are_set_to_the_right(cells: tuple[str, ...], rule: str) -> None:
    assert table(("n",), [(text,) for text in cells])[1] == f"|{rule}|"


def test_growth_shows_ratios_and_what_each_step_adds() -> None:
    sizes = {1: 12, 2: 16, 4: 24}
    rows = [
        replace(PROVED, corpus="mpls-growth", left=f"m/mpls-{n}.bpf.o", joint_states=states, engine_seconds=float(n))
        for n, states in sizes.items()
    ]
    report = growth_report(rows, ["# T"])
    assert "| 1 | equivalent | 12 |  |  | 3 | 1.000 |  | 2.00 | 90 |" in report
    assert "| 4 | equivalent | 24 | 1.50 | 4.0 | 3 | 4.000 | 2.00 | 2.00 | 90 |" in report
    assert "From 1 to 4 labels (× 4.00): joint states × 2.00, engine time × 4.00, memory × 1.00." in report
    assert f"4 {'█' * 50} 24" in report
    assert "TCP" not in report


def test_growth_to_or_from_an_unfinished_proof_is_not_shown() -> None:
    proved = replace(PROVED, corpus="mpls-growth", left="m/mpls-1.bpf.o")
    rows = [proved, replace(proved, left="m/mpls-2.bpf.o", verdict="unknown", joint_states=0)]
    report = growth_report(rows, ["# T"])
    assert "| 2 | unknown | 0 |  |  | 3 | 1.000 |  | 2.00 | 90 |" in report
    assert "Not all of these are as expected" in report
    assert "From 1 to 2" not in report


def test_size_is_the_number_that_a_name_ends_in() -> None:
    assert size_of("tcp-options-growth/tcp-options-40.bpf.o") == 40
    with pytest.raises(InputError, match="no size"):
        size_of("mpls/mpls.bpf.o")


def test_ratio_to_nothing_is_not_shown() -> None:
    assert ratio(0, 3) == ""
