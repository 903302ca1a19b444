"""Offsets of a fixed width (D190), and limits that several states share."""

from __future__ import annotations

import pytest

from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.machine.drive import assignment_for, drive, show
from equiv.machine.interface import load_interface
from equiv.machine.protocol import Done
from equiv.table.interpret import run
from equiv.table.model import Table
from equiv.table.parse import parse_table
from equiv.table.printer import to_text
from equiv.table.symbolic import TableMachine

XDP = load_interface("xdp")
HEAD = "interface xdp; metadata 4; output le32 seen at meta[0];\n"


def observed(table: Table, packet: bytes) -> tuple[str, bytes]:
    """Verdict and metadata, on which interpreter and symbolic machine agree."""
    given = Input(packet)
    ran = run(table, XDP, given)
    stop = drive(TableMachine(table, XDP), assignment_for(given))
    assert isinstance(stop, Done)
    shown = show(stop.outcome, XDP, assignment_for(given))
    assert (shown.code, shown.values["meta"]) == (ran.code, ran.values["meta"])
    return ran.verdict, bytes(ran.values["meta"])  # type: ignore[arg-type]


SKIP = "state start { advance(u8[13] * 512 bytes) unchecked; seen = offset; transition next; }\n"
ROWS = "tcam { row start: default -> next, seen = offset, advance u8[13] * 512 unchecked; }\n"
NEXT = "state next { seen = offset; transition select(u8[0]) { 7: accept; default: tx; } }\n"


@pytest.mark.parametrize("first", [SKIP, ROWS])
@pytest.mark.parametrize("units", [127, 128, 129, 255])
def test_an_unchecked_advance_past_the_last_offset_leads_to_the_beginning(first: str, units: int) -> None:
    table = parse_table(HEAD + "offset bit<16>;\n" + first + NEXT)
    packet = bytearray(65_535)
    packet[13] = units
    where = units * 512 % 65_536
    assert observed(table, bytes(packet))[1] == where.to_bytes(4, "little")
    packet[where] = units if where == 13 else 7
    assert observed(table, bytes(packet))[0] == "accept"


def test_without_a_width_the_offset_goes_on_and_bytes_are_missing_there() -> None:
    table = parse_table(HEAD + "on truncation tx;\n" + SKIP + NEXT)
    packet = bytes([7] * 13 + [128]) + bytes(65_521)
    assert observed(table, packet) == ("tx", (65_536).to_bytes(4, "little"))


def test_headers_end_at_the_last_byte_without_wrapping() -> None:
    table = parse_table(
        HEAD + "offset bit<16>;\nheader h { bit<8> x; } h last;\n"
        "state start { advance(65534 bytes); extract(last); seen = offset; transition accept; }\n"
    )
    assert observed(table, bytes(65_535)) == ("accept", (65_535).to_bytes(4, "little"))


@pytest.mark.parametrize("width", [8, 15, 33])
def test_a_width_must_reach_the_end_of_every_packet_and_stay_small(width: int) -> None:
    with pytest.raises(InputError, match="bits"):
        parse_table(HEAD + f"offset bit<{width}>;\n" + SKIP + NEXT)


LOOP = "state start { advance(u8[0] + 1 bytes) unchecked; transition start; }\n"


def test_a_cycle_that_may_come_back_needs_a_limit() -> None:
    parse_table(HEAD + LOOP)  # always forward
    with pytest.raises(InputError, match="again and again"):
        parse_table(HEAD + "offset bit<16>;\n" + LOOP)
    parse_table(HEAD + "offset bit<16>; limit start 3 else drop;\n" + LOOP)
    parse_table(HEAD + "offset bit<16>; limit steps 3 else drop;\n" + LOOP)


SHARED = """
limit one, other 3 else accept;
state start { transition select(u8[0]) { 1: one; default: other; } }
state one { seen = seen * 4 + 1; advance(1 bytes); transition start; }
state other { seen = seen * 4 + 2; advance(1 bytes); transition start; }
"""


@pytest.mark.parametrize(("packet", "seen"), [("010101", 0b010101), ("010001", 0b011001), ("000000", 0b101010)])
def test_a_shared_limit_counts_entries_into_all_of_its_states(packet: str, seen: int) -> None:
    table = parse_table(HEAD + SHARED)
    assert observed(table, bytes.fromhex(packet) + bytes(20)) == ("accept", seen.to_bytes(4, "little"))


def test_shared_limits_and_widths_are_printed_as_they_were_written() -> None:
    table = parse_table(HEAD + "offset bit<20>;" + SHARED)
    text = to_text(table)
    assert "limit one, other 3 else accept;" in text and "offset bit<20>;" in text
    assert parse_table(text) == table


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("limit one, one 3 else accept;", "already given"),
        ("limit one 2 else drop; limit other, one 3 else accept;", "already given"),
        ("limit steps, one 3 else drop;", "limited alone"),
        ("limit one, bytes 3 else drop;", "limited alone"),
        ("limit one, nothing 3 else drop;", "nothing"),
    ],
)
def test_what_cannot_be_limited_together_is_refused(limit: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_table(HEAD + SHARED.replace("limit one, other 3 else accept;", limit))
