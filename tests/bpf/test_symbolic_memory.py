"""Memory, pointers, maps, helpers and contexts of the symbolic BPF machine (D31, D32, D33)."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.bpf.interpret import run as interpret
from equiv.bpf.program import ExternRef, FunctionRef, Insn, MapRef, MapSpec, MapValueRef
from equiv.bpf.symbolic import BpfMachine
from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.machine.inputs import context_field, packet_length, unwritten_at
from equiv.machine.interface import Interface
from equiv.machine.protocol import Done, Fault, Fork, Stop, Stuck
from equiv.term import Term, const, leaves, negate, ult
from tests.bpf.programs import (
    EXIT,
    FLOW_DISSECTOR,
    SOCKET_FILTER,
    TC,
    TC_LINEAR,
    XDP,
    NotDone,
    add,
    alu,
    call,
    copy,
    follow,
    goto,
    jump,
    ldx,
    load64,
    machine_for,
    mov,
    st,
    stx,
)

ARRAY = MapSpec("counts", 2, 4, 8, 3)
HASH = MapSpec("ports", 1, 2, 4, 8)
TABLE = MapSpec(".rodata", 2, 4, 8, 1, initial=bytes(range(10, 18)), frozen=True)
GLOBALS = MapSpec(".bss", 2, 4, 8, 1, initial=bytes(8))

FRAME = bytes(range(64))


def from_map(dst: int, spec: MapSpec) -> Insn:
    return Insn(op.LD_IMM64, dst, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(spec.name))


def from_section(dst: int, spec: MapSpec, offset: int) -> Insn:
    return Insn(op.LD_IMM64, dst, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(spec.name, offset))


def undecided(guard: Term) -> bool | None:
    return None


def first_stop(machine: BpfMachine) -> Stop:
    return machine.run(machine.start(), undecided)


def code_of(machine: BpfMachine, given: Input, interface: Interface) -> int:
    """The code of the symbolic run, after checking that it is the interpreter's."""
    ended = follow(machine, given, through_snapshots=True)
    assert ended.code == interpret(machine.program, interface, given).code
    return ended.code


# --- packet -----------------------------------------------------------------------------------------------------


def test_check_against_data_end_is_the_guard_that_tables_use() -> None:
    machine = machine_for(
        ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), add(2, 34), jump(op.JGT, 2, 1, src=3), mov(0, 2), EXIT
    )
    stop = first_stop(machine)
    assert isinstance(stop, Fork)
    guard = ult(packet_length(), const(34, 64))
    assert [branch.guard for branch in stop.branches] == [guard, negate(guard)]


def test_packet_load_without_a_check_forks_into_a_fault() -> None:
    machine = machine_for(ldx(op.W, 2, 1, 0), ldx(op.B, 0, 2, 30), EXIT)
    stop = first_stop(machine)
    assert isinstance(stop, Fork)
    inside, outside = stop.branches
    assert isinstance(machine.run(inside.state, undecided), Done)
    fault = machine.run(outside.state, undecided)
    assert isinstance(fault, Fault)
    assert fault.place is not None and fault.place.insn == 1


def test_packet_load_at_an_offset_that_may_be_huge_is_not_taken_for_in_bounds() -> None:
    machine = machine_for(
        ldx(op.W, 2, 1, 0), ldx(op.W, 4, 1, 12), alu(op.LSH, 4, imm=32), alu(op.ADD, 2, src=4), ldx(op.B, 0, 2, 0), EXIT
    )
    stop = machine.run(machine.start(), lambda guard: True if guard.op == "not" else None)
    assert isinstance(stop, Fork)


def test_data_end_of_a_paged_skb_is_where_its_linear_part_ends() -> None:
    insns = [
        *(ldx(op.W, 2, 1, 76), ldx(op.W, 3, 1, 80), add(2, 20)),
        *(mov(0, 2), jump(op.JGT, 2, 1, src=3), mov(0, 0), EXIT),
    ]
    machine = machine_for(*insns, interface=TC)
    assert code_of(machine, Input(FRAME, linear=16), TC) == 2
    assert code_of(machine, Input(FRAME, linear=20), TC) == 0


