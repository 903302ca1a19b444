"""What `show`, `run` and `bench` print of parsers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from equiv.cli import main

CORPORA = Path(__file__).resolve().parents[2] / "corpora"


def test_show_lists_parameters_and_states_with_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "-v", str(CORPORA / "p4-vlan" / "vlan.p4")]) == 0
    shown = capsys.readouterr().out
    assert "architecture  V1Switch" in shown
    assert "out headers_t hdr" in shown
    assert "vlan[1].vid  12 bits" in shown
    assert "tag (" in shown and "-> tag, accept" in shown


def test_run_prints_what_was_parsed(capsys: pytest.CaptureFixture[str]) -> None:
    packet = "00" * 12 + "8100" + "0005" + "0800"
    assert main(["run", str(CORPORA / "p4-vlan" / "vlan.p4"), "--json", "--packet", packet]) == 0
    seen = json.loads(capsys.readouterr().out)
    assert seen["verdict"] == "accept"
    assert seen["observables"]["vlan[0].vid"] == 5
    assert seen["observables"]["vlan[1].$valid"] == 0
    assert seen["observables"]["consumed"] == 144


def test_unsupported_source_is_status_4(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.p4"
    path.write_text(
        "#include <core.p4>\nparser P(packet_in p) {\n  state start {\n    f();\n    transition accept; }\n}\n"
    )
    assert main(["check", str(path), str(path)]) == 4
    assert f"{path}:4" in capsys.readouterr().err


def test_json_that_is_neither_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "t.json"
    path.write_text('{"parsers": []}')
    assert main(["check", str(path), str(path)]) == 2
    assert "neither" in capsys.readouterr().err


def _index(folder: Path) -> None:
    def automaton(bit: str) -> dict[str, Any]:
        case = {"patterns": [{"kind": "exact", "bits": bit}], "next": "accept"}
        key = {"op": "hdr", "hdr": "h"}
        select = {"kind": "select", "on": [key], "cases": [case], "default": "reject"}
        state = {"extract_bits": 1, "ops": [{"op": "extract", "hdr": "h", "width": 1}], "transition": select}
        return {"name": "t", "conventions": {}, "headers": [{"name": "h", "width": 1}], "states": {"s": state}}

    pairs = []
    for name, right in (("babyip", "1"), ("simple-negative", "0")):
        (folder / f"{name}-l.json").write_text(json.dumps(automaton("1")))
        (folder / f"{name}-r.json").write_text(json.dumps(automaton(right)))
        pair = {"id": name, "relation": {"kind": "lang_equiv", "text": "same language"}, "paper_name": None}
        pair |= {"left": f"{name}-l.json", "left_start": "s", "right": f"{name}-r.json", "right_start": "s"}
        pairs.append(pair)
    (folder / "index.json").write_text(json.dumps({"benchmarks": pairs}))


def test_bench_leapfrog_measures_every_pair_of_the_index(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _index(tmp_path)
    assert main(["bench", "leapfrog", "--data", str(tmp_path), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["id"], row["verdict"]) for row in rows] == [("babyip", "equivalent"), ("simple-negative", "different")]


def test_bench_leapfrog_without_its_data_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "leapfrog", "--data", str(tmp_path)]) == 2
    assert "index.json" in capsys.readouterr().err
