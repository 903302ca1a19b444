"""Files that a command names: what is no regular file is refused, or kept; nothing waits for ever."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from equiv import cli
from equiv.errors import InputError
from equiv.report.files import expect_writable, replacing

PAIR = Path(__file__).resolve().parents[1] / "corpora" / "five-tuple"
GOOD = str(PAIR / "five-tuple.dev")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _loop(path: Path) -> None:
    path.symlink_to(path)


def _absent(path: Path) -> None:
    pass


SPECIAL: dict[str, tuple[Callable[[Path], None], str]] = {
    "a FIFO": (_fifo, "not a regular file but a FIFO"),
    "a directory": (Path.mkdir, "not a regular file but a directory"),
    "a loop of links": (_loop, "Too many levels of symbolic links"),
    "a link to nothing": (lambda path: path.symlink_to("nothing"), "No such file"),
    "a link to a device": (lambda path: path.symlink_to("/dev/zero"), "a character device"),
    "nothing": (_absent, "No such file"),
}


@pytest.mark.parametrize("ending", [".bpf.o", ".bin", ".dev", ".json", ".p4", ".pcap", ""])
@pytest.mark.parametrize("name", SPECIAL)
def test_input_that_is_no_regular_file_is_refused_in_one_line(
    name: str, ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = SPECIAL[name]
    path = tmp_path / f"input{ending}"
    make(path)
    commands = [["run", GOOD, "--pcap", str(path)]]
    if ending != ".pcap":
        commands = [["check", GOOD, str(path)], ["show", str(path)], ["run", str(path), "--packet", "00"]]
    for command in commands:
        assert cli.main(command) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 1)
        assert str(path) in err
        assert words in err


@pytest.mark.parametrize("path", ["", ":name", "a\0b"])
def test_impossible_name_is_refused_in_one_line(path: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["check", GOOD, path]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def write(path: Path, text: str) -> None:
    with replacing(str(path)) as temporary:
        Path(temporary).write_text(text)


def test_file_is_replaced_behind_a_link_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_fifo_is_written_to_and_stays_a_fifo(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    received: list[bytes] = []
    try:
        write(path, "drawing")
        received.append(os.read(reader, 100))
    finally:
        os.close(reader)
    assert received == [b"drawing"]
    assert path.is_fifo()


def test_fifo_that_nobody_reads_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(InputError, match="cannot write"):
        write(tmp_path / "fifo", "drawing")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_device_stays_a_device(tmp_path: Path) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    for path in (Path("/dev/full"), tmp_path / "full"):
        with pytest.raises(InputError, match="No space left on device"):
            write(path, "drawing")
        assert path.is_char_device()
    write(Path(os.devnull), "drawing")
    assert Path(os.devnull).is_char_device()


def test_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(InputError, match="No space"), replacing(str(path)):
        raise OSError(28, "No space left on device")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("command", [["check", "--certificate"], ["check", "--pcap"], ["fuzz", "--write-pcap"]])
@pytest.mark.parametrize("behind_a_link", [False, True])
def test_an_input_is_not_written_over(
    command: list[str], behind_a_link: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given, written = tmp_path / "t.dev", tmp_path / "t.dev"
    given.write_bytes(Path(GOOD).read_bytes())
    if behind_a_link:
        written = tmp_path / "link"
        written.symlink_to(given)
    assert cli.main([*command, str(written), GOOD, str(given)]) == 2
    assert "cannot write: it is one of the inputs" in capsys.readouterr().err
    assert given.read_bytes() == Path(GOOD).read_bytes()
    with pytest.raises(InputError, match="one of the inputs"):
        expect_writable(str(written), [f"{given}:parse"])


def test_folder_is_found_unwritable_ahead_of_the_work(tmp_path: Path) -> None:
    expect_writable(str(tmp_path / "new"))
    expect_writable(os.devnull)
    for path in (tmp_path, tmp_path / "no" / "file"):
        with pytest.raises(InputError, match="cannot write"):
            expect_writable(str(path))


def equiv(*arguments: str, shell: str, buffered: bool = True) -> subprocess.CompletedProcess[str]:
    """The command, as a shell that redirects its streams starts it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    if not buffered:
        environment["PYTHONUNBUFFERED"] = "1"
    line = f'exec "$0" -m equiv "$@" {shell}'
    command = ["sh", "-c", line, sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
@pytest.mark.parametrize("command", [["show", GOOD], ["show", GOOD, "-v"], ["check", GOOD, GOOD, "--json"]])
@pytest.mark.parametrize("buffered", [True, False])
def test_output_that_cannot_be_written_is_one_line_and_status_2(command: list[str], buffered: bool) -> None:
    shown = equiv(*command, shell="> /dev/full", buffered=buffered)
    assert shown.stderr == "error: cannot write the output: No space left on device\n"
    assert shown.returncode == 2


def test_closed_streams_are_no_defect() -> None:
    shown = equiv("show", GOOD, shell=">&-")
    assert (shown.stderr, shown.returncode) == ("error: standard output is closed\n", 2)
    shown = equiv("check", GOOD, "nothing.dev", shell="2>&-")
    assert (shown.stdout, shown.stderr, shown.returncode) == ("", "", 2)


def test_reader_of_a_pipe_gets_the_drawing(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received: list[str] = []
    reader = threading.Thread(target=lambda: received.append(path.read_text()))
    reader.start()
    with open(path, "wb"):  # opens once the reader is there
        write(path, "<svg/>")
    reader.join()
    assert received == ["<svg/>"]
