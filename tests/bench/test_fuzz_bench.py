"""`equiv bench fuzz` on two corpora: rates, coverage, bugs found; and what its report makes of figures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from equiv.bench.fuzzing.command import main
from equiv.bench.fuzzing.measure import BYTES, OURS, SCAPY, Asked, Row, _source, measure, question_of
from equiv.bench.fuzzing.report import is_good, report, summary
from equiv.bench.fuzzing.state import add_row, read_rows
from equiv.bench.manifest import load_corpora
from equiv.compiled.native import why_not
from equiv.errors import InputError
from equiv.result import Coverage

CORPORA = Path(__file__).parents[2] / "corpora"
ASKED = Asked(60, 10, 3, 1, False)


def twin(*times: float | None) -> Row:
    return Row("a/b=c", "different", "a | bug", found={OURS: list(times), BYTES: [None] * 3, SCAPY: [None, None, 1.0]})


def test_the_median_is_of_all_seeds_and_none_where_half_of_them_found_nothing() -> None:
    assert twin(1.0, None, 3.0).median_of(OURS) == 3.0
    assert twin(1.0, None, None).median_of(OURS) is None
    assert twin(1.0, 2.0, 9.0).median_of(OURS) == 2.0


def test_nine_in_ten_is_the_aim_and_a_pair_that_cannot_be_measured_is_none() -> None:
    good = [twin(1.0, 1.0, 1.0)] * 9
    assert is_good([*good, twin(None, None, None)])
    assert not is_good([*good, twin(None, None, None), twin(None, None, None)])
    assert not is_good([*good, Row("x", "equivalent", note="cannot read")])


def test_the_report_names_what_was_not_reached_and_what_was_not_found() -> None:
    pair = Row("p/q=r", "equivalent", "", 0.5, 2e6, 1.5e5, left=Coverage(1, 2), right=Coverage(4, 4))
    pair = replace(pair, missed=(("f.c:3: taken", "no packet reaches it"),))
    text = "\n".join(report([pair, twin(None, None, None)], ASKED, "equiv bench fuzz", {"machine": "m"}))
    assert "f.c:3: taken" in text and "| 1/2 |" in text and "a \\| bug" in text and "—" in text
    lines = "\n".join(summary([pair, twin(1.0, 2.0, 3.0)], ASKED))
    assert "1 of 1 pairs reach a million" in lines and "equiv: 1 of 1" in lines and "5 of 6 edges" in lines


@pytest.mark.parametrize("way", [BYTES, SCAPY])
def test_packets_to_compare_with_are_those_of_the_seed(way: str) -> None:
    sources = [_source(way, 5), _source(way, 5)]
    assert sources[0] is not None and sources[1] is not None
    packets = sources[0](8)
    assert packets == sources[1](8) and all(14 <= len(packet) <= 1514 for packet in packets)


@pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")
def test_a_corpus_is_measured_and_the_report_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "fuzz.md"
    options = ["--seconds", "20", "--baseline-seconds", "0.2", "--seeds", "1", "--rate-seconds", "0.3", "--no-kernel"]
    assert main(["gre", "--corpora", str(CORPORA), *options, "--output", str(target)]) == 0
    text = target.read_text()
    assert text.startswith("# Fuzzing") and "gre/gre.bpf.o=gre.dev" in text
    assert "equiv: 4 of 4 broken twins found" in capsys.readouterr().out


def test_rows_in_a_file_are_read_back_as_they_were(tmp_path: Path) -> None:
    state = str(tmp_path / "rows")
    covered = Coverage(1, 2, ("here",), {"accept": 3}, {"mark": (1, 32)})
    row = Row("p/q=r", "equivalent", "", 0.5, 2e6, 1.5e5, "", covered, None, missed=(("f.c:3", "not decided"),))
    assert read_rows(state, ASKED, ["p/q=r"]) == {}
    add_row(state, ASKED, row)
    add_row(state, ASKED, twin(1.0, None, 3.0))
    with Path(state).open("a") as file:
        file.write('{"asked"')  # cut short
    found = read_rows(state, ASKED, ["p/q=r", "a/b=c", "d/e=f"])
    assert found == {"p/q=r": row, "a/b=c": twin(1.0, None, 3.0)}
    assert read_rows(state, replace(ASKED, seeds=9), ["p/q=r"]) == {}, "it was measured otherwise"
    add_row(state, ASKED, row)
    assert read_rows(state, ASKED, ["p/q=r"]) == {"p/q=r": row}


def test_a_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    for text in ("{}\n", "a file without a last line", '{"asked": 1}\nnotes'):
        (tmp_path / "rows").write_text(text)
        with pytest.raises(InputError, match="not rows"):
            read_rows(str(tmp_path / "rows"), ASKED, [])
        assert (tmp_path / "rows").read_text() == text, "it is not ours to change"


@pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")
def test_a_run_that_is_cut_short_says_so_and_another_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = str(tmp_path / "rows")
    options = ["--seconds", "20", "--baseline-seconds", "0.1", "--seeds", "1", "--rate-seconds", "0.1", "--no-kernel"]
    arguments = ["p4-verdict", "--corpora", str(CORPORA), *options, "--engine-seconds", "0.1", "--state", state]
    assert main([*arguments, "--total-seconds", "0.01"]) == 1
    assert "**cut short**: 0 of 4 pairs" in capsys.readouterr().out
    assert main(arguments) == 0
    assert "cut short" not in capsys.readouterr().out
    before = Path(state).read_text()
    assert main(arguments) == 0 and Path(state).read_text() == before


def test_what_a_manifest_asks_of_a_pair_is_asked_here_too() -> None:
    """Parsers that are equivalent in what they accept only are not compared in what they extract."""
    pairs_ = {pair.id: pair for corpus in load_corpora(CORPORA) for pair in corpus.pairs}
    assert question_of(pairs_["p4-published/lax.p4=strict.p4"]).observe == "accept"
    for pair in pairs_.values():
        question_of(pair)  # none is asked that this bench does not know
    with pytest.raises(InputError, match="--new"):
        question_of(replace(pairs_["mpls/mpls.bpf.o=mpls.dev"], others=("--new=1",)))


@pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")
def test_what_no_packet_reaches_of_a_parser_is_asked_of_the_engine() -> None:
    pairs_ = {pair.id: pair for corpus in load_corpora(CORPORA) for pair in corpus.pairs}
    asked = replace(ASKED, rate_seconds=0.3, engine_seconds=60)
    row = measure(pairs_["p4-vlan/vlan.p4=vlan.other.p4"], asked)
    said = {text.partition("vlan.p4:")[2]: status for text, status in row.missed if "vlan.p4:" in text}
    assert {status for text, status in said.items() if "StackOutOfBounds" in text} == {"no packet reaches it"}
