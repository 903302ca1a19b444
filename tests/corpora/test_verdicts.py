"""Every pair of the corpora gets the verdict that its manifest expects, and every file is equivalent to itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from equiv import api, certified
from equiv.asked import read_outputs
from equiv.bench.manifest import Pair, load_corpora
from equiv.bpf.tail_calls import parse_tail_call
from equiv.oracle import KernelProgram, available
from equiv.oracle.test_run import nonlinear_skbs
from equiv.p4.parser import ParserOptions
from equiv.report.explain import explain
from equiv.report.json_result import input_object, result_object
from equiv.report.observables import comparable
from equiv.result import Counterexample, Result, field_value

ROOT = Path(__file__).resolve().parents[2]
CORPORA = load_corpora(ROOT / "corpora")
PAIRS = [pair for corpus in CORPORA for pair in corpus.pairs if not pair.with_itself]
FILES = [pair for corpus in CORPORA for pair in corpus.pairs if pair.with_itself]
PROGRAMS = [pair for pair in FILES if pair.runs_on_kernel]

TIMEOUT = 120.0
"""Seconds of engine time for one check: far more than any needs, so that a slow machine does not fail a test."""
UNDECIDED_TIMEOUT = 3.0
"""The same for checks that are known not to be decided yet."""

UNDECIDED = frozenset((Path(__file__).parent / "undecided.txt").read_text(encoding="utf-8").split())
"""Pairs that the engine does not decide in reasonable time. They may be `unknown`, never wrong."""

NO_KERNEL = available()


def _shown_to_kernel(pair: Pair) -> bool:
    return pair.expected == "different" and pair.runs_on_kernel


def _parameters(pairs: Iterable[Pair]) -> list[Any]:
    """The pairs, named; marked `kernel` where the test also compares with the running kernel."""
    return [
        pytest.param(pair, id=pair.id, marks=[pytest.mark.kernel] if _shown_to_kernel(pair) and not NO_KERNEL else [])
        for pair in pairs
    ]


def _sample() -> list[Pair]:
    """Of each corpus the first broken twin, and the first pair where there is none."""
    found = {}
    for pair in sorted(PAIRS, key=lambda pair: pair.expected != "different"):
        found.setdefault(pair.corpus, pair)
    return list(found.values())


@cache
def _schema(name: str) -> Draft202012Validator:
    schema = json.loads((ROOT / "specs" / f"{name}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _check(pair: Pair, left: str, right: str) -> Result:
    timeout = UNDECIDED_TIMEOUT if pair.id in UNDECIDED else TIMEOUT
    held = tuple(parse_tail_call(text) for text in pair.tail_calls)
    said = [text.partition("=")[::2] for text in pair.others]
    relations, assumed = ([value for name, value in said if name == asked] for asked in ("--relation", "--assume"))
    is_acceptance = ("--observe", "accept") in said
    return api.check(
        left,
        right,
        interface=pair.interface,
        timeout=timeout,
        observe_maps=pair.observe,
        tail_calls=held,
        parsers=ParserOptions("accept" if is_acceptance else None, ("--exact-end", "") in said or None),
        relation=relations[0] if relations else None,
        assume=assumed,
        outputs=read_outputs(pair.outputs) if pair.outputs else (),
        certificate=True,
    )


def _assert_certified(result: Result, left: str, right: str, folder: Path) -> None:
    """The certificate of what is equivalent holds, checked by another solver."""
    assert result.certificate is not None
    file = folder / "certificate.json"
    file.write_bytes(result.certificate)
    found = certified.verify(str(file), left, right)
    assert found.solver != found.certificate.solver
    assert found.result.verdict == "holds", found.result.reason
    _schema("certificate").validate(json.loads(result.certificate))


def _assert_explained(pair: Pair, result: Result) -> None:
    """The sentence names what both sides do; for the input that was reviewed it is the one that was."""
    (found,) = result.counterexamples
    said = explain(result, found)
    if any(text.startswith("--relation=") for text in pair.others):
        assert f"violates `{found.differs[0]}`" in said
        return
    assert [text for text in _must_say(result, found) if text not in said] == [], said
    reviewed = EXPLANATIONS.get(pair.id)
    turned = result.left.path == pair.right
    if reviewed is not None and reviewed.packet == _given(found) and not turned:
        assert said == reviewed.sentence


def _must_say(result: Result, found: Counterexample) -> list[str]:
    """Verbs with their subjects; where the verdict is the same, what differs and both values."""
    nouns = {"bpf": "program", "dev": "table"}
    left, right = (nouns.get(side.kind, "parser") for side in (result.left, result.right))
    if left == right:
        left, right = f"left {left}", f"right {right}"
    verbs = {"accept": "accept", "drop": "drop", "reject": "reject"}
    one, other = (verbs.get(seen.verdict, f"answer {seen.verdict}") for seen in (found.left, found.right))
    if "verdict" in found.differs:
        second = re.sub("^answer", "answers", one) if one.startswith("answer") else f"{one}s"
        first = re.sub("^answer", "answers", other) if other.startswith("answer") else f"{other}s"
        return [f"The {right} {first} ", f" the {left} {second}"]
    told = [f"Both {one} "]
    parts = {f.name for f in result.fields}
    for name in found.differs:
        if name not in comparable(found.left, found.right, result.fields):
            told.append(f"`{name}`")
            continue
        if name in parts:
            told += [f"{name} is "] * (name in [each for each in found.differs if each in parts][:3])
            continue
        fields = [f for f in result.fields if f.observable == name]
        values = [(f.name, field_value(found.left, f), field_value(found.right, f)) for f in fields]
        unlike = [field for field, a, b in values if a != b]
        shown = "the packet handed on" if name == "packet" else name
        told += unlike[:3] or [shown]
        a, b = found.left.values.get(name), found.right.values.get(name)
        if isinstance(a, int) and isinstance(b, int) and name != "error":
            told.append(f"{name} is {a} for the {left} and {b} for the {right}")
    return told


def _given(found: Counterexample) -> str:
    """The whole input as the file of explanations has it."""
    given = input_object(found.input)
    more = {name: given[name] for name in ("linear", "context", "maps") if given[name]}
    return found.input.packet.hex() + (f" {json.dumps(more, sort_keys=True)}" if more else "")


@dataclass(frozen=True)
class _Reviewed:
    packet: str
    sentence: str


def _explanations() -> dict[str, _Reviewed]:
    """By pair: the input and the sentence of `explanations.txt`."""
    blocks = (Path(__file__).parent / "explanations.txt").read_text(encoding="utf-8").strip().split("\n\n")
    rows = [block.split("\n") for block in blocks if not block.startswith("#")]
    return {pair: _Reviewed(packet, sentence) for pair, packet, sentence in rows}


EXPLANATIONS = _explanations()


def rewrite_explanations() -> None:
    """What `make explanations` runs, to be reviewed as a diff."""
    path = Path(__file__).parent / "explanations.txt"
    head = path.read_text(encoding="utf-8").partition("\n\n")[0]
    blocks = [head]
    for pair in PAIRS:
        result = _check(pair, pair.left, pair.right)
        if pair.expected == "different" and result.counterexample is not None:
            found = result.counterexample
            blocks.append(f"{pair.id}\n{_given(found)}\n{explain(result, found)}")
    path.write_text("\n\n".join(blocks) + "\n", encoding="utf-8")


def _assert_shown(pair: Pair, result: Result) -> None:
    """What was found is as expected, and a difference was seen wherever the programs can run."""
    if pair.id in UNDECIDED and result.verdict == "unknown":
        pytest.xfail(f"not decided yet: {result.reason}")
    assert result.verdict == pair.expected, result.reason
    for example in result.counterexamples:
        assert example.differs
        assert "interpreter" in example.confirmed_by
        paged = example.input.linear is not None and example.input.linear < len(example.input.packet)
        if not NO_KERNEL and pair.runs_on_kernel and not (paged and not nonlinear_skbs()):
            assert "kernel" in example.confirmed_by, example.notes
    _schema("result").validate(json.loads(json.dumps(result_object(result))))
    if result.counterexamples:
        _assert_explained(pair, result)


@pytest.mark.parametrize("pair", _parameters(PAIRS))
def test_pair_gets_the_expected_verdict_with_a_confirmed_counterexample_or_a_certificate(
    pair: Pair, tmp_path: Path
) -> None:
    result = _check(pair, pair.left, pair.right)
    _assert_shown(pair, result)
    if result.verdict == "equivalent":
        _assert_certified(result, pair.left, pair.right, tmp_path)


@pytest.mark.parametrize("pair", _parameters(_sample()))
def test_sides_swapped_give_the_same_verdict(pair: Pair) -> None:
    _assert_shown(pair, _check(pair, pair.right, pair.left))


@pytest.mark.parametrize("pair", _parameters(FILES))
def test_file_is_equivalent_to_itself(pair: Pair, tmp_path: Path) -> None:
    result = _check(pair, pair.left, pair.right)
    _assert_shown(pair, result)
    _assert_certified(result, pair.left, pair.right, tmp_path)


@pytest.mark.kernel
@pytest.mark.skipif(NO_KERNEL is not None, reason=NO_KERNEL or "")
@pytest.mark.parametrize("pair", _parameters(PROGRAMS))
def test_verifier_of_the_running_kernel_accepts_the_program(pair: Pair) -> None:
    loaded = api.load(pair.left)
    assert loaded.program is not None
    with KernelProgram(loaded.program, api.choose_interface(loaded, loaded, pair.interface)):
        pass  # VerifierRejected otherwise


def test_at_least_twelve_programs_have_two_broken_twins_or_more() -> None:
    twins = [sum(pair.expected == "different" for pair in corpus.pairs) for corpus in CORPORA]
    assert sum(count >= 2 for count in twins) >= 12


def test_every_broken_twin_says_what_is_wrong_with_it() -> None:
    assert [pair.id for pair in PAIRS if (pair.expected == "different") != bool(pair.bug)] == []


def test_every_file_of_a_corpus_is_in_a_manifest() -> None:
    listed = {file for pair in PAIRS for file in (pair.left, pair.right)}
    assert sorted(pair.left for pair in FILES if pair.left not in listed) == []


def test_explanations_that_were_reviewed_are_of_broken_twins() -> None:
    twins = {pair.id for pair in PAIRS if pair.expected == "different"}
    assert set(EXPLANATIONS) - twins == set()
    assert len(EXPLANATIONS) >= 100


if __name__ == "__main__":
    rewrite_explanations()
