"""Value sets whose contents a file says (D123)."""

from __future__ import annotations

from pathlib import Path

import pytest

from equiv import api, certified, cli
from equiv.errors import InputError
from equiv.p4.value_sets import Contents, read_contents

SET = """#include <ebpf_model.p4>
header a_t { bit<8> x; bit<16> y; }
struct h_t { a_t a; }
parser P(packet_in p, out h_t h) {
    value_set<bit<8>>(4) vs;
    state start { p.extract(h.a); transition select(h.a.x) { 9: reject; vs: accept; default: reject; } }
}
"""
PAIR = SET.replace("value_set<bit<8>>", "value_set<k_t>").replace("(h.a.x)", "(h.a.x, h.a.y)")
PAIR = PAIR.replace("9: reject", "(9, _): reject").replace(
    "struct h_t", "struct k_t { bit<8> x; bit<16> y; }\nstruct h_t"
)


def cases(text: str) -> str:
    return SET.replace("value_set<bit<8>>(4) vs;", "").replace("vs: accept;", text)


def verdict(folder: Path, left: str, right: str, *entries: tuple[str, ...]) -> str:
    (folder / "l.p4").write_text(left)
    (folder / "r.p4").write_text(right)
    contents = [Contents("vs", tuple(entries))]
    return api.check(str(folder / "l.p4"), str(folder / "r.p4"), value_sets=contents, timeout=30).verdict


def test_set_is_the_cases_that_it_holds(tmp_path: Path) -> None:
    assert verdict(tmp_path, SET, cases("3: accept; 5: accept;"), ("3",), ("0x5",)) == "equivalent"
    assert verdict(tmp_path, SET, cases("3: accept; 6: accept;"), ("3",), ("5",)) == "different"
    assert verdict(tmp_path, SET, cases("0x30 &&& 0xf0: accept; 1 .. 4: accept;"), ("0x30 &&& 0xf0",), ("1 .. 4",)) == (
        "equivalent"
    )
    assert verdict(tmp_path, SET, cases(""), *()) == "equivalent"
    assert verdict(tmp_path, SET, cases("_: accept;"), ("_",)) == "equivalent"


def test_cases_before_the_set_win(tmp_path: Path) -> None:
    assert verdict(tmp_path, SET, cases("3: accept;"), ("3",), ("9",)) == "equivalent"


def test_set_of_two_keys(tmp_path: Path) -> None:
    other = PAIR.replace("vs: accept;", "(6, 80): accept; (_, 1 .. 2): accept;")
    assert verdict(tmp_path, PAIR, other, ("6", "80"), ("_", "1 .. 2")) == "equivalent"
    assert verdict(tmp_path, PAIR, other, ("6", "81"), ("_", "1 .. 2")) == "different"
    with pytest.raises(InputError, match="has 2 keys, and an entry"):
        verdict(tmp_path, PAIR, other, ("6",))


def test_entries_that_do_not_fit_and_sets_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not fit in 8 bits"):
        verdict(tmp_path, SET, SET, ("256",))
    (tmp_path / "l.p4").write_text(SET)
    path = str(tmp_path / "l.p4")
    with pytest.raises(InputError, match="neither side has a value set `other`") as raised:
        api.check(path, path, value_sets=[Contents("other", ())])
    assert "vs" in raised.value.hint


def test_file_of_entries(tmp_path: Path) -> None:
    path = tmp_path / "ports"
    path.write_text("# tunnels\n4789  # VXLAN\n\n0x10&&&0xf0\n1000 ..  2000\n(6, _)\n")
    found = read_contents("vs", str(path))
    assert found.entries == (("4789",), ("0x10&&&0xf0",), ("1000 .. 2000",), ("6", "_"))
    for wrong in ("1 - 2", "x", "(1", "1 ..", "1,,2"):
        path.write_text(f"1\n{wrong}\n")
        with pytest.raises(InputError, match="not an entry") as raised:
            read_contents("vs", str(path))
        assert raised.value.place is not None and raised.value.place.line == 2


def test_command_and_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "l.p4").write_text(SET)
    (tmp_path / "r.p4").write_text(cases("3: accept;"))
    (tmp_path / "three").write_text("3\n")
    sides = [str(tmp_path / "l.p4"), str(tmp_path / "r.p4")]
    certificate = str(tmp_path / "certificate.json")
    assert cli.main(["check", *sides, "--certificate", certificate, "--value-set", f"vs={tmp_path / 'three'}"]) == 0
    (tmp_path / "three").unlink()
    assert certified.verify(certificate, *sides).result.verdict == "holds"
    assert cli.main(["check", *sides]) == 1
    assert cli.main(["check", *sides, "--value-set", "vs"]) == 2
    capsys.readouterr()
