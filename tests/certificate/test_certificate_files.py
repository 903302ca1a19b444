"""Certificates as files: what is written is read back, no edit of one or of an artefact goes through (D4)."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import z3
from jsonschema import Draft202012Validator
from relations import CORPORA

from equiv import api, certified
from equiv.bpf.map_snapshot import Snapshot
from equiv.certificate.document import read_certificate, write_certificate
from equiv.cli import main
from equiv.errors import EquivError, InputError, ResourceLimit
from equiv.question import Question, read_question

SPECS = CORPORA.parent / "specs"
LEFT, RIGHT, TWIN = "mpls.bpf.o", "mpls.dev", "mpls.ttl.dev"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a pair and its certificate."""
    folder = tmp_path_factory.mktemp("pair")
    for name in (LEFT, RIGHT, TWIN):
        shutil.copy(CORPORA / "mpls" / name, folder / name)
    result = api.check(str(folder / LEFT), str(folder / RIGHT), certificate=True)
    assert result.certificate is not None
    (folder / "certificate.json").write_bytes(result.certificate)
    return folder


def verify(folder: Path, certificate: Path | None = None, right: str = RIGHT) -> str:
    """The verdict, or `refused` where the certificate cannot be used."""
    file = certificate or folder / "certificate.json"
    try:
        return certified.verify(str(file), str(folder / LEFT), str(folder / right)).result.verdict
    except EquivError as error:
        assert error.exit_status in (2, 4), error
        return "refused"