def test_writing_the_packet_asks_whether_the_byte_is_there() -> None:
    stop = first_stop(machine_for(ldx(op.W, 2, 1, 0), st(op.B, 2, 0, 1), mov(0, 2), EXIT))
    assert isinstance(stop, Fork)
    assert [branch.label for branch in stop.branches] == [
        "instruction 1 (in bounds: yes)",
        "instruction 1 (in bounds: no)",
    ]


# --- pointers ---------------------------------------------------------------------------------------------------


def test_difference_of_packet_pointers_is_a_number() -> None:
    machine = machine_for(
        *(ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), alu(op.SUB, 3, src=2), mov(0, 2)),
        *(jump(op.JGT, 3, 1, imm=40), mov(0, 1), EXIT),
    )
    assert code_of(machine, Input(FRAME), XDP) == 2
    assert code_of(machine, Input(FRAME[:40]), XDP) == 1


def test_low_half_of_a_difference_of_pointers_is_a_number() -> None:
    machine = machine_for(
        ldx(op.W, 2, 1, 0), copy(3, 2), add(3, 3), alu(op.SUB, 3, src=2, wide=False), copy(0, 3), EXIT
    )
    assert code_of(machine, Input(FRAME), XDP) == 3


@pytest.mark.parametrize(
    "middle",
    [
        (jump(op.JEQ, 2, 0, src=10),),
        (jump(op.JGT, 2, 0, imm=4096),),
        (jump(op.JSGT, 2, 0, imm=5),),
        (jump(op.JSET, 2, 0, imm=1),),
        (jump(op.JGT, 2, 0, imm=4096, wide=False),),
        (jump(op.JSLT, 2, 0, imm=0, wide=False),),
        (jump(op.JEQ, 2, 0, src=10, wide=False),),
        (alu(op.AND, 2, imm=7),),
        (alu(op.ADD, 2, imm=7, wide=False),),
        (alu(op.SUB, 2, src=10),),
        (copy(3, 2), alu(op.ADD, 3, src=2)),
    ],
    ids=[
        "two objects",
        "number",
        "sign",
        "bit",
        "low half",
        "its sign",
        "low halves",
        "mask",
        "32 bits",
        "distance of objects",
        "sum",
    ],
)
def test_what_depends_on_kernel_addresses_is_not_decided(middle: tuple[Insn, ...]) -> None:
    stop = first_stop(machine_for(ldx(op.W, 2, 1, 0), *middle, mov(0, 2), EXIT))
    assert isinstance(stop, Stuck)
    assert "depends on kernel addresses" in stop.reason


def test_number_is_no_address() -> None:
    assert isinstance(first_stop(machine_for(mov(2, 64), ldx(op.W, 0, 2, 0), EXIT)), Fault)


def test_uninitialised_register_is_a_fault() -> None:
    assert isinstance(first_stop(machine_for(copy(0, 5), EXIT)), Fault)


# --- stack ------------------------------------------------------------------------------------------------------


def test_stored_pointer_comes_back_from_the_stack() -> None:
    machine = machine_for(
        *(ldx(op.W, 2, 1, 0), add(2, 2), stx(op.DW, 10, -16, 2), ldx(op.DW, 3, 10, -16), ldx(op.B, 0, 3, 0), EXIT)
    )
    assert code_of(machine, Input(FRAME), XDP) == 2


def test_part_of_a_stored_pointer_is_not_decided() -> None:
    stop = first_stop(machine_for(stx(op.DW, 10, -8, 1), ldx(op.W, 0, 10, -8), EXIT))
    assert isinstance(stop, Stuck)


def test_uninitialised_stack_bytes_are_anything_and_stay_what_they_are() -> None:
    """D360: -8 to -5 are written, the others are unknowns of this side; read twice, they are the same."""
    again = (ldx(op.DW, 0, 10, -8), ldx(op.DW, 2, 10, -8), alu(op.XOR, 0, src=2))
    stop = first_stop(machine_for(st(op.W, 10, -8, 7), *again, EXIT))
    assert isinstance(stop, Done)
    assert stop.outcome.code is const(0, 32)
    read = first_stop(machine_for(st(op.W, 10, -8, 7), ldx(op.W, 0, 10, -4), EXIT))
    assert isinstance(read, Done)
    unknowns = {unwritten_at(leaf.data[0]) for leaf in leaves(read.outcome.code)}
    assert unknowns == {("left", number, 1, number - 4) for number in range(4)}


