"""The corpora are complete: every file has a place in a manifest, and every manifest names files that are there."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from equiv.machine.interface import interface_names

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
WITHOUT_TWINS = {"compilers", "mpls-growth", "tcp-options-growth", "linux-flow-dissector"}
"""Folders whose pairs are all equivalent: what they vary is the compiler, or a limit on both sides; or its twins are
said in broken.toml (`tests/bench/test_flow_bench.py`).
"""

FOLDERS = sorted(path.parent.name for path in CORPORA.glob("*/pair.toml"))
PROGRAMS = [folder for folder in FOLDERS if folder not in WITHOUT_TWINS]


def manifest(folder: str) -> dict[str, Any]:
    return tomllib.loads((CORPORA / folder / "pair.toml").read_text("utf-8"))


def sides(folder: str) -> list[Path]:
    return [CORPORA / folder / pair[side] for pair in manifest(folder)["pair"] for side in ("left", "right")]


def test_there_are_at_least_twelve_programs_with_twins() -> None:
    assert len(PROGRAMS) >= 12


def test_every_folder_with_a_program_or_table_has_a_manifest() -> None:
    holding = {path.parent.name for suffix in ("bpf.c", "bpf.o", "dev", "p4") for path in CORPORA.glob(f"*/*.{suffix}")}
    assert holding == set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_manifest_names_a_title_and_known_interfaces(folder: str) -> None:
    data = manifest(folder)
    assert data["title"]
    named = {data["interface"], *(pair["interface"] for pair in data["pair"] if "interface" in pair)}
    assert named <= set(interface_names())


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_that_a_manifest_names_exists(folder: str) -> None:
    assert [path for path in sides(folder) if not path.is_file()] == []


KEYS = {
    *("left", "right", "expect", "bug", "interface", "observe_maps", "tail_calls", "outputs"),
    *("observe", "exact_end", "relation", "assume", "timeout", "allow_unknown"),
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_pair_says_what_to_expect_and_every_difference_says_why(folder: str) -> None:
    for pair in manifest(folder)["pair"]:
        assert set(pair) <= KEYS
        assert pair["expect"] in ("equivalent", "different")
        assert ("bug" in pair) == (pair["expect"] == "different")


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_pair_stands_twice(folder: str) -> None:
    pairs = [(pair["left"], pair["right"]) for pair in manifest(folder)["pair"]]
    assert len(set(pairs)) == len(pairs)


@pytest.mark.parametrize("folder", PROGRAMS)
def test_every_program_has_an_equivalent_and_two_broken_twins(folder: str) -> None:
    expected = [pair["expect"] for pair in manifest(folder)["pair"]]
    assert "equivalent" in expected
    assert expected.count("different") >= 2


def test_every_object_and_table_is_part_of_some_pair() -> None:
    named = {path.resolve() for folder in FOLDERS for path in sides(folder)}
    there = {path.resolve() for suffix in ("bpf.o", "dev", "p4") for path in CORPORA.glob(f"*/*.{suffix}")}
    assert there - named == set()


def test_every_source_has_its_object() -> None:
    assert [path for path in CORPORA.glob("*/*.bpf.c") if not path.with_suffix(".o").is_file()] == []


def test_pairs_that_may_be_unknown_are_those_that_are_not_decided_yet() -> None:
    undecided = (Path(__file__).parent / "undecided.txt").read_text("utf-8").split()
    pairs = [(folder, pair) for folder in FOLDERS for pair in manifest(folder)["pair"] if "allow_unknown" in pair]
    assert [f"{folder}/{pair['left']}={pair['right']}" for folder, pair in pairs] == undecided
