"""What a table does with one packet: the language's meaning, example by example."""

from __future__ import annotations

import pytest

from equiv.errors import InputError
from equiv.machine.concrete import Input, Observation
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.interface import load_interface
from equiv.machine.protocol import Done
from equiv.table import layout
from equiv.table.interpret import run
from equiv.table.parse import parse_table
from equiv.table.symbolic import TableMachine

XDP = """interface xdp; header h_t { bit<4> hi; bit<12> rest; bit<8> last; } h_t h;
register bit<8> r; register bit<16> s = 7; metadata 8; output be16 o at meta[0]; output le32 p at meta[4];
"""


def observe(text: str, packet: str | bytes, **given: object) -> Observation:
    """The observation, after making sure that the symbolic machine shows the same."""
    data = bytes.fromhex(packet) if isinstance(packet, str) else packet
    table = parse_table(text)
    interface = layout.observed(table, load_interface(table.interface))
    given_input = Input(data, **given)  # type: ignore[arg-type]
    observation = run(table, interface, given_input)
    stop = drive(TableMachine(table, interface), assignment_for(given_input))
    assert isinstance(stop, Done)
    shown = show(stop.outcome, interface, assignment_for(given_input))
    assert (shown.code, shown.punt) == (observation.code, observation.verdict == "punt")
    assert shown.values.items() <= observation.values.items()
    return observation


def meta(states: str, packet: str | bytes) -> bytes:
    """The metadata after `states`, which accept."""
    observation = observe(XDP + states, packet)
    assert observation.verdict == "accept"
    value = observation.values["meta"]
    assert isinstance(value, bytes)
    return value


def verdict(states: str, packet: str | bytes) -> str:
    return observe(XDP + states, packet).verdict


def test_fields_are_taken_most_significant_bit_first_and_outputs_written_in_their_order() -> None:
    states = "state start { extract(h); o = h.rest; p = h.hi; transition accept; }"
    assert meta(states, "a123ff") == bytes.fromhex("0123 0000 0a000000")


def test_register_wraps_but_expression_does_not() -> None:
    states = "state start { r = 250; o = r + 10; r = r + 10; p = r; transition accept; }"
    assert meta(states, "") == bytes.fromhex("0104 0000 04000000")


def test_negative_value_keeps_its_low_bits_when_assigned() -> None:
    assert meta("state start { o = u8[0] - 2; transition accept; }", "01")[:2] == b"\xff\xff"


def test_division_and_shift_of_negative_numbers_round_down() -> None:
    states = "state start { o = (u8[0] - 8) / 3; p = (u8[0] - 8) % 3 + ((u8[0] - 8) >> 1) + 100; transition accept; }"
    assert meta(states, "01") == (-3 & 0xFFFF).to_bytes(2, "big") + b"\0\0" + (2 - 4 + 100).to_bytes(4, "little")


def test_slice_and_concatenation() -> None:
    states = "state start { extract(h); o = h.rest[7:0] ++ h.rest[11:8] ++ 4w5; transition accept; }"
    assert meta(states, "a123ff")[:2] == bytes.fromhex("2315")


def test_first_matching_case_wins() -> None:
    states = "state start { transition select(u8[0]) { 1..9: tx; 5 &&& 7: drop; default: accept; } }"
    assert [verdict(states, p) for p in ("05", "0d", "0e")] == ["tx", "drop", "accept"]


def test_tuples_match_where_every_key_does() -> None:
    states = "state start { transition select(u8[0], u8[1]) { (1, _): tx; (_, 0..3): drop; default: accept; } }"
    assert [verdict(states, p) for p in ("0109", "0203", "0204")] == ["tx", "drop", "accept"]


def test_rows_are_tried_in_order_and_overlap() -> None:
    states = (
        "tcam { row start: u16[0] == 0x0800 &&& 0xff00 -> tx;"
        " row start: u8[1] in 4..6 -> drop; row start: default -> accept; }"
    )
    assert [verdict(states, p) for p in ("0804", "0904", "0907")] == ["tx", "drop", "accept"]


