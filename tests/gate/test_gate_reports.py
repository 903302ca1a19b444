"""Reports of the gate: complete, in the form that others read, and harmless whatever an input is called."""

from __future__ import annotations

import html
import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from equiv.gate.answer import Answer, failed
from equiv.gate.judge import Judged, judge
from equiv.gate.manifest import read_manifest
from equiv.gate.model import Allowance, Manifest, Pair
from equiv.gate.report import json_gate, junit, sarif, summary, terminal
from equiv.gate.report.pages import write_pages
from equiv.gate.report.tally import Tally, command
from equiv.report.json_result import result_object
from equiv.report.style import UNSAFE_CATEGORIES, clean
from equiv.result import Result
from tests.gate.project import TODAY, gate, project

ROOT = Path(__file__).resolve().parents[2]
FIVE = ROOT / "corpora" / "five-tuple"
HOSTILE = [
    "\x1b[31mred\x1b]0;title\x07",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "]]><!-- <!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "[click](javascript:alert(1)) ![x](http://evil/x.png) `code` **bold** | cell | ```\n# heading\n",
    "\x00\x01\x0b\x0c\ufffe\uffff\ud800",
    "\u202egnp.exe\u2066",
    "{0} {placeholder} [link](1) \\",
    "www.evil.example @everyone #1 https://evil.example",
    "../../../etc/passwd",
    "x" * 4000,
]


def _tally(folder: Path, judged: list[Judged], title: str = "Ours") -> Tally:
    pairs = tuple(each.pair for each in judged)
    manifest = Manifest(str(folder), "equiv.toml", title, pairs, titles={"equiv.toml": title})
    return Tally(manifest, tuple(judged), 1.5)


def _outcomes(result: Result, name: str = "a=b") -> list[Judged]:
    """One pair of each outcome, with `name` wherever a text can come from an input or a manifest."""
    pair = Pair(name, f"{name}.o", f"{name}.dev", bug=name, manifests=("equiv.toml",))
    told = result_object(replace(result, reason=name))
    allowance = Allowance(name, TODAY)
    return [
        judge(replace(pair, id=f"{name} {number}", **said), answer, TODAY, "checked", (name,))
        for number, (said, answer) in enumerate(
            [
                ({}, Answer("equivalent", 0, name, {}, b"proof", 0.5, 100)),
                ({}, Answer("different", 1, name, json.loads(json.dumps(told)))),
                ({"expected": "different"}, Answer("equivalent", 0, name, {}, b"proof")),
                ({}, Answer("unknown", 3, name, {})),
                ({"allowance": allowance}, Answer("unknown", 3, name, {})),
                ({"allowance": replace(allowance, until=TODAY.replace(year=2029))}, Answer("unknown", 3, name, {})),
                ({"allowance": allowance}, Answer("equivalent", 0, name, {}, b"proof")),
                ({}, failed(2, name)),
                ({}, failed(5, name)),
            ]
        )
    ]


@cache
def _sarif_schema() -> Draft202012Validator:
    schema = json.loads((Path(__file__).parent / "sarif.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@cache
def _gate_schema() -> Draft202012Validator:
    schemas = [json.loads((ROOT / "specs" / f"{name}.schema.json").read_text("utf-8")) for name in ("gate", "result")]
    registry: Any = Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in schemas])
    return Draft202012Validator(schemas[0], registry=registry)


# --- what they say -------------------------------------------------------------------------------------------------


def test_junit_counts_what_there_is(tmp_path: Path, different: Result) -> None:
    root = ET.fromstring(junit.render(_tally(tmp_path, _outcomes(different))))
    assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "9",
        "failures": "5",
        "errors": "2",
        "skipped": "1",
    }
    cases = root.findall("testsuite/testcase")
    assert [[child.tag for child in case] for case in cases] == [
        [],
        *[["failure"]] * 3,
        ["skipped"],
        *[["failure"]] * 2,
        *[["error"]] * 2,
    ]
    assert cases[0].get("time") == "0.500"


def test_the_summary_lists_what_is_not_as_it_should_be(tmp_path: Path, different: Result) -> None:
    text = summary.render(_tally(tmp_path, _outcomes(different)))
    assert text.startswith("## Ours: ❌ failed\n\n9 pairs&#58; 1 as expected, 1 unknown and allowed, 1 different, ")
    assert len([line for line in text.splitlines() if line.startswith("| a=b")]) == 8
    good = summary.render(_tally(tmp_path, _outcomes(different)[:1]))
    assert good.startswith("## Ours: ✅ passed\n") and "|" not in good


def test_a_summary_stays_below_what_github_takes(tmp_path: Path, different: Result) -> None:
    one = _outcomes(different, "y" * 4000)[1]
    many = [replace(one, pair=replace(one.pair, id=f"{number}{one.pair.id}")) for number in range(2000)]
    text = summary.render(_tally(tmp_path, many))
    assert len(text.encode()) < 1 << 20 and "and 1800 more" in text


def test_json_follows_its_schema(tmp_path: Path, different: Result) -> None:
    document = json.loads(json_gate.render(_tally(tmp_path, _outcomes(different))))
    document["pairs"] = [
        {**pair, "result": pair["result"] if pair["outcome"] == "different" else None} for pair in document["pairs"]
    ]
    _gate_schema().validate(document)
    assert document["status"] == 5
    assert [pair["outcome"] for pair in document["pairs"]] == [
        *("expected", "different", "equivalent", "unknown", "allowed", "expired", "unused", "error", "error")
    ]


