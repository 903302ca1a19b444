"""`--changed-since`: a pair is asked if anything that it depends on changed."""

from __future__ import annotations

import subprocess
from hashlib import sha1, sha256
from pathlib import Path

import pytest

from equiv.errors import InputError
from equiv.gate.changed import touched
from equiv.gate.git import changed_since, prefix
from equiv.gate.manifest import read_manifest
from tests.gate.project import GOOD

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = """
triggers = ["checker/**", "*.mk"]
include = ["in/pair.toml"]
[[pair]]
name = "tables"
left = "good.dev"
right = "alike.dev"
[[pair]]
name = "program"
left = "five-tuple.bpf.o"
right = "good.dev"
[[pair]]
name = "parser"
left = "x.p4"
right = "{left}"
[[pair]]
name = "options"
left = "good.dev"
right = "good.dev"
snapshots = ["m=held.json"]
"""


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The gate's folder, inside a repository."""
    folder = tmp_path / "sub dir"
    (folder / "in").mkdir(parents=True)
    for name in ("five-tuple.bpf.o", "five-tuple.bpf.c"):
        (folder / name).write_bytes((ROOT / "corpora" / "five-tuple" / name).read_bytes())
    source = b"the source\n"
    told = f'source "sha256:{sha256(source).hexdigest()}";\n'
    with (folder / "five-tuple.bpf.o").open("ab") as stream:  # where a section could be
        stream.write(b"\0git:" + sha1(b"blob %d\0%s" % (len(source), source)).hexdigest().encode() + b"\0")
    files = {
        "equiv.toml": MANIFEST,
        "good.dev": GOOD,
        "alike.dev": GOOD.replace("\n", f"\n{told}", 1),
        "source.txt": source.decode(),
        "x.p4": '#include "inner.p4"\n',
        "inner.p4": '#include "deeper.p4"\n',
        "deeper.p4": "\n",
        "held.json": "[]",
        "unrelated.txt": "",
        "in/pair.toml": '[[pair]]\nname = "included"\nleft = "../good.dev"\nright = "../good.dev"\n',
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "x")
    return folder


def asked(folder: Path, revision: str = "HEAD") -> set[str]:
    manifest = read_manifest(str(folder / "equiv.toml"))
    return {pair.id for pair in touched(manifest, manifest.pairs, changed_since(manifest.folder, revision))}


EVERY = {"tables", "program", "parser", "options", "in/included"}


@pytest.mark.parametrize(
    ("path", "pairs"),
    [
        ("unrelated.txt", set()),
        ("new.txt", set()),
        ("alike.dev", {"tables"}),
        ("good.dev", EVERY - {"parser"}),
        ("five-tuple.bpf.o", {"program"}),
        ("five-tuple.bpf.c", {"program"}),  # as the line information says
        ("elsewhere/five-tuple.bpf.c", {"program"}),  # the same name: more is asked than need be
        ("five-tuple.h", {"program"}),  # the same stem
        ("source.txt", {"tables", "program"}),  # as the table's `source` says, and the object
        ("x.p4", {"parser"}),
        ("deeper.p4", {"parser"}),
        ("held.json", {"options"}),
        ("in/pair.toml", {"in/included"}),
        ("equiv.toml", EVERY),
        ("checker/deep/code.py", EVERY),
        ("flags.mk", EVERY),
        ("in/flags.mk", set()),
    ],
)
def test_what_changed_decides_what_is_asked(repository: Path, path: str, pairs: set[str]) -> None:
    (repository / path).parent.mkdir(exist_ok=True, parents=True)
    with (repository / path).open("ab") as stream:
        stream.write(b"\n")
    assert asked(repository) == pairs
    git(repository, "add", "-A", ".")
    git(repository, "commit", "-qm", "y")
    assert asked(repository) == set()
    assert asked(repository, "HEAD~1") == pairs


def test_a_file_that_is_gone_asks_for_its_pairs(repository: Path) -> None:
    (repository / "alike.dev").unlink()
    assert asked(repository) == {"tables"}


def test_what_others_did_since_is_not_asked(repository: Path) -> None:
    git(repository, "checkout", "-qb", "mine")
    git(repository, "checkout", "-q", "main")
    (repository / "x.p4").write_text("\n")
    git(repository, "commit", "-qam", "theirs")
    git(repository, "checkout", "-q", "mine")
    (repository / "held.json").write_text("[ ]")
    assert asked(repository, "main") == {"options"}


def test_a_change_beside_the_gates_folder_matters_by_its_name_only(repository: Path) -> None:
    (repository.parent / "five-tuple.bpf.c").touch()
    (repository.parent / "x.p4").touch()
    assert asked(repository) == {"program"}


@pytest.mark.parametrize("revision", ["nothing", "--all", "HEAD:equiv.toml", "", "HEAD\n"])
def test_what_is_no_revision_is_refused(repository: Path, revision: str) -> None:
    with pytest.raises(InputError, match="git "):
        asked(repository, revision)


def test_a_folder_that_is_in_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a git repository"):
        changed_since(str(tmp_path), "HEAD")
    assert prefix(str(tmp_path)) == ""


def test_the_folder_is_known_in_its_repository(repository: Path) -> None:
    assert prefix(str(repository)) == "sub dir/"
    assert prefix(str(repository.parent)) == ""