@pytest.mark.parametrize("offset", [-520, -4, 0])
def test_access_outside_the_stack_frame_is_a_fault(offset: int) -> None:
    assert isinstance(first_stop(machine_for(st(op.DW, 10, offset, 0), mov(0, 2), EXIT)), Fault)


def test_overlapping_stores_keep_each_byte() -> None:
    machine = machine_for(
        *(load64(2, 0x1122334455667788), stx(op.DW, 10, -8, 2), st(op.H, 10, -6, -1), st(op.B, 10, -4, 0)),
        *(ldx(op.W, 0, 10, -8), ldx(op.W, 3, 10, -4), alu(op.XOR, 0, src=3), EXIT),
        interface=TC,
    )
    assert code_of(machine, Input(FRAME), TC) == 0xFFFF7788 ^ 0x11223300


# --- calls ------------------------------------------------------------------------------------------------------


def test_callee_reads_its_callers_frame_and_keeps_saved_registers() -> None:
    insns = [
        *(mov(6, 40), st(op.DW, 10, -8, 2), copy(1, 10)),
        Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 2, ref=FunctionRef(6, "callee")),
        *(alu(op.ADD, 0, src=6), EXIT),
        *(mov(6, 0), st(op.DW, 10, -8, 9), ldx(op.DW, 0, 1, -8), EXIT),
    ]
    machine = machine_for(*insns, functions={0: "t", 6: "callee"}, interface=TC)
    assert code_of(machine, Input(FRAME), TC) == 42


def test_recursion_is_rejected_as_the_verifier_does() -> None:
    recursive = Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, -1, ref=FunctionRef(0, "t"))
    with pytest.raises(InputError, match="recursive") as caught:
        machine_for(recursive, EXIT)
    assert caught.value.place is not None
    assert caught.value.place.insn == 0


def test_ninth_frame_is_a_fault() -> None:
    def call_next(depth: int) -> Insn:
        return Insn(op.JMP | op.CALL, 0, op.PSEUDO_CALL, 0, 1, ref=FunctionRef(2 * depth + 2, f"f{depth + 1}"))

    insns = [insn for depth in range(8) for insn in (call_next(depth), EXIT)]
    functions = {2 * depth: f"f{depth}" for depth in range(9)}
    stop = first_stop(machine_for(*insns, mov(0, 2), EXIT, functions=functions))
    assert isinstance(stop, Fault)
    assert "frame" in stop.reason


@pytest.mark.parametrize(
    ("insn", "named"),
    [
        (call(74), "bpf_lwt_seg6_store_bytes"),
        (call(9999), "helper 9999"),
        (Insn(op.JMP | op.CALL, 0, op.PSEUDO_KFUNC_CALL, 0, 7, ref=ExternRef("bpf_frob")), "bpf_frob"),
        (Insn(op.LD_IMM64, 2, 0, 0, 0, ref=ExternRef("CONFIG_HZ")), "CONFIG_HZ"),
    ],
)
def test_what_is_not_modelled_is_named(insn: Insn, named: str) -> None:
    stop = first_stop(machine_for(insn, mov(0, 2), EXIT))
    assert isinstance(stop, Stuck)
    assert named in stop.reason


def test_relocated_field_of_a_kernel_type_is_not_modelled() -> None:
    stop = first_stop(machine_for(mov(0, 2), EXIT, core={0: "needs a type (CO-RE)"}))
    assert isinstance(stop, Stuck)
    assert "CO-RE" in stop.reason


def test_unused_random_number_does_no_harm_and_a_used_one_is_an_input() -> None:
    assert isinstance(first_stop(machine_for(call(7), mov(0, 2), EXIT)), Done)
    used = first_stop(machine_for(call(7), jump(op.JEQ, 0, 0, imm=1), mov(0, 2), EXIT))
    assert isinstance(used, Fork)
    assert context_field("helper.get_prandom_u32.0", 32) in leaves(used.branches[0].guard)