def test_all_lookups_of_rows_are_fetched_before_any_row_matches() -> None:
    """D12."""
    states = "tcam { row start: u8[0] == 1 -> accept; row start: u8[3] == 1 -> tx; row start: default -> accept; }"
    assert [verdict(states, p) for p in ("01000000", "010000")] == ["accept", "drop"]


def test_lookups_in_actions_are_needed_only_in_the_row_that_is_taken() -> None:
    """D12."""
    states = "tcam { row start: u8[0] == 1 -> accept, o = u16[2]; row start: default -> tx; }"
    assert [verdict(states, p) for p in ("02", "010203", "01020304")] == ["tx", "drop", "accept"]


def test_lookups_behind_a_false_condition_are_needed_all_the_same() -> None:
    """D12."""
    states = "state start { require u8[0] == 1 && u8[3] == 0 else tx; transition accept; }"
    assert [verdict(states, p) for p in ("02", "02000000", "01000000")] == ["drop", "tx", "accept"]


def test_actions_look_from_the_start_of_the_row_even_after_its_advance() -> None:
    """D13."""
    states = (
        "tcam { row start: default -> next, advance u8[0], o = u16[1] + offset, extract h; }"
        "state next { p = u8[0] + h.last; transition accept; }"
    )
    assert meta(states, "02 0001 05") == bytes.fromhex("0001 0000") + (0x01 + 0x01).to_bytes(4, "little")


def test_row_left_early_has_not_moved_the_cursor_but_has_assigned() -> None:
    """D13."""
    states = (
        "tcam { row start on truncation late: default -> drop, advance 2, r = 9, o = u16[7]; }"
        "state late { o = offset; p = r; transition accept; }"
    )
    assert meta(states, "0000000000") == bytes.fromhex("0000 0000 09000000")


def test_statements_before_a_truncation_stay_done() -> None:
    states = (
        "state start on truncation late { advance(1 bytes); r = 5; extract(h); transition drop; }"
        "state late { o = offset; p = r; transition accept; }"
    )
    assert meta(states, "0102") == bytes.fromhex("0001 0000 05000000")


@pytest.mark.parametrize(("size", "expected"), [(3, "drop"), (4, "accept")])
def test_advance_needs_the_bytes_it_skips(size: int, expected: str) -> None:
    assert verdict("state start { advance(4 bytes); transition accept; }", bytes(size)) == expected


def test_unchecked_advance_leaves_the_packet_and_the_next_need_notices() -> None:
    assert verdict("state start { advance(400 bytes) unchecked; transition accept; }", "") == "accept"
    assert verdict("state start { advance(9 bytes) unchecked; advance(0 bytes); transition accept; }", "00") == "drop"
    assert (
        verdict("state start { advance(9 bytes) unchecked; require u8[0] == 0 else tx; transition accept; }", "00")
        == "drop"
    )


def test_advance_in_bits_is_p4s() -> None:
    states = "state start { advance((u8[0] - 1) * 16); o = offset; transition accept; }"
    assert meta(states, "0300000000")[:2] == b"\0\4"


def test_advance_by_a_negative_number_is_truncation() -> None:
    states = "state start on truncation tx { advance(u8[0] - 5 bytes); transition accept; }"
    assert [verdict(states, p) for p in ("04", "05")] == ["tx", "accept"]


def test_bounds_of_an_advance_are_looked_at_before_truncation() -> None:
    states = "state start { advance(u8[0] bytes) in 2..3 else tx; transition accept; }"
    assert [verdict(states, p) for p in ("01", "04", "03", "030000")] == ["tx", "tx", "drop", "accept"]


