"""Map contents from `bpftool map dump -j` (D55): read, and the same in the interpreter and the symbolic machine."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.map_snapshot import Snapshot, read_snapshots, with_contents
from equiv.bpf.program import Insn, MapSpec, Program
from equiv.bpf.symbolic import BpfMachine
from equiv.errors import InputError
from equiv.machine.concrete import Input
from tests.bpf.map_programs import KINDS, OBSERVING, load_map, operations, performing
from tests.bpf.programs import EXIT, TC, add, call, copy, follow, jump, ldx, mov, program, stx
from tests.bpf.test_symbolic_maps import shown_alike


def hexadecimal(content: bytes) -> list[str]:
    return [f"0x{byte:02x}" for byte in content]


def entry(key: bytes, value: bytes, **more: object) -> dict[str, object]:
    return {"key": hexadecimal(key), "value": hexadecimal(value), **more}


def written(tmp_path: Path, document: object, name: str = "m.json") -> str:
    (tmp_path / name).write_text(json.dumps(document))
    return str(tmp_path / name)


ONE, TWO = (1).to_bytes(4, "little"), (2).to_bytes(4, "little")


def test_a_dump_is_read_with_and_without_types(tmp_path: Path) -> None:
    plain = read_snapshots(written(tmp_path, [entry(ONE, bytes(8))]))
    typed = read_snapshots(written(tmp_path, [entry(ONE, bytes(8), formatted={"key": 1, "value": {"packets": 0}})]))
    assert plain == typed == [Snapshot("m", str(tmp_path / "m.json"), ((ONE, (bytes(8),)),))]


def test_the_map_is_the_one_that_is_named_or_the_file_is_called_like(tmp_path: Path) -> None:
    path = written(tmp_path, [])
    assert [one.map_name for one in read_snapshots(f"flows={path}")] == ["flows"]
    several = written(tmp_path, {"a": [entry(ONE, b"\x05")], "b": []}, "all.json")
    assert [(one.map_name, len(one.entries)) for one in read_snapshots(several)] == [("a", 1), ("b", 0)]


def test_values_of_cpus_must_agree(tmp_path: Path) -> None:
    spec = KINDS["percpu_hash"]
    checked = program(mov(0, 0), EXIT, maps=[spec])

    def dump(*values: bytes) -> list[Snapshot]:
        cpus = [{"cpu": number, "value": hexadecimal(value)} for number, value in enumerate(values)]
        return read_snapshots(written(tmp_path, [{"key": hexadecimal(ONE), "values": cpus}]))

    same = with_contents(checked, dump(b"\x07" + bytes(7), b"\x07" + bytes(7)))
    assert same.maps["m"].contents == {ONE: b"\x07" + bytes(7)}
    with pytest.raises(InputError, match="different values"):
        with_contents(checked, dump(b"\x07" + bytes(7), bytes(8)))


def test_empty_slots_are_left_out(tmp_path: Path) -> None:
    document = [{"key": hexadecimal(ONE), "value": {"error": "No such file or directory"}}, entry(TWO, bytes(4))]
    (read,) = read_snapshots(written(tmp_path, document))
    assert [key for key, _ in read.entries] == [TWO]


@pytest.mark.parametrize(
    "document",
    [5, [5], [{"value": []}], [{"key": 5, "value": []}], [{"key": ["x"], "value": []}], [{"key": 1, "value": 2}]],
)
def test_what_is_no_dump_is_refused(tmp_path: Path, document: object) -> None:
    with pytest.raises(InputError):
        read_snapshots(written(tmp_path, document))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("[")
    for path in (tmp_path / "bad.json", tmp_path / "missing.json"):
        with pytest.raises(InputError):
            read_snapshots(str(path))


@pytest.mark.parametrize(
    ("spec", "key", "value", "reason"),
    [
        (KINDS["hash"], b"\x01", bytes(8), "1 and 8, not 4 and 8"),
        (KINDS["hash"], ONE, bytes(7), "4 and 7, not 4 and 8"),
        (MapSpec("m", 3, 4, 4, 8), ONE, bytes(4), "objects of one running kernel"),
        (MapSpec("m", 12, 4, 4, 8), ONE, bytes(4), "objects of one running kernel"),
        (MapSpec("m", 2, 4, 4, 1, initial=bytes(4), frozen=True), ONE, bytes(4), "read-only"),
    ],
)
def test_a_dump_must_fit_its_map(spec: MapSpec, key: bytes, value: bytes, reason: str) -> None:
    checked = program(mov(0, 0), EXIT, maps=[spec])
    with pytest.raises(InputError, match=reason):
        with_contents(checked, [Snapshot("m", "m.json", ((key, (value,)),))])
    with pytest.raises(InputError, match="twice"):
        with_contents(
            program(mov(0, 0), EXIT, maps=[KINDS["hash"]]), [Snapshot("m", "m.json", ((ONE, (bytes(8),)),) * 2)]
        )


def holding(checked: Program, contents: dict[bytes, bytes]) -> Program:
    entries = tuple((key, (value,)) for key, value in contents.items())
    return with_contents(checked, [Snapshot("m", "m.json", entries)])


def test_the_report_says_where_contents_are_from() -> None:
    machine = BpfMachine(holding(program(mov(0, 0), EXIT, maps=[KINDS["hash"]]), {ONE: bytes(8)}), TC)
    assert "map m holds what m.json says when the run begins (1 entry)" in machine.assumptions


@pytest.mark.parametrize("kind", ["array", "hash", "roomy_hash", "percpu_hash"])
@settings(max_examples=60)
@given(data=some.data())
def test_known_contents_are_those_of_the_interpreter(kind: str, data: some.DataObject) -> None:
    held = data.draw(some.dictionaries(some.sampled_from((ONE, TWO)), some.binary(min_size=8, max_size=8), max_size=2))
    checked = holding(performing(data.draw(operations(kind)), KINDS[kind]), held)
    shown_alike(BpfMachine(checked, OBSERVING), Input(bytes(64)))


def looked_up_by_packet(spec: MapSpec, size: int) -> Program:
    """Returns the first word of the value under the first `size` bytes of the packet, 0xffff where there is none."""
    body: list[Insn] = [ldx(op.W, 2, 1, 76), ldx(op.W, 3, 1, 80), copy(4, 2), add(4, size), jump(op.JLE, 4, 2, src=3)]
    body += [mov(0, 0), EXIT]
    for at in range(0, size, 4):
        body += [ldx(op.W, 4, 2, at), stx(op.W, 10, at - 8, 4)]
    body += [load_map(1, spec.name), copy(2, 10), add(2, -8), call(1), jump(op.JNE, 0, 2, imm=0), mov(0, 0xFFFF), EXIT]
    return program(*body, ldx(op.W, 0, 0, 0), EXIT, maps=[spec])


PREFIXES = {
    (8).to_bytes(4, "little") + b"\x0a\0\0\0": b"\x01" + bytes(7),
    (24).to_bytes(4, "little") + b"\x0a\1\2\0": b"\x02" + bytes(7),
    (32).to_bytes(4, "little") + b"\x0a\1\2\3": b"\x03" + bytes(7),
}


@pytest.mark.parametrize("length", [0, 7, 8, 16, 23, 24, 31, 32, 33])
@pytest.mark.parametrize("address", [b"\x0a\1\2\3", b"\x0a\1\2\4", b"\x0a\1\3\3", b"\x0b\1\2\3"])
@pytest.mark.parametrize("with_default", [False, True])
def test_the_longest_prefix_is_found_whatever_the_length(length: int, address: bytes, with_default: bool) -> None:
    held = PREFIXES | ({bytes(8): b"\x09" + bytes(7)} if with_default else {})
    checked = holding(looked_up_by_packet(dataclasses.replace(KINDS["lpm_trie"], max_entries=8), 8), held)
    given_input = Input(length.to_bytes(4, "little") + address + bytes(56))
    ended = follow(BpfMachine(checked, TC), given_input, through_snapshots=True)
    assert ended.code == run(checked, TC, given_input).code


@pytest.mark.parametrize("kind", ["hash", "array"])
@pytest.mark.parametrize("key", range(4))
def test_a_key_from_the_packet_chooses_among_the_entries(kind: str, key: int) -> None:
    held = {ONE: b"\x05" + bytes(7), TWO: b"\x06" + bytes(7)}
    checked = holding(looked_up_by_packet(KINDS[kind], 4), held)
    given_input = Input(key.to_bytes(4, "little") + bytes(60))
    ended = follow(BpfMachine(checked, TC), given_input, through_snapshots=True)
    assert ended.code == run(checked, TC, given_input).code
    expected = {1: 5, 2: 6} if kind == "hash" else {0: 0, 1: 5, 2: 6}
    assert ended.code == expected.get(key, 0xFFFF)
