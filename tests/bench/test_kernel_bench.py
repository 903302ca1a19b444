"""The benchmark against the kernel has a row for each program, and says why one is not run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from equiv.bench import main
from equiv.bench.kernel.objects import build_linux, in_folder, in_one_line
from equiv.errors import InputError
from equiv.oracle import available

CORPORA = Path(__file__).parents[2] / "corpora"
on_kernel = pytest.mark.skipif(available() is not None, reason=available() or "")


@pytest.mark.kernel
@on_kernel
def test_a_row_for_each_program(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(CORPORA / "five-tuple" / "five-tuple.bpf.o", tmp_path)
    shutil.copy(CORPORA / "tc-mark" / "tc-mark.bpf.o", tmp_path)
    (tmp_path / "broken.o").write_bytes(b"no object")
    assert main(["kernel", "--corpora", str(tmp_path), "--packets", "40", "--json"]) == 0
    rows = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == {"corpora/broken.o", "corpora/five-tuple.bpf.o:five_tuple", "corpora/tc-mark.bpf.o:tc_mark"}
    broken = rows.pop("corpora/broken.o")
    assert broken["verdict"] == "not run" and broken["reason"] == "not an ELF object"
    for row in rows.values():
        assert row["verdict"] == row["expected"] == "equivalent"
        assert row["packets"] == 40 and row["behaviours"] > 1 and row["peak_rss_bytes"] > 0


@pytest.mark.kernel
@on_kernel
def test_the_report_is_written_where_it_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(CORPORA / "five-tuple" / "five-tuple.bpf.o", tmp_path)
    target = tmp_path / "kernel.md"
    more = ["--objects", f"others={tmp_path}"]
    assert main(["kernel", "--corpora", str(tmp_path), *more, "--packets", "20", "--output", str(target)]) == 0
    text = target.read_text()
    assert "**0 of 2 programs differ** on 40 packets" in text and "- others: 1 of 1 programs, 20 packets" in text
    assert "0 of 2 programs differ" in capsys.readouterr().out


def test_a_report_does_not_say_where_files_were() -> None:
    assert in_one_line("/home/me/linux-6.1/progs/x.c:4:2 (x instruction 7): calls it") == (
        "x.c:4:2 (x instruction 7): calls it"
    )
    assert in_one_line("R1 !read_ok\n\nat 1/2 of a/b") == "R1 !read_ok: at 1/2 of a/b"


def test_an_empty_folder_is_unusable(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no object files"):
        in_folder(str(tmp_path))


def test_a_folder_that_is_no_linux_tree_is_unusable(tmp_path: Path) -> None:
    if shutil.which("clang-16") is None:
        pytest.skip("clang-16 is not installed")
    with pytest.raises(InputError, match="not a Linux source tree"):
        build_linux(str(tmp_path), tmp_path, 1)
