"""Mutants differ in one thing, can be loaded, and are the same for the same seed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest

from equiv.bpf.load import load_program
from equiv.cli import main
from equiv.errors import EquivError
from equiv.loaded import load
from equiv.mutate.program import linked_mutants
from equiv.mutate.table import KINDS, table_mistakes, table_variants
from equiv.table.parse import load_table, parse_table
from equiv.table.printer import to_text

CORPORA = Path(__file__).parents[2] / "corpora"
FILES = ["five-tuple/five-tuple.bpf.o", "gre/gre.dev", "mpls/mpls.dev", "p4-vlan/vlan.p4"]


def entries(folder: Path) -> list[list[str]]:
    return [line.split("  ", 2) for line in (folder / "mutants.txt").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("file", FILES)
def test_every_mutant_loads_and_none_is_the_original(file: str, tmp_path: Path) -> None:
    folder = tmp_path / "mutants"
    assert main(["mutate", str(CORPORA / file), "-o", str(folder), "--count", "12"]) == 0
    found = entries(folder)
    contents = {(folder / name).read_bytes() for name, _, _ in found}
    assert len(contents) == 12
    assert (CORPORA / file).read_bytes() not in contents
    assert {name for name, _, _ in found} | {"mutants.txt"} == {path.name for path in folder.iterdir()}
    for name, kind, what in found:
        assert load(str(folder / name)) and kind and what


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert main(["mutate", str(CORPORA / FILES[1]), "-o", str(tmp_path / name), "--seed", seed]) == 0
    assert entries(tmp_path / "a") == entries(tmp_path / "b") != entries(tmp_path / "c")


def test_mutants_of_an_object_differ_in_one_instruction(tmp_path: Path) -> None:
    original = load_program(str(CORPORA / FILES[0]))
    assert main(["mutate", str(CORPORA / FILES[0]), "-o", str(tmp_path / "m"), "--count", "20"]) == 0
    for name, _, _ in entries(tmp_path / "m"):
        mutant = load_program(str(tmp_path / "m" / name))
        assert sum(a != b for a, b in zip(original.insns, mutant.insns, strict=True)) == 1


def test_mutants_of_a_linked_program_differ_in_one_instruction_that_nothing_relocates() -> None:
    original = load_program(str(CORPORA / FILES[0]))
    drawn = linked_mutants(original, Random(0))
    for _ in range(100):
        mutant, program = next(drawn)
        different = [slot for slot, pair in enumerate(zip(original.insns, program.insns)) if pair[0] != pair[1]]
        assert different == [mutant.slot]
        assert mutant.before.ref is None


def test_mutants_of_raw_instructions_are_made(tmp_path: Path) -> None:
    raw = tmp_path / "x.bin"
    raw.write_bytes(bytes.fromhex("b70000000500000007000000010000009500000000000000"))
    assert main(["mutate", str(raw), "-o", str(tmp_path / "m"), "--count", "5"]) == 0
    assert all(len((tmp_path / "m" / name).read_bytes()) == 24 for name, _, _ in entries(tmp_path / "m"))


def test_kinds_can_be_chosen_and_too_few_are_told(tmp_path: Path) -> None:
    arguments = ["mutate", str(CORPORA / "mpls" / "mpls.dev"), "--kind", "limit", "--count", "50"]
    assert main([*arguments, "-o", str(tmp_path / "m")]) == 1
    assert {kind for _, kind, _ in entries(tmp_path / "m")} == {"limit"}


def test_a_kind_that_there_is_none_of_leaves_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["mutate", str(CORPORA / "mpls" / "mpls.dev"), "--kind", "nonsense", "-o", str(tmp_path / "m")]
    assert main(command) == 2
    assert "no mistake of kind 'nonsense'" in capsys.readouterr().err
    assert not (tmp_path / "m").exists()


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept").write_text("kept")
    assert main(["mutate", str(CORPORA / FILES[1]), "-o", str(tmp_path)]) == 2
    assert "it is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_every_kind_of_mistake_is_made_in_tables() -> None:
    kinds: Counter[str] = Counter()
    for path in sorted(CORPORA.glob("*/*.dev"))[::6]:
        kinds.update(kind for kind, _ in table_variants(load_table(path)))
    assert set(kinds) == set(KINDS)


def test_a_mistake_in_a_table_shows_in_its_text_and_in_words() -> None:
    table = load_table(CORPORA / "gre" / "gre.dev")
    mutate = table_mistakes(table)
    for seed in range(100):
        change = mutate("", Random(seed))
        if change is not None:
            assert change.text != to_text(table)
            before, _, after = change.what.partition(": ")[2].partition(" → ")
            assert before != after


def test_most_mutants_of_tables_are_tables() -> None:
    mutate = table_mistakes(load_table(CORPORA / "vxlan" / "vxlan.dev"))
    counts: Counter[bool] = Counter()
    for seed in range(60):
        change = mutate("", Random(seed))
        if change is not None:
            try:
                counts[parse_table(change.text) is not None] += 1
            except EquivError:
                counts[False] += 1
    assert counts[True] > 3 * counts[False]