def test_sarif_has_a_finding_for_all_but_what_is_as_expected(tmp_path: Path, different: Result) -> None:
    log = json.loads(sarif.render(_tally(tmp_path, _outcomes(different))))
    _sarif_schema().validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [found["ruleId"].removeprefix("equiv/") for found in run["results"]] == [
        *("different", "equivalent", "unknown", "allowed", "expired", "unused", "error", "error")
    ]
    assert all(rules[found["ruleIndex"]] == found["ruleId"] for found in run["results"])
    assert run["results"][3]["suppressions"][0]["status"] == "accepted"


def test_sarif_places_a_difference_at_the_c_line_and_at_the_line_of_the_table(tmp_path: Path) -> None:
    text = f"""
        outside = ["{FIVE}/five-tuple.bpf.o", "{FIVE}/five-tuple.short-ihl.dev"]
        [[pair]]
        left = "{FIVE}/five-tuple.bpf.o"
        right = "{FIVE}/five-tuple.short-ihl.dev"
    """
    away = _located(project(tmp_path, text), "", tmp_path)
    assert [found["uri"] for found in away] == ["equiv.toml"]  # what lies outside is not named
    beside = shutil.copytree(FIVE, tmp_path / "corpora" / "five-tuple")
    manifest = beside / "here.toml"
    manifest.write_text('[[pair]]\nleft = "five-tuple.bpf.o"\nright = "five-tuple.short-ihl.dev"\n')
    left, right = _located(str(manifest), "corpora/five-tuple/", tmp_path)
    assert left["uri"] == "corpora/five-tuple/five-tuple.bpf.c" and "ihl < 5" in left["line"]
    assert right["uri"] == "corpora/five-tuple/five-tuple.short-ihl.dev" and "default:" in right["line"]


def _located(path: str, prefix: str, root: Path) -> list[dict[str, str]]:
    """Places of findings with the lines there; `prefix` is where the manifest's folder lies below `root`."""
    manifest = read_manifest(path)
    tally = Tally(manifest, tuple(gate(path).values()), 0.0, prefix)
    log = json.loads(sarif.render(tally))
    _sarif_schema().validate(log)
    found = []
    for result in log["runs"][0]["results"]:
        assert result["ruleId"] == "equiv/different"
        physical = result["locations"][0]["physicalLocation"]
        uri, number = physical["artifactLocation"]["uri"], physical["region"]["startLine"]
        file = root / uri
        found.append({"uri": uri, "line": file.read_text("utf-8").splitlines()[number - 1]})
    return found


def test_pages_are_written_for_every_result(tmp_path: Path, different: Result) -> None:
    index = write_pages(_tally(tmp_path, _outcomes(different)), str(tmp_path / "pages"))
    assert Path(index).name == "index.html"
    pages = sorted(path.name for path in (tmp_path / "pages").iterdir())
    assert len(pages) == 2 and pages[0].startswith("a=b-1-")  # of one pair there is a whole result
    assert pages[0] in Path(index).read_text("utf-8")


# --- hostile names -------------------------------------------------------------------------------------------------


def _assert_harmless(folder: Path, judged: list[Judged], title: str) -> None:
    tally = _tally(folder, judged, title)
    root = ET.fromstring(junit.render(tally))
    assert {element.tag for element in root.iter()} <= {
        *("testsuites", "testsuite", "testcase", "failure", "error", "skipped")
    }
    log = sarif.render(tally)
    assert log.isascii()
    _sarif_schema().validate(json.loads(log))
    assert json_gate.render(tally).isascii()
    shown = [terminal.render(tally), summary.render(tally)]
    for text in shown:
        lines = text.split("\n")
        assert all(clean(line) == line for line in lines), [line for line in lines if clean(line) != line]
    outside_code = re.sub(r"(?ms)^```$.*?^```$", "", shown[1])
    for line in outside_code.splitlines():
        plain = re.sub(r"^(## |\| |\|---.*|<details><summary>To see these alone</summary>|</details>)", "", line)
        plain = plain.replace(" | ", " ").removesuffix(" |").replace(": ✅ passed", "").replace(": ❌ failed", "")
        assert not re.search(r"[<>\[\]`*_|~@\\]|(?i:www\.)|:", plain), line
    assert shown[1].count("\n```") == 2 * bool(tally.failed)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_names_do_nothing_in_any_report(tmp_path: Path, text: str, different: Result) -> None:
    _assert_harmless(tmp_path, _outcomes(different, text), text)


@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_name_does_anything_in_any_report(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    judged = judge(Pair(text, text, text, bug=text), Answer("unknown", 3, text, {}), TODAY, "checked", (text,))
    _assert_harmless(tmp_path_factory.getbasetemp(), [judged], text)


@given(text=st.text(st.characters(exclude_categories=tuple(UNSAFE_CATEGORIES)), max_size=80))
def test_escaped_text_reads_as_it_was(text: str) -> None:
    assert html.unescape(summary.escaped(text)) == text


def test_a_command_can_be_copied_into_a_shell() -> None:
    pair = Pair("x", "a b.o:main; rm -rf /", "$(reboot).dev")
    assert command(pair) == "equiv check --timeout=60 'a b.o:main; rm -rf /' '$(reboot).dev'"
