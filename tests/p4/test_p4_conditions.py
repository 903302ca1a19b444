"""Properties, assumptions and relations asked of real parsers, tables and programs (D120)."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv import api, certified
from equiv.errors import InputError
from equiv.result import Result

HEAD = """#include <core.p4>
#include <v1model.p4>
header eth_t { bit<48> dst; bit<48> src; bit<16> type; }
header ip_t { bit<4> version; bit<4> ihl; bit<8> tos; bit<16> len; }
struct h_t { eth_t eth; ip_t ip; }
struct m_t { bit<8> m; }
parser P(packet_in p, out h_t h, inout m_t m, inout standard_metadata_t sm) {
    state start { p.extract(h.eth); transition select(h.eth.type) { 0x800: ip; %s } }
    state ip { p.extract(h.ip); %s transition accept; }
}
V1Switch(P()) main;
"""
CHECKED = HEAD % ("0x806: accept;", "verify(h.ip.ihl >= 5, error.HeaderTooShort);")
UNCHECKED = HEAD % ("0x806: accept;", "")
OPEN = HEAD % ("default: accept;", "verify(h.ip.ihl >= 5, error.HeaderTooShort);")
TABLE = """interface xdp;
header eth_t { bit<48> dst; bit<48> src; bit<16> type; }
eth_t eth;
state start { extract(eth); transition select(eth.type) { 0x800: accept; default: drop; } }
"""


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def asked(folder: Path, left: str, condition: str, assume: tuple[str, ...] = ()) -> Result:
    return api.check(written(folder, "l.p4", left), against=[condition], assume=assume, timeout=30)


def compared(folder: Path, left: str, right: str, relation: str | None = None, assume: tuple[str, ...] = ()) -> Result:
    paths = written(folder, "l.p4", left), written(folder, "r.p4", right)
    return api.check(*paths, relation=relation, assume=assume, timeout=30)


HOLD = {
    "checked": (CHECKED, "accept && ip.isValid() => ip.ihl >= 5"),
    "the bytes of the packet": (CHECKED, "accept => u16[12] in {0x800, 0x806}"),
    "the error": (CHECKED, "reject && ip.isValid() => error == error.HeaderTooShort"),
    "no match": (CHECKED, "length >= 14 && !(u16[12] in {0x800, 0x806}) => error == error.NoMatch"),
    "length": (CHECKED, "accept && ip.isValid() => length >= 18"),
    "consumed bits": (CHECKED, "ip.isValid() => consumed == 144"),
    "no wrapping": (CHECKED, "ip.isValid() => ip.ihl + 1 != 0 && ip.ihl - 16 < 0"),
    "accept everything else": (OPEN, "accept && u16[12] == 0x800 => ip.ihl > 4"),
}
BROKEN = {
    "not checked": (UNCHECKED, "accept && ip.isValid() => ip.ihl >= 5", "ip.ihl >= 5"),
    "one too many": (CHECKED, "accept && ip.isValid() => ip.ihl > 5", "ip.ihl > 5"),
    "a header that need not be valid": (CHECKED, "accept => ip.ihl >= 5", "ip.ihl >= 5"),
    "nor is it below": (CHECKED, "accept => ip.ihl < 5", "ip.ihl < 5"),
    "one of several": (CHECKED, "accept && ip.isValid() => length >= 18 && ip.version == 4", "ip.version == 4"),
    "a byte that the parser does not look at": (OPEN, "accept => u8[14] == 0", "u8[14] == 0"),
    "signed": (CHECKED, "ip.isValid() => ip.ihl - 6 > 0", "ip.ihl - 6 > 0"),
    "the error of a short packet": (
        CHECKED,
        "reject => error == error.HeaderTooShort",
        "error == error.HeaderTooShort",
    ),
}


@pytest.mark.parametrize("name", HOLD)
def test_property_that_holds(name: str, tmp_path: Path) -> None:
    result = asked(tmp_path, *HOLD[name])
    assert result.verdict == "equivalent"
    assert not result.warnings
    assert f"what is asked: {HOLD[name][1]}" in result.assumptions


@pytest.mark.parametrize("name", BROKEN)
def test_property_that_does_not_hold_is_refuted_with_a_packet(name: str, tmp_path: Path) -> None:
    parser, condition, broken = BROKEN[name]
    result = asked(tmp_path, parser, condition)
    assert result.verdict == "different"
    assert result.counterexample is not None
    assert result.counterexample.differs == (broken,)
    assert result.counterexample.confirmed_by == ("interpreter",)


def test_several_properties_are_all_asked(tmp_path: Path) -> None:
    path = written(tmp_path, "l.p4", CHECKED)
    good, bad = "accept => eth.isValid()", "accept => ip.isValid()"
    assert api.check(path, against=[good], timeout=30).verdict == "equivalent"
    assert api.check(path, against=[good, bad], timeout=30).verdict == "different"


def test_assumption_about_the_packet_leaves_the_others_out(tmp_path: Path) -> None:
    assert compared(tmp_path, CHECKED, OPEN).verdict == "different"
    result = compared(tmp_path, CHECKED, OPEN, assume=("length < 14 || u16[12] in {0x800, 0x806}",))
    assert result.verdict == "equivalent"
    assert "assumed: length < 14 || u16[12] in {0x800, 0x806}" in result.assumptions


def test_assumption_that_leaves_the_difference_in_does_not_hide_it(tmp_path: Path) -> None:
    result = compared(tmp_path, CHECKED, OPEN, assume=("length < 14 || u16[12] in {0x800, 0x806, 0x807}",))
    assert result.verdict == "different"
    assert result.counterexample is not None
    assert result.counterexample.input.packet[12:14] == b"\x08\x07"


def test_assumption_about_what_was_parsed(tmp_path: Path) -> None:
    assert compared(tmp_path, CHECKED, UNCHECKED).verdict == "different"
    assert compared(tmp_path, CHECKED, UNCHECKED, assume=("right.ip.ihl >= 5 || !right.ip.isValid()",)).verdict == (
        "equivalent"
    )
    result = compared(tmp_path, CHECKED, UNCHECKED, assume=("right.ip.ihl >= 4 || !right.ip.isValid()",))
    assert result.verdict == "different"
    assert result.counterexample is not None
    assert result.counterexample.input.packet[14] & 0xF == 4


def test_assumption_of_a_property(tmp_path: Path) -> None:
    condition = "accept => ip.ihl >= 5"
    assert asked(tmp_path, CHECKED, condition, ("ip.isValid()",)).verdict == "equivalent"
    assert asked(tmp_path, UNCHECKED, condition, ("ip.isValid()",)).verdict == "different"


NOTHING_MEETS = {
    "of the packet": ("length < 14 && length > 20",),
    "two together": ("u8[0] == 1", "u8[0] == 2"),
    "bytes and length": ("u16[12] == 0x800 && length < 14",),
    "a value that is too wide": ("u8[3] == 256",),
    "of an outcome": ("ip.isValid() && eth.type == 0x806",),
    "of an outcome and the packet": ("ip.isValid()", "length < 18"),
}


@pytest.mark.parametrize("name", NOTHING_MEETS)
def test_nothing_is_proved_where_no_packet_meets_what_is_assumed(name: str, tmp_path: Path) -> None:
    for parser in (CHECKED, UNCHECKED):
        result = asked(tmp_path, parser, "accept && ip.isValid() => ip.ihl >= 5", NOTHING_MEETS[name])
        assert result.verdict == "unknown"
        assert result.reason in ("no packet meets what is assumed", "no packet ends as is assumed")


def test_claim_about_no_packet_is_pointed_out(tmp_path: Path) -> None:
    result = asked(tmp_path, CHECKED, "accept && length < 14 => eth.type == 7")
    assert result.verdict == "equivalent"
    assert any("no packet meets the condition before" in warning for warning in result.warnings)


def test_claim_that_an_assumption_leaves_without_packets_is_pointed_out(tmp_path: Path) -> None:
    result = asked(tmp_path, CHECKED, "ip.isValid() => ip.ihl == 9", ("length < 18 || u16[12] != 0x800",))
    assert result.verdict == "equivalent"
    assert any("no packet meets the condition before" in warning for warning in result.warnings)


def test_relation_in_place_of_equality(tmp_path: Path) -> None:
    stricter = "accept(left) => accept(right)"
    assert compared(tmp_path, CHECKED, UNCHECKED, stricter).verdict == "equivalent"
    assert compared(tmp_path, UNCHECKED, CHECKED, stricter).verdict == "different"
    same = "accept(left) && accept(right) => left.ip == right.ip"
    assert compared(tmp_path, CHECKED, UNCHECKED, same).verdict == "equivalent"
    moved = CHECKED.replace("p.extract(h.ip);", "p.extract(h.ip); h.ip.tos = h.ip.tos + 1;")
    result = compared(tmp_path, CHECKED, moved, same)
    assert result.verdict == "different"
    shifted = "left.ip.isValid() && right.ip.isValid() => (left.ip.tos + 1) & 0xff == right.ip.tos"
    assert compared(tmp_path, CHECKED, moved, shifted).verdict == "equivalent"
    wide = "left.ip.isValid() && right.ip.isValid() => left.ip.tos + 1 == right.ip.tos"
    assert compared(tmp_path, CHECKED, moved, wide).verdict == "different"  # 255 + 1 is 256, not 0


def test_relation_looks_at_headers_that_are_not_valid_on_one_side(tmp_path: Path) -> None:
    never = CHECKED.replace("p.extract(h.ip);", "p.advance(32);").replace("h.ip.ihl >= 5", "true")
    result = compared(tmp_path, CHECKED, never, "left.ip.isValid() => left.ip.ihl == right.ip.ihl")
    assert result.verdict == "different"
    result = compared(tmp_path, CHECKED, never, "left.ip == right.ip")
    assert result.verdict == "different"


def test_property_of_a_device_table(tmp_path: Path) -> None:
    path = written(tmp_path, "t.dev", TABLE)
    assert api.check(path, against=["accept => u16[12] == 0x800"], timeout=30).verdict == "equivalent"
    assert api.check(path, against=["accept => u16[12] == 0x806"], timeout=30).verdict == "different"
    assert api.check(path, against=["accept => length >= 14"], timeout=30).verdict == "equivalent"
    assert api.check(path, against=["accept => length > 14"], timeout=30).verdict == "different"


def test_question_needs_two_sides_or_a_property(tmp_path: Path) -> None:
    path = written(tmp_path, "l.p4", CHECKED)
    with pytest.raises(InputError, match="a second side, or a property"):
        api.check(path)
    with pytest.raises(InputError, match="a second side, or a property"):
        api.check(path, path, against=["accept"])
    with pytest.raises(InputError, match="each say what is compared"):
        api.check(path, against=["accept"], relation="accept(left)")


def test_misspelt_field_is_named_with_what_it_may_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing here is called `ip\.ihll`") as raised:
        asked(tmp_path, CHECKED, "accept => ip.ihll >= 5")
    assert "`ip.ihl`" in raised.value.hint
    with pytest.raises(InputError, match=r"nothing here is called `ip\.ihl`") as raised:
        compared(tmp_path, CHECKED, CHECKED, assume=("ip.ihl >= 5",))
    assert "left.ip.ihl" in raised.value.hint


def test_loop_is_no_obstacle(tmp_path: Path) -> None:
    text = """#include <ebpf_model.p4>