def test_limit_on_bytes_is_looked_at_before_truncation() -> None:
    """D12."""
    states = "limit bytes 2 else punt; state start { advance(u8[0] bytes); transition accept; }"
    assert [verdict(states, p) for p in ("02", "03", "0200")] == ["drop", "punt", "accept"]


LOOP = "state start { advance(1 bytes); transition select(u8[0]) { 0: accept; default: start; } }"


def test_limit_on_steps_counts_the_start_state() -> None:
    states = "limit steps 2 else punt;" + LOOP
    assert [verdict(states, p) for p in ("0000", "090900", "09090900")] == ["accept", "accept", "punt"]


def test_limit_on_a_state_can_lead_to_a_state_and_costs_no_step() -> None:
    """D16."""
    states = "limit start 2 else over; limit steps 3 else punt; state over { transition tx; }" + LOOP
    assert verdict(states, "0909090900") == "tx"


def test_fields_are_0_until_extracted_and_last_extract_wins() -> None:
    states = "state start { o = h.last; extract(h); extract(h); p = h.last; transition accept; }"
    assert meta(states, "000001 000002") == bytes.fromhex("0000 0000 02000000")


def test_output_can_be_read_back() -> None:
    assert meta("state start { o = o + 1; o = o + 1; p = o * 3; transition accept; }", "")[4:] == b"\6\0\0\0"


def test_metadata_has_its_declared_size_even_if_nothing_is_assigned() -> None:
    observation = observe(XDP + "state start { transition accept; }", "")
    assert observation.values == {"meta.size": 8, "meta": bytes(8), "packet": b""}


def test_punt_shows_nothing() -> None:
    observation = observe(XDP + "state start { o = 1; transition punt; }", "")
    assert (observation.verdict, observation.values) == ("punt", {})


def test_path_names_states_rows_and_cases_by_line() -> None:
    observation = observe(
        XDP + "state start {\ntransition select(u8[0]) {\n7: more;\ndefault: drop; } }\n"
        "tcam {\nrow more: u8[1] == 1 -> drop;\nrow more: default -> accept;\n}",
        "0702",
    )
    assert [(step.line, step.text) for step in observation.path] == [
        (3, "state start at offset 0"),
        (5, "select (0x7) -> more"),
        (8, "state more at offset 0"),
        (9, "row 2 of more -> accept"),
    ]


def test_only_fields_that_were_used_count_as_read() -> None:
    states = "state start { extract(h); require h.hi == 0 && u8[1] == 0 else drop; transition accept; }"
    assert observe(XDP + states, "00112233440000").read == {0, 4}


# Interfaces


def test_socket_filter_accept_keeps_the_whole_packet() -> None:
    text = "interface socket_filter; state start { transition select(u8[0]) { 1: accept; default: drop; } }"
    assert [observe(text, p).code for p in ("0102030405", "02")] == [5, 0]


def test_return_replaces_the_code_of_accept_only_once_assigned() -> None:
    """D10."""
    text = (
        "interface socket_filter; output keep at return; state start { transition select(u8[0]) { 0: accept; 1: cut;"
        "default: fail; } } state cut { keep = u8[1]; transition accept; } state fail { keep = 9; transition drop; }"
    )
    assert [observe(text, p).code for p in ("000000", "010200", "01ff00", "020000")] == [3, 2, 3, 0]


def test_unassigned_tc_fields_keep_what_was_given() -> None:
    """D10."""
    text = "interface tc; output m at mark; output le16 c at cb[3]; state start { c = m + 1; transition pipe; }"
    values = observe(text, "", context={"mark": 7, "priority": 3, "cb[0]": 0x44332211}).values
    assert (values["mark"], values["priority"]) == (7, 3)
    assert values["cb"] == bytes.fromhex("112233 0800") + bytes(15)


