"""Sources that include files of the user's own: what they are known by, and what may be included."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

import equiv
from equiv import cli
from equiv.errors import InputError
from equiv.p4.program import load_p4

PARSER = """\
#include <core.p4>
#include "types.h"
struct headers { pair_t pair; }
parser p(packet_in b, out headers h) {
    state start { b.extract(h.pair); transition select(h.pair.kind) { KIND: accept; default: reject; } }
}
"""
TYPES = """\
#include "kinds.h"
header pair_t { bit<8> kind; bit<8> value; }
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "p.p4").write_text(PARSER)
    (tmp_path / "types.h").write_text(TYPES)
    (tmp_path / "kinds.h").write_text("#define KIND 3\n")
    return tmp_path / "p.p4"


def test_a_source_that_includes_nothing_of_the_users_has_the_hash_of_its_file(tmp_path: Path) -> None:
    alone = tmp_path / "p.p4"
    alone.write_text(PARSER.replace('#include "types.h"\n', TYPES).replace('#include "kinds.h"\n', "#define KIND 3\n"))
    assert load_p4(str(alone)).sha256 == hashlib.sha256(alone.read_bytes()).hexdigest()


def test_the_hash_covers_each_included_file(source: Path) -> None:
    before = load_p4(str(source)).sha256
    assert before == load_p4(str(source)).sha256
    for name in ("types.h", "kinds.h"):
        changed = source.parent / name
        text = changed.read_text()
        changed.write_text(text + "// no more than a comment\n")
        assert load_p4(str(source)).sha256 != before
        changed.write_text(text)
    assert load_p4(str(source)).sha256 == before


def test_the_hash_does_not_depend_on_where_the_files_are(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    other.mkdir()
    for path in source.parent.glob("*.*"):
        (other / path.name).write_bytes(path.read_bytes())
    assert load_p4(str(other / "p.p4")).sha256 == load_p4(str(source)).sha256


def test_a_certificate_is_about_other_files_once_an_included_one_was_edited(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = equiv.check(str(source), str(source), certificate=True)
    assert result.certificate is not None
    certificate = tmp_path / "certificate"
    certificate.write_bytes(result.certificate)
    assert cli.main(["verify", str(certificate), str(source), str(source)]) == 0
    (source.parent / "kinds.h").write_text("#define KIND 4\n")
    assert cli.main(["verify", str(certificate), str(source), str(source)]) == 2
    assert "it is about another left side" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "what"), [("pipe", "a FIFO"), (".", "a directory")])
def test_only_regular_files_are_included(tmp_path: Path, name: str, what: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    source = tmp_path / "p.p4"
    source.write_text(f'#include "{name}"\n')
    with pytest.raises(InputError, match=what):
        load_p4(str(source))


def test_an_included_file_must_be_text(tmp_path: Path) -> None:
    (tmp_path / "x.h").write_bytes(b"\xff\xfe")
    source = tmp_path / "p.p4"
    source.write_text('#include "x.h"\n')
    with pytest.raises(InputError, match="not text") as error:
        load_p4(str(source))
    assert error.value.place is not None and error.value.place.file.endswith("x.h")


def test_a_source_may_declare_the_packet_itself(tmp_path: Path) -> None:
    """As the core library does that comes with p4c: the parsers that take the packet are parsers all the same."""
    body = """
header h_t { bit<8> a; }
struct hs { h_t h; }
parser p(packet_in b, out hs h) { state start { b.extract(h.h); transition accept; } }
"""
    own, standard = tmp_path / "own.p4", tmp_path / "standard.p4"
    own.write_text("error { NoError, PacketTooShort }\nextern packet_in { void extract<T>(out T hdr); }" + body)
    standard.write_text("#include <core.p4>" + body)
    assert equiv.check(str(own), str(standard)).verdict == "equivalent"
