"""Hex dumps and decoded headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv.report.packet import decode, hex_dump
from equiv.report.style import Style


def test_runs_of_marked_bytes_stand_in_one_pair_of_brackets() -> None:
    (line,) = hex_dump(bytes(range(16)), frozenset({0, 1, 6, 7, 8, 15}))
    assert line == "0000 [00 01]02 03 04 05[06 07  08]09 0a 0b 0c 0d 0e[0f]  ................"


def test_rows_are_aligned_whatever_is_marked() -> None:
    plain = hex_dump(b"A" * 16)[0]
    for marked in ({0}, {7}, {8}, {15}, {7, 8}, set(range(16))):
        (line,) = hex_dump(b"A" * 16, frozenset(marked))
        assert line.replace("[", " ").replace("]", " ") == plain


@given(st.binary(min_size=0, max_size=200), st.sets(st.integers(0, 220)))
def test_hex_dump_holds_every_byte_and_marks_exactly_those_asked_for(packet: bytes, marked: set[int]) -> None:
    shown, inside = [], []
    for line in hex_dump(packet, frozenset(marked)):
        body = line[4:57]
        in_brackets = False
        position = 0
        while position < len(body):
            if body[position] in "[]":
                in_brackets = body[position] == "["
                position += 1
            elif body[position] == " ":
                position += 1
            else:
                inside.append(in_brackets)
                shown.append(int(body[position : position + 2], 16))
                position += 2
    assert bytes(shown) == packet
    assert {offset for offset, is_inside in enumerate(inside) if is_inside} == {m for m in marked if m < len(packet)}


def test_long_packet_leaves_out_rows_in_which_nothing_mattered() -> None:
    lines = hex_dump(bytes(9000), frozenset({4000}))
    assert len(lines) < 12
    assert any("bytes that did not matter" in line for line in lines)
    assert any("[00]" in line for line in lines)


def test_marks_are_seen_without_emphasis_too() -> None:
    (line,) = hex_dump(b"\x01\x02", frozenset({1}), Style(enabled=True))
    assert "[\x1b[7m02\x1b[0m]" in line


@pytest.mark.parametrize("packet", [b"", b"\x00", bytes(13), bytes(14), bytes.fromhex("ff" * 12 + "0800" + "4f")])
def test_odd_packets_are_decoded_as_far_as_it_goes(packet: bytes) -> None:
    assert all(isinstance(name, str) and fields for name, fields in decode(packet))


@given(st.binary(max_size=120))
def test_decoding_never_fails_nor_prints_control_characters(packet: bytes) -> None:
    for name, fields in decode(packet):
        assert name.isprintable()
        assert all(field.isprintable() for field in fields)


def test_payload_of_mpls_is_decoded() -> None:
    packet = bytes.fromhex("ff" * 12 + "8847" + "00001140" + "45000014000000004006" + "0000" + "0a000001" + "0a000002")
    assert [name for name, _ in decode(packet)][:3] == ["Ethernet", "MPLS", "IP"]
