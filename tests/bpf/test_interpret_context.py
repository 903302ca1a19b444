"""What programs are given and what runs show: contexts, packet access, maps, helpers, observables."""

from __future__ import annotations

import pytest

from equiv.bpf import insn as op
from equiv.bpf.interpret import Fault, run
from equiv.bpf.program import Insn, Line, MapRef, MapSpec, MapValueRef
from equiv.machine.concrete import Input, NotRunnable
from tests.bpf.programs import (
    EXIT,
    FLOW_DISSECTOR,
    SOCKET_FILTER,
    TC,
    XDP,
    add,
    alu,
    call,
    copy,
    jump,
    ldx,
    mov,
    program,
    st,
    stx,
)

ARRAY = MapSpec("a", 2, 4, 8, 4)
HASH = MapSpec("h", 1, 4, 8, 1)
RODATA = MapSpec(".rodata", 2, 4, 8, 1, initial=b"\x05\0\0\0\0\0\0\0", frozen=True)
EXISTS, NO_ENTRY, TOO_BIG, INVALID = -17, -2, -7, -22


def map_address(dst: int, name: str) -> Insn:
    return Insn(op.LD_IMM64, dst, op.PSEUDO_MAP_FD, 0, 0, ref=MapRef(name))


def value_address(dst: int, name: str, offset: int) -> Insn:
    return Insn(op.LD_IMM64, dst, op.PSEUDO_MAP_VALUE, 0, 0, ref=MapValueRef(name, offset))


def adjust_meta(size: int) -> list[Insn]:
    return [copy(6, 1), mov(2, -size), call(54)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, 0), (4, 0), (216, 0), (6, -13), (220, INVALID), (256, INVALID), (-4, INVALID)],
)
def test_metadata_is_a_multiple_of_four_that_fits_the_headroom(size: int, expected: int) -> None:
    checked = program(*adjust_meta(size), jump(op.JEQ, 0, 2, imm=expected), mov(0, 1), EXIT, mov(0, 0), EXIT)
    assert run(checked, XDP, Input(bytes(64))).verdict == "aborted"


def test_metadata_is_observed_from_its_first_byte() -> None:
    write = [ldx(op.W, 1, 6, 8), st(op.W, 1, 0, 0x04030201), st(op.W, 1, 4, 0), mov(0, 2), EXIT]
    shown = run(program(*adjust_meta(8), *write), XDP, Input(bytes(64)))
    assert shown.values == {"meta.size": 8, "meta": b"\x01\x02\x03\x04\0\0\0\0", "packet": bytes(64)}


def test_metadata_that_was_never_written_counts_only_where_the_packet_goes_on() -> None:
    with pytest.raises(NotRunnable, match="never written"):
        run(program(*adjust_meta(8), mov(0, 2), EXIT), XDP, Input(bytes(64)))
    assert run(program(*adjust_meta(8), mov(0, 1), EXIT), XDP, Input(bytes(64))).verdict == "drop"


def test_packet_bytes_that_were_looked_at_are_listed() -> None:
    checked = program(ldx(op.W, 1, 1, 0), ldx(op.H, 0, 1, 12), mov(0, 2), EXIT)
    assert run(checked, XDP, Input(bytes(64))).read == {12, 13}


def test_only_the_linear_part_of_an_skb_is_accessed_directly() -> None:
    direct = program(ldx(op.W, 1, 1, 76), ldx(op.B, 0, 1, 20), mov(0, 0), EXIT)
    given = Input(bytes(64), linear=20)
    with pytest.raises(Fault, match="packet"):
        run(direct, TC, given)
    pulled = program(copy(6, 1), mov(2, 21), call(39), ldx(op.W, 1, 6, 76), ldx(op.B, 0, 1, 20), mov(0, 0), EXIT)
    assert run(pulled, TC, given).verdict == "accept"


def test_skb_load_bytes_reads_paged_data_and_clears_the_buffer_past_the_end() -> None:
    def loading(offset: int) -> list[Insn]:
        return [mov(2, offset), copy(3, 10), add(3, -8), mov(4, 2), call(26), ldx(op.H, 0, 10, -8), EXIT]

    given = Input(bytes(62) + b"\x01\x02", linear=14)
    assert run(program(*loading(62)), SOCKET_FILTER, given).code == 64  # 0x0201, clamped to the packet's length
    assert run(program(*loading(63)), SOCKET_FILTER, given).code == 0


