"""Sentences about differences: they say what the data show, whatever the packet is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from equiv import api
from equiv.asked import read_outputs
from equiv.machine.concrete import Input, Observation
from equiv.report.explain import explain
from equiv.report.explain.walk import walk
from equiv.report.style import clean
from equiv.report.terminal import render_result
from equiv.result import Counterexample, Dependence, OutputField, Result, Side, Statistics

CORPORA = Path(__file__).resolve().parents[3] / "corpora"
PROGRAM, TABLE = Side("p.bpf.o", "0" * 64, "p", "bpf"), Side("t.dev", "0" * 64, "", "dev")
ETHERNET = bytes(12)
IPV4 = bytes.fromhex("4500001c0000000000110000" + "0a0000010a000002")


def _result(packet: bytes, left: Observation, right: Observation, **more: object) -> Result:
    differs = ("verdict",) if left.code != right.code else tuple(
        name for name in left.values if left.values[name] != right.values.get(name)
    )  # fmt: skip
    found = Counterexample(
        Input(packet), left, right, differs, frozenset(range(len(packet))), ("interpreter",), {}, (),
        more.pop("depends", {}),  # type: ignore[arg-type]
    )  # fmt: skip
    result = Result("different", "", "xdp", PROGRAM, TABLE, (), Statistics(), (found,))
    return replace(result, **more)  # type: ignore[arg-type]


def _said(result: Result) -> str:
    return explain(result, result.counterexamples[0])


DROP, ACCEPT = Observation("drop", 1), Observation("accept", 2)


@pytest.mark.parametrize(
    ("packet", "what"),
    [
        ("8100 0000 8100 0000 8100 0000 0000", "three VLAN tags"),
        ("8100 0000 88a8 0000 0000", "two VLAN tags (types 0x8100 and 0x88a8)"),
        ("8847 00000000 00000100", "two MPLS labels"),
        ("8848", "an Ethernet header (type MPLS_MULTI (0x8848))"),
        ("0806 0007 0800 06 04 0001" + "00" * 20, "an ARP header (hardware type 7"),
        ("88a8", "an Ethernet header and not one byte of the 802.1ad VLAN tag that should follow"),
        ("0800 45", "an Ethernet header and only 1 of the 20 bytes of the IPv4 header that should follow"),
        ("86dd 60" + "00" * 5 + "3a" + "00" * 33, "an IPv6 header"),
    ],
)
def test_packets_are_told_by_their_headers(packet: str, what: str) -> None:
    said = _said(_result(ETHERNET + bytes.fromhex(packet), DROP, ACCEPT))
    assert said.startswith(f"The table accepts a packet with {what}")


def test_what_is_unusual_and_mattered_is_told() -> None:
    packet = ETHERNET + b"\x08\0\x46" + IPV4[1:] + bytes.fromhex("01000000 0035 0035 0008 0000")
    said = _said(_result(packet, DROP, ACCEPT))
    assert "a header length of 6 words" in said
    result = _result(packet, DROP, ACCEPT)
    silent = replace(result.counterexamples[0], relevant=frozenset({12, 13}))
    assert "header length" not in explain(result, silent)


def test_the_side_that_drops_and_the_one_that_accepts_are_not_mixed_up() -> None:
    packet = ETHERNET + b"\x88\x47\0\0\x01\0"
    assert _said(_result(packet, DROP, ACCEPT)) == (
        "The table accepts a packet with an MPLS label that the program drops."
    )
    assert _said(_result(packet, ACCEPT, DROP)) == (
        "The table drops a packet with an MPLS label that the program accepts."
    )


def test_sides_of_one_kind_are_told_by_their_side() -> None:
    result = replace(_result(b"", DROP, ACCEPT), right=replace(PROGRAM, path="q.bpf.o"))
    assert _said(result) == "The right program accepts a packet of 0 bytes that the left program drops."


def test_one_verdict_with_two_codes_is_told_by_code() -> None:
    said = _said(_result(b"\1", Observation("accept", 38), Observation("accept", 35)))
    assert "accepts with code 35" in said and "accepts with code 38" in said


def test_verdicts_without_a_verb_are_told_by_name() -> None:
    said = _said(_result(b"\1", Observation("pipe", 3), DROP))
    assert said == "The table drops a packet of 1 byte (byte 0 is 0x01) that the program answers pipe to."


def _outputs(left: bytes, right: bytes, order: Literal["big", "little"] = "big", **more: object) -> Result:
    packet = ETHERNET + b"\x08\0" + IPV4 + bytes.fromhex("1234 0035 0008 0000")
    values = [Observation("accept", 2, {"meta": value}) for value in (left, right)]
    fields = (OutputField("sport", "meta", 0, 2, order), OutputField("dport", "meta", 2, 2, order))
    return _result(packet, *values, fields=fields, **more)


def test_outputs_are_told_by_name_and_value() -> None:
    said = _said(_outputs(b"\x12\x34\0\x35", b"\x12\x34\0\0"))
    assert said.startswith("Both accept a packet with an IPv4 header (a total length of 28, ")
    assert "but dport is 0035 for the program and 0000 for the table" in said
    assert "sport is" not in said


def test_numbers_that_lie_the_other_way_round_in_memory_are_told_as_numbers() -> None:
    """What a reader of C or of a table would write; unless the bytes themselves are the point."""
    said = _said(_outputs(b"\x34\x12\0\0", b"\0\0\0\0", order="little"))
    assert "sport is 0x1234 for the program and 0x0 for the table" in said
    said = _said(_outputs(b"\x12\x34\0\0", b"\x34\x12\0\0", order="little"))
    assert "sport is 1234 for the program and 3412 for the table, the same bytes in reverse order" in said


def test_where_a_copied_value_comes_from_is_told() -> None:
    depends = {
        "left": {"sport": Dependence(frozenset({34, 35}), (34, 35))},
        "right": {"sport": Dependence(frozenset({36, 37}), (36, 37))},
    }
    said = _said(_outputs(b"\x12\x34\0\0", b"\0\x35\0\0", depends=depends))
    assert "the program takes bytes 34 to 35 (UDP source port), the table bytes 36 to 37 (UDP destination port)" in said


def test_nothing_is_claimed_of_what_only_looks_like_a_copy() -> None:
    depends = {side: {"sport": Dependence(frozenset({34, 35}))} for side in ("left", "right")}
    said = _said(_outputs(b"\x12\x34\0\0", b"\0\x35\0\0", depends=depends))
    assert "takes" not in said


def test_reversed_bytes_are_told() -> None:
    assert "sport is 1234 for the program and 3412 for the table, the same bytes in reverse order" in _said(
        _outputs(b"\x12\x34\0\0", b"\x34\x12\0\0")
    )


def test_parser_errors_are_told_by_name() -> None:
    left, right = (Observation("reject", 0, {"error": number}) for number in (1, 2))
    said = _said(_result(b"\1", left, right, interface="p4", errors=("NoError", "PacketTooShort", "NoMatch")))
    assert "error is PacketTooShort (1) for the program and NoMatch (2) for the table" in said


def test_further_inputs_are_told() -> None:
    result = _result(b"\1", DROP, ACCEPT)
    given_ = replace(result.counterexamples[0].input, context={"mark": 7}, maps={"limits": {b"\1": b"\2"}})
    said = explain(result, replace(result.counterexamples[0], input=given_))
    assert said.endswith("that the program drops, given mark = 7, limits[01] = 02.")


def test_a_property_is_told_in_the_words_of_the_user() -> None:
    result = api.check(str(CORPORA / "p4-vlan" / "vlan.p4"), against=("accept => false",), kernel=False)
    assert _said(result) == "The parser accepts a packet of 14 bytes, which violates `false`."


def test_outputs_that_only_one_side_names_are_told_as_what_was_asked() -> None:
    """The parser has no `dport` of its own, but an expression that stands for it (D121): it is not absent."""
    folder = CORPORA / "p4-outputs"
    result = api.check(
        str(folder / "five-tuple.ports.p4"),
        str(CORPORA / "five-tuple" / "five-tuple.dev"),
        outputs=read_outputs(str(folder / "table.outputs")),
        kernel=False,
    )
    assert re.search(r"but do not give the same `(sport|dport)`", _said(result))
    assert "absent" not in render_result(result) and "absent" not in _said(result)


@given(st.binary(max_size=120), st.sampled_from(["xdp", "p4", "buffer"]), st.sampled_from([1, 4, 8]))
def test_any_packet_is_told_on_one_printable_line(packet: bytes, interface: str, width: int) -> None:
    said = _said(_result(packet, DROP, ACCEPT, interface=interface, element_width=width))
    assert clean(said) == said and "accepts" in said and "drops" in said


@given(st.binary(max_size=120))
def test_headers_that_are_found_lie_in_the_packet_one_behind_the_other(tail: bytes) -> None:
    packet = ETHERNET + tail
    walked = walk(packet)
    ends = [0, *(layer.end for layer in walked.layers)]
    assert [layer.first for layer in walked.layers] == ends[:-1]
    assert walked.end == ends[-1] <= len(packet)
    for layer in walked.layers:
        for field in layer.fields:
            if field.bits is not None:
                assert 8 * layer.first <= field.bits[0] <= field.bits[1] <= 8 * layer.end


@given(st.text(max_size=40), st.binary(max_size=4), st.binary(max_size=4))
def test_any_name_and_value_stays_on_one_printable_line(name: str, left: bytes, right: bytes) -> None:
    if left == right:
        return
    values = [Observation("accept", 2, {name: value}) for value in (left, right)]
    said = _said(_result(b"\1", *values))
    assert clean(said) == said
