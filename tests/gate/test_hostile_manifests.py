"""Manifests by somebody who means harm: refused in one line, whatever they hold, and without long work."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv import cli
from equiv.errors import InputError
from equiv.gate.manifest import read_manifest
from equiv.gate.toml import MAX_BYTES
from tests.gate.project import project

PAIR = '[[pair]]\nleft = "good.dev"\nright = "alike.dev"\n'


def _refused(folder: Path, content: bytes) -> InputError:
    path = Path(project(folder, ""))
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_manifest(str(path))
    return caught.value


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("pair = " + "[" * 200_000, 0, "nested too deeply"),
        ("pair = " + "{a=" * 100_000, 0, "nested too deeply"),
        ("[" + "a." * 300_000 + "a]", 1, "a key of more than a hundred parts"),
        ("\n" + "'a' . " * 100_000 + "a = 1", 2, "a key of more than a hundred parts"),
        (PAIR + "timeout = " + "9" * 5000, 0, "not TOML"),
        (PAIR + "timeout = 1e999", 4, "not a number of seconds"),
        (PAIR + "memory = 0x" + "f" * 3000, 4, "not a whole number of megabytes"),
        (PAIR + 'allow_unknown = { reason = "x", until = 9999999-01-01 }', 4, "not TOML"),
        (PAIR + 'left = "other.dev"', 4, "not TOML"),
        ('title = "a"\ntitle = "b"\n' + PAIR, 2, "not TOML"),
        (PAIR + "[pair]\n", 4, "not TOML"),
        (PAIR + 'bug = "' + "x" * 5000 + '"', 4, "longer than 4096 characters"),
        (PAIR + 'name = "\x1b[2J"', 4, "not TOML"),
        ("[[pair]]\nleft = '" + "*/" * 20_000 + "x'\nright = 'y'\n", 2, "longer than 4096 characters"),
        ('include = ["' + '", "'.join(["equiv.toml"] * 3) + '"]\n', 1, "read twice"),
        ('[[pair]]\nleft = "good.dev\\u0000"\nright = "x"\n', 2, "NUL"),
        ('[[pair]]\nleft = ""\nright = "x"\n', 2, "empty"),
        ('[[pair]]\nleft = ":x"\nright = "x"\n', 2, "neither FILE nor FILE:PROGRAM"),
    ],
)
def test_what_is_meant_to_hurt_is_refused(tmp_path: Path, text: str, line: int, said: str) -> None:
    error = _refused(tmp_path, text.encode())
    assert said in error.message
    assert error.place is not None and error.place.line == line


def test_a_manifest_that_is_larger_than_any_is_not_read(tmp_path: Path) -> None:
    assert "larger than 1 MiB" in _refused(tmp_path, b"#" * (MAX_BYTES + 1)).message


def test_a_manifest_that_is_not_utf_8_is_refused_at_its_line(tmp_path: Path) -> None:
    error = _refused(tmp_path, b"title = 'x'\nleft = '\xff'\n")
    assert error.place is not None and error.place.line == 2


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml")
    with pytest.raises(InputError, match="a FIFO"):
        read_manifest(str(tmp_path / "pipe.toml"))
    path = project(tmp_path, 'include = ["pipe.toml"]\n')
    with pytest.raises(InputError, match="a FIFO"):
        read_manifest(path)


def test_many_stars_over_many_links_end(tmp_path: Path) -> None:
    """Links to folders are not followed, so what a pattern walks is the tree that is there."""
    for number in range(30):
        (tmp_path / f"link{number}").symlink_to(".")
    error = _refused(tmp_path, b'[[pair]]\nleft = "*/*/*/*/*/*/*/*/*/*/*/*.dev"\nright = "good.dev"\n')
    assert "matches no file" in error.message


def test_many_pairs_are_read(tmp_path: Path) -> None:
    text = "".join(f"[[pair]]\nname='{number}'\nleft='a'\nright='b'\n" for number in range(20_000))
    manifest = read_manifest(project(tmp_path, text))
    assert len(manifest.pairs) == 20_000
    place = manifest.pairs[-1].place
    assert place is not None and place.line == 4 * 20_000 - 3


def test_many_double_stars_end(tmp_path: Path) -> None:
    folder = tmp_path
    for _ in range(14):
        folder = folder / "d"
        folder.mkdir()
    error = _refused(tmp_path, b'[[pair]]\nleft = "' + b"**/" * 12 + b'none.dev"\nright = "good.dev"\n')
    assert "matches no file" in error.message


@pytest.mark.parametrize("sign", ["\x1b[31m", "\u202e", "\x07", "\u2028"])
def test_nothing_in_a_manifest_acts_on_the_terminal(
    tmp_path: Path, sign: str, capsys: pytest.CaptureFixture[str]
) -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in sign)
    keys = ("name", "bug", "left", "right")
    text = "\n".join([f'title = "{escaped}"', "[[pair]]", *(f'{key} = "{escaped}"' for key in keys), ""])
    assert cli.main(["gate", project(tmp_path, text), "--no-cache", "-v"]) == 2
    assert cli.main(["gate", project(tmp_path, text), "--list"]) == 0
    assert cli.main(["gate", project(tmp_path, text + f'"{escaped}" = 1\n'), "--list"]) == 2
    assert cli.main(["gate", project(tmp_path, text), "--list", "--only", f"{sign}{sign}"]) == 2
    out, err = capsys.readouterr()
    assert sign not in out + err


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with pytest.raises(InputError):
        read_manifest(str(path))


@given(
    words=st.lists(
        st.sampled_from(
            [*'[]{}="\n#, .*', "pair", "left", "right", "include", "'good.dev'", "true", "1", "[[pair]]\n"]
        ),
        max_size=30,
    )
)
def test_any_words_are_read_or_refused(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "words.toml"
    path.write_text("".join(words))
    try:
        assert read_manifest(str(path)).pairs
    except InputError as error:
        assert error.place is not None