def test_endless_loop_ends_as_not_decided() -> None:
    stop = first_stop(machine_for(goto(-1)))
    assert isinstance(stop, Stuck)
    assert stop.reason.startswith("no decision in")


# --- maps -------------------------------------------------------------------------------------------------------


def look_up(spec: MapSpec, *found: Insn) -> list[Insn]:
    """Look up the key at r10 - 4; `found` runs with r0 pointing to the value; 7 if there is none."""
    return [
        *(from_map(1, spec), copy(2, 10), add(2, -4), call(1)),
        *(jump(op.JNE, 0, 2, imm=0), mov(0, 7), EXIT, *found),
    ]


def test_array_lookup_fails_past_the_last_entry_only() -> None:
    insns = [ldx(op.W, 3, 1, 12), stx(op.W, 10, -4, 3), *look_up(ARRAY, ldx(op.W, 0, 0, 4), EXIT)]
    machine = machine_for(*insns, maps=[ARRAY], interface=TC_LINEAR)
    contents = {"counts": {(0).to_bytes(4, "little"): bytes(4) + b"\x05\0\0\0"}}
    assert code_of(machine, Input(FRAME, context={"queue_mapping": 0}, maps=contents), TC_LINEAR) == 5
    assert code_of(machine, Input(FRAME, context={"queue_mapping": 2}, maps=contents), TC_LINEAR) == 0
    assert code_of(machine, Input(FRAME, context={"queue_mapping": 3}, maps=contents), TC_LINEAR) == 7


def test_hash_lookup_depends_on_whether_the_key_is_there() -> None:
    insns = [ldx(op.W, 3, 1, 8), stx(op.W, 10, -4, 3), *look_up(HASH, ldx(op.W, 0, 0, 0), EXIT)]
    machine = machine_for(*insns, maps=[HASH], interface=TC_LINEAR)
    contents = {"ports": {b"\x34\x12": b"\x09\0\0\0"}}
    assert code_of(machine, Input(FRAME, context={"mark": 0x1234}, maps=contents), TC_LINEAR) == 9
    assert code_of(machine, Input(FRAME, context={"mark": 0x1235}, maps=contents), TC_LINEAR) == 7


def test_value_written_under_one_key_is_read_under_an_equal_one() -> None:
    insns = [
        *(copy(6, 1), st(op.W, 10, -4, 1), *look_up(ARRAY, st(op.DW, 0, 0, 77))),
        *(ldx(op.W, 3, 6, 8), stx(op.W, 10, -4, 3), *look_up(ARRAY, ldx(op.W, 0, 0, 0), EXIT)),
    ]
    machine = machine_for(*insns, maps=[ARRAY], interface=TC_LINEAR)
    assert code_of(machine, Input(FRAME, context={"mark": 1}), TC_LINEAR) == 77
    assert code_of(machine, Input(FRAME, context={"mark": 2}), TC_LINEAR) == 0


def test_observed_map_value_is_what_the_program_left() -> None:
    interface = TC_LINEAR.observing_map("counts", 1, 8)
    insns = [st(op.W, 10, -4, 1), *look_up(ARRAY, st(op.B, 0, 2, 0xAB), mov(0, 0), EXIT)]
    machine = machine_for(*insns, maps=[ARRAY], interface=interface)
    contents = {"counts": {(1).to_bytes(4, "little"): bytes(range(8))}}
    ended = follow(machine, Input(FRAME, maps=contents))
    assert ended.values["map.counts[1]"].to_bytes(8, "big").hex() == "0001ab0304050607"


def test_value_access_out_of_bounds_is_a_fault() -> None:
    insns = [st(op.W, 10, -4, 1), *look_up(ARRAY, ldx(op.W, 0, 0, 6), EXIT)]
    assert isinstance(first_stop(machine_for(*insns, maps=[ARRAY])), Fault)


