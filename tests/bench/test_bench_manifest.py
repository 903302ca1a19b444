"""Manifests: what is read from them, which pairs are chosen, and that every bad one is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv.bench.manifest import Corpus, Pair, load_corpora, select
from equiv.errors import InputError

GOOD = """\
title = "Some parser"
interface = "xdp"

[[pair]]
left = "a.bpf.o"
right = "../other/b.dev"
expect = "equivalent"

[[pair]]
left = "a.bpf.o"
right = "a.twin.dev"
expect = "different"
bug = "forgets the options"
interface = "tc"
"""


def _corpora(folder: Path, text: str = GOOD) -> list[Corpus]:
    (folder / "some").mkdir(exist_ok=True)
    for name in ("a.bpf.o", "a.twin.dev", "unlisted.dev", "a.bpf.c", "README.md"):
        (folder / "some" / name).touch()
    (folder / "some" / "pair.toml").write_text(text)
    return load_corpora(folder)


def _named(folder: Path) -> dict[str, Pair]:
    (corpus,) = _corpora(folder)
    return {pair.id: pair for pair in corpus.pairs}


def test_pairs_come_in_the_manifests_order_then_every_file_against_itself(tmp_path: Path) -> None:
    assert list(_named(tmp_path)) == [
        "some/a.bpf.o=b.dev",
        "some/a.bpf.o=a.twin.dev",
        "some/a.bpf.o=itself",
        "some/a.twin.dev=itself",
        "some/unlisted.dev=itself",
    ]


def test_paths_are_relative_to_the_manifest(tmp_path: Path) -> None:
    pair = _named(tmp_path)["some/a.bpf.o=b.dev"]
    assert (pair.left, pair.right) == (str(tmp_path / "some" / "a.bpf.o"), str(tmp_path / "other" / "b.dev"))


def test_a_pairs_own_interface_comes_before_the_corpus_one(tmp_path: Path) -> None:
    pairs = _named(tmp_path)
    assert pairs["some/a.bpf.o=b.dev"].interface == "xdp"
    assert pairs["some/a.bpf.o=a.twin.dev"].interface == "tc"


def test_a_file_is_compared_with_itself_for_the_interface_of_its_first_pair(tmp_path: Path) -> None:
    pairs = _named(tmp_path)
    interfaces = [pairs[f"some/{name}=itself"].interface for name in ("a.bpf.o", "a.twin.dev", "unlisted.dev")]
    assert interfaces == ["xdp", "tc", None]


def test_programs_that_are_named_are_compared_with_themselves_one_by_one(tmp_path: Path) -> None:
    text = '[[pair]]\nleft = "a.bpf.o:one"\nright = "a.bpf.o:two"\nexpect = "different"\n'
    (corpus,) = _corpora(tmp_path, text)
    itself = [pair.id for pair in corpus.pairs if pair.with_itself]
    assert itself[:2] == ["some/a.bpf.o:one=itself", "some/a.bpf.o:two=itself"]


def test_two_tables_do_not_run_on_a_kernel(tmp_path: Path) -> None:
    pairs = _named(tmp_path)
    assert not pairs["some/a.twin.dev=itself"].runs_on_kernel
    assert pairs["some/a.bpf.o=a.twin.dev"].runs_on_kernel


@pytest.mark.parametrize(
    ("only", "count"),
    [([], 5), (["some"], 5), (["*=itself"], 3), (["some/a.bpf.o=b.dev"], 1), (["*b.dev", "*=it*"], 4)],
)
def test_pairs_are_chosen_by_corpus_or_id(tmp_path: Path, only: list[str], count: int) -> None:
    assert len(select(_named(tmp_path).values(), only)) == count


def test_a_name_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="corpora: some"):
        select(_named(tmp_path).values(), ["some", "nothing"])


def test_a_folder_without_manifests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no \*/pair.toml here"):
        load_corpora(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("left =", "not TOML"),
        ('title = "nothing to do"', r"no \[\[pair\]\]"),
        ("pair = 3", r"no \[\[pair\]\]"),
        ("pair = [3]", "pair 1: not a table"),
        ("title = 3", "`title`|no "),
        (GOOD.replace('interface = "tc"', "interface = 4"), "pair 2: `interface` is not a string"),
        (GOOD.replace("bug", "bgu"), "pair 2: unknown key `bgu`"),
        (GOOD.replace("title", "titel"), "unknown key `titel`"),
        (GOOD.replace('"equivalent"', '"unknown"'), "pair 1: `expect` is one of equivalent, different"),
        (GOOD.replace('left = "a.bpf.o"', ""), "pair 1: it needs `left` and `right`"),
        (GOOD + GOOD[GOOD.index("[[pair]]") :], "pair some/a.bpf.o=b.dev is there twice"),
    ],
)
def test_an_unusable_manifest_is_named_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        _corpora(tmp_path, text)
    assert str(caught.value).startswith(str(tmp_path / "some" / "pair.toml"))


def test_a_manifest_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some" / "pair.toml").write_bytes(b'title = "\xff"')
    with pytest.raises(InputError, match="not TOML"):
        load_corpora(tmp_path)
