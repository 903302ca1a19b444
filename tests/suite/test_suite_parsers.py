"""Suites of P4 parsers (D322)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from equiv.cli import main
from equiv.loaded import Loaded, choose_interface, load
from equiv.p4.program import parse_p4
from equiv.suite.make import make_suite
from tests.suite.suites import CORPORA, GRE, SCHEMA, document

P4 = str(CORPORA / "p4-tcp-options" / "tcp-options.p4")


@pytest.fixture(scope="module")
def p4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a suite made from a P4 parser."""
    folder = tmp_path_factory.mktemp("suites") / "p4"
    assert main(["testgen", P4, "-o", str(folder), "--seconds", "20"]) == 0
    return folder


def test_a_suite_of_a_parser_goes_every_way_of_its_states(p4: Path) -> None:
    held = document(p4)
    jsonschema.validate(held, SCHEMA)
    assert held["of"]["kind"] == "p4" and held["parser"]["errors"][0] == "NoError"
    covered = {goal["kind"] for goal in held["goals"] if goal["status"] == "covered"}
    assert {"state", "case", "default", "exit", "check", "edge"} <= covered
    texts = [goal["text"] for goal in held["goals"] if goal["status"] == "covered"]
    assert any("PacketTooShort" in text for text in texts) and any("verify fails" in text for text in texts)


def test_a_suite_of_a_parser_passes_on_it_and_on_one_that_does_the_same(p4: Path) -> None:
    assert main(["replay", str(p4), "--file", P4]) == 0
    assert main(["replay", str(p4), "--on", P4.replace(".p4", ".other.p4")]) == 0


@pytest.mark.parametrize("twin", ["flag", "short"])
def test_a_suite_of_a_parser_fails_on_its_twins(p4: Path, twin: str) -> None:
    assert main(["replay", str(p4), "--on", P4.replace(".p4", f".{twin}.p4")]) == 1


def test_suites_of_parsers_and_of_others_do_not_mix(p4: Path, gre: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(p4), "--on", GRE]) == 4
    assert main(["replay", str(gre), "--on", P4]) == 4
    assert "does not run on" in capsys.readouterr().err
    assert main(["replay", str(p4), "--on", "kernel", "--file", P4]) == 2
    assert main(["testgen", P4, "--interface", "xdp"]) == 4


def test_cases_that_lead_to_one_state_are_two_goals() -> None:
    """Both ways of `select` into one state are gone; a state's name alone would not tell them apart."""
    loaded = load(str(CORPORA / "p4-vlan" / "vlan.p4"))
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    cases = [(g, s) for g, s in zip(suite.goals, suite.statuses) if g.kind == "case" and g.text == "start -> tag"]
    assert len(cases) == 2 and {status for _, status in cases} == {"covered"}


def test_parsers_of_parts_of_bytes_have_suites_in_elements() -> None:
    """D80: every byte of such a packet holds one element, and a parser that needs smaller ones is refused."""
    source = (
        "#include <core.p4>\nheader a_t { bit<4> x; }\nstruct h_t { a_t a; a_t b; }\n"
        "parser P(packet_in p, out h_t h) { state start { p.extract(h.a); transition select(h.a.x) "
        "{ 4w3: more; default: accept; } } state more { p.extract(h.b); transition accept; } }\n"
    )
    parser = parse_p4("t.p4", source)
    loaded = Loaded("t.p4", parser.sha256, "p4", parser=parser)
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    assert "not reached" not in suite.statuses
    assert all(max(item.given.packet, default=0) < 16 for item in suite.items)


@pytest.mark.parametrize(
    ("key", "value"), [("element_width", 3), ("exact_end", 1), ("errors", [1]), ("observables", [{"name": "x"}])]
)
def test_what_a_suite_says_of_parsers_is_not_believed_unread(
    p4: Path, tmp_path: Path, key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    held = document(p4)
    held["parser"][key] = value
    (tmp_path / "suite.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path), "--file", P4]) == 2
    assert "not a suite" in capsys.readouterr().err
