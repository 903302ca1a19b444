"""Maps in the symbolic machine are those of the interpreter, and where they are not modelled it says so (D52, D53)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from equiv.bpf import insn as op
from equiv.bpf.interpret import run
from equiv.bpf.program import Insn, MapSpec
from equiv.bpf.state import Rejected
from equiv.bpf.symbolic import BpfMachine
from equiv.machine.concrete import Input
from equiv.machine.inputs import packet_byte
from equiv.machine.protocol import Done, Fault, Stop, Stuck
from equiv.term import const, eq
from tests.bpf.map_programs import KINDS, OBSERVING, Operation, keys_of, load_map, operations, performing
from tests.bpf.programs import (
    EXIT,
    TC,
    NotDone,
    add,
    alu,
    call,
    copy,
    follow,
    jump,
    ldx,
    machine_for,
    mov,
    program,
    st,
    stx,
)

EXACT = {
    "array": KINDS["array"],
    "percpu_array": KINDS["percpu_array"],
    "hash": KINDS["roomy_hash"],
    "percpu_hash": replace(KINDS["percpu_hash"], max_entries=64),
}
FRAME = bytes(64)


def shown_alike(machine: BpfMachine, given_input: Input, *, through_snapshots: bool = True) -> None:
    seen = run(machine.program, machine.interface, given_input)
    ended = follow(machine, given_input, through_snapshots=through_snapshots)
    values = {name: value.to_bytes(ended.widths[name] // 8, "big") for name, value in ended.values.items()}
    expected = {name: value for name, value in seen.values.items() if name in values and isinstance(value, bytes)}
    assert ended.code == seen.code
    assert {name: values[name] for name in expected} == expected
    assert "map.results[0]" in expected


@pytest.mark.parametrize("kind", EXACT)
@settings(max_examples=80)
@given(data=some.data())
def test_lookups_updates_and_deletions_are_those_of_the_interpreter(kind: str, data: some.DataObject) -> None:
    spec = EXACT[kind]
    keys = keys_of(kind)[:3]
    held = data.draw(some.dictionaries(some.sampled_from(keys), some.binary(min_size=8, max_size=8), max_size=2))
    machine = BpfMachine(performing(data.draw(operations(kind)), spec), OBSERVING)
    shown_alike(machine, Input(FRAME, maps={"m": held}))
    if "hash" in kind:
        shown_alike(
            machine, Input(FRAME, maps={"m": held}, context={"map.m.count": 64 - data.draw(some.integers(0, 3))})
        )


@settings(max_examples=80)
@given(data=some.data())
def test_what_is_known_of_an_lru_map_is_right(data: some.DataObject) -> None:
    spec = KINDS[data.draw(some.sampled_from(("lru_hash", "lru_percpu_hash")))]
    keys = keys_of("hash")[:3]
    held = data.draw(some.dictionaries(some.sampled_from(keys), some.binary(min_size=8, max_size=8), max_size=2))
    done = data.draw(operations("hash"))
    given_input = Input(FRAME, maps={"m": held})
    try:
        shown_alike(BpfMachine(performing(done, spec), OBSERVING), given_input)
    except NotDone as stopped:
        assert "depends on the map's state" in stopped.stop.reason
        changed = [one.key for one in done if one.what == "update"]
        assert len({one.key for one in done}) > 1
        assert changed


def test_an_lru_map_knows_the_entry_it_was_given_last() -> None:
    one, two = keys_of("hash")[:2]
    done = [Operation("update", one, value=5), Operation("lookup", one), Operation("add", one, value=2)]
    for known in ([], [Operation("delete", one)], [Operation("update", two, value=7), Operation("lookup", two)]):
        shown_alike(BpfMachine(performing([*done, *known], KINDS["lru_hash"]), OBSERVING), Input(FRAME))
    other = BpfMachine(performing([*done, Operation("lookup", two)], KINDS["lru_hash"]), OBSERVING)
    with pytest.raises(NotDone, match="depends on the map's state"):
        follow(other, Input(FRAME))


def keyed_by_packet(*body: Insn, spec: MapSpec) -> list[Insn]:
    """r6 and r7 are two words from the packet, also at r10 - 4 and r10 - 8; then `body`."""
    start = [
        ldx(op.W, 2, 1, 76),
        ldx(op.W, 3, 1, 80),
        copy(4, 2),
        add(4, 8),
        jump(op.JLE, 4, 2, src=3),
        mov(0, 0),
        EXIT,
    ]
    start += [ldx(op.W, 6, 2, 0), ldx(op.W, 7, 2, 4), stx(op.W, 10, -4, 6), stx(op.W, 10, -8, 7)]
    return [*start, *body]


def put(at: int, value: int, spec: MapSpec, flags: int = 0) -> list[Insn]:
    """r0 = bpf_map_update_elem for the key at r10 + `at`."""
    return [
        *(mov(3, value), stx(op.DW, 10, -16, 3), load_map(1, spec.name), copy(2, 10), add(2, at), copy(3, 10)),
        *(add(3, -16), mov(4, flags), call(2)),
    ]


def get(at: int, spec: MapSpec) -> list[Insn]:
    """r0 = the value under the key at r10 + `at`, 0 where there is none."""
    return [load_map(1, spec.name), copy(2, 10), add(2, at), call(1), jump(op.JEQ, 0, 1, imm=0), ldx(op.DW, 0, 0, 0)]


@pytest.mark.parametrize("packet", [b"abcdabcd", b"abcdabce"])
@pytest.mark.parametrize("held", [{}, {b"abcd": b"\x09" + bytes(7)}, {b"abce": b"\x08" + bytes(7)}])
def test_keys_from_the_packet_may_be_the_same(packet: bytes, held: dict[bytes, bytes]) -> None:
    spec = KINDS["roomy_hash"]
    checked = program(*keyed_by_packet(*put(-4, 7, spec), *get(-8, spec), EXIT, spec=spec), maps=[spec])
    given_input = Input(packet + FRAME, maps={"m": held})
    for through_snapshots in (False, True):
        ended = follow(BpfMachine(checked, TC), given_input, through_snapshots=through_snapshots)
        assert ended.code == run(checked, TC, given_input).code


def test_a_pointer_to_a_replaced_value_is_of_no_use() -> None:
    spec = KINDS["roomy_hash"]
    look = [load_map(1, "m"), copy(2, 10), add(2, -4), call(1), jump(op.JNE, 0, 2, imm=0), mov(0, 0), EXIT, copy(8, 0)]
    insns = keyed_by_packet(*look, *put(-4, 7, spec), ldx(op.DW, 0, 8, 0), EXIT, spec=spec)
    machine = BpfMachine(program(*insns, maps=[spec]), TC)
    with pytest.raises(NotDone, match="replaced, deleted or dropped"):
        follow(machine, Input(b"abcd" + FRAME, maps={"m": {b"abcd": bytes(8)}}))
    in_place = replace(spec, type=5)
    insns = keyed_by_packet(*look, *put(-4, 7, in_place), ldx(op.DW, 0, 8, 0), EXIT, spec=in_place)
    machine = BpfMachine(program(*insns, maps=[in_place]), TC)
    assert follow(machine, Input(b"abcd" + FRAME, maps={"m": {b"abcd": bytes(8)}})).code == 7


def first_stop(*insns: Insn, spec: MapSpec) -> Stop:
    machine = machine_for(*insns, maps=[spec], interface=TC)
    return machine.run(machine.start(), lambda guard: None)


@pytest.mark.parametrize(
    ("insns", "reason"),
    [
        ([st(op.DW, 10, -8, 0), *put(-8, 1, KINDS["hash"]), EXIT], "whether it fits"),
        ([st(op.DW, 10, -8, 24), *get(-8, KINDS["lpm_trie"]), EXIT], "not the whole key"),
    ],
)
def test_what_depends_on_the_rest_of_a_map_is_not_decided(insns: list[Insn], reason: str) -> None:
    spec = KINDS["hash"] if "fits" in reason else KINDS["lpm_trie"]
    machine = machine_for(*insns, maps=[spec], interface=TC)
    with pytest.raises(NotDone, match=reason) as stopped:
        follow(machine, Input(FRAME))
    assert isinstance(stopped.value.stop, Stuck)


def test_a_prefix_tree_is_looked_up_by_whole_keys_and_not_known_after_a_change() -> None:
    spec = KINDS["lpm_trie"]
    whole = [st(op.W, 10, -8, 32), st(op.W, 10, -4, 0x0100000A)]
    machine = machine_for(*whole, *get(-8, spec), EXIT, maps=[spec], interface=TC)
    held = {(32).to_bytes(4, "little") + b"\x0a\0\0\1": b"\x05" + bytes(7)}
    for contents, code in ((held, 5), ({}, 0)):
        given_input = Input(FRAME, maps={"m": contents})
        assert follow(machine, given_input).code == run(machine.program, TC, given_input).code == code
    assert isinstance(first_stop(*whole, *put(-8, 1, spec), mov(0, 0), EXIT, spec=spec), Done)
    assert isinstance(first_stop(*whole, *put(-8, 1, spec), EXIT, spec=spec), Stuck)
    assert isinstance(first_stop(*whole, *put(-8, 1, spec), *get(-8, spec), EXIT, spec=spec), Stuck)


def test_read_only_maps_are_not_written_to() -> None:
    constant = replace(KINDS["roomy_hash"], flags=1 << 7)
    stop = first_stop(st(op.DW, 10, -8, 0), *put(-8, 1, constant), EXIT, spec=constant)
    assert isinstance(stop, Fault)
    assert "read-only" in stop.reason


INNER = MapSpec("inner", 1, 4, 8, 64)


@pytest.mark.parametrize("kind", [12, 13])
@pytest.mark.parametrize("inner", [INNER, replace(INNER, type=2)])
def test_maps_in_maps_are_those_of_the_interpreter(kind: int, inner: MapSpec) -> None:
    outer = MapSpec("o", kind, 4, 4, 64, inner=inner)
    insns = [st(op.W, 10, -4, 1), load_map(1, "o"), copy(2, 10), add(2, -4), call(1), jump(op.JNE, 0, 2, imm=0)]
    insns += [mov(0, 1), EXIT, copy(1, 0), st(op.W, 10, -4, 7), copy(2, 10), add(2, -4), call(1)]
    insns += [jump(op.JNE, 0, 2, imm=0), mov(0, 2), EXIT, ldx(op.DW, 3, 0, 0), add(3, 1), stx(op.DW, 0, 0, 3)]
    machine = machine_for(*insns, ldx(op.DW, 0, 0, 0), EXIT, maps=[outer], interface=TC)
    one, seven = (1).to_bytes(4, "little"), (7).to_bytes(4, "little")
    for contents in ({}, {"o": {one: bytes(4)}}, {"o": {one: bytes(4)}, "o[]": {one + seven: b"\x29" + bytes(7)}}):
        given_input = Input(FRAME, maps=contents)
        ended = follow(machine, given_input, through_snapshots=True)
        assert ended.code == run(machine.program, TC, given_input).code


def test_two_maps_in_a_map_may_be_one() -> None:
    outer = MapSpec("o", 13, 4, 4, 64, inner=replace(INNER, type=2))

    def value(at: int, *then: Insn) -> list[Insn]:
        through = [
            load_map(1, "o"),
            copy(2, 10),
            add(2, at),
            call(1),
            jump(op.JNE, 0, 2, imm=0),
            mov(0, 1),
            EXIT,
            copy(1, 0),
        ]
        through += [st(op.W, 10, -20, 7), copy(2, 10), add(2, -20), call(1), jump(op.JNE, 0, 2, imm=0), mov(0, 2), EXIT]
        return [*through, *then]

    insns = keyed_by_packet(*value(-4, st(op.DW, 0, 0, 5)), *value(-8, ldx(op.DW, 0, 0, 0)), EXIT, spec=outer)
    machine = machine_for(*insns, maps=[outer], interface=TC)
    for packet in (b"abcdabcd", b"abcdabce"):
        contents = {"o": {packet[:4]: bytes(4), packet[4:8]: bytes(4)}}
        with pytest.raises(NotDone, match="may be one"):
            follow(machine, Input(packet + FRAME, maps=contents))


@pytest.mark.parametrize("kind", ["hash", "percpu_hash", "array"])
@settings(max_examples=60)
@given(data=some.data())
def test_an_observed_entry_is_that_of_the_interpreter(kind: str, data: some.DataObject) -> None:
    spec = EXACT[kind]
    keys = keys_of(kind)[:3]
    held = data.draw(some.dictionaries(some.sampled_from(keys), some.binary(min_size=8, max_size=8), max_size=2))
    machine = BpfMachine(performing(data.draw(operations(kind)), spec), OBSERVING.observing_any_key("m", 8))
    for key in (*keys, b"\x09\0\0\0"):
        context = {"observed_key.m": int.from_bytes(key, "big")}
        shown_alike(machine, Input(FRAME, maps={"m": held}, context=context))


def test_a_map_that_is_only_changed_is_not_followed() -> None:
    spec = KINDS["roomy_hash"]
    dropped = keyed_by_packet(*put(-4, 7, spec), *put(-8, 8, spec), mov(0, 3), EXIT, spec=spec)
    checked = program(*dropped, maps=[spec])
    given_input = Input(b"abcdabce" + FRAME)
    ended = follow(BpfMachine(checked, TC), given_input)
    assert ended.code == run(checked, TC, given_input).code == 3
    asked = {answer for fork in ended.forks for answer, _ in fork.location.answers}
    assert not any("room" in question or "key" in question for question in asked)
    observed = BpfMachine(checked, TC.observing_any_key("m", 8))
    assert len(follow(observed, given_input).forks) > len(ended.forks)


@pytest.mark.parametrize(
    "after",
    [
        [EXIT],  # the result is returned
        [*get(-4, KINDS["roomy_hash"]), mov(0, 0), EXIT],
        [copy(8, 0), mov(0, 0), jump(op.JNE, 8, 1, imm=0), mov(0, 1), EXIT],
    ],
)
def test_a_map_is_followed_where_a_result_or_what_it_holds_is_used(after: list[Insn]) -> None:
    spec = KINDS["roomy_hash"]
    checked = program(*keyed_by_packet(*put(-4, 7, spec), *after, spec=spec), maps=[spec])
    for context in ({}, {"map.m.count": 64}):
        given_input = Input(b"abcdabcd" + FRAME, context=context)
        ended = follow(BpfMachine(checked, TC), given_input, through_snapshots=True)
        assert ended.code == run(checked, TC, given_input).code


def at_places_from_the_packet(step: int, size: int = 40) -> list[Insn]:
    """Adds 3 to the value's number at `step` times the packet's first byte, then returns that at the second byte."""
    body = [ldx(op.W, 6, 1, 76), ldx(op.W, 7, 1, 80), copy(8, 6), add(8, 14), jump(op.JGT, 8, 22, src=7)]
    body += [ldx(op.B, 8, 6, 0), ldx(op.B, 9, 6, 1), st(op.W, 10, -4, 0), load_map(1, "m"), copy(2, 10), add(2, -4)]
    body += [call(1), jump(op.JEQ, 0, 13, imm=0)]
    body += [jump(op.JGT, register, 12 - n, imm=(size - 4) // step) for n, register in enumerate((8, 9))]
    body += [alu(op.MUL, 8, imm=step), alu(op.MUL, 9, imm=step), copy(1, 0), alu(op.ADD, 1, src=8)]
    body += [ldx(op.W, 2, 1, 0), add(2, 3), stx(op.W, 1, 0, 2), alu(op.ADD, 0, src=9), ldx(op.W, 0, 0, 0), EXIT]
    return [*body, mov(0, 7), mov(0, 7), EXIT]


@pytest.mark.parametrize("step", [1, 3, 4])
@pytest.mark.parametrize("places", [(0, 0), (1, 1), (9, 8), (2, 3), (3, 2), (1, 4), (8, 9), (12, 12), (200, 0)])
def test_values_are_written_at_places_that_the_packet_says(step: int, places: tuple[int, int]) -> None:
    spec = MapSpec("m", 2, 4, 40, 1)
    held = {bytes(4): bytes(range(1, 41))}
    machine = BpfMachine(program(*at_places_from_the_packet(step), maps=[spec]), TC)
    given_input = Input(bytes(places) + FRAME[2:], maps={"m": held})
    seen = run(machine.program, TC, given_input)
    assert follow(machine, given_input, through_snapshots=True).code == seen.code


def test_places_of_which_there_are_too_many_are_not_followed() -> None:
    spec = MapSpec("m", 2, 4, 400, 1)
    machine = machine_for(*at_places_from_the_packet(1, 255), maps=[spec], interface=TC)
    with pytest.raises(NotDone, match="depends on the input"):
        follow(machine, Input(bytes((7, 7)) + FRAME[2:]))


@pytest.mark.parametrize("first", range(4))
def test_every_observed_entry_is_that_of_the_interpreter_whichever_was_written(first: int) -> None:
    """Whether an entry is the written one is a question of its own for each: the answer for one is none for others."""
    spec = MapSpec("m", 2, 4, 8, 4)
    interface = TC
    for key in range(4):
        interface = interface.observing_map("m", key, 8)
    insns = [
        *(ldx(op.W, 6, 1, 76), ldx(op.B, 2, 6, 0), alu(op.AND, 2, imm=3), stx(op.W, 10, -4, 2)),
        *(load_map(1, "m"), copy(2, 10), add(2, -4), call(1)),
        *(jump(op.JEQ, 0, 1, imm=0), st(op.DW, 0, 0, 5), mov(0, 0), EXIT),
    ]
    machine = machine_for(*insns, maps=[spec], interface=interface)
    given_input = Input(bytes([first]) + FRAME)
    seen = run(machine.program, machine.interface, given_input)
    ended = follow(machine, given_input)
    for key in range(4):
        name = f"map.m[{key}]"
        assert (
            ended.values[name].to_bytes(8, "big")
            == seen.values[name]
            == (bytes(8) if key != first else b"\5" + bytes(7))
        )


def test_one_name_for_two_questions_is_not_modelled() -> None:
    """The second would get the first one's answer."""
    state = machine_for(mov(0, 0), EXIT).start()
    packet = packet_byte(const(0, 64))
    state = state.answered("is it", True)
    assert state.ask("is it", eq(packet, const(1, 8)))
    assert state.ask("is it", eq(packet, const(1, 8)))
    with pytest.raises(Rejected, match="in the same words"):
        state.ask("is it", eq(packet, const(2, 8)))
