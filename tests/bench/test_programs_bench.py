"""The benches of real programs and of their mutants: rows, reports, and what is not judged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from random import Random

import pytest

from equiv.api import check
from equiv.bench import main
from equiv.bench.manifest import Pair
from equiv.bench.measure import Ended, _row
from equiv.bench.programs.pairs import programs_of
from equiv.bench.programs.report import report
from equiv.bpf import insn as op
from equiv.bpf.load import load_program
from equiv.bpf.source import read_source
from equiv.loaded import Loaded
from equiv.mutate.program import KINDS, mutants_of, written
from equiv.oracle import available
from equiv.report.json_result import render_json
from tests.bpf.programs import EXIT, ldx, program

CORPORA = Path(__file__).parents[2] / "corpora"
OBJECT = CORPORA / "tc-mark" / "tc-mark.bpf.o"
on_kernel = pytest.mark.skipif(available() is not None, reason=available() or "")


def test_every_program_is_checked_against_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(OBJECT, tmp_path)
    (tmp_path / "broken.o").write_bytes(b"no object")
    target = tmp_path / "programs.md"
    assert main(["programs", "--corpora", str(tmp_path), "--json", "--output", str(target)]) == 1
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["corpora/tc-mark.bpf.o:tc_mark=itself"]["verdict"] == "equivalent"
    assert rows["corpora/broken.o"]["verdict"] == "error"
    text = target.read_text()
    assert "against themselves: 1 of 2 equivalent (50%)" in text and "not an ELF object" in text
    assert str(tmp_path) not in text.replace(str(tmp_path), "", 2)  # the command's own arguments


def test_programs_have_the_interface_of_their_section() -> None:
    assert programs_of(str(OBJECT)) == {"tc_mark": "tc"}


def test_a_mutant_differs_in_one_instruction(tmp_path: Path) -> None:
    source, original = read_source(str(OBJECT)), load_program(str(OBJECT))
    kinds = set()
    for number, mutant in zip(range(60), mutants_of(source, original, Random(1)), strict=False):
        path = tmp_path / f"{number}.bpf.o"
        path.write_bytes(written(OBJECT.read_bytes(), mutant, source))
        changed = load_program(str(path))
        where = [i for i, (a, b) in enumerate(zip(original.insns, changed.insns, strict=True)) if a != b]
        assert len(where) == 1
        kinds.add(mutant.kind)
    assert kinds == set(KINDS)


@pytest.mark.kernel
@on_kernel
def test_mutants_are_judged_by_the_kernel(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(OBJECT, tmp_path)
    options = ["--corpora", str(tmp_path), "--mutants", "6", "--runs", "200", "--programs", "1", "--only", "*"]
    assert main(["mutants", *options, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 6
    for row in rows:
        assert row["verdict"] != "equivalent" or not row["kernel_differs"]
        assert row["verdict"] != "different" or row["confirmed_by"]


def test_a_report_says_where_what_is_not_modelled_stands() -> None:
    reading = program(ldx(op.B, 0, 10, -1), EXIT)
    side = Loaded("t.bpf.o", reading.sha256, "bpf", program=reading)
    answer = json.loads(render_json(check(side, side, interface="xdp", timeout=20, kernel=False)))
    row = _row(
        Pair("linux/t.o:t=itself", "linux", "t.o:t", "t.o:t", "equivalent", "xdp"), Ended(3, b"", b"", 1, 1), answer
    )
    assert (row.verdict, row.place) == ("unknown", "t instruction 0")
    assert "uninitialised stack byte at offset -1: verdict may depend on what is there (t instruction 0) |" in report(
        [row], ["# t"], (), {}
    )
