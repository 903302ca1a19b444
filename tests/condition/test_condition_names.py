"""What names and operators in a condition stand for, and what is said of those that stand for nothing."""

from __future__ import annotations

import pytest

from equiv.condition import model as m
from equiv.condition.concrete import Runs
from equiv.condition.names import Part, of_interface, of_parser
from equiv.condition.resolve import Setting, read, read_number, read_parts
from equiv.errors import InputError
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Observable

OUTPUTS = {"eth.$valid": 1, "eth.type": 16, "ip.$valid": 1, "ip.ihl": 4, "ip.len": 16, "s[1].$valid": 1, "s[1].x": 8}
VERDICTS = {"accept": 1, "reject": 0}


def setting(two: bool = False) -> Setting:
    names = of_parser(OUTPUTS)
    sides: dict[m.Which, object] = {"left": names, "right": names} if two else {"left": names}
    return Setting(sides, VERDICTS, 32, ("NoError", "PacketTooShort"), 8)  # type: ignore[arg-type]


def holds(text: str, values: dict[str, int], code: int = 1, packet: bytes = b"") -> bool:
    run = Observation("", code, values)
    return Runs(Input(packet), run, run, 8).holds(read(text, "test", setting()))


VALID = {"ip.$valid": 1, "ip.ihl": 5, "ip.len": 0x1234, "eth.$valid": 1, "eth.type": 0x800}
INVALID = {**VALID, "ip.$valid": 0}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ip.ihl & 1 == 1", True),  # as in P4: & binds tighter than ==
        ("ip.ihl == 4 | 1", True),
        ("ip.ihl + 1 << 1 == 12", True),
        ("ip.ihl == 5 && eth.type == 1 || accept", True),
        ("reject => false => false", True),
        ("accept => reject => false", True),  # `=>` groups to the right
        ("ip.len[15:8] == 0x12 && ip.len[7:4] == 3", True),
        ("ip.ihl in {1, 4 .. 6}", True),
        ("ip.ihl in {0 &&& 2}", True),
        ("ip.ihl in {2 &&& 2, 6 .. 15}", False),
        ("-ip.ihl < 0", True),
        ("ip.ihl - 6 < 0", True),
        ("(accept ? ip.ihl : 0) == 5", True),
        ("!(ip.ihl != 5)", True),
        ("ip.isValid() == eth.isValid()", True),
        ("4w5 == ip.ihl && 0b101 == ip.ihl && 0x5 == 5", True),
        ("true && !false", True),
        ("code == 1", True),
        ("s[1].isValid()", False),
        ("left.ip.ihl == 5 && accept(left)", True),
        ("ip == ip", True),
    ],
)
def test_meaning_of_operators(text: str, expected: bool) -> None:
    assert holds(text, VALID) is expected


@pytest.mark.parametrize("op", ["==", "!=", "<", "<=", ">", ">="])
def test_field_of_a_header_that_is_not_valid_makes_every_comparison_false(op: str) -> None:
    assert not holds(f"ip.ihl {op} 5", INVALID)
    assert not holds(f"ip.ihl {op} ip.ihl", INVALID)
    assert not holds(f"0 {op} ip.ihl * 0", INVALID)
    assert not holds(f"ip.len[7:0] {op} 0x34", INVALID)


def test_two_headers_that_are_not_valid_are_the_same() -> None:
    assert holds("ip == ip", INVALID)
    assert read("left.ip == right.ip", "test", setting(True))


def test_packet_bytes_that_are_not_there_make_every_comparison_false() -> None:
    assert holds("u16[0] == 0x0102", {}, packet=b"\1\2")
    assert not holds("u16[1] == 0x0200", {}, packet=b"\1\2")
    assert not holds("u16[1] != 0", {}, packet=b"\1\2")
    assert holds("length == 2", {}, packet=b"\1\2")


def test_errors_have_names() -> None:
    assert read("error.PacketTooShort == 1", "test", setting()) == m.Compare("==", m.Number(1), m.Number(1))