def test_read_only_data_is_constant_even_at_an_index_from_the_packet() -> None:
    insns = [
        *(ldx(op.W, 2, 1, 8), alu(op.AND, 2, imm=7), from_section(3, TABLE, 0)),
        *(alu(op.ADD, 3, src=2), ldx(op.B, 0, 3, 0), EXIT),
    ]
    machine = machine_for(*insns, maps=[TABLE], interface=TC_LINEAR)
    for mark in (0, 3, 7, 12):
        assert code_of(machine, Input(FRAME, context={"mark": mark}), TC_LINEAR) == 10 + mark % 8


def test_writable_globals_are_inputs_until_written() -> None:
    insns = [from_section(2, GLOBALS, 4), ldx(op.W, 0, 2, 0), st(op.W, 2, 0, 9), ldx(op.W, 3, 2, 0)]
    machine = machine_for(*insns, alu(op.ADD, 0, src=3), EXIT, maps=[GLOBALS], interface=TC_LINEAR)
    contents = {".bss": {bytes(4): bytes(4) + b"\x05\0\0\0"}}
    assert code_of(machine, Input(FRAME, maps=contents), TC_LINEAR) == 14
    assert any(".bss" in sentence for sentence in machine.assumptions)


# --- contexts and helpers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interface", "insn"),
    [
        (XDP, ldx(op.W, 0, 1, 20)),
        (XDP, ldx(op.H, 0, 1, 0)),
        (XDP, st(op.W, 1, 12, 0)),
        (SOCKET_FILTER, ldx(op.W, 0, 1, 76)),
        (SOCKET_FILTER, st(op.W, 1, 8, 0)),
        (TC, st(op.W, 1, 16, 0)),
        (TC, st(op.H, 1, 8, 0)),
        (FLOW_DISSECTOR, ldx(op.W, 0, 1, 8)),
    ],
)
def test_context_access_that_the_kernel_refuses_is_a_fault(interface: Interface, insn: Insn) -> None:
    assert isinstance(first_stop(machine_for(insn, mov(0, 0), EXIT, interface=interface)), Fault)


@pytest.mark.parametrize("payload", ["0800", "86dd", "05ff", "05ffffff", "0000fffe"])
def test_protocol_is_what_the_kernel_makes_of_the_packet(payload: str) -> None:
    machine = machine_for(ldx(op.W, 0, 1, 16), EXIT, interface=TC)
    code_of(machine, Input(bytes(12) + bytes.fromhex(payload)), TC)


def test_written_context_fields_keep_what_the_kernel_keeps_of_them() -> None:
    writes = [st(op.W, 1, offset, 0x12345) for offset in (8, 12, 32, 44, 72)]
    machine = machine_for(mov(2, 0x54321), *writes, stx(op.W, 1, 44, 2), mov(0, 0), EXIT, interface=TC)
    given = Input(FRAME, context={"queue_mapping": 3})
    ended = follow(machine, given)
    concrete = interpret(machine.program, TC, given)
    names = ("mark", "queue_mapping", "priority", "tc_index", "tc_classid")
    assert [ended.values[name] for name in names] == [concrete.values[name] for name in names]
    assert ended.values["queue_mapping"] == 3
    assert ended.values["tc_index"] == 0x4321


@pytest.mark.parametrize(("offset", "linear"), [(14, 64), (44, 20), (45, 64), (1 << 31, 64)])
def test_skb_load_bytes_reads_paged_data_and_clears_the_buffer_on_failure(offset: int, linear: int) -> None:
    insns = [
        *(st(op.W, 10, -20, -1), load64(2, offset), copy(3, 10), add(3, -20), mov(4, 20), call(26)),
        *(ldx(op.W, 3, 10, -20), alu(op.ADD, 0, src=3), EXIT),
    ]
    code_of(machine_for(*insns, interface=TC), Input(FRAME, linear=linear), TC)


