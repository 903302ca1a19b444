"""Mutants of shipped programs and tables: what is proved equivalent, the interpreters cannot tell apart."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from random import Random
from sys import path as import_path

import pytest

from equiv import api, certified
from equiv.errors import InputError, Unsupported
from equiv.machine.concrete import Input
from equiv.proof.replay import differing

import_path.append(str(Path(__file__).resolve().parent))

from mutation import Mutant, packets, program_mutants, ran, table_mutants, told_apart

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
NAMES = ("ipv4-options", "tc-mark", "vxlan", "classifier")
EACH = 3
"""Mutants of each program, and of each table."""

FRAMES = [
    bytes.fromhex("ffffffffffff020000000001" + rest)
    for rest in (
        "08004500002c00010000401100000a0000010a02030410e100350018000000000000000000000000000000000000",
        "08004800003800010000400600000a0000010a0203040101010101010101010101010000005000000000000000005002200000000000",
        "080045000054000100004011000000000001000000020000"
        + "12b5002000000800000000004d00"
        + "ff" * 12
        + "0800"
        + "45" * 24,
        "86dd6000000000081140" + "20010db8" * 8 + "10e1003500080000",
        "08060001080006040001020000000001010203040000000000000506070800",
        "8847"
        + "00064042"
        + "00065041"
        + "00066140"
        + "4500001c0001000040110000"
        + "0a000001" * 2
        + "10e1003500080000",
        "080045000020000100004001000001020304050607080800" + "f7ff00000000abcd",
    )
]


def _sample(name: str) -> list[Mutant]:
    """A few mutants of the program and of the table, always the same ones."""
    program = api.load(str(CORPORA / name / f"{name}.bpf.o")).program
    assert program is not None
    text = (CORPORA / name / f"{name}.dev").read_text(encoding="utf-8")
    random = Random(name)
    chosen = random.sample(list(program_mutants(program)), EACH)
    return chosen + random.sample(list(islice(table_mutants(text), 0, 400, 5)), EACH)


@pytest.mark.parametrize("name", NAMES)
def test_mutant_proved_equivalent_behaves_as_its_original_and_one_that_differs_has_no_certificate(
    name: str, tmp_path: Path
) -> None:
    table, program = (api.load(str(CORPORA / name / f"{name}.{kind}")) for kind in ("dev", "bpf.o"))
    original = tmp_path / "original.json"
    original.write_bytes(api.check(table, program, kernel=False, certificate=True).certificate or b"")
    assert certified.verify(str(original), table, program).result.verdict == "holds"
    interface = api.choose_interface(table, table)
    given = [Input(packet) for packet in packets(FRAMES, Random(name), 300, interface.min_length)]
    memo: dict[int, object] = {}
    verdicts = set()
    for mutant in _sample(name):
        try:
            result = api.check(table, mutant.loaded, kernel=False, timeout=4, certificate=True)
        except (InputError, Unsupported):  # the verifier would reject it, or it does something that is not modelled
            continue
        verdicts.add(result.verdict)
        if result.verdict == "equivalent":
            assert told_apart(interface, table, mutant.loaded, given, memo) is None, mutant.name  # type: ignore[arg-type]
            (tmp_path / "mutant.json").write_bytes(result.certificate or b"")
            found = certified.verify(str(tmp_path / "mutant.json"), table, mutant.loaded)
            assert found.result.verdict == "holds", mutant.name
        if result.verdict == "different":  # a mutant in memory has the digest of its original: only the proof tells
            try:
                assert certified.verify(str(original), table, mutant.loaded).result.verdict == "rejected", mutant.name
            except InputError:  # a table's text is another
                assert mutant.loaded.kind == "dev"
        for example in result.counterexamples:
            left, right = (ran(side, interface, example.input) for side in (table, mutant.loaded))
            assert not isinstance(left, str) and not isinstance(right, str)
            assert differing(interface, left, right, example.input), mutant.name
    assert "different" in verdicts