def test_parts_are_the_conditions_behind_the_arrow() -> None:
    given, parts = read_parts("accept => ip.isValid() => ip.ihl >= 5 && (ip.len > 3\n && ip.len < 9)", "t", setting())
    assert given == m.Connective("&&", m.Verdict("left", 1, 32), m.Valid("left", ("ip.$valid",)))
    assert [part.text for part in parts] == ["ip.ihl >= 5", "ip.len > 3", "ip.len < 9"]
    assert all(part.given == given for part in parts)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("ip.ihll > 3", "nothing here is called `ip.ihll`", "ip.ihl"),
        ("hdr.ip.ihl > 3", "nothing here is called `hdr.ip.ihl`", "ip.ihl"),
        ("acept => true", "nothing here is called `acept`", "accept"),
        ("error.PacketToShort == 1", "no parser error `PacketToShort`", "PacketTooShort"),
        ("ip > 3", "`ip` is a header", "isValid"),
        ("ip.ihl", "this is a number, not a condition", "!= 0"),
        ("accept + 1 == 2", "this is a condition, not a number", ""),
        ("ip.ihl[4:0] == 1", "it has only 4 bits", ""),
        ("ip.ihl[0:1] == 1", "no bits", ""),
        ("ip.ihl << eth.type == 1", "a shift is by a number", ""),
        ("ip == 3", "a header can be compared with a header only", ""),
        ("ip == eth", "different fields", ""),
        ("tcp.isValid()", "no header `tcp`", ""),
        ("right.ip.ihl == 1", "nothing here is called `right.ip.ihl`", ""),
        ("accept(right)", "there is no right side here", ""),
        ("accept(middle)", "`middle` is no side", "left or right"),
        ("drop(left)", "`drop` is no verdict", "accept, reject"),
        ("ip.isValid(left)", "takes nothing", ""),
        ("u16[65535] == 1", "no packet has byte 65535", ""),
        ("u16[eth.type] == 1", "a number is needed here", ""),
        ("ip.ihl ==", "the condition ends too early", ""),
        ("ip.ihl = 5", "unexpected", ""),
        ("(ip.ihl == 5", "never closed", ""),
        ("", "the condition ends too early", ""),
    ],
)
def test_what_cannot_be_meant_is_refused_at_its_spot(text: str, message: str, hint: str) -> None:
    with pytest.raises(InputError, match=message.replace("[", r"\[").replace("(", r"\(")) as raised:
        read(text, "--assume", setting())
    assert hint in raised.value.hint
    assert raised.value.place is not None
    assert raised.value.place.file == "--assume"


def test_with_two_sides_a_name_says_whose() -> None:
    both = setting(True)
    assert read("left.ip.ihl == right.ip.ihl && accept(left) && reject(right)", "t", both)
    with pytest.raises(InputError, match=r"nothing here is called `ip\.ihl`") as raised:
        read("ip.ihl == 5", "t", both)
    assert "left.ip.ihl" in raised.value.hint
    with pytest.raises(InputError, match="whose `accept`"):
        read("accept", "t", both)


def test_field_within_a_header_within_a_header_needs_both() -> None:
    names = of_parser({"u.$valid": 1, "u.a.$valid": 1, "u.a.x": 8, "top": 3})
    assert names.numbers["u.a.x"].valid == ("u.$valid", "u.a.$valid")
    assert names.numbers["u.a.$valid"].valid == ("u.$valid",)
    assert names.numbers["top"].valid == ()
    assert names.valid("u.a") == ("u.$valid", "u.a.$valid")


def test_named_output_of_a_table_is_a_part_of_an_observable() -> None:
    keys = Observable("keys", "bytes", 64, when=frozenset({0}))
    names = of_interface([keys], [Part("proto", "keys", 2, 2, little=True)])
    keys_only = Setting({"left": names}, {"ok": 0}, 32, (), 8)
    found = read_number("proto", "t", keys_only)
    assert found == read_number("keys.le16[2]", "t", keys_only)
    assert found == m.Bytes("left", "keys", 2, 2, True, frozenset({0}))
    run = Observation("", 0, {"keys": bytes([0, 0, 0x34, 0x12, 0, 0, 0, 0])})
    assert Runs(Input(b""), run, None, 8).number(found) == 0x1234
    for other in (Observation("", 2, {"keys": bytes(8)}), Observation("", 0, {"keys": bytes(3)})):
        assert Runs(Input(b""), other, None, 8).number(found) is None
    with pytest.raises(InputError, match="is an array of bytes"):
        read("keys == 1", "t", keys_only)


@pytest.mark.parametrize("text", ["(" * 300 + "true" + ")" * 300, "ip.ihl * " * 40 + "1 == 1", "!" * 2000 + "accept"])
def test_hostile_conditions_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        read(text, "t", setting())