def test_it_holds_follows_its_schema_and_is_written_as_it_was_read(written: Path) -> None:
    assert verify(written) == "holds"
    raw = (written / "certificate.json").read_bytes()
    schema = json.loads((SPECS / "certificate.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(json.loads(raw))
    assert write_certificate(read_certificate(str(written / "certificate.json"))) == raw


def test_another_artefact_another_program_and_another_version_are_refused(written: Path) -> None:
    file = str(written / "certificate.json")
    with pytest.raises(InputError, match="another right side"):
        certified.verify(file, str(written / LEFT), str(written / TWIN))
    with pytest.raises(InputError, match="another left side"):
        certified.verify(file, str(written / RIGHT), str(written / RIGHT))
    other = resealed(written, lambda document: document.update(equiv="0.0.1"))
    with pytest.raises(InputError, match=r"made by equiv 0\.0\.1"):
        certified.verify(str(other), str(written / LEFT), str(written / RIGHT))


def resealed(folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The certificate with a change that whoever made it has covered up."""
    from equiv.certificate.document import _canonical, _seal

    document = json.loads((folder / "certificate.json").read_bytes())
    del document["seal"]
    change(document)
    target = folder / "resealed.json"
    target.write_bytes(_canonical({**document, "seal": _seal(document)}))
    return target


def test_another_question_is_refused_and_one_that_nobody_knows_too(written: Path) -> None:
    for question in (
        {"interface": "tc"},
        {"observe": "all"},
        {"observe": "none"},
        {"trust": True},
        {"interface": 3},
        {"right_linear": "no"},
        {"observe_maps": ""},
        {"tail_calls": {}},
    ):
        edited = resealed(written, lambda document, said=question: document.update(question=said))
        assert verify(written, edited) == "refused", question


@pytest.mark.parametrize("exact_end", [None, False, True])
def test_options_are_read_as_they_were_written(exact_end: bool | None) -> None:
    asked = Question(observe_maps=("a", "b"), observe="accept", exact_end=exact_end, right_linear=exact_end is True)
    assert read_question(json.loads(json.dumps(asked.data()))) == asked


def test_what_is_printed_of_the_sides_is_what_was_given(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = resealed(written, lambda document: document["left"].update(path="/usr/lib/trusted.bpf.o"))
    for form in ((), ("--json",)):
        assert main(["verify", str(edited), str(written / LEFT), str(written / RIGHT), *form]) == 0
        text = capsys.readouterr().out
        assert str(written / LEFT) in text.replace("\n", "") and "trusted" not in text


def test_what_maps_hold_is_said_by_the_certificate_and_not_by_a_file_that_it_names(tmp_path: Path) -> None:
    program, file = str(CORPORA / "flow-table" / "flow-table.bpf.o"), str(tmp_path / "certificate.json")
    held = Snapshot("flows", "dump.json", ())
    result = api.check(program, program, snapshots=[held], kernel=False, certificate=True, timeout=60)
    assert result.certificate is not None
    Path(file).write_bytes(result.certificate)
    found = certified.verify(file, program, program)
    assert found.result.verdict == "holds"
    assert any("flows holds what the certificate, after dump.json, says" in said for said in found.assumptions)


def test_a_certificate_that_claims_to_be_about_the_broken_twin_is_rejected(written: Path) -> None:
    sha = api.load(str(written / TWIN)).sha256
    edited = resealed(written, lambda document: document["right"].update(sha256=sha))
    assert verify(written, edited, TWIN) == "rejected"


@pytest.mark.parametrize("seed", range(4))
def test_random_edits_of_certificate_and_artefacts_are_all_refused(written: Path, tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    for name in (LEFT, RIGHT, "certificate.json"):
        shutil.copy(written / name, tmp_path / name)
    for number in range(50):
        name = (LEFT, RIGHT, "certificate.json")[min(number % 5, 2)]
        original = (written / name).read_bytes()
        (tmp_path / name).write_bytes(edited(original, rng))
        assert verify(tmp_path) == "refused", (name, number)
        (tmp_path / name).write_bytes(original)
    assert verify(tmp_path) == "holds"


def edited(data: bytes, rng: random.Random) -> bytes:
    """`data` after one small edit."""
    at = rng.randrange(len(data))
    match rng.randrange(4):
        case 0:
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + 1 :]
        case 2:
            return data[:at] + rng.choice([b" ", b"0", b"\n", b"T"]) + data[at:]
    return data[:at] if at else b""


MALFORMED: dict[str, Callable[[dict[str, Any]], object]] = {
    "a term that stands behind": lambda d: d["terms"].insert(0, ["not", 1, 5]),
    "no such operator": lambda d: d["terms"].append(["bvfoo", 8, 0]),
    "a width of nothing": lambda d: d["terms"].append(["const", 0, 0]),
    "a very wide term": lambda d: d["terms"].append(["const", 1 << 40, 0]),
    "a width that does not fit": lambda d: d["terms"].append(["eq", 8, 0, 0]),
    "a value too large": lambda d: d["terms"].append(["const", 8, 256]),
    "bounds the wrong way round": lambda d: d["terms"].append(["var", 8, "~1", 5, 4]),
    "a fact that is a number": lambda d: d["states"][0]["facts"].append(_wide(d)),
    "a cell that is no term": lambda d: d["states"][0]["cells"].update(x=10**9),
    "a state without cells": lambda d: d["states"][0].pop("cells"),
    "a way that is no way": lambda d: d["states"][0]["ways"].append([0]),
    "a target that there is not": lambda d: d["start"].__setitem__(0, 10**6),
    "answers that are none": lambda d: d["start"].__setitem__(1, "maybe"),
    "a sign that is none": lambda d: d["ranks"][0].update(sign=0),
    "a member too many": lambda d: d.update(trust="me"),
    "true for a number": lambda d: d["start"].__setitem__(0, True),
    "states that are no list": lambda d: d.update(states={}),
    "a cell without a name": lambda d: d["states"][0]["cells"].update({"": 0}),
    "a cell of neither side": lambda d: d["states"][0]["cells"].update({"L": 0}),
    "a cell at no place": lambda d: d["states"][0]["cells"].update({"L.meta.-" + "9" * 5000: 0}),
    "elements of two widths": lambda d: _fact(d, ["select", 8, "pkt", 0], ["select", 16, "pkt", 0], like=64),
    "a deep term": lambda d: _fact(d, *(["mul", 8, -1, 0] for _ in range(3000)), like=8),
}


def _fact(document: dict[str, Any], *nodes: list[Any], like: int) -> None:
    """Say that the last of `nodes` is odd; 0 among their arguments is a variable, -1 the node before."""
    terms = document["terms"]
    first = len(terms)
    terms.append(["var", like, "~made up", 0, 2**like - 1])
    for node in nodes:
        terms.append([*node[:2], *(len(terms) - 1 if x == -1 else first if x == 0 else x for x in node[2:])])
    for place in range(first, len(terms)):
        terms.append(["extract", 1, place, 0, 0])
        document["states"][0]["facts"].append(len(terms) - 1)


def _wide(document: dict[str, Any]) -> int:
    return next(place for place, node in enumerate(document["terms"]) if node[1] > 1)


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_malformed_certificates_are_refused_even_if_sealed(
    written: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    assert verify(written, resealed(written, change)) in ("refused", "rejected")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"schema":"equiv-certificate/1"}', b"[" * 100_000])
def test_files_that_are_no_certificates_are_refused(written: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "no.json").write_bytes(content)
    assert verify(written, tmp_path / "no.json") == "refused"


def test_files_that_are_nested_about_as_deeply_as_can_be_read_are_refused(written: Path, tmp_path: Path) -> None:
    for depth in range(800, 1000, 2):
        content = '{"schema":"equiv-certificate/1","x":' + "[" * depth + "]" * depth + ',"seal":""}\n'
        (tmp_path / "no.json").write_text(content)
        assert verify(written, tmp_path / "no.json") == "refused"


# --- the command line -----------------------------------------------------------------------------------------------


def test_check_writes_a_certificate_and_verify_says_that_it_holds(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, left, right = str(tmp_path / "c.json"), str(written / LEFT), str(written / RIGHT)
    assert main(["check", left, right, "--certificate", file]) == 0
    capsys.readouterr()
    assert main(["verify", file, left, right]) == 0
    text = capsys.readouterr().out
    assert text.startswith("the certificate holds\n") and "mpls.dev" in text and "questions to bitwuzla" in text
    assert "assumptions" in text and "packets are" in text
    assert main(["verify", file, left, right, "--json", "--solver", "z3"]) == 0
    document = json.loads(capsys.readouterr().out)
    schema = json.loads((SPECS / "verification.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(document)
    assert (document["verdict"], document["checked_by"]) == ("holds", "z3")


def test_no_certificate_is_written_of_what_differs(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "c.json"
    arguments = ["check", str(written / LEFT), str(written / TWIN), "--no-kernel", "--certificate", str(file)]
    assert main(arguments) == 1
    assert "not written" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_rejected_certificate_is_status_1_and_an_unusable_one_2(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = str(written / LEFT), str(written / RIGHT)
    rejected = resealed(written, lambda document: document.update(ranks=[]))
    assert main(["verify", str(rejected), left, right]) == 1
    assert capsys.readouterr().out.startswith("the certificate is rejected\n")
    assert main(["verify", left, left, right]) == 2
    assert "not a certificate" in capsys.readouterr().err
    assert main(["verify", str(written / "certificate.json"), left, str(written / TWIN)]) == 2


def test_a_check_that_runs_out_of_time_is_status_3(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(written / name) for name in ("certificate.json", LEFT, RIGHT)]
    assert main(["verify", *arguments, "--timeout", "0.000001"]) == 3
    assert "not checked to its end" in capsys.readouterr().err
    assert main(["verify", *arguments, "--timeout", "1000"]) == 0


# --- proofs for those who trust no solver -----------------------------------------------------------------------------


def run(*arguments: object) -> int:
    """The command line in a process of its own: clauses have the same numbers only where all terms are made anew."""
    command = [sys.executable, "-m", "equiv", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def bundle(written: Path) -> Path:
    pytest.importorskip("pysat", reason="python-sat is not installed")
    folder = written / "proofs"
    assert run("verify", *(written / n for n in ("certificate.json", LEFT, RIGHT)), "--proofs", folder) == 0
    return folder


def test_all_obligations_are_written_with_refutations(bundle: Path) -> None:
    index = json.loads((bundle / "index.json").read_text())
    assert len(index["obligations"]) > 5 and all(row["refuted"] for row in index["obligations"])
    for row in index["obligations"]:
        assert {path.suffix for path in bundle.glob(f"{row['file']}.*")} == {".smt2", ".cnf", ".lrat"}
    checked = subprocess.run([sys.executable, "-I", bundle / "lrat_check.py", bundle], capture_output=True, check=False)
    assert checked.returncode == 0, checked.stdout
    for file in bundle.glob("*.smt2"):
        solver = z3.SolverFor("QF_ABV")
        solver.from_string(file.read_text())
        assert solver.check() == z3.unsat


def test_why_there_are_no_refutations_is_said(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pysat.solvers", None)
    pair = [str(written / name) for name in ("certificate.json", LEFT, RIGHT)]
    assert main(["verify", *pair, "--proofs", str(tmp_path / "new")]) == 0
    assert "without a refutation: python-sat is not installed (pip install 'equiv[proofs]')" in capsys.readouterr().err


def test_a_certificate_holds_by_its_refutations_alone(written: Path, bundle: Path) -> None:
    pair = [written / name for name in ("certificate.json", LEFT, RIGHT)]
    assert run("verify", *pair, "--by-proofs", bundle) == 0


def test_refutations_of_something_else_do_not_count(written: Path, bundle: Path, tmp_path: Path) -> None:
    pair = [written / name for name in ("certificate.json", LEFT, RIGHT)]
    other = tmp_path / "other"
    shutil.copytree(bundle, other)
    (other / "00001.lrat").unlink()
    assert run("verify", *pair, "--by-proofs", other) == 3
    for suffix in ("cnf", "lrat"):  # right in itself, but of another obligation
        shutil.copy(bundle / f"00002.{suffix}", other / f"00001.{suffix}")
    assert run("verify", *pair, "--by-proofs", other) == 3
    (other / "index.json").write_text("{}")
    assert run("verify", *pair, "--by-proofs", other) == 2


def test_a_folder_that_is_there_is_not_written_to(written: Path, bundle: Path, tmp_path: Path) -> None:
    pair = [written / name for name in ("certificate.json", LEFT, RIGHT)]
    assert run("verify", *pair, "--proofs", bundle) == 2
    rejected = resealed(written, lambda document: document.update(ranks=[]))
    assert run("verify", rejected, *pair[1:], "--proofs", tmp_path / "new") == 2
    assert not list(tmp_path.iterdir())


def test_reading_ends_when_the_time_is_up(written: Path) -> None:
    with pytest.raises(ResourceLimit, match="while it was read"):
        read_certificate(str(written / "certificate.json"), seconds=-1.0)
