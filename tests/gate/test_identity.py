"""Who answers: the same equiv is the same wherever it is installed, and another one is another."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import equiv
from equiv.gate import identity
from equiv.gate.identity import code_identity, executor, identity_of
from equiv.machine.interface import specs_directory

PACKAGE = Path(equiv.__file__).parent


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The package as a wheel has it: its specs inside, somewhere else."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "equiv", ignore=ignored)
    shutil.copytree(specs_directory(), tmp_path / "equiv" / "specs", ignore=ignored, dirs_exist_ok=True)
    return tmp_path / "equiv"


def test_an_installed_equiv_is_the_same_as_its_source(installed: Path) -> None:
    (installed / "proof" / "__pycache__").mkdir()
    (installed / "proof" / "__pycache__" / "join.py").touch()
    assert identity_of(installed, installed / "specs" / "interfaces") == code_identity()


@pytest.mark.parametrize("change", ["proof/join.py", "table/dev.lark", "specs/interfaces/xdp.toml", "new.py"])
def test_any_change_of_code_or_interfaces_is_another_equiv(installed: Path, change: str) -> None:
    with (installed / change).open("a") as stream:
        stream.write("\n")
    assert identity_of(installed, installed / "specs" / "interfaces") != code_identity()


def test_a_file_that_moves_is_another_equiv(installed: Path) -> None:
    (installed / "proof" / "join.py").rename(installed / "proof" / "joined.py")
    assert identity_of(installed, installed / "specs" / "interfaces") != code_identity()


def test_another_version_of_a_solver_is_another_equiv(monkeypatch: pytest.MonkeyPatch) -> None:
    interfaces = specs_directory() / "interfaces"
    assert identity_of(PACKAGE, interfaces) == code_identity()
    monkeypatch.setattr(identity, "version", lambda name: "0.0")
    assert identity_of(PACKAGE, interfaces) != code_identity()


def test_only_root_replays_on_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert executor(True) == ""
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert executor(True) != "" and executor(False) == ""
