"""What seals a cache: a secret of the user's alone (D152)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from equiv import cli
from equiv.errors import InputError
from equiv.gate.cache import VARIABLE, secret_of_user
from tests.gate.project import PAIRS, project


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(VARIABLE, raising=False)
    return tmp_path / "state"


def test_a_secret_is_made_once_for_its_user_alone(state: Path) -> None:
    secret = secret_of_user()
    assert len(secret) == 32 and secret_of_user() == secret
    (file,) = (state / "equiv").iterdir()
    assert file.read_bytes() == secret and file.stat().st_mode & 0o777 == 0o600
    file.unlink()
    assert secret_of_user() != secret


def test_a_secret_that_others_may_read_is_none(state: Path) -> None:
    secret_of_user()
    (state / "equiv" / "cache.key").chmod(0o644)
    with pytest.raises(InputError, match="not a secret of this user's alone"):
        secret_of_user()


def test_a_secret_that_is_cut_short_is_none(state: Path) -> None:
    secret_of_user()
    (state / "equiv" / "cache.key").write_bytes(b"x")
    with pytest.raises(InputError, match="delete it"):
        secret_of_user()


def test_the_environment_may_hold_it(monkeypatch: pytest.MonkeyPatch, state: Path) -> None:
    monkeypatch.setenv(VARIABLE, "from the CI system")
    assert secret_of_user() == b"from the CI system"
    assert not state.exists()


def test_without_a_place_for_it_nothing_is_known_from_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert secret_of_user() != secret_of_user()


def test_answers_that_a_change_brings_along_are_not_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = project(tmp_path, PAIRS)
    monkeypatch.setenv(VARIABLE, "of who proposes it")
    assert cli.main(["gate", path]) == 0
    monkeypatch.delenv(VARIABLE)
    capsys.readouterr()
    assert cli.main(["gate", path]) == 0
    assert "known from before" not in capsys.readouterr().out
    assert cli.main(["gate", path]) == 0
    assert "2 known from before" in capsys.readouterr().out


def test_a_cache_that_is_a_link_is_refused_unless_it_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project(tmp_path, PAIRS)
    (tmp_path / "elsewhere").mkdir()
    os.symlink("elsewhere", tmp_path / ".equiv-cache")
    assert cli.main(["gate", path]) == 2
    assert "the cache is a link" in capsys.readouterr().err
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert cli.main(["gate", path, "--cache", str(tmp_path / ".equiv-cache"), "--only", "*alike*"]) == 0