def test_tc_fields_start_as_given_and_end_as_observables() -> None:
    body = [ldx(op.W, 2, 1, 8), add(2, 1), stx(op.W, 1, 8, 2), st(op.W, 1, 44, 0x12345), st(op.W, 1, 12, 0xFFFF)]
    body += [st(op.B, 1, 49, 7), mov(0, 3), EXIT]
    given = Input(bytes(64), context={"mark": 9, "queue_mapping": 3, "cb": 1 << 152})
    shown = run(program(*body), TC, given)
    assert shown.verdict == "pipe"
    assert shown.values["mark"] == 10
    assert shown.values["tc_index"] == 0x2345, "the kernel keeps 16 bits"
    assert shown.values["queue_mapping"] == 3, "NO_QUEUE_MAPPING is not stored"
    assert shown.values["cb"] == b"\x01\x07" + bytes(18)


@pytest.mark.parametrize(
    ("ethernet", "expected"),
    [(b"\x08\x00", 0x0008), (b"\x05\xff", 0x0400), (b"\x00\x10\xff\xff", 0x0100)],
)
def test_protocol_is_what_the_kernel_makes_of_the_frame(ethernet: bytes, expected: int) -> None:
    body = [ldx(op.W, 0, 1, 16), stx(op.W, 1, 8, 0), mov(0, 0), EXIT]
    assert run(program(*body), TC, Input(bytes(12) + ethernet.ljust(50, b"\0"))).values["mark"] == expected


@pytest.mark.parametrize(("field", "offset"), [("tc_classid", 72), ("data", 76), ("wire_len", 160)])
def test_socket_filters_may_not_read_tc_fields(field: str, offset: int) -> None:
    with pytest.raises(Fault, match=field):
        run(program(ldx(op.W, 0, 1, offset), EXIT), SOCKET_FILTER, Input(bytes(64)))


def test_flow_keys_start_behind_ethernet_and_are_clamped_to_the_packet() -> None:
    body = [ldx(op.DW, 2, 1, 144), ldx(op.H, 0, 2, 0), st(op.H, 2, 2, 0x7FFF), stx(op.B, 2, 9, 0), mov(0, 0), EXIT]
    shown = run(program(*body), FLOW_DISSECTOR, Input(bytes(12) + b"\x86\xdd" + bytes(26), context={"flags": 5}))
    assert shown.values["keys.nhoff"] == 14
    assert shown.values["keys.thoff"] == 40
    assert shown.values["keys.ip_proto"] == 14
    assert shown.values["keys.n_proto"] == b"\x86\xdd"
    assert shown.values["keys.flags"] == 5


def test_legacy_loads_are_big_endian_and_end_the_program_past_the_packet() -> None:
    absolute = Insn(op.LD | op.ABS | op.H, 0, 0, 0, 12)
    given = Input(bytes(12) + b"\x00\x21" + bytes(50))
    assert run(program(copy(6, 1), absolute, EXIT), SOCKET_FILTER, given).code == 0x21
    past = Insn(op.LD | op.ABS | op.H, 0, 0, 0, 63)
    assert run(program(copy(6, 1), past, mov(0, 9), EXIT), SOCKET_FILTER, given).verdict == "drop"


def lookup(name: str, key: int) -> list[Insn]:
    return [st(op.W, 10, -4, key), map_address(1, name), copy(2, 10), add(2, -4), call(1)]


def test_array_entries_are_given_or_zero_and_absent_past_the_end() -> None:
    body = [*lookup("a", 1), jump(op.JEQ, 0, 1, imm=0), ldx(op.DW, 0, 0, 0), EXIT]
    given = Input(bytes(64), maps={"a": {b"\x01\0\0\0": b"\x07" + bytes(7)}})
    assert run(program(*body, maps=[ARRAY]), SOCKET_FILTER, given).code == 7
    assert run(program(*body, maps=[ARRAY]), SOCKET_FILTER, Input(bytes(64))).code == 0
    absent = [*lookup("a", 4), jump(op.JEQ, 0, 2, imm=0), mov(0, 1), EXIT, mov(0, 5), EXIT]
    assert run(program(*absent, maps=[ARRAY]), SOCKET_FILTER, given).code == 5


