"""Results read back from JSON are what was written; what is no result is refused with the place of what is wrong."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.report.json_result import render_json, result_object
from equiv.report.read_result import MAX_BYTES, parse_result, read_result, result_from_object
from equiv.result import CertificateRef, Dependence, Result


@pytest.mark.parametrize("verdict", ["equivalent", "different", "unknown"])
def test_reading_gives_back_what_was_written(verdict: str, request: pytest.FixtureRequest) -> None:
    result: Result = request.getfixturevalue(verdict)
    text = render_json(result)
    assert render_json(parse_result(text.encode())) == text


def test_everything_that_can_be_there_is_read_back(different: Result) -> None:
    found = different.counterexamples[0]
    given_ = replace(found.input, oracles={"fib": {3: 4}}, linear=None)
    found = replace(found, input=given_, depends={"left": {"sport": Dependence(frozenset({34, 35}), (34, 35))}})
    result = replace(
        different,
        counterexamples=(found,),
        certified=CertificateRef("ef" * 32, "x.cert"),
        element_width=4,
        seed=-7,
        errors=("NoError",),
    )
    again = result_from_object(result_object(result))
    assert result_object(again) == result_object(result)
    assert again.certified == result.certified
    assert again.counterexamples[0].input == given_
    assert again.counterexamples[0].depends == found.depends
    assert (again.fields, again.errors) == (result.fields, result.errors)


@given(st.binary(max_size=64), st.dictionaries(st.text(max_size=8), st.integers(0, 1 << 200), max_size=3))
def test_any_packet_and_context_is_read_back(packet: bytes, context: dict[str, int]) -> None:

    document = _minimal(packet, context)
    again = result_from_object(document)
    assert again.counterexamples[0].input == Input(packet, context=context)


def _minimal(packet: bytes, context: dict[str, int]) -> dict[str, Any]:
    inputs = {"packet": packet.hex(), "length": len(packet), "linear": None, "context": context, "maps": {}}
    observed = {"verdict": "drop", "code": 1}
    example = {
        "packet": packet.hex(),
        "inputs": inputs,
        "left": observed,
        "right": {"verdict": "accept", "code": 2},
        "parts": {},
        "differs": ["verdict"],
        "relevant": [],
        "paths": {},
        "confirmed_by": ["interpreter"],
        "kernel": {},
        "notes": [],
    }
    side = {"path": "a", "sha256": "0" * 64, "program": "", "kind": "dev"}
    names = ["joint_states", "explorations", "joins", "refinements", "solver_queries", "terms", "peak_rss_bytes"]
    statistics = {**dict.fromkeys(names, 0), "seconds": 0, "solver_seconds": 0.5, "phases": {}}
    return {
        "schema": "equiv-result/1",
        "verdict": "different",
        "reason": "",
        "interface": "xdp",
        "assumptions": [],
        "warnings": [],
        "left": side,
        "right": dict(side),
        "seed": 0,
        "statistics": statistics,
        "unknown": [],
        "punted": [],
        "counterexample": example,
        "counterexamples": [example],
    }


def _changed(path: tuple[str | int, ...], value: object) -> bytes:
    document: Any = copy.deepcopy(_minimal(b"\x01", {}))
    target = document
    for name in path[:-1]:
        target = target[name]
    target[path[-1]] = value
    return json.dumps(document).encode()


X = ("counterexamples", 0)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        (("schema",), "equiv-result/2", "schema"),
        (("verdict",), "fine", "verdict"),
        (("verdict",), "equivalent", "equivalent with 1 counterexamples"),
        (("reason",), 7, "reason"),
        (("assumptions",), {}, "assumptions"),
        (("assumptions",), [None], "assumptions[0]"),
        (("left", "sha256"), "AB" * 32, "left.sha256"),
        (("left", "sha256"), "١" * 64, "left.sha256"),
        (("right", "kind"), "exe", "right.kind"),
        (("statistics", "seconds"), -1, "statistics.seconds"),
        (("statistics", "seconds"), 10**400, "statistics.seconds"),
        (("statistics", "terms"), 1.5, "statistics.terms"),
        (("statistics", "terms"), True, "statistics.terms"),
        (("statistics", "phases"), [], "statistics.phases"),
        (("element_width",), 3, "element_width"),
        (("certificate",), {"sha256": "x", "file": ""}, "certificate.sha256"),
        ((*X, "packet"), "zz", "counterexamples[0].packet"),
        ((*X, "packet"), "02", "another packet"),
        ((*X, "left", "code"), 1 << 64, "counterexamples[0].left.code"),
        ((*X, "left", "meta"), "0", "counterexamples[0].left.meta"),
        ((*X, "left", "meta"), [], "counterexamples[0].left.meta"),
        ((*X, "differs"), [], "differs"),
        ((*X, "relevant"), [-1], "relevant[0]"),
        ((*X, "relevant"), [1 << 40], "relevant[0]"),
        ((*X, "kernel"), {"middle": {"verdict": "", "code": 0}}, "kernel.middle"),
        ((*X, "inputs", "maps"), {"m": {"xyz": "00"}}, "maps.m"),
        ((*X, "inputs", "oracles"), {"fib": {"1" * 5000: 0}}, "oracles.fib"),
        ((*X, "paths"), {"left": [{"file": "a", "line": -1, "text": ""}]}, "paths.left[0].line"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(path: tuple[str | int, ...], value: object, where: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_result(_changed(path, value), "r.json")
    assert where in caught.value.message
    assert caught.value.place is not None and caught.value.place.file == "r.json"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b"\xff", "not text"),
        (b"[" * 200_000, "nested too deep"),
        (b'{"a":' * 200_000, "nested too deep"),
        (b'{"verdict": "different", "verdict": "equivalent"}', "twice"),
        (b'{"seed": NaN}', "NaN"),
        (b'{"seed": ' + b"9" * 10_000 + b"}", "not usable"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
    ],
)
def test_what_is_no_document_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse_result(text)


def test_a_file_without_end_is_refused(tmp_path: Any) -> None:
    path = tmp_path / "large.json"
    with path.open("wb") as file:
        file.truncate(50 << 20)
    assert MAX_BYTES < 50 << 20
    with pytest.raises(InputError, match="a result is not"):
        read_result(str(path))


def test_what_a_reader_does_not_know_is_ignored() -> None:
    document = {**_minimal(b"\x01", {}), "later": {"x": 1}}
    assert result_from_object(document).verdict == "different"