def test_map_value_keeps_bytes_that_no_output_names() -> None:
    text = (
        "interface xdp; map m[2] size 4; map n[0] size 2; output be16 a at map m[2][1];"
        "state start { a = a + 1; transition accept; }"
    )
    values = observe(text, "", maps={"m": {b"\2\0\0\0": b"\x10\x20\xff\x40"}}).values
    assert values["map.m[2]"] == b"\x10\x21\x00\x40"
    assert values["map.n[0]"] == b"\0\0"


ETHERNET = "00" * 12 + "86dd"


def test_flow_keys_begin_as_the_kernel_hands_them_over() -> None:
    """D10."""
    values = observe(
        "interface flow_dissector; state start { transition accept; }", ETHERNET, context={"flags": 3}
    ).values
    assert (values["keys.nhoff"], values["keys.thoff"], values["keys.n_proto"]) == (14, 14, b"\x86\xdd")
    assert (values["keys.flags"], values["keys.addrs"]) == (3, bytes(32))


@pytest.mark.parametrize(
    ("nhoff", "thoff", "seen"), [(3, 5, (14, 14)), (18, 16, (18, 18)), (90, 9, (20, 20)), (16, 99, (16, 20))]
)
def test_header_offsets_are_clamped_as_the_kernel_does(nhoff: int, thoff: int, seen: tuple[int, int]) -> None:
    """D10."""
    text = (
        f"interface flow_dissector; output n at keys.nhoff; output t at keys.thoff;"
        f"state start {{ n = {nhoff}; t = {thoff}; transition accept; }}"
    )
    values = observe(text, ETHERNET + "00" * 6).values
    assert (values["keys.nhoff"], values["keys.thoff"]) == seen


def test_addresses_in_flow_keys_overlay_each_other() -> None:
    """D10."""
    text = (
        "interface flow_dissector; output a4 at keys.ipv4_dst; output a6 at keys.ipv6_src; output f at keys.ip_proto;"
        "state start { a6 = lookahead<bit<128>>(); a4 = 0xaabbccdd; f = a6[87:80]; transition accept; }"
    )
    values = observe(text, bytes(range(16))).values
    assert values["keys.addrs"] == bytes.fromhex("00010203 aabbccdd 08090a0b0c0d0e0f") + bytes(16)
    assert values["keys.ip_proto"] == 0xBB


def test_interface_without_the_table_s_outputs_is_refused() -> None:
    table = parse_table("interface tc; output m at mark; state start { transition accept; }")
    for interface in ("xdp", "flow_dissector"):
        with pytest.raises(InputError, match="no output place `mark`"):
            run(table, load_interface(interface), Input(b""))
        with pytest.raises(InputError, match="no output place `mark`"):
            TableMachine(table, load_interface(interface))


def test_interface_without_the_table_s_verdict_is_refused() -> None:
    table = parse_table("interface tc; state start { transition pipe; }")
    with pytest.raises(InputError, match="no verdict `pipe`"):
        run(table, load_interface("xdp"), Input(b""))
    with pytest.raises(InputError, match="no verdict `pipe`"):
        TableMachine(table, load_interface("xdp"))


# Corners where the two machines could part; `observe` compares them.


def test_negative_number_meets_a_64_bit_one_without_loss() -> None:
    states = "state start { require u64[1] + (u8[0] - 2) >= u64[1] else drop; transition accept; }"
    assert [verdict(states, p + "00" * 8) for p in ("01", "02")] == ["drop", "accept"]


def test_ranges_that_share_one_value_keep_their_order() -> None:
    states = "state start { transition select(u8[0]) { 3..9: tx; 9..12: drop; default: accept; } }"
    assert [verdict(states, p) for p in ("09", "0a", "0d")] == ["tx", "drop", "accept"]


def test_range_and_mask_that_share_values_keep_their_order() -> None:
    states = (
        "tcam { row start: u8[0] in 3..9 -> tx; row start: u8[0] == 1 &&& 1 -> drop; row start: default -> accept; }"
    )
    assert [verdict(states, p) for p in ("07", "0b", "0c")] == ["tx", "drop", "accept"]
