"""Relations between stores, external filters, arbitrary contents (D83); the published pairs where their data is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from equiv import api
from equiv.result import Result

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("EQUIV_LEAPFROG", ROOT.parent / "shared" / "leapfrog"))
INDEX = DATA / "index.json"

KEY = {"op": "slice", "hdr": "h", "lo": 0, "hi": 7}


def automaton(folder: Path, name: str, accepted: list[str], extra: int = 0) -> str:
    """A file with an automaton that takes `h`, accepts if it is one of `accepted`, and then sets `g`."""
    cases = [{"patterns": [{"kind": "exact", "bits": bits}], "next": "accept"} for bits in accepted]
    ops: list[dict[str, Any]] = [{"op": "extract", "hdr": "h", "width": 8}]
    if extra >= 0:
        ops.append({"op": "assign", "hdr": "g", "expr": {"op": "lit", "bits": format(extra, "04b")}})
    state = {
        "extract_bits": 8,
        "ops": ops,
        "transition": {"kind": "select", "on": [KEY], "cases": cases, "default": "reject"},
    }
    document = {
        "name": name,
        "conventions": {},
        "headers": [{"name": "h", "width": 8}, {"name": "g", "width": 4}],
        "states": {"s": state},
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(document))
    return str(path)


def check(folder: Path, left: str, right: str, relation: dict[str, Any]) -> Result:
    pair = {
        "id": "p",
        "left": Path(left).name,
        "left_start": "s",
        "right": Path(right).name,
        "right_start": "s",
        "relation": {"text": "as asked", **relation},
    }
    index = folder / "index.json"
    index.write_text(json.dumps({"benchmarks": [pair]}))
    return api.check(left, right, relation=f"{index}#p", timeout=20)


def loop(folder: Path, name: str, headers: int, after: str = "one") -> str:
    """A file with an automaton that takes bytes up to the first that is not 0, `headers` at once, and one more.

    `after` is where it goes on where that byte was the last of those that it took.
    """
    names = ["a", "b"][:headers]
    zero, any_ = {"kind": "exact", "bits": "00000000"}, {"kind": "any"}
    cases = [{"patterns": [zero] * headers, "next": "s"}]
    if headers == 2:
        cases.append({"patterns": [zero, any_], "next": after})
    states = {
        "s": {
            "extract_bits": 8 * headers,
            "ops": [{"op": "extract", "hdr": hdr, "width": 8} for hdr in names],
            "transition": {
                "kind": "select",
                "on": [{"op": "slice", "hdr": hdr, "lo": 0, "hi": 7} for hdr in names],
                "cases": cases,
                "default": "accept" if headers == 2 else "one",
            },
        },
        "one": {
            "extract_bits": 8,
            "ops": [{"op": "extract", "hdr": "c", "width": 8}],
            "transition": {"kind": "goto", "next": "accept"},
        },
    }
    widths = [{"name": hdr, "width": 8} for hdr in (*names, "c")]
    path = folder / f"{name}.json"
    path.write_text(json.dumps({"name": name, "conventions": {}, "headers": widths, "states": states}))
    return str(path)


def test_a_loop_that_takes_two_headers_at_once_is_equal_to_one_that_takes_one(tmp_path: Path) -> None:
    """One side goes round twice while the other looks ahead; only where both have moved are states merged."""
    plain, speculative = loop(tmp_path, "plain", 1), loop(tmp_path, "speculative", 2)
    for left, right in ((plain, speculative), (speculative, plain)):
        assert check(tmp_path, left, right, {"kind": "lang_equiv"}).verdict == "equivalent"
    broken = loop(tmp_path, "broken", 2, after="accept")
    assert check(tmp_path, plain, broken, {"kind": "lang_equiv"}).verdict == "different"


ONE, TWO = "00000001", "00000010"


def filtered(*values: str) -> dict[str, Any]:
    data = {"side": "left", "hdr": "h", "lo": 0, "hi": 7, "in": list(values)}
    return {"kind": "lang_equiv_modulo_filter", "filter": data}


def test_difference_outside_of_the_filtered_values_is_none(tmp_path: Path) -> None:
    left, right = automaton(tmp_path, "a", [ONE, TWO]), automaton(tmp_path, "b", [ONE])
    assert check(tmp_path, left, right, {"kind": "lang_equiv"}).verdict == "different"
    assert check(tmp_path, left, right, filtered(ONE)).verdict == "equivalent"
    assert check(tmp_path, right, left, filtered(ONE)).verdict == "equivalent"


def test_difference_at_a_filtered_value_counts_whichever_side_accepts(tmp_path: Path) -> None:
    left, right = automaton(tmp_path, "a", [ONE, TWO]), automaton(tmp_path, "b", [ONE])
    for result in (check(tmp_path, left, right, filtered(TWO)), check(tmp_path, right, left, filtered(TWO))):
        assert result.verdict == "different"
        assert result.counterexample is not None
        assert result.counterexample.input.packet == b"\2"


def stores(**condition: Any) -> dict[str, Any]:
    conjunct: dict[str, Any] = {"eq": ["g", "g"]}
    if condition:
        conjunct["if"] = {"side": "right", "hdr": "h", "lo": 0, "hi": 7, **condition}
    return {"kind": "store_relation_on_joint_accept", "conjuncts": [conjunct]}


def test_stores_are_compared_where_both_accept_and_acceptance_is_not(tmp_path: Path) -> None:
    left, right = automaton(tmp_path, "a", [ONE, TWO], 5), automaton(tmp_path, "b", [ONE], 5)
    assert check(tmp_path, left, right, stores()).verdict == "equivalent"
    other = automaton(tmp_path, "c", [ONE], 6)
    result = check(tmp_path, left, other, stores())
    assert result.verdict == "different"
    assert result.counterexample is not None
    assert result.counterexample.differs == ("g",)


def test_stores_are_compared_only_where_their_condition_holds(tmp_path: Path) -> None:
    left, right = automaton(tmp_path, "a", [ONE, TWO], 5), automaton(tmp_path, "b", [ONE], 6)
    assert check(tmp_path, left, right, stores(bits=TWO)).verdict == "equivalent"
    assert check(tmp_path, left, right, stores(bits=ONE)).verdict == "different"


@pytest.mark.parametrize(
    ("relation", "said"),
    [
        (filtered(TWO), "where just one side accepts, bits 0 to 7 of h on the left are not 00000010;"),
        (filtered(), "nothing: whatever both sides do"),
        (stores(bits=ONE), "g on the left and g on the right (where bits 0 to 7 of h on the right are 00000001);"),
        ({"kind": "store_relation_on_joint_accept", "conjuncts": []}, "these are the same: nothing; whether they"),
    ],
)
def test_what_a_result_says_is_asked_is_what_is_asked(tmp_path: Path, relation: dict[str, Any], said: str) -> None:
    """The index may call its relation what it likes."""
    left, right = automaton(tmp_path, "a", [ONE, TWO], 5), automaton(tmp_path, "b", [ONE], 6)
    (asked,) = (s for s in check(tmp_path, left, right, relation).assumptions if s.startswith("what is asked"))
    assert said in asked and "as asked" not in asked


def test_contents_that_were_never_set_differ_from_side_to_side(tmp_path: Path) -> None:
    left = automaton(tmp_path, "a", [ONE], -1)
    assert check(tmp_path, left, left, stores()).verdict == "different"
    assert check(tmp_path, left, left, {"kind": "lang_equiv"}).verdict == "equivalent"


@pytest.mark.skipif(not INDEX.is_file(), reason="the published automata are not here (EQUIV_LEAPFROG=FOLDER)")
@pytest.mark.parametrize(
    ("pair", "verdict"),
    [
        ("babyip", "equivalent"),
        ("selfcomparison", "equivalent"),
        ("selfcomparison-negative", "different"),
        ("sloppystrict-plain", "different"),
        ("sloppystrict-filter", "equivalent"),
        ("sloppystrict-stores", "equivalent"),
        ("simple-negative", "different"),
        ("ipoptions3", "equivalent"),
    ],
)
def test_published_pair_gets_its_verdict(pair: str, verdict: str) -> None:
    found = next(b for b in json.loads(INDEX.read_text())["benchmarks"] if b["id"] == pair)
    left, right = (f"{DATA / found[side]}:{found[side + '_start']}" for side in ("left", "right"))
    result = api.check(left, right, relation=f"{INDEX}#{pair}", timeout=60)
    assert result.verdict == verdict