header e_t { bit<16> type; }
header l_t { bit<20> label; bit<3> tc; bit<1> bottom; bit<8> ttl; }
struct h_t { e_t e; l_t l; }
parser P(packet_in p, out h_t h) {
    state start { p.extract(h.e); transition select(h.e.type) { 0x8847: label; default: accept; } }
    state label { p.extract(h.l); transition select(h.l.bottom) { 0: label; default: accept; } }
}
"""
    path = written(tmp_path, "l.p4", text)
    holds = api.check(path, against=["accept && l.isValid() => l.bottom == 1"], timeout=30)
    assert holds.verdict == "equivalent"
    broken = api.check(path, against=["accept && l.isValid() => l.ttl > 0"], timeout=30)
    assert broken.verdict == "different"
    broken = api.check(path, against=["accept && l.isValid() => length <= 14"], timeout=30)
    assert broken.verdict == "different"


def test_property_of_a_program_and_of_the_table_that_is_like_it() -> None:
    corpus = Path(__file__).parents[2] / "corpora" / "five-tuple"
    long_enough = "accept && u16[12] == 0x800 => u8[14][3:0] >= 5"
    for name in ("five-tuple.bpf.o", "five-tuple.dev"):
        assert api.check(str(corpus / name), against=[long_enough], timeout=60).verdict == "equivalent"
    assert api.check(str(corpus / "five-tuple.short-ihl.dev"), against=[long_enough], timeout=60).verdict == "different"
    said = ["accept && u16[12] == 0x86dd => protocol == u8[20] && meta.u8[38] == u8[20] && sport in {0 .. 0xffff}"]
    assert api.check(str(corpus / "five-tuple.dev"), against=said, timeout=60).verdict == "equivalent"


CERTIFIED = {
    "property": (None, {"against": ("accept && ip.isValid() => ip.ihl >= 5",)}),
    "relation": (UNCHECKED, {"relation": "accept(left) => accept(right)"}),
    "assumption about the packet": (OPEN, {"assume": ("length < 14 || u16[12] in {0x800, 0x806}",)}),
    "assumption about an outcome": (UNCHECKED, {"assume": ("!right.ip.isValid() || right.ip.ihl > 4",)}),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_certificate_says_what_was_asked_and_holds_for_nothing_else(name: str, tmp_path: Path) -> None:
    other, question = CERTIFIED[name]
    left = written(tmp_path, "l.p4", CHECKED)
    right = None if other is None else written(tmp_path, "r.p4", other)
    result = api.check(left, right, certificate=True, timeout=30, **question)  # type: ignore[arg-type]
    assert result.verdict == "equivalent" and result.certificate is not None
    file = tmp_path / "certificate.json"
    file.write_bytes(result.certificate)
    found = certified.verify(str(file), left, right)
    assert found.result.verdict == "holds", found.result.reason
    assert set(result.assumptions) == set(found.assumptions)
    edited = result.certificate
    for old, new in ((b">= 5", b">= 6"), (b"0x806", b"0x807"), (b"> 4", b"> 3"), (b"(left) =>", b"(right) =>")):
        edited = edited.replace(old, new)
    assert edited != result.certificate
    file.write_bytes(edited)
    with pytest.raises(InputError):
        certified.verify(str(file), left, right)