@pytest.mark.parametrize("delta", [-8, 0, -3, 4, -216])
def test_metadata_has_the_size_that_the_kernel_grants(delta: int) -> None:
    insns = [
        *(copy(6, 1), mov(2, delta), call(54), copy(7, 0), ldx(op.W, 2, 6, 8), ldx(op.W, 3, 6, 0)),
        *(alu(op.SUB, 3, src=2), copy(0, 7), alu(op.ADD, 0, src=3), alu(op.LSH, 0, imm=8), EXIT),
    ]
    code_of(machine_for(*insns), Input(FRAME), XDP)


def test_metadata_shows_on_pass() -> None:
    insns = [
        *(copy(6, 1), mov(2, -4), call(54), ldx(op.W, 2, 6, 8), ldx(op.W, 3, 6, 0)),
        *(copy(4, 2), add(4, 4), jump(op.JGT, 4, 2, src=3), st(op.H, 2, 0, 0x0201), st(op.H, 2, 2, 0x0403)),
        *(mov(0, 2), EXIT),
    ]
    ended = follow(machine_for(*insns), Input(FRAME), through_snapshots=True)
    assert ended.values["meta.size"] == 4
    assert ended.values["meta"].to_bytes(4, "big").hex() == "01020304"


def test_unwritten_metadata_is_not_decided() -> None:
    with pytest.raises(NotDone) as caught:
        follow(machine_for(mov(2, -4), call(54), mov(0, 2), EXIT), Input(FRAME))
    assert isinstance(caught.value.stop, Stuck)


def test_packet_pointer_from_before_adjust_meta_is_a_fault() -> None:
    insns = [ldx(op.W, 6, 1, 0), mov(2, -4), call(54), ldx(op.B, 0, 6, 0), EXIT]
    assert isinstance(first_stop(machine_for(*insns)), Fault)


def test_pulled_data_is_linear() -> None:
    insns = [
        *(copy(6, 1), mov(2, 30), call(39), jump(op.JNE, 0, 6, imm=0), ldx(op.W, 2, 6, 76), ldx(op.W, 3, 6, 80)),
        *(copy(4, 2), add(4, 30), jump(op.JGT, 4, 1, src=3), ldx(op.B, 0, 2, 29), EXIT),
    ]
    machine = machine_for(*insns, interface=TC)
    assert code_of(machine, Input(FRAME, linear=14), TC) == 29
    assert code_of(machine, Input(FRAME[:20], linear=14), TC) == (1 << 32) - 12


def test_flow_keys_start_as_the_kernel_fills_them_and_are_clamped_at_the_end() -> None:
    insns = [ldx(op.DW, 2, 1, 144), ldx(op.H, 3, 2, 0), add(3, -10), stx(op.H, 2, 0, 3), st(op.H, 2, 2, 500)]
    machine = machine_for(*insns, mov(0, 0), EXIT, interface=FLOW_DISSECTOR)
    given = Input(FRAME, context={"flags": 5})
    ended, concrete = follow(machine, given), interpret(machine.program, FLOW_DISSECTOR, given)
    for name, value in concrete.values.items():
        shown = value if isinstance(value, int) else int.from_bytes(value, "big")
        assert ended.values[name] == shown, name
    assert (ended.values["keys.nhoff"], ended.values["keys.thoff"]) == (14, 64)


@pytest.mark.parametrize("length", [14, 15, 16, 64])
def test_legacy_packet_load_past_the_end_ends_the_program_with_zero(length: int) -> None:
    insns = [copy(6, 1), Insn(op.LD | op.ABS | op.H, 0, 0, 0, 14), EXIT]
    code = code_of(machine_for(*insns, interface=SOCKET_FILTER), Input(FRAME[:length]), SOCKET_FILTER)
    assert code == (min(0x0E0F, length) if length >= 16 else 0)


def test_socket_filter_code_is_at_most_the_packets_length() -> None:
    machine = machine_for(ldx(op.W, 0, 1, 8), EXIT, interface=SOCKET_FILTER)
    assert code_of(machine, Input(FRAME, context={"mark": 9}), SOCKET_FILTER) == 9
    assert code_of(machine, Input(FRAME, context={"mark": 900}), SOCKET_FILTER) == 64


def test_unknown_xdp_code_counts_as_aborted() -> None:
    assert code_of(machine_for(mov(0, 17), EXIT), Input(FRAME), XDP) == 0
