"""`equiv bench` on small corpora: rows, reports and exit statuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from equiv.bench.flow import SOURCE, flow_pairs
from equiv.bench.manifest import Pair
from equiv.bench.measure import GRACE_SECONDS, Limits, measure
from equiv.cli import main

TABLE = """\
device "{name}";
interface xdp;
header eth_t {{ bit<48> dst; bit<48> src; bit<16> type; }}
eth_t eth;
metadata 4;
output be16 type at meta[0];
state start {{
    extract(eth);
    type = eth.type;
    transition select(eth.type) {{ {type}: accept; default: drop; }}
}}
"""
MANIFEST = '[[pair]]\nleft = "{left}.dev"\nright = "{right}.dev"\nexpect = "{expect}"\n'
ROW = {
    "id", "corpus", "left", "right", "expected", "verdict", "reason", "bug", "joint_states", "explorations",
    "solver_queries", "seconds", "engine_seconds", "solver_seconds", "peak_rss_bytes", "phases", "confirmed_by",
    "packet_size", "certificate", "certificate_bytes", "obligations", "verify_seconds", "verify_peak_rss_bytes",
    "processor_seconds", "place",
}  # fmt: skip


def _corpus(folder: Path, name: str, *pairs: tuple[str, str, str], **types: str) -> None:
    (folder / name).mkdir(parents=True)
    for file, type_ in types.items():
        (folder / name / f"{file}.dev").write_text(TABLE.format(name=file, type=type_))
    lines = [MANIFEST.format(left=left, right=right, expect=expect) for left, right, expect in pairs]
    (folder / name / "pair.toml").write_text("\n".join(lines))


def _bench(*arguments: object) -> int:
    return main(["bench", *map(str, arguments)])


@pytest.fixture
def corpora(tmp_path: Path) -> Path:
    _corpus(tmp_path / "corpora", "type", ("a", "b", "different"), a="0x0800", b="0x86dd")
    return tmp_path / "corpora"


@pytest.fixture
def growing(tmp_path: Path) -> Path:
    for corpus, stem in (("mpls-growth", "mpls"), ("tcp-options-growth", "tcp")):
        pairs = [(f"{stem}-{size}", f"{stem}-{size}.same", "equivalent") for size in (16, 2)]
        types = {name: "0x0800" for left, right, _ in pairs for name in (left, right)}
        _corpus(tmp_path / "growing", corpus, *pairs, **types)
    return tmp_path / "growing"


def test_json_is_a_list_of_rows_with_pairs_and_files_against_themselves(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _bench("corpora", "--corpora", corpora, "--json") == 0
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(row["id"], row["verdict"]) for row in rows] == [
        ("type/a.dev=b.dev", "different"),
        ("type/a.dev=itself", "equivalent"),
        ("type/b.dev=itself", "equivalent"),
    ]
    assert all(set(row) == ROW for row in rows)
    assert rows[0]["confirmed_by"] == ["interpreter"]
    assert rows[0]["packet_size"] == 14
    assert [row["certificate"] for row in rows] == ["", "holds", "holds"]
    assert all(row["verify_seconds"] > 0 and row["certificate_bytes"] > 500 for row in rows[1:])
    assert all(row["seconds"] > row["engine_seconds"] > 0 for row in rows)
    assert all(row["peak_rss_bytes"] > 10_000_000 and row["joint_states"] > 0 and row["phases"] for row in rows)


def test_a_verdict_that_is_not_expected_is_status_1_and_is_named(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = corpora / "type" / "pair.toml"
    manifest.write_text(manifest.read_text().replace("different", "equivalent"))
    assert _bench("corpora", "--corpora", corpora, "--only", "type/a.dev=b.dev") == 1
    report = capsys.readouterr().out
    assert "0 of 1 verdicts as expected" in report
    assert "`type/a.dev=b.dev` is different (expected equivalent)" in report


def test_a_file_that_cannot_be_read_is_a_row_with_the_reason(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpora / "type" / "b.dev").write_text("nonsense")
    assert _bench("corpora", "--corpora", corpora, "--json", "--only", "type/a.dev=b.dev") == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdict"] == "error"
    assert "exit status 2" in row["reason"] and "b.dev" in row["reason"]


def test_the_report_is_written_and_the_summary_printed(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = corpora.parent / "report.md"
    assert _bench("corpora", "--corpora", corpora, "--only", "*=itself", "--output", target) == 0
    assert "2 of 2 verdicts as expected" in capsys.readouterr().out
    report = target.read_text(encoding="utf-8")
    for part in ("# Verdicts and costs", "equiv bench corpora", "- kernel: ", "- z3: ", "## Where time goes"):
        assert part in report
    assert [path.name for path in corpora.parent.iterdir() if path.is_file()] == ["report.md"]


def test_output_without_a_name_goes_to_the_reports_folder(
    corpora: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(corpora.parent)
    Path("reports").mkdir()
    assert _bench("corpora", "--only", "type/a.dev=itself", "--output") == 0
    assert "written: reports/corpora.md" in capsys.readouterr().out
    assert "type/a.dev" in Path("reports/corpora.md").read_text(encoding="utf-8")


def test_growth_is_reported_from_small_to_large(growing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench("growth", "--corpora", growing) == 0
    report = capsys.readouterr().out
    assert "## MPLS label stacks (mpls-growth)" in report
    assert report.index("\n| 2 | equivalent |") < report.index("\n| 16 | equivalent |")
    assert "From 2 to 16 labels (× 8.00): joint states × 1.00" in report


def test_all_writes_both_reports_from_one_run(growing: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = growing.parent / "out"
    target.mkdir()
    arguments = ("--corpora", growing, "--only", "mpls-growth", "--jobs", 2, "--json", "--output", target)
    assert _bench("all", *arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"].partition("=")[0] for row in rows[:2]] == ["mpls-growth/mpls-16.dev", "mpls-growth/mpls-2.dev"]
    assert len({row["id"] for row in rows}) == len(rows)
    assert sorted(path.name for path in target.iterdir()) == ["corpora.md", "growth.md"]
    assert "2 at a time" in (target / "growth.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nothing",),
        ("corpora", "--jobs", "0"),
        ("corpora", "--timeout", "nan"),
        ("corpora", "--corpora", "/nowhere"),
    ],
)
def test_wrong_usage_is_status_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench(*arguments) == 2
    assert "error" in capsys.readouterr().err


def test_a_report_that_cannot_be_written_is_found_out_before_anything_is_measured(
    corpora: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("equiv.bench.command.measure_all", lambda *_: pytest.fail("measured"))
    assert _bench("corpora", "--corpora", corpora, "--output", corpora / "no" / "report.md") == 2
    assert "no such folder" in capsys.readouterr().err


def test_growth_without_its_corpora_is_status_2(corpora: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench("growth", "--corpora", corpora) == 2
    assert "mpls-growth" in capsys.readouterr().err


def test_help_lists_the_benchmarks(capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench("--help") == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("corpora", "growth", "all"))


def test_a_process_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equiv.bench.measure.check_command", lambda *_: ["sleep", "1000"])
    pair = Pair("x/a=b", "x", str(tmp_path / "a"), str(tmp_path / "b"), "equivalent")
    row = measure(pair, Limits(timeout=0.1 - GRACE_SECONDS))
    assert (row.verdict, row.reason) == ("error", "killed by signal 9")
    assert not row.as_expected


def test_certificates_are_checked_with_and_without_a_solver_and_edited(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pysat", reason="python-sat is not installed")
    assert _bench("certificates", "--corpora", corpora, "--edits", 5, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == ["type/a.dev=itself", "type/b.dev=itself"]
    for row in rows:
        assert (row["certificate"], row["by_proofs"], row["edits_accepted"]) == ("holds", "holds", [])
        assert row["refuted"] == row["obligations"]
    assert sum(row["edits"] for row in rows) == 5


def test_certificates_are_checked_with_a_solver_only_where_that_is_asked_for(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("certificates", "--corpora", corpora, "--edits", 4, "--no-refutations", "--jobs", 2)
    assert _bench(*asked, "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["id"] for row in rows] == ["type/a.dev=itself", "type/b.dev=itself"]
    for row in rows:
        assert (row["certificate"], row["by_proofs"], row["edits"], row["edits_accepted"]) == ("holds", "", 2, [])
    assert _bench(*asked) == 0
    assert "refutation" not in capsys.readouterr().out.partition("## Summary")[2]


def test_a_pair_without_a_certificate_is_named_and_is_status_1(
    corpora: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = corpora / "type" / "pair.toml"
    manifest.write_text(manifest.read_text().replace("different", "equivalent"))
    assert _bench("certificates", "--corpora", corpora, "--edits", 0, "--only", "type/a.dev=b.dev") == 1
    assert "no certificate: `type/a.dev=b.dev` is different" in capsys.readouterr().out


def test_a_tree_without_the_flow_dissector_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _bench("flow-dissector", "--linux-source", tmp_path) == 2
    assert "bpf_flow.c in this kernel tree" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("clang-16") is None, reason="needs clang-16 to build programs")
def test_the_flow_dissector_is_built_in_every_way_that_is_there(tmp_path: Path) -> None:
    """A program of the same names in place of the kernel's."""
    source = tmp_path / "tree" / SOURCE
    source.parent.mkdir(parents=True)
    source.write_text('__attribute__((section("flow_dissector"))) int _dissect(void *ctx) { return 0; }\n')
    (tmp_path / "objects").mkdir()
    assert len(flow_pairs(str(tmp_path / "tree"), tmp_path / "objects", only=["*clang-16 -O2 v3"])) == 1
    pairs = flow_pairs(str(tmp_path / "tree"), tmp_path / "objects")
    assert pairs[0].with_itself and len(pairs) >= 2  # builds of the same instructions are left out
    assert all(Path(pair.right.rpartition(":")[0]).exists() for pair in pairs)
    row = measure(replace(pairs[1], tail_calls=()), Limits(timeout=30))
    assert (row.verdict, row.certificate) == ("equivalent", "holds")