def test_map_writes_are_observed() -> None:
    body = [*lookup("a", 2), jump(op.JEQ, 0, 1, imm=0), st(op.DW, 0, 0, 3), mov(0, 2), EXIT]
    shown = run(program(*body, maps=[ARRAY]), XDP.observing_map("a", 2, 8), Input(bytes(64)))
    assert shown.values["map.a[2]"] == b"\x03" + bytes(7)


def test_data_sections_start_with_their_contents_and_rodata_stays() -> None:
    read = program(value_address(1, ".rodata", 0), ldx(op.B, 0, 1, 0), EXIT, maps=[RODATA])
    assert run(read, SOCKET_FILTER, Input(bytes(64))).code == 5
    write = program(value_address(1, ".rodata", 0), st(op.B, 1, 0, 0), mov(0, 0), EXIT, maps=[RODATA])
    with pytest.raises(Fault, match="read-only"):
        run(write, SOCKET_FILTER, Input(bytes(64)))


@pytest.mark.parametrize(
    ("name", "key", "flags", "expected"),
    [
        ("a", 0, 0, 0), ("a", 0, 2, 0), ("a", 0, 1, EXISTS), ("a", 4, 0, TOO_BIG), ("a", 0, 8, INVALID),
        ("h", 1, 0, 0), ("h", 1, 1, EXISTS), ("h", 1, 2, 0), ("h", 2, 2, NO_ENTRY), ("h", 2, 0, TOO_BIG),
    ],
)  # fmt: skip
def test_map_updates_give_the_errors_of_the_kernel(name: str, key: int, flags: int, expected: int) -> None:
    body = [st(op.W, 10, -4, key), st(op.DW, 10, -16, 6), map_address(1, name), copy(2, 10), add(2, -4)]
    body += [copy(3, 10), add(3, -16), mov(4, flags), call(2), jump(op.JEQ, 0, 2, imm=expected), mov(0, 0), EXIT]
    body += [mov(0, 1), EXIT]
    given = Input(bytes(64), maps={"h": {b"\x01\0\0\0": bytes(8)}})
    assert run(program(*body, maps=[ARRAY, HASH]), SOCKET_FILTER, given).code == 1


def test_a_hash_value_that_was_replaced_stays_readable() -> None:
    body = [*lookup("h", 1), jump(op.JNE, 0, 1, imm=0), EXIT, copy(6, 0), st(op.DW, 10, -16, 6)]
    body += [map_address(1, "h"), copy(2, 10), add(2, -4), copy(3, 10), add(3, -16), mov(4, 0), call(2)]
    body += [ldx(op.DW, 7, 6, 0), *lookup("h", 1), jump(op.JNE, 0, 1, imm=0), EXIT, ldx(op.DW, 0, 0, 0)]
    body += [alu(op.LSH, 0, imm=4), alu(op.OR, 0, src=7), EXIT]
    given = Input(bytes(128), maps={"h": {b"\x01\0\0\0": b"\x03" + bytes(7)}})
    assert run(program(*body, maps=[HASH]), SOCKET_FILTER, given).code == 0x63


def test_input_for_a_map_that_is_not_there_is_not_runnable() -> None:
    with pytest.raises(NotRunnable, match="does not have"):
        run(program(mov(0, 0), EXIT), XDP, Input(bytes(64), maps={"x": {}}))


def test_the_path_has_one_step_per_source_line() -> None:
    lines = (
        Line(0, "p.c", 3, 1, "  int a = 2;"),
        Line(1, "p.c", 5, 1, "  if (a == 3)"),
        Line(3, "p.c", 7, 1, "  return a;"),
    )
    body = [mov(0, 2), jump(op.JEQ, 0, 1, imm=3), add(0, 0), EXIT]
    path = run(program(*body, lines=lines), XDP, Input(bytes(64))).path
    assert [(step.line, step.text) for step in path] == [
        (3, "int a = 2;"),
        (5, "if (a == 3)  [1: not taken]"),
        (7, "return a;"),
    ]
