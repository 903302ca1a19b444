"""What the documents show is what happens."""

from __future__ import annotations

import inspect
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import equiv
from equiv import cli
from equiv.commands import COMMANDS
from tests import picture

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
EXAMPLE = re.compile(r"(?<=^\$ equiv )(.*)\n((?:.*\n)*?)(?=```$)", re.MULTILINE)
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
SHOWN = EXAMPLE.findall(README.read_text("utf-8"))


def test_readme_shows_a_proof_and_a_difference() -> None:
    assert [text.split("\n")[0] for _, text in SHOWN] == ["equivalent", "different"]


@pytest.mark.parametrize(("command", "text"), SHOWN, ids=[command for command, _ in SHOWN])
def test_readme_shows_what_the_command_prints(
    command: str, text: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    cli.main(shlex.split(command))
    assert _without_kernel(capsys.readouterr().out) == _without_kernel(text)


def _without_kernel(text: str) -> list[str]:
    """Lines, but for who confirmed: that is up to the machine."""
    return [line for line in text.splitlines() if "confirmed by" not in line and "on the kernel" not in line]


def test_picture_shows_what_the_command_prints() -> None:
    texts = [
        "".join(row.itertext()) for row in ElementTree.parse(picture.PICTURE).iter("{http://www.w3.org/2000/svg}text")
    ]
    assert texts == [picture.EMPHASIS.sub("", line) for line in picture.printed()]


def test_every_link_leads_to_something() -> None:
    pages = [README, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", ROOT / "corpora" / "README.md"]
    pages += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "specs").glob("*.md"), *(ROOT / "reports").glob("*.md")]
    broken = []
    for page in pages:
        for target in LINK.findall(re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            found = page.parent / path if path else page
            if not found.exists() or (anchor and found.suffix == ".md" and anchor not in _anchors(found)):
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert broken == []


def _anchors(page: Path) -> set[str]:
    """What GitHub makes of headings."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text).lower()).replace(" ", "-") for text in headings
    }


def test_the_index_of_the_documents_names_them_all() -> None:
    text = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = [page.name for page in (ROOT / "docs").glob("*.md") if page.name != "README.md"]
    named = [f"../specs/{path.name}" for path in (ROOT / "specs").iterdir() if path.suffix in (".md", ".json")]
    assert [name for name in (*pages, *named) if f"({name})" not in text] == []
    interfaces = [path.stem for path in (ROOT / "specs" / "interfaces").glob("*.toml")]
    assert [name for name in interfaces if f"`{name}`" not in text] == []


def test_python_example_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = ROOT / "corpora" / "five-tuple"
    shutil.copy(pair / "five-tuple.bpf.o", tmp_path / "parser.bpf.o")
    shutil.copy(pair / "five-tuple.vlan-depth.dev", tmp_path / "parser.dev")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "using.md").read_text("utf-8"), re.DOTALL)
    exec(compile(example, "using.md", "exec"), {})
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("different ('packets are")
    assert len(bytes.fromhex(shown[1])) == 26
    assert shown[-1].startswith("accept {")


def test_every_parameter_of_check_is_documented() -> None:
    parameters = [name for name in inspect.signature(equiv.check).parameters if name not in ("left", "right")]
    text = (ROOT / "docs" / "using.md").read_text("utf-8").partition("## From Python")[2]
    assert [name for name in parameters if f"`{name}`" not in text] == []


PARTS = ["keygen", "init", "policy", "add", "revoke", "list", "check", "head", "show", "export"]


@pytest.mark.parametrize(
    "command", [*([name] for name in COMMANDS), *(["catalogue", part] for part in PARTS)], ids=" ".join
)
def test_every_option_is_documented(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Those of `check` in their table; others on the page that is about the command."""
    cli.main([*command, "--help"])
    options = set(re.findall(r"(?<![\w-])--[a-z-]+", capsys.readouterr().out)) - {"--help", "--verbose"}
    pages = ["using.md"] if command == ["check"] else ["using.md", "gate.md", "trust.md"]
    documented = "".join((ROOT / "docs" / page).read_text("utf-8") for page in pages)
    mark = "`" if command == ["check"] else ""
    assert {option for option in options if f"{mark}{option}" not in documented} == set()


def test_every_decision_is_named_where_it_is_made_and_where_it_is_tested() -> None:
    """Also by the specifications, where data files implement one; and no number is named that has no record."""
    records = {int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("0*.md")}
    code, tests = (_numbers(*(ROOT / name for name in names)) for names in (("equiv", "specs"), ("tests",)))
    assert (sorted(records - code), sorted(records - tests), sorted(code - records)) == ([], [], [])


def _numbers(*folders: Path) -> set[int]:
    files = [path for folder in folders for ending in ("py", "toml") for path in folder.rglob(f"*.{ending}")]
    named = (re.findall(r"\bD(\d+)\b(?: to D(\d+)\b)?", path.read_text("utf-8")) for path in files)
    return {n for found in named for one, last in found for n in range(int(one), int(last or one) + 1)}


def rewrite_readme() -> None:
    """What `make readme` runs, to be reviewed as a diff."""

    def printed(example: re.Match[str]) -> str:
        command = [sys.executable, "-m", "equiv", *shlex.split(example[1])]
        return f"{example[1]}\n{subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout}"

    README.write_text(EXAMPLE.sub(printed, README.read_text("utf-8")), "utf-8")


def test_no_document_has_the_marks_of_a_merge() -> None:
    marks = re.compile(r"^(<{7}|>{7}|\|{7}) ", re.MULTILINE)
    files = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("specs/**/*.md"), *ROOT.glob("corpora/*.md")]
    assert [str(file.relative_to(ROOT)) for file in files if marks.search(file.read_text("utf-8"))] == []


if __name__ == "__main__":
    rewrite_readme()
