"""A suite is believed only as far as it was read, and does not say which files are opened."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from equiv.cli import main
from tests.suite.suites import GRE, document

Edit = Callable[[dict[str, Any]], object]


def _set(*path: Any, to: Any) -> Edit:
    def edit(held: dict[str, Any]) -> None:
        inside: Any = held
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = to

    return edit


HOSTILE: dict[str, Edit] = {
    "another schema": _set("schema", to="equiv-suite/2"),
    "no interface": lambda held: held.pop("interface"),
    "an unknown interface": _set("interface", to="../../etc/passwd"),
    "no packets": _set("packets", to=[]),
    "packets that are no list": _set("packets", to={"0": 1}),
    "a packet that is no hex": _set("packets", 0, "inputs", "packet", to="zz"),
    "a packet that is a number": _set("packets", 0, "inputs", "packet", to=7),
    "a packet that is too short": _set("packets", 0, "inputs", "packet", to="00"),
    "a packet that is too long": _set("packets", 0, "inputs", "packet", to="00" * 70000),
    "a linear part longer than the packet": _set("packets", 0, "inputs", "linear", to=60000),
    "a negative length": _set("packets", 0, "inputs", "linear", to=-1),
    "a context of texts": _set("packets", 0, "inputs", "context", to={"mark": "x"}),
    "a context that is a list": _set("packets", 0, "inputs", "context", to=[1]),
    "maps of numbers": _set("packets", 0, "inputs", "maps", to={"m": 1}),
    "a code that is not its verdict": _set("packets", 0, "expected", "code", to=3),
    "a code that is true": _set("packets", 0, "expected", "code", to=True),
    "a huge code": _set("packets", 0, "expected", "code", to=1 << 90),
    "an unknown observable": _set("packets", 0, "expected", "observables", "made up", to=1),
    "an observable that is null": _set("packets", 0, "expected", "observables", "mark", to=None),
    "a verdict that is a list": _set("packets", 0, "expected", "verdict", to=[]),
    "an entry that is no object": _set("packets", 0, to=3),
    "a map without a size": _set("maps", to=[{"name": "m", "key": 0}]),
    "a map of a gigabyte": _set("maps", to=[{"name": "m", "key": 0, "size": 1 << 30}]),
    "a file that is no text": _set("of", "path", to=3),
    "a tail call that is none": _set("tail_calls", to=["nonsense"]),
    "a tail call that is a number": _set("tail_calls", to=[3]),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_suite_is_one_clear_line(
    gre: Path, tmp_path: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    held = document(gre)
    edit(held)
    (tmp_path / "s.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "s.json"), "--file", GRE]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "error: " in said.err
    assert len(said.err.splitlines()) <= 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", "[" * 100_000, '{"schema": "equiv-suite/1"}', "\xff"])
def test_what_is_no_suite_is_one_clear_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.json").write_bytes(text.encode("latin-1"))
    assert main(["replay", str(tmp_path / "s.json")]) == 2
    assert "not a suite" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "a\0b", "", "..", "nowhere.dev"])
def test_a_suite_does_not_say_which_files_are_opened(
    gre: Path, tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = document(gre)
    held["of"]["path"] = path
    (tmp_path / "s.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "s.json")]) == 2
    assert "is not here as it was" in capsys.readouterr().err


def test_a_file_beside_the_suite_is_taken_if_it_is_the_same(
    gre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(gre / "suite.json", tmp_path / "suite.json")
    shutil.copy(GRE, tmp_path / "gre.dev")
    assert main(["replay", "suite.json"]) == 0
    (tmp_path / "gre.dev").write_text(Path(GRE).read_text("utf-8") + "\n")
    assert main(["replay", "suite.json"]) == 2
    assert "is not here as it was" in capsys.readouterr().err


def test_a_capture_with_other_packets_is_refused(gre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(gre / "suite.pcapng", tmp_path / "suite.pcapng")
    held = document(gre)
    held["packets"].pop()
    (tmp_path / "suite.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "suite.pcapng"), "--file", GRE]) == 2
    assert "its packets are not those of" in capsys.readouterr().err


def test_a_table_does_not_run_on_the_kernel(gre: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(gre), "--on", "kernel", "--file", GRE]) == 2
    assert "only programs run on the kernel" in capsys.readouterr().err


def test_where_nothing_can_be_run_nothing_passes(gre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = document(gre)
    for packet in held["packets"]:
        packet["inputs"]["context"]["tc_index"] = 1 << 20
    (tmp_path / "s.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "s.json"), "--on", GRE.replace(".dev", ".bpf.o")]) == 4
    assert "none of the suite's packets can be run there" in capsys.readouterr().err
