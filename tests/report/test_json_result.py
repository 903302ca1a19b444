"""JSON results are what specs/result.schema.json says."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from equiv.machine.interface import specs_directory
from equiv.report.json_result import render_json, result_object
from equiv.result import Result

SCHEMA = json.loads((specs_directory() / "result.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("verdict", ["equivalent", "different", "unknown"])
def test_results_with_each_verdict_are_valid(verdict: str, request: pytest.FixtureRequest) -> None:
    result: Result = request.getfixturevalue(verdict)
    document = json.loads(render_json(result))
    VALIDATOR.validate(document)
    assert document["verdict"] == verdict


def test_counterexample_names_inputs_and_observables(different: Result) -> None:
    found = result_object(different)["counterexample"]
    assert found["packet"] == different.counterexamples[0].input.packet.hex()
    assert found["inputs"]["maps"] == {"ports": {"00000000": "0102"}}
    assert found["left"] == {"verdict": "accept", "code": 2, "meta.size": 8, "meta": "0a00000100350000", "rest": 5}
    assert found["parts"]["right"] == {"saddr": 0x0A000001, "sport": 0x3500}
    assert found["differs"] == ["meta"]
    assert found["confirmed_by"] == ["interpreter", "kernel"]
    assert found["relevant"] == [12, 13, 34, 35]


def _without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    document = copy.deepcopy(document)
    target = document
    for name in path[:-1]:
        target = target[name]
    del target[path[-1]]
    return document


@pytest.mark.parametrize(
    "path",
    [
        ("assumptions",),
        ("counterexample",),
        ("left", "sha256"),
        ("statistics", "peak_rss_bytes"),
        ("counterexample", "confirmed_by"),
        ("counterexample", "left", "code"),
    ],
)
def test_the_schema_misses_what_is_left_out(different: Result, path: tuple[str, ...]) -> None:
    assert not VALIDATOR.is_valid(_without(result_object(different), *path))


def test_the_schema_refuses_a_counterexample_to_an_equivalence(different: Result) -> None:
    assert not VALIDATOR.is_valid({**result_object(different), "verdict": "equivalent"})


def test_the_schema_refuses_a_third_side(different: Result) -> None:
    document = copy.deepcopy(result_object(different))
    document["counterexample"]["paths"]["middle"] = []
    assert not VALIDATOR.is_valid(document)
