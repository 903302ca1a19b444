"""Results made to do harm: refused in one line, or shown as the text that they are (D160)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from equiv import cli
from equiv.report.html import write_report
from equiv.report.json_result import result_object
from tests.report.html.conftest import TRICKS, hostile


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return Path(write_report(hostile(), str(tmp_path_factory.mktemp("hostile")))).read_text("utf-8")


def test_no_text_becomes_markup(page: str) -> None:
    body = page.partition("<body>")[2]
    assert re.findall(r"<(?:script|img|svg onload)[^>]*>", body) == ["<script>"]  # our own, at the end
    assert not re.search(r"<[^>]*\son\w+=", body)
    assert body.count("<script>") == 1
    assert "1337" not in body  # 7 * 191: templates do not run what they are given
    assert not {character for character in page if ord(character) < 32} - {"\n"}
    assert not set("\u202e\u2028\x7f") & set(page)


def test_every_text_is_there_to_be_read(page: str) -> None:
    for shown in ("&lt;script&gt;window.pwned = 1&lt;/script&gt;", "{{ 7 * 191 }}{% raw %}", r"\x1b[31mred"):
        assert shown in page


def test_long_lists_are_cut_and_say_so(page: str) -> None:
    assert "10 more counterexamples are not shown." in page
    assert len(page) < 4 << 20


def test_json_of_it_is_read_back_and_gives_the_same_page(page: str, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(result_object(hostile())), "ascii")
    assert cli.main(["report", str(path), "-o", str(tmp_path / "out"), "--inputs", str(tmp_path)]) == 0
    again = (tmp_path / "out" / "index.html").read_text("utf-8")
    assert again.count("<section") == page.count("<section")
    assert "root:" not in again  # the right side claims to be /etc/passwd


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"{}", "has no `schema`"),
        (b"[" * 100_000, "nested too deep"),
        (b'{"schema": "equiv-result/1", "schema": "equiv-result/1"}', "twice"),
        (b'{"schema": "equiv-result/1", "verdict": Infinity}', "Infinity"),
        (b'{"schema": ' + b"1" * 5000 + b"}", "not usable"),
        (b'{"\\u001b[31m": 1, "\\u001b[31m": 2}', "twice"),
    ],
)
def test_what_is_no_result_is_one_line_and_status_2(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    assert cli.main(["report", str(path), "-o", str(tmp_path / "out")]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.strip().splitlines()) == 1 and said in err and "\x1b" not in err
    assert not (tmp_path / "out").exists()


def test_a_result_of_fifty_megabytes_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(b'{"schema": "' + b"x" * (50 << 20) + b'"}')
    assert cli.main(["report", str(path), "-o", str(tmp_path / "out")]) == 2
    assert "larger than 32 MiB" in capsys.readouterr().err


def test_a_long_packet_is_shown_around_what_mattered(tmp_path: Path) -> None:
    document: Any = result_object(hostile())
    del document["counterexample"]
    (example, *_) = document["counterexamples"]
    example["packet"] = example["inputs"]["packet"] = "00" * 60_000
    example["relevant"] = [30_000]
    document["counterexamples"] = [example]
    page = Path(write_report(document, str(tmp_path))).read_text("utf-8")
    assert page.count('data-at="') < 200 and 'data-at="30000"' in page
    assert "in which nothing mattered" in page


def test_tricks_in_file_names_stay_in_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = ["<b>.json", "a b.json", "--x.json", "é.json"]
    for name in names:
        Path(name).write_text(json.dumps(result_object(hostile())), "ascii")
    assert cli.main(["report", "-o", "out", "--", *names]) == 0
    assert len(list(Path("out").iterdir())) == len(names) + 1
    index = Path("out/index.html").read_text("utf-8")
    assert "<b>.json" not in index
    assert TRICKS[0] not in index
