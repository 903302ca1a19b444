"""Parser tables that are kept beside a grammar."""

from __future__ import annotations

import json
from pathlib import Path

import lark
import pytest

from equiv import grammar, table

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
DEV = Path(table.__file__).with_name("dev.lark")
KEPT = grammar.tables_file(DEV)


def test_kept_tables_are_those_of_the_grammar() -> None:
    fresh, kept = json.loads(grammar.tables_of(DEV)), json.loads(KEPT.read_text("utf-8"))
    assert kept["grammar"] == fresh["grammar"], "run `make grammars`"
    assert len(kept["data"]["parser"]["parser"]["states"]) == len(fresh["data"]["parser"]["parser"]["states"])


@pytest.mark.skipif(
    json.loads(KEPT.read_text("utf-8"))["lark"] != lark.__version__, reason="made by another version of lark"
)
def test_kept_tables_and_the_grammar_give_the_same_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = grammar.parser(DEV)
    monkeypatch.setattr(lark, "__version__", "0")
    fresh = grammar.parser(DEV)
    files = sorted(CORPORA.glob("*/*.dev"))
    assert len(files) > 50
    for file in files:
        text = file.read_text("utf-8")
        trees = kept.parse(text), fresh.parse(text)
        assert trees[0] == trees[1]
        places = [[(n.data, n.meta.line, n.meta.column, n.meta.end_pos) for n in _filled(tree)] for tree in trees]
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
