"""Whatever is changed of a catalogue, of what lies beside it, or of what kernel and device report: refused, and why.

Each tampering is one function and the reason that must be given, in `tampering/`. What needs the running kernel is in
`test_trust_on_kernel` and `test_forged_twin`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv.bpf.map_snapshot import Snapshot
from equiv.trust.log import Head
from equiv.trust.store import digest
from tests.bpf.objects import ObjectBuilder, exit_, load_symbol, mov
from tests.trust import world as w
from tests.trust.tampering import catalogue, entries, keys, surroundings
from tests.trust.tampering.registry import TAMPERINGS
from tests.trust.world import World

GROUPS = catalogue, entries, keys, surroundings
"""They hold the tamperings."""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> World:
    return w.made(tmp_path_factory.mktemp("world"))


@pytest.fixture
def world(original: World, tmp_path: Path) -> World:
    return w.copied(original, tmp_path / "copy")


def test_untouched_it_is_trusted(world: World) -> None:
    answer = world.ask()
    assert (answer.trusted, answer.function, answer.interface) == (True, "five_tuple", "xdp")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "tampering" in metafunc.fixturenames:
        metafunc.parametrize("tampering", list(TAMPERINGS))


def test_tampering_is_refused_for_its_reason(tampering: str, world: World) -> None:
    reason, change = TAMPERINGS[tampering]
    change(world)
    assert world.reason() == reason


def test_all_groups_are_there() -> None:
    assert len(TAMPERINGS) >= 90
    assert {change.__module__ for _, change in TAMPERINGS.values()} == {group.__name__ for group in GROUPS}


def test_a_build_with_other_file_content_but_the_same_hash_is_trusted(world: World) -> None:
    """What is catalogued is what the program does: another comment section changes nothing of that."""
    data = bytearray(w.PROGRAM.read_bytes())
    at = data.index(b"five-tuple.bpf.c")
    data[at : at + 4] = b"FIVE"
    world.program = world.folder / "again.bpf.o"
    world.program.write_bytes(data)
    assert digest(bytes(data)) != world.entry.program.file_sha256
    assert world.reason() == ""


def test_an_entry_added_again_after_its_revocation_is_trusted(world: World) -> None:
    world.append("revocation", {"entry": world.records[1].hash, "because": "a mistake was found"})
    world.write()
    assert world.reason() == "revoked"
    w.add(world, w.PROGRAM, w.TABLE, world.folder / "certificate")
    assert world.reason() == ""


def test_what_the_policy_affirms_needs_no_other_word(world: World) -> None:
    world.affirmed.clear()
    assert world.reason() == "assumption-not-met"
    w.write_policy(world, affirms=(w.VERIFIED, w.PACKETS))
    assert world.reason() == ""


def test_what_is_missing_is_named(world: World) -> None:
    world.affirmed.clear()
    assert set(world.ask().missing) == {w.VERIFIED, w.PACKETS}


def test_a_longer_log_than_the_one_seen_before_is_fine(world: World) -> None:
    world.head = Head(1, world.records[1].hash)
    world.policy(w.policy(affirms=("x",)))
    world.write()
    assert world.reason() == ""


def test_what_the_device_does_for_the_function_elsewhere_does_not_matter(world: World) -> None:
    world.report["tables"].append({**world.report["tables"][0], "interface": "tc", "hash": "0" * 64})
    assert world.reason() == ""


def test_a_device_may_name_its_table_s_file_in_place_of_its_meaning(world: World) -> None:
    table = world.report["tables"][0]
    del table["hash"]
    table["file_sha256"] = world.entry.table.file_sha256
    assert world.reason() == ""


def test_a_catalogued_source_that_both_name_is_fine(world: World) -> None:
    for claim in world.entry.sources:
        world.report["tables"][0]["source"] = claim
        assert world.reason() == ""


def test_what_a_map_holds_is_affirmed_by_its_content(world: World, tmp_path: Path) -> None:
    """Two certificates for different contents of a map do not rest on the same words."""
    builder = ObjectBuilder()
    builder.legacy_map("rules", kind=2, key_size=4, value_size=4, max_entries=1)
    builder.function("filter", "xdp", [load_symbol(1, "rules"), mov(0, 2), exit_()])
    program, table = tmp_path / "filter.bpf.o", tmp_path / "filter.dev"
    builder.write(program)
    table.write_text("interface xdp; state start { transition accept; }")
    texts = []
    for value in (b"\x01\0\0\0", b"\x02\0\0\0"):
        snapshots = (Snapshot("rules", "rules.json", ((bytes(4), (value,)),)),)
        path = w.certificate_for(tmp_path, program, table, snapshots=snapshots)
        texts.append(w.add(world, program, table, path, "filter").assumptions)
    different = set(texts[0]) ^ set(texts[1])
    assert len(different) == 2
    assert all(text.startswith("map rules holds the contents with SHA-256 ") for text in different)
