"""Reading `.dev` files: what is understood, and that every bad file gets one error at the right spot."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_strategies import inputs, tables

from equiv.errors import InputError
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.table.interpret import run
from equiv.table.model import Binary, Masked, Number, ParseState, Range, RowState, Select
from equiv.table.parse import load_table, parse_table
from equiv.table.printer import to_text

START = "state start { transition accept; }"
HEAD = """interface xdp;
header eth_t { bit<48> dst; bit<48> src; bit<16> type; }
eth_t eth;
register bit<8> n;
metadata 8;
output be32 out at meta[0];
"""


def error_of(text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        parse_table(text, "b.dev")
    assert caught.value.exit_status == 2
    return caught.value


def test_example_of_the_reference_parses() -> None:
    reference = Path(__file__).resolve().parents[2] / "specs" / "dev-language.md"
    text = reference.read_text("utf-8").split("```")[1]
    table = parse_table(text)
    assert list(table.states) == ["start", "parse_ipv4", "parse_vlan"]
    assert isinstance(table.states["parse_vlan"], RowState)


def test_keywords_can_be_field_names() -> None:
    table = parse_table(
        "interface xdp; header h_t { bit<8> length; bit<8> state; bit<8> offset; bit<8> default; } h_t h;"
        "state start { extract(h); require h.length == h.default && h.state > h.offset else drop; transition accept; }"
    )
    assert [f.name for f in table.instances["h"].fields] == ["length", "state", "offset", "default"]


def test_bitwise_operators_bind_tighter_than_comparisons() -> None:
    table = parse_table("interface xdp; state start { require u8[0] & 3 == 1 else drop; transition accept; }")
    state = table.states["start"]
    assert isinstance(state, ParseState)
    (require,) = state.statements
    condition = require.condition  # type: ignore[union-attr]
    assert isinstance(condition, Binary) and condition.op == "=="
    assert condition.right == Number(1)


def test_constants_are_worked_out() -> None:
    table = parse_table(
        "interface xdp; const bit<16> A = 0x8000; const bit<16> B = A | 0x100;"
        "state start { transition select(u16[0]) {"
        " B: accept; A &&& 0xff00: drop; 1 << 4..0x1f: punt; default: drop; } }"
    )
    state = table.states["start"]
    assert isinstance(state, ParseState) and isinstance(state.transition, Select)
    keysets = [case.keysets for case in state.transition.cases]
    assert keysets == [(Masked(0x8100),), (Masked(0x8000, 0xFF00),), (Range(16, 31),), ()]


@settings(max_examples=40)
@given(tables())
def test_printed_table_parses_to_the_same_table(text: str) -> None:
    table = parse_table(text)
    assert parse_table(to_text(table)) == table


@settings(max_examples=60)
@given(tables(limited=False), inputs())
def test_accepted_table_ends_on_every_packet(text: str, given_input: Input) -> None:
    """D15. Three entries for each limited state, one step per byte, and a bit of acyclic way between any two."""
    table = parse_table(text)
    path = run(table, load_interface(table.interface), given_input).path
    entries = sum(step.text.startswith("state ") for step in path)
    assert entries <= (3 * len(table.states) + len(given_input.packet) + 2) * len(table.states)


@settings(max_examples=100)
@given(st.data())
def test_damaged_file_is_read_or_refused_but_never_crashes(data: st.DataObject) -> None:
    text = HEAD + "state start { extract(eth); transition select(eth.type) { 0x800 &&& 0xff: drop; default: accept; } }"
    position = data.draw(st.integers(0, len(text)))
    size = data.draw(st.integers(0, 6))
    junk = data.draw(st.text(st.sampled_from('{}()[];:,<>&|=!+-*/%?.^"_0x9ab w\n'), max_size=6))
    try:
        parse_table(text[:position] + junk + text[position + size :])
    except InputError as error:
        assert error.place is not None


MISTAKES = [
    # what, text, line, part of the message, part of the hint
    ("missing interface", START, 0, "no interface", "interface xdp"),
    ("unknown interface", "interface xpd;\n" + START, 1, "no interface 'xpd'", "xdp"),
    ("second interface", "interface xdp;\ninterface tc;\n" + START, 2, "already given in line 1", ""),
    ("no start", "interface xdp;\nstate begin { transition accept; }", 0, "no state `start`", "state start"),
    ("misspelled verdict", "interface xdp;\nstate start { transition acept; }", 2, "`acept`", "`accept`"),
    (
        "misspelled state",
        HEAD + "state parse_ip { transition accept; }\nstate start { transition parse_ipv; }",
        8,
        "`parse_ipv`",
        "did you mean `parse_ip`?",
    ),
    ("misspelled word", "interface xdp;\nstate start { transtion accept; }", 2, "unexpected", "`transition`"),
    ("misspelled first word", "interface xdp;\nstaet start { transition accept; }", 2, "`{`", "`state` for `staet`"),
    (
        "misspelled default",
        HEAD + "state start { extract(eth);\n transition select(eth.type) { defualt: accept; } }",
        8,
        "`defualt`",
        "`default`",
    ),
    (
        "misspelled field",
        HEAD + "state start { extract(eth);\n require eth.typ == 1 else drop; transition accept; }",
        8,
        "`typ`",
        "`type`",
    ),
    ("undefined register", HEAD + "state start { m = 1; transition accept; }", 7, "unknown register or output", "`n`"),
    ("undefined header", "interface xdp;\neth_t eth;\n" + START, 2, "unknown header `eth_t`", "no header"),
    ("undefined instance", HEAD + "state start { extract(ipv4); transition accept; }", 7, "`ipv4`", "`eth`"),
    ("undefined name", HEAD + "state start { require m == 1 else drop; transition accept; }", 7, "unknown name", ""),
    (
        "assigned constant",
        "interface xdp; const bit<8> C = 1;\nstate start { C = 2; transition accept; }",
        2,
        "cannot be assigned",
        "",
    ),
    ("duplicate state", "interface xdp;\n" + START + "\n" + START, 3, "already declared, as a state in line 2", ""),
    (
        "state and rows",
        "interface xdp;\n" + START + "\ntcam { row start: default -> drop; }",
        3,
        "already declared",
        "",
    ),
    ("duplicate field", "interface xdp;\nheader h { bit<8> a; bit<8> a; }\n" + START, 2, "already has a field", ""),
    ("duplicate register", HEAD + "register bit<4> n;\n" + START, 7, "already declared", ""),
    ("output named like register", HEAD + "output u8 n at meta[4];\n" + START, 7, "already declared", ""),
    ("reserved name", "interface xdp;\nregister bit<8> offset;\n" + START, 2, "meaning of its own", ""),
    ("state named like a verdict", "interface xdp;\nstate drop { transition accept; }", 2, "meaning of its own", ""),
    ("overlapping outputs", HEAD + "output le16 x at meta[3];\n" + START, 7, "`x` overlaps `out` of line 6", ""),
    ("output past metadata", HEAD + "output be32 x at meta[6];\n" + START, 7, "outside the 8 bytes", ""),
    ("output without metadata", "interface xdp;\noutput u8 x at meta[0];\n" + START, 2, "no metadata", "metadata 16"),
    ("metadata not in words", "interface xdp;\nmetadata 6;\n" + START, 2, "multiple of 4", ""),
    ("metadata too large", "interface xdp;\nmetadata 256;\n" + START, 2, "from 0 to 252", ""),
    ("metadata elsewhere", "interface tc;\nmetadata 8;\n" + START, 2, "has no metadata", ""),
    ("unknown place", "interface tc;\noutput x at marc;\n" + START, 2, "no output place `marc`", "mark"),
    (
        "encoding where none is",
        "interface tc;\noutput be32 x at mark;\n" + START,
        2,
        "order of its own",
        "output x at mark",
    ),
    ("encoding missing", "interface tc;\noutput x at cb;\n" + START, 2, "needs an encoding", "cb[0]"),
    ("unknown encoding", HEAD + "output be12 x at meta[4];\n" + START, 7, "`be12`", "be16"),
    ("undeclared map", "interface xdp;\noutput u8 x at map m[0][0];\n" + START, 2, "not declared", "map m[0] size"),
    ("same map value twice", "interface xdp;\nmap m[0] size 4;\nmap m[0] size 8;\n" + START, 3, "already declared", ""),
    ("odd header", "interface xdp;\nheader h { bit<4> a; }\n" + START, 2, "4 bits", ""),
    ("empty header", "interface xdp;\nheader h { }\n" + START, 2, "no fields", ""),
    ("field of no width", "interface xdp;\nheader h { bit<0> a; }\n" + START, 2, "from 1 to 2048", ""),
    ("register too wide", "interface xdp;\nregister bit<65> r;\n" + START, 2, "from 1 to 64", ""),
    ("constant does not fit", "interface xdp;\nconst bit<8> C = 256;\n" + START, 2, "does not fit", ""),
    (
        "literal does not fit",
        "interface xdp;\nstate start { require u8[0] == 4w16 else drop; transition accept; }",
        2,
        "does not fit in 4 bits",
        "",
    ),
    (
        "compared constant does not fit",
        HEAD + "state start {\nrequire eth.type != 0x10000 else drop;\ntransition accept;}",
        8,
        "65536 does not fit what it is compared with: 16 bits",
        "",
    ),
    (
        "case does not fit",
        HEAD + "state start { transition select(eth.type) {\n0x10000: drop; default: drop; } }",
        8,
        "does not fit",
        "",
    ),
    (
        "mask wider than field",
        HEAD + "state start { transition select(eth.type) {\n0 &&& 0x1ffff: drop; default: drop; } }",
        8,
        "131071 does not fit",
        "",
    ),
    (
        "range upside down",
        HEAD + "state start { transition select(eth.type) {\n9..3: drop; default: drop; } }",
        8,
        "range is empty",
        "",
    ),
    (
        "select without default",
        HEAD + "state start {\ntransition select(n) { 1: drop; } }",
        8,
        "no `default`",
        "default:",
    ),
    (
        "default in the middle",
        HEAD + "state start { transition select(n) { default: drop;\n1: drop; } }",
        8,
        "never reached",
        "",
    ),
    (
        "case covered",
        HEAD + "state start { transition select(eth.type) {\n0 &&& 0xf: drop;\n0x20 &&& 0xff: accept;\n"
        "default: drop; } }",
        9,
        "the case of line 8 covers it",
        "",
    ),
    (
        "case in a covered range",
        HEAD + "state start { transition select(n) {\n3..9: drop;\n4 &&& 0xfe: accept;\ndefault: drop; } }",
        9,
        "the case of line 8 covers it",
        "",
    ),
    (
        "keys and values differ in number",
        HEAD + "state start { transition select(n, n) {\n1: drop; default: drop; } }",
        8,
        "1 values for 2 expressions",
        "",
    ),
    (
        "row covered",
        "interface xdp;\ntcam {\nrow start: u8[1] == 5 -> drop;\nrow start: u16[0] == 0x0105 -> accept;\n"
        "row start: default -> drop; }",
        4,
        "the row of line 3 covers it",
        "",
    ),
    (
        "row contradicts itself",
        "interface xdp;\ntcam {\nrow start: u8[1] == 5, u16[0] == 0x0106 -> drop;\nrow start: default -> drop; }",
        3,
        "can never match",
        "",
    ),
    ("rows without default", "interface xdp;\ntcam {\nrow start: u8[0] == 1 -> drop; }", 3, "must be `default`", ""),
    (
        "row after default",
        "interface xdp;\ntcam {\nrow start: default -> drop;\nrow start: u8[0] == 1 -> drop; }",
        3,
        "never reached",
        "",
    ),
    (
        "two advances in a row",
        "interface xdp;\ntcam {\nrow start: default -> drop, advance 1, advance 2; }",
        3,
        "once",
        "",
    ),
    ("zero-length loop", "interface xdp;\nstate start { transition start; }", 2, "again and again", "limit start"),
    (
        "zero-length loop of two",
        HEAD + "state start { extract(eth); transition a; }\nstate a { transition b; }\n"
        "state b { transition select(u8[0]) { 0: a; default: drop; } }",
        8,
        "again and again",
        "",
    ),
    (
        "loop by a length that can be 0",
        HEAD + "state start {\nadvance(u8[0] bytes); transition start; }",
        7,
        "again",
        "",
    ),
    ("loop that never looks", HEAD + "state start {\nadvance(1 bytes) unchecked; transition start; }", 7, "again", ""),
    (
        "limits that redirect in a circle",
        "interface xdp;\nlimit start 2 else a;\nlimit a 2 else start;\n"
        "state start { transition a; }\nstate a { transition start; }",
        2,
        "without end",
        "",
    ),
    ("limit of an unknown state", "interface xdp;\nlimit strat 2 else drop;\n" + START, 2, "unknown state", "`start`"),
    (
        "limit to a state where a verdict is due",
        "interface xdp;\nlimit steps 2 else start;\n" + START,
        2,
        "is a state",
        "",
    ),
    (
        "bits that are no bytes",
        HEAD + "state start { advance(eth.type * 4); transition accept; }",
        7,
        "multiple of 8",
        "bytes",
    ),
    ("backwards", HEAD + "state start { advance(-8); transition accept; }", 7, "only moves forward", ""),
    (
        "unbounded unchecked advance",  # D14
        HEAD + "state start { advance(u64[0] bytes) unchecked; transition accept; }",
        7,
        "131072",
        "LO..HI",
    ),
    (
        "number as condition",
        HEAD + "state start { require n else drop; transition accept; }",
        7,
        "condition is needed",
        "!= 0",
    ),
    ("condition as number", HEAD + "state start { n = n == 1; transition accept; }", 7, "number is needed", ""),
    ("division by a variable", HEAD + "state start { n = 1 / n; transition accept; }", 7, "must be a constant", ""),
    ("division by zero", HEAD + "state start { n = n / 0; transition accept; }", 7, "more than 0", ""),
    ("huge shift", HEAD + "state start { n = 1 << 1000000000; transition accept; }", 7, "4096", ""),
    (
        "huge product",
        HEAD + "state start { n = " + "*".join(["(1 << 4000)"] * 3) + "; transition accept; }",
        7,
        "4096",
        "",
    ),
    ("slice outside", HEAD + "state start { n = n[8:0]; transition accept; }", 7, "from 0 to 7", ""),
    ("slice without width", HEAD + "state start { n = (n + 1)[7:0]; transition accept; }", 7, "with a width", ""),
    (
        "lookahead of odd bits",
        HEAD + "state start { n = lookahead<bit<12>>(); transition accept; }",
        7,
        "whole bytes",
        "",
    ),
    ("no such lookup", HEAD + "state start { n = u40[0]; transition accept; }", 7, "no lookup `u40`", "u48"),
    ("bad hash", 'interface xdp;\nsource "sha256:12";\n' + START, 2, "no hash", "64"),
]


@pytest.mark.parametrize(("text", "line", "message", "hint"), [m[1:] for m in MISTAKES], ids=[m[0] for m in MISTAKES])
def test_mistake_is_one_error_at_its_line(text: str, line: int, message: str, hint: str) -> None:
    error = error_of(text)
    assert message in error.message
    assert hint in error.hint
    assert error.place is not None
    assert error.place.line == line
    if line:
        assert error.place.excerpt == text.split("\n")[line - 1]
        assert 1 <= error.place.column < error.place.end_column <= len(error.place.excerpt) + 1


HOSTILE = [
    ("parentheses 10,000 deep", HEAD + "state start { n = " + "(" * 10_000 + "1" + ")" * 10_000 + "; }", "deep"),
    ("minus signs 20,000 deep", HEAD + "state start { n = " + "-" * 20_000 + "n; transition accept; }", "deep"),
    ("sum of 20,000 terms", HEAD + "state start { n = n" + "+n" * 20_000 + "; transition accept; }", "deep"),
    ("braces 10,000 deep", "{" * 10_000, "unexpected `{`"),
    ("unclosed state", HEAD + "state start {\n transition select(n) {\n default: drop;", "`{` is never closed"),
    ("unclosed bracket", HEAD + "state start { n = u8[0; transition accept; }", "unexpected `;`"),
    ("stray closing brace", HEAD + START + "}", "`}` without an opening `{`"),
    ("crossed brackets", HEAD + "state start { n = (u8[0)]; }", "`)` does not close the `[`"),
    ("unclosed comment", HEAD + START + "/* for ever", "comment is never closed"),
    ("unclosed string", 'device "acme', "string is never closed"),
    ("NUL", HEAD + "\0" + START, "control character 0x00"),
    ("name of a megabyte", HEAD + "state " + "a" * 1_000_000, "a word of 1000000 characters"),
    ("number of a megabyte", HEAD + "const bit<8> C = " + "9" * 1_000_000 + ";", "a word of 1000000 characters"),
    ("number of 600 digits", HEAD + "const bit<2048> C = " + "9" * 600 + ";\n" + START, ""),
    ("width of 500 digits", HEAD + "const bit<8> C = " + "9" * 500 + "w1;\n" + START, "width"),
    ("not a number", HEAD + "const bit<8> C = 12abc;", "`12abc` is not a number"),
    ("underscores for a number", HEAD + "const bit<8> C = 0x_;", "is not a number"),
    ("a million words", "a " * 1_000_000, "more than 200000 words"),
    ("words that are no declaration", "a a a", "unexpected `a`"),
    ("300,000 declarations", "interface xdp;" + "on truncation drop;" * 100_000, "more than 200000 words"),
    ("empty file", "", "no interface"),
    ("only a word", "interface", "ends too early"),
    ("other characters", HEAD + "state stärt { transition accept; }", "unexpected"),
]


@pytest.mark.parametrize(("text", "message"), [h[1:] for h in HOSTILE], ids=[h[0] for h in HOSTILE])
def test_hostile_text_is_one_short_error(text: str, message: str) -> None:
    if not message:
        parse_table(text)
        return
    error = error_of(text)
    assert message in error.message
    assert len(str(error)) < 400


def test_file_of_10_megabytes_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "b.dev"
    path.write_bytes(b"//" + b"x" * (10 << 20))
    with pytest.raises(InputError, match="larger than 4 MiB"):
        load_table(path)


def test_bytes_that_are_not_utf8_are_shown_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "b.dev"
    path.write_bytes(b"interface xdp;\n// \xff\n")
    with pytest.raises(InputError, match="not UTF-8: byte 0xff") as caught:
        load_table(path)
    assert caught.value.place is not None
    assert (caught.value.place.line, caught.value.place.column) == (2, 4)


def test_missing_file_and_directory_are_input_errors(tmp_path: Path) -> None:
    for path, words in ((tmp_path / "none.dev", "cannot read"), (tmp_path, "not a regular file")):
        with pytest.raises(InputError, match=words):
            load_table(path)


def test_hash_of_a_loaded_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "b.dev"
    path.write_bytes(b"interface xdp; state start { transition accept; }")
    assert load_table(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


ACCEPTED = [
    (
        "loop bounded by its own length",
        "state start { require u8[0] >= 2 else drop; advance(u8[0] bytes); transition start; }",
    ),
    ("loop with a limit", "limit start 5 else drop; state start { transition start; }"),
    ("loop under a limit on steps", "limit steps 5 else drop; state start { transition start; }"),
    (
        "loop of rows that move",
        "tcam { row start: u8[0] in 1..9 -> start, advance u8[0]; row start: default -> drop; }",
    ),
    ("unchecked loop that looks", "state start { n = u8[0]; advance(1 bytes) unchecked; transition start; }"),
    (
        "overlapping rows",
        "tcam { row start: u8[0] == 1 &&& 0x0f -> drop; row start: u8[0] == 0x10 &&& 0xf0 -> accept;"
        " row start: default -> drop; }",
    ),
    (
        "bits in P4's manner",
        "state start { require u8[0] >= 5 else drop; advance((u8[0] - 5) * 32); transition accept; }",
    ),
    (
        "flow keys' addresses overlap",
        "interface flow_dissector; output a at keys.ipv4_src; output b at keys.ipv6_src; output c at keys.ipv4_dst;"
        + START,
    ),
]


@pytest.mark.parametrize("text", [a[1] for a in ACCEPTED], ids=[a[0] for a in ACCEPTED])
def test_accepted(text: str) -> None:
    prefix = "" if "interface" in text else "interface xdp; register bit<8> n;"
    assert "start" in parse_table(prefix + text).states
