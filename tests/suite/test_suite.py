"""Suites go every way that there is, and prove what cannot be reached (D181)."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from equiv.bpf import insn as op
from equiv.cli import main
from equiv.loaded import Loaded, choose_interface
from equiv.oracle import available
from equiv.report.pcapng import read_packets
from equiv.suite.make import make_suite
from equiv.suite.reach import Reach
from tests.bpf.programs import EXIT, XDP, jump, ldx, mov, program
from tests.suite.suites import CORPORA, GRE, SCHEMA, document, table

IN_KERNEL = ["gre", "five-tuple", "mpls", "tc-mark", "tail-parser"]


def test_a_suite_covers_or_excludes_every_goal_of_a_table(gre: Path) -> None:
    held = document(gre)
    jsonschema.validate(held, SCHEMA)
    statuses = [goal["status"] for goal in held["goals"]]
    assert set(statuses) == {"covered", "unreachable"}
    covered = {place for packet in held["packets"] for place in packet["covers"]}
    assert covered == {place for place, status in enumerate(statuses) if status == "covered"}
    kinds = {goal["kind"] for goal in held["goals"] if goal["status"] == "covered"}
    assert {"state", "row", "default", "exit", "check", "edge"} <= kinds


def test_no_packet_of_a_suite_is_needless(gre: Path) -> None:
    covers = [set(packet["covers"]) for packet in document(gre)["packets"]]
    for place, own in enumerate(covers):
        assert not own <= set[int]().union(*covers[:place], *covers[place + 1 :])


def test_the_capture_holds_the_same_packets(gre: Path) -> None:
    packets = [bytes.fromhex(packet["inputs"]["packet"]) for packet in document(gre)["packets"]]
    assert read_packets(str(gre / "suite.pcapng")) == packets


def test_the_same_seed_gives_the_same_suite(gre: Path, tmp_path: Path) -> None:
    assert main(["testgen", GRE, "-o", str(tmp_path / "again.pcapng")]) == 0
    assert (tmp_path / "again.json").read_bytes() == (gre / "suite.json").read_bytes()
    assert (tmp_path / "again.pcapng").read_bytes() == (gre / "suite.pcapng").read_bytes()


@pytest.mark.parametrize("name", ["suite.json", "suite.pcapng", ""])
def test_a_suite_passes_on_what_it_was_made_from(
    gre: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(gre / name), "--file", GRE]) == 0
    assert " passed, 0 failed" in capsys.readouterr().out


def test_a_suite_passes_on_the_equivalent_program(gre: Path) -> None:
    assert main(["replay", str(gre), "--on", GRE.replace(".dev", ".bpf.o")]) == 0


@pytest.mark.parametrize("twin", ["gre.checksum.dev", "gre.field-order.dev"])
def test_a_suite_fails_on_a_table_that_goes_another_way_or_shows_other_bytes(
    gre: Path, twin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(gre), "--on", str(CORPORA / "gre" / twin)]) == 1
    said = capsys.readouterr().out
    assert "differs in" in said
    assert "tc_classid" not in said, "what is equal on both sides is not shown"


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize("name", IN_KERNEL)
def test_the_kernel_passes_suites_of_equivalent_tables(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, program_ = (str(CORPORA / name / f"{name}{ending}") for ending in (".dev", ".bpf.o"))
    assert main(["testgen", table, "-o", str(tmp_path / "suite")]) == 0
    capsys.readouterr()
    assert main(["replay", str(tmp_path / "suite"), "--on", "kernel", "--file", program_, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] > 2
    assert not found["not_run"]


def test_what_no_packet_reaches_is_proved() -> None:
    loaded = table()
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    by_text = {goal.text: status for goal, status in zip(suite.goals, suite.statuses)}
    assert by_text["state never"] == "unreachable"
    assert by_text["state four"] == by_text["state six"] == "covered"
    assert set(suite.statuses) == {"covered", "unreachable"}
    lengths = {len(item.given.packet) for item in suite.items if item.given.packet[12:14] == b"\x86\xdd"}
    assert {39, 40} <= lengths


def test_without_time_nothing_is_concluded() -> None:
    loaded = table()
    suite = make_suite(loaded, choose_interface(loaded, loaded), seconds=0)
    assert set(suite.statuses) == {"covered", "not reached"}


def test_a_model_that_does_not_get_there_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    from equiv.solve.backend import Model

    def guess(self: Reach, seconds: float) -> None:
        self.accept(Model({"len": 14}))

    monkeypatch.setattr(Reach, "look", guess)
    monkeypatch.setattr(Reach, "seek", guess)
    monkeypatch.setattr(Reach, "run", guess)
    loaded = table()
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    assert "unreachable" not in suite.statuses
    assert {goal.text for goal, status in zip(suite.goals, suite.statuses) if status == "not reached"} >= {
        "state never"
    }


def test_branches_of_programs_are_goals() -> None:
    built = program(ldx(op.W, 2, 1, 12), mov(0, 1), jump(op.JEQ, 2, 1, imm=77), mov(0, 2), EXIT)
    loaded = Loaded("t.bpf.o", built.sha256, "bpf", program=built)
    suite = make_suite(loaded, XDP)
    assert [goal.kind for goal in suite.goals] == ["branch", "branch"]
    assert set(suite.statuses) == {"covered"}
    assert {item.expected.code for item in suite.items} == {1, 2}


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    assert main(["testgen", GRE, "-o", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
