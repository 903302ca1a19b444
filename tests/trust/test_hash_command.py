"""`equiv hash`: what it prints, and where the hash of a source is read from."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest

from equiv import cli
from equiv.errors import InputError
from equiv.loaded import load
from equiv.trust.identity import identities
from equiv.trust.sources import SECTION, claimed_sources, source_hash
from tests.bpf.objects import SHT_PROGBITS, ObjectBuilder, SectionData, exit_, mov

ROOT = Path(__file__).parents[2]
CORPORA = ROOT / "corpora"
SCHEMA = json.loads((ROOT / "specs" / "hash.schema.json").read_text("utf-8"))
CLAIM = "sha256:" + "ab" * 32


def test_json_is_as_the_schema_says(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(CORPORA / name) for name in ("tail-parser/tail-parser.bpf.o", "p4-vlan/vlan.p4")]
    assert cli.main(["hash", *files, "--source", str(CORPORA / "p4-vlan" / "vlan.p4"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    jsonschema.validate(document, SCHEMA)
    assert [each["hash_of"] for each in document["inputs"]] == ["program"] * 5 + ["file"]
    assert set(document["inputs"][0]["tail_call_tags"]) == {"parse_ipv4", "parse_ipv6", "parse_ports"}


def test_an_object_without_a_program_named_shows_all_of_them_and_with_one_only_that() -> None:
    path = str(CORPORA / "tail-parser" / "tail-parser.bpf.o")
    every = identities(path)
    (one,) = identities(f"{path}:parse_ports")
    assert one.hash in [each.hash for each in every]
    assert len({each.hash for each in every}) == len(every) == 5


def test_git_name_is_that_of_git(tmp_path: Path) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("no git")
    for content in (b"", b"int x;\n", bytes(range(256))):
        path = tmp_path / "source.c"
        path.write_bytes(content)
        done = subprocess.run(
            [git, "hash-object", "--no-filters", str(path)], capture_output=True, text=True, check=True
        )
        found = source_hash([str(path)])
        assert found.git == done.stdout.strip()
        assert found.sha256 == hashlib.sha256(content).hexdigest()
        assert found.sha1 == hashlib.sha1(content).hexdigest()


def test_several_files_are_one_source_in_any_order(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name)
    a, b = (str(tmp_path / name) for name in "ab")
    assert source_hash([a, b]) == source_hash([b, a])
    assert source_hash([a, b]).git == ""
    lines = sorted(hashlib.sha256(name.encode()).hexdigest() + "\n" for name in "ab")
    assert source_hash([a, b]).sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()
    assert source_hash([a, a]) != source_hash([a])


def _object(folder: Path, *contents: bytes) -> str:
    builder = ObjectBuilder()
    builder.function("prog", "xdp", [mov(0, 2), exit_()])
    for number, content in enumerate(contents):
        builder.sections[f"{number}"] = SectionData(SECTION, SHT_PROGBITS, 0, bytearray(content))
    builder.write(folder / "x.bpf.o")
    return str(folder / "x.bpf.o")


@pytest.mark.parametrize("content", [CLAIM.encode(), f"{CLAIM}\0".encode(), f" {CLAIM}\n{CLAIM}\n".encode()])
def test_an_object_says_its_source_in_a_section(tmp_path: Path, content: bytes) -> None:
    assert claimed_sources(load(_object(tmp_path, content))) == (CLAIM,)


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        ((b"sha256:ab",), "no hash of a source"),
        ((b"\x1b[2J",), "no hash of a source"),
        ((b"a" * 5000,), "more than 4096"),
        ((CLAIM.encode(), CLAIM.encode()), "2 sections"),
    ],
)
def test_what_is_no_hash_of_a_source_is_refused(tmp_path: Path, contents: tuple[bytes, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        claimed_sources(load(_object(tmp_path, *contents)))


def test_the_section_does_not_change_the_program_hash(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    ((one,), (two,)) = identities(_object(tmp_path / "a", CLAIM.encode())), identities(_object(tmp_path / "b"))
    assert (one.hash, one.tag) == (two.hash, two.tag)
    assert one.loaded.sha256 != two.loaded.sha256


@pytest.mark.parametrize("claim", [CLAIM, "sha1:" + "0" * 40, "git:" + "f" * 40])
def test_a_table_says_its_source_in_a_statement(tmp_path: Path, claim: str) -> None:
    path = tmp_path / "t.dev"
    path.write_text(f'interface xdp; source "{claim}"; state start {{ transition drop; }}')
    assert claimed_sources(load(str(path))) == (claim,)


def test_claim_is_what_a_build_embeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "x.c"
    source.write_text("int x;\n")
    assert cli.main(["hash", "--source", str(source), "--claim"]) == 0
    assert capsys.readouterr().out == f"sha256:{hashlib.sha256(source.read_bytes()).hexdigest()}\n"
    assert cli.main(["hash", "--claim"]) == 2
    assert cli.main(["hash", str(source), "--source", str(source), "--claim"]) == 2


def test_the_header_of_the_specification_puts_it_into_an_object(tmp_path: Path) -> None:
    clang = next((found for name in ("clang", "clang-16", "clang-19") if (found := shutil.which(name))), None)
    if clang is None:
        pytest.skip("no clang")
    (tmp_path / "p.c").write_text(
        '#include "equiv-source.h"\nEQUIV_SOURCE(EQUIV_SOURCE_HASH);\n'
        '__attribute__((section("xdp"), used)) int prog(void *ctx) { return 2; }\n'
    )
    options = ["-O2", "-g", "-target", "bpf", f'-DEQUIV_SOURCE_HASH="{CLAIM}"', "-I", str(ROOT / "specs")]
    subprocess.run([clang, *options, "-c", "p.c", "-o", "p.bpf.o"], cwd=tmp_path, check=True)
    assert claimed_sources(load(str(tmp_path / "p.bpf.o"))) == (CLAIM,)


def test_a_tag_that_depends_on_the_kernel_s_types_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clang = next((found for name in ("clang", "clang-16", "clang-19") if (found := shutil.which(name))), None)
    if clang is None:
        pytest.skip("no clang")
    (tmp_path / "p.c").write_text(
        "struct net_device { int ifindex; } __attribute__((preserve_access_index));\n"
        '__attribute__((section("xdp"), used)) int prog(void *context)\n'
        "{ return __builtin_preserve_field_info(((struct net_device *)0)->ifindex, 2); }\n"
    )
    subprocess.run([clang, "-O2", "-g", "-target", "bpf", "-c", "p.c", "-o", "p.bpf.o"], cwd=tmp_path, check=True)
    assert cli.main(["hash", str(tmp_path / "p.bpf.o")]) == 0
    assert "with its own types" in capsys.readouterr().out
    assert cli.main(["hash", str(CORPORA / "five-tuple" / "five-tuple.bpf.o")]) == 0
    assert "with its own types" not in capsys.readouterr().out


def test_a_file_that_is_none_is_one_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["hash", str(tmp_path / "missing.dev")]) == 2
    assert cli.main(["hash"]) == 2
    assert "Traceback" not in capsys.readouterr().err
