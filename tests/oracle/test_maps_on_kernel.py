"""Maps in the interpreter are those of the running kernel: what helpers return and leave behind (D52, D53)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import Executable
from equiv.bpf.program import Insn, MapSpec
from equiv.machine.concrete import Input, NotRunnable
from equiv.oracle import KernelProgram, available
from tests.bpf.map_programs import KINDS, OBSERVING, RESULTS, Operation, keys_of, load_map, operations, performing
from tests.bpf.programs import EXIT, TC, XDP, call, copy, jump, ldx, mov, program, st, stx
from tests.bpf.test_map_snapshots import PREFIXES, holding, looked_up_by_packet
from tests.oracle.test_kernel import both_agree

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(available() is not None, reason=available() or ""),
]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=60)
@given(data=some.data())
def test_lookups_updates_and_deletions_agree(kind: str, data: some.DataObject) -> None:
    spec = KINDS[kind]
    keys = [key for key in keys_of(kind) if key[0] < 3 or kind == "lpm_trie"]
    held = data.draw(some.dictionaries(some.sampled_from(keys[:3]), some.binary(min_size=8, max_size=8), max_size=2))
    done = data.draw(operations(kind))
    both_agree(performing(done, spec), OBSERVING, Input(bytes(64)), Input(bytes(64), maps={"m": held}))


@pytest.mark.parametrize(("held", "code"), [(63, 0), (64, -7)])
def test_a_full_hash_takes_no_more(held: int, code: int) -> None:
    body = [st(op.W, 10, -8, 5), st(op.DW, 10, -16, 5), load_map(1, "m"), copy(2, 10), add(2, -8), copy(3, 10)]
    body += [add(3, -16), mov(4, 0), call(2), EXIT]
    checked = program(*body, maps=[KINDS["roomy_hash"]])
    context = {"map.m.count": held}
    assert both_agree(checked, TC, Input(bytes(64), context=context)).code == code & 0xFFFFFFFF


def add(register: int, number: int) -> Insn:
    return Insn(op.ALU64 | op.ADD | op.K, register, 0, 0, number)


INNER = MapSpec("inner", 1, 4, 8, 4)
OUTER = {"array": MapSpec("o", 12, 4, 4, 2, inner=INNER), "hash": MapSpec("o", 13, 4, 4, 2, inner=INNER)}


def through_two(outer: MapSpec, index: int) -> list[Insn]:
    """Looks up `index`, then 7 in what was found; adds one to the value and keeps it; r0 says how far it got."""
    body = [st(op.W, 10, -4, index), load_map(1, outer.name), copy(2, 10), add(2, -4), call(1)]
    body += [jump(op.JNE, 0, 2, imm=0), mov(0, 1), EXIT]
    body += [
        copy(1, 0),
        st(op.W, 10, -4, 7),
        copy(2, 10),
        add(2, -4),
        call(1),
        jump(op.JNE, 0, 2, imm=0),
        mov(0, 2),
        EXIT,
    ]
    return [*body, ldx(op.DW, 3, 0, 0), add(3, 1), stx(op.DW, 0, 0, 3), ldx(op.DW, 0, 0, 0), EXIT]


@pytest.mark.parametrize("kind", [2, 6])
def test_a_large_array_begins_each_run_with_what_it_is_given(kind: int) -> None:
    """It is written in one call (`BPF_MAP_UPDATE_BATCH`); what the run before left there is gone."""
    spec, key = MapSpec("m", kind, 4, 12, 5000), (4711).to_bytes(4, "little")
    body = [st(op.W, 10, -4, 4711), load_map(1, "m"), copy(2, 10), add(2, -4), call(1), jump(op.JEQ, 0, 5, imm=0)]
    body += [ldx(op.W, 1, 0, 8), copy(2, 1), add(2, 1), stx(op.W, 0, 8, 2), copy(0, 1), EXIT]
    checked = program(*body, maps=[spec])
    held = Input(bytes(64), maps={"m": {key: bytes(8) + (40).to_bytes(4, "little"), bytes(4): b"\xff" * 12}})
    runs = (Input(bytes(64)), held, Input(bytes(64)), held, held)
    both_agree(checked, TC, *runs)
    with KernelProgram(checked, TC) as kernel:
        assert [kernel.run(each).code for each in runs] == [0, 40, 0, 40, 40]
        assert {k: v for k, v in kernel.contents("m").items() if any(v)} == {
            key: bytes(8) + (41).to_bytes(4, "little"),
            bytes(4): b"\xff" * 12,
        }


@pytest.mark.parametrize("kind", OUTER)
def test_maps_in_maps_agree(kind: str) -> None:
    one, seven = (1).to_bytes(4, "little"), (7).to_bytes(4, "little")
    checked = program(*through_two(OUTER[kind], 1), maps=[OUTER[kind]])
    nothing, empty = Input(bytes(64)), Input(bytes(64), maps={"o": {one: bytes(4)}})
    full = Input(bytes(64), maps={"o": {one: bytes(4)}, "o[]": {one + seven: b"\x29" + bytes(7)}})
    both_agree(checked, TC, nothing, empty, full)
    assert both_agree(checked, TC, full).code == 42


def test_the_objects_own_maps_in_a_map_agree() -> None:
    outer = MapSpec("o", 12, 4, 4, 2, inner=INNER, slots={1: "inner"})
    contents = {"inner": {(7).to_bytes(4, "little"): b"\x29" + bytes(7)}}
    for index, code in ((0, 1), (1, 42)):
        checked = program(*through_two(outer, index), maps=[outer, INNER])
        assert both_agree(checked, TC, Input(bytes(64), maps=contents)).code == code


@pytest.mark.parametrize("kind", [14, 25])
def test_devices_in_maps_agree(kind: int) -> None:
    spec = MapSpec("d", kind, 4, 4, 4)
    body = [st(op.W, 10, -4, 2), load_map(1, "d"), copy(2, 10), add(2, -4), call(1), jump(op.JEQ, 0, 1, imm=0)]
    checked = program(*body, ldx(op.W, 0, 0, 0), EXIT, maps=[spec])
    held = {(2).to_bytes(4, "little"): (1).to_bytes(4, "little")}
    both_agree(checked, TC, Input(bytes(64)), Input(bytes(64), maps={"d": held}))
    assert both_agree(checked, TC, Input(bytes(64), maps={"d": held})).code == 1


def test_a_device_that_is_not_there_cannot_be_put_into_a_map() -> None:
    spec = MapSpec("d", 14, 4, 4, 4)
    checked = program(load_map(1, "d"), mov(0, 2), EXIT, maps=[spec])
    with KernelProgram(checked, TC) as kernel, pytest.raises(NotRunnable, match="does not take"):
        kernel.run(Input(bytes(64), maps={"d": {bytes(4): b"\xff\xff\xff\x7f"}}))


@pytest.mark.parametrize("kind", [16, 17])
def test_maps_of_cpus_and_sockets_are_made(kind: int) -> None:
    both_agree(program(load_map(1, "c"), mov(0, 2), EXIT, maps=[MapSpec("c", kind, 4, 4, 4)]), TC, Input(bytes(64)))


def test_results_are_kept() -> None:
    done = performing([], RESULTS)
    assert both_agree(done, OBSERVING, Input(bytes(64))).values["map.results[0]"] == bytes(64)


@pytest.mark.parametrize("kind", ["array", "hash", "percpu_hash", "roomy_hash"])
@settings(max_examples=30)
@given(data=some.data())
def test_observed_entries_agree(kind: str, data: some.DataObject) -> None:
    interface = OBSERVING.observing_any_key("m", 8)
    keys = keys_of(kind)
    contexts = [{"observed_key.m": int.from_bytes(key, "big")} for key in keys]
    checked = performing(data.draw(operations(kind)), KINDS[kind])
    both_agree(checked, interface, *(Input(bytes(64), context=context) for context in contexts))


@pytest.mark.parametrize("length", [0, 7, 8, 16, 23, 24, 31, 32, 33])
def test_known_contents_agree(length: int) -> None:
    checked = holding(looked_up_by_packet(replace(KINDS["lpm_trie"], max_entries=8), 8), PREFIXES)
    addresses = (b"\x0a\1\2\3", b"\x0a\1\2\4", b"\x0a\1\3\3", b"\x0b\1\2\3")
    both_agree(checked, TC, *(Input(length.to_bytes(4, "little") + address + bytes(56)) for address in addresses))


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=30)
@given(data=some.data())
def test_maps_hold_the_same_after_a_run(kind: str, data: some.DataObject) -> None:
    keys = [key for key in keys_of(kind) if key[0] < 3 or kind == "lpm_trie"]
    held = data.draw(some.dictionaries(some.sampled_from(keys[:3]), some.binary(min_size=8, max_size=8), max_size=2))
    done = [*data.draw(operations(kind))[:7], Operation("lookup", keys[0])]
    checked = performing(done, KINDS[kind])
    interpreted = Executable(checked, XDP)
    with KernelProgram(checked, XDP) as kernel:
        for contents in ({}, {"m": held}):
            kernel.run(Input(bytes(64), maps=contents))
            assert interpreted.run_with_maps(Input(bytes(64), maps=contents))[1]["m"] == kernel.contents("m")
