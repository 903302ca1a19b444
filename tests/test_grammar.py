"""Parser tables that are kept beside a grammar."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import lark
import pytest

from equiv import condition, grammar, p4, table
from equiv.p4 import syntax
from equiv.p4.preprocess import preprocess

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
DEV, P4, CONDITION = (
    Path(package.__file__).with_name(name)
    for package, name in ((table, "dev.lark"), (p4, "p4.lark"), (condition, "condition.lark"))
)
KEPT = grammar.tables_file(DEV)
is_of_this_lark = pytest.mark.skipif(
    json.loads(KEPT.read_text("utf-8"))["lark"] != lark.__version__, reason="made by another version of lark"
)


@pytest.mark.parametrize("file", [DEV, P4, CONDITION], ids=lambda file: file.name)
def test_kept_tables_are_those_of_the_grammar(file: Path) -> None:
    fresh, kept = json.loads(grammar.tables_of(file)), json.loads(grammar.tables_file(file).read_text("utf-8"))
    assert kept["grammar"] == fresh["grammar"], "run `make grammars`"
    assert len(kept["data"]["parser"]["parser"]["states"]) == len(fresh["data"]["parser"]["parser"]["states"])


@is_of_this_lark
@pytest.mark.parametrize("file", [DEV, P4, CONDITION], ids=lambda file: file.name)
@pytest.mark.parametrize("seed", ["0", "7"])
def test_tables_are_the_kept_ones_to_the_letter_in_every_process(file: Path, seed: str) -> None:
    """Python orders sets of texts by chance; `make grammars` changes nothing where no grammar was changed."""
    command = [
        sys.executable,
        "-c",
        "import sys; from equiv.grammar import *; print(tables_of(Path(sys.argv[1])), end='')",
    ]
    made = subprocess.run(
        [*command, str(file)], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
    )
    assert made.stdout == grammar.tables_file(file).read_bytes()


@is_of_this_lark
def test_kept_tables_and_the_grammar_give_the_same_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = grammar.parser(DEV)
    monkeypatch.setattr(lark, "__version__", "0")
    fresh = grammar.parser(DEV)
    files = sorted(CORPORA.glob("*/*.dev"))
    assert len(files) > 50
    for file in files:
        text = file.read_text("utf-8")
        _expect_same(kept.parse(text), fresh.parse(text))


@is_of_this_lark
def test_so_they_do_of_p4_whose_tokens_are_made_before(monkeypatch: pytest.MonkeyPatch) -> None:
    files = sorted(CORPORA.glob("p4-*/*.p4"))
    assert len(files) > 50
    texts = [(str(file), preprocess(str(file), file.read_text("utf-8")).text) for file in files]
    syntax._grammar.cache_clear()
    kept = [syntax.parse(*text)[1] for text in texts]
    monkeypatch.setattr(lark, "__version__", "0")
    syntax._grammar.cache_clear()
    for tree, text in zip(kept, texts):
        _expect_same(tree, syntax.parse(*text)[1])
    syntax._grammar.cache_clear()


def _expect_same(kept: lark.Tree[lark.Token], fresh: lark.Tree[lark.Token]) -> None:
    assert kept == fresh
    places = [[(n.data, n.meta.line, n.meta.column, n.meta.end_pos) for n in _filled(tree)] for tree in (kept, fresh)]
    assert places[0] == places[1]


def _filled(tree: lark.Tree[lark.Token]) -> list[lark.Tree[lark.Token]]:
    return [node for node in tree.iter_subtrees() if not node.meta.empty]


@pytest.mark.parametrize("change", ["lark", "grammar"])
def test_tables_made_otherwise_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str) -> None:
    text = "start: A\nA: /a+/\n"
    (tmp_path / "g.lark").write_text(text)
    (tmp_path / "g.tables.json").write_text(grammar.tables_of(tmp_path / "g.lark"))
    monkeypatch.setattr(grammar, "_from_text", lambda *_: None)
    assert grammar.parser(tmp_path / "g.lark") is not None
    if change == "lark":
        monkeypatch.setattr(lark, "__version__", "1.0.0")
    else:
        (tmp_path / "g.lark").write_text(text.replace("a+", "b+"))
    assert grammar.parser(tmp_path / "g.lark") is None
