"""Pages of results: what is on them, and that they are the same whenever they are made."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from equiv import api
from equiv.errors import InputError
from equiv.report.html import Listed, Within, page_name, write_index, write_report
from equiv.report.html.inputs import find
from equiv.report.json_result import result_object
from equiv.result import CertificateRef, Result, Side

ROOT = Path(__file__).resolve().parents[3]
PAIR = ROOT / "corpora" / "five-tuple"


class _Text(HTMLParser):
    """The text of a page, without style and script; ids and links; every tag and attribute."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.text, self.ids, self.links = "", list[str](), list[str]()
        self.tags, self.attributes = set[str](), set[str]()
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        self.tags.add(tag)
        for name, value in attributes:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            if name == "href":
                self.links.append(value or "")

    def handle_data(self, data: str) -> None:
        if self.inside not in ("style", "script"):
            self.text += data

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


def _page(result: Result, folder: Path, **options: object) -> str:
    return Path(write_report(result, str(folder), **options)).read_text("utf-8")  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def found() -> Result:
    left, right = PAIR / "five-tuple.bpf.o", PAIR / "five-tuple.vlan-depth.dev"
    return api.check(str(left), str(right), kernel=False)


@pytest.mark.parametrize("verdict", ["equivalent", "different", "unknown"])
def test_a_page_says_all_that_the_result_says(verdict: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    result: Result = request.getfixturevalue(verdict)
    said = " ".join(_Text(_page(result, tmp_path)).text.split())
    expected = [
        verdict, result.interface, result.left.title, result.right.title, result.left.sha256, result.right.sha256,
        *result.assumptions, *result.warnings, *(cause.reason for cause in result.unknown),
    ]  # fmt: skip
    assert [text for text in expected if text not in said] == []


def test_a_page_shows_packet_outputs_paths_and_sources(found: Result, tmp_path: Path) -> None:
    page = _page(found, tmp_path)
    said = _Text(page).text
    assert "drop (code 1)" in said and "accept (code 2)" in said
    assert {int(at) for at in re.findall(r'<mark data-at="(\d+)">', page)} == found.counterexamples[0].relevant
    assert "Broken on purpose: accepts a third VLAN tag." in said  # the table's source
    assert "tuple->vlan = bpf_ntohs(tag->tci) & 0xfff;" in said  # a line that the object tells
    assert page.count("<svg") == 2


def test_links_and_ids_of_a_page_fit_each_other(found: Result, tmp_path: Path) -> None:
    parsed = _Text(_page(found, tmp_path))
    assert len(parsed.ids) == len(set(parsed.ids))
    assert all(link.startswith("#") for link in parsed.links)
    assert {link[1:] for link in parsed.links} <= set(parsed.ids)


def test_a_page_needs_nothing_from_outside(found: Result, tmp_path: Path) -> None:
    page = _page(found, tmp_path)
    parsed = _Text(page)
    assert parsed.tags.isdisjoint({"img", "link", "iframe", "object", "embed", "audio", "video", "base"})
    assert parsed.attributes.isdisjoint({"src", "srcset", "action", "formaction", "style", "onclick", "onload"})
    assert re.findall(r"https?://\S+", page) == []


def test_a_page_is_the_same_whenever_it_is_made(found: Result, tmp_path: Path) -> None:
    pages = [_page(found, tmp_path / name) for name in "ab"]
    assert pages[0] == pages[1]


def test_json_gives_the_same_page_as_the_result(found: Result, tmp_path: Path) -> None:
    from_json = Path(write_report(result_object(found), str(tmp_path / "json"))).read_text("utf-8")
    assert from_json == _page(found, tmp_path / "result")


def test_certificate_and_the_command_that_checks_it_are_shown(equivalent: Result, tmp_path: Path) -> None:
    certified = replace(equivalent, certified=CertificateRef("ef" * 32, "it's.cert"))
    said = _Text(_page(certified, tmp_path)).text
    assert "ef" * 32 in said
    assert "equiv verify 'it'\"'\"'s.cert' acme/parser.bpf.o:parse acme/parser.dev" in said


def test_a_changed_input_is_not_shown(found: Result, tmp_path: Path) -> None:
    table = tmp_path / "table.dev"
    table.write_text((PAIR / "five-tuple.vlan-depth.dev").read_text("utf-8") + "// changed\n", "utf-8")
    page = _page(replace(found, right=replace(found.right, path=str(table))), tmp_path / "out")
    assert "its SHA-256 is not the one in the result" in _Text(page).text
    assert "Broken on purpose" not in page
    assert page.count("<svg") == 1


def test_inputs_outside_of_the_folders_given_are_not_read(found: Result, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "link.dev").symlink_to(PAIR / "five-tuple.vlan-depth.dev")
    for path in (str(PAIR / "five-tuple.vlan-depth.dev"), "../x.dev", "link.dev", "\0", ""):
        result = replace(found, right=replace(found.right, path=path))
        page = _page(result, tmp_path / "out", origin=Within((str(inside),)))
        assert "Broken on purpose" not in page
        assert "Neither drawn nor quoted here" in page


def test_inputs_inside_of_a_folder_given_are_read(found: Result, tmp_path: Path) -> None:
    page = _page(found, tmp_path, origin=Within((str(tmp_path), str(ROOT))))
    assert page.count("<svg") == 2


def test_a_file_of_another_kind_is_not_shown(found: Result, tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root:$6$secret:19000:0:99999:7:::\n", "utf-8")
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    for kind in ("dev", "p4", "bpf", "bmv2", "automaton"):
        side = replace(found.right, path=str(secret), sha256=digest, kind=kind)  # type: ignore[arg-type]
        page = _page(replace(found, right=side), tmp_path / "out")
        assert "$6$secret" not in page
        assert "cannot be understood" in page


@pytest.mark.parametrize(
    "include",
    [
        '#include "/etc/shadow"',
        "  #  include <../../x.p4>",
        "#include NAME",
        '#/* x */include "other.p4"',
        '#inc\\\nlude "other.p4"',
        '/* x */ # include "other.p4" // <core.p4>',
    ],
)
def test_a_parser_that_includes_other_files_is_not_drawn(tmp_path: Path, include: str) -> None:
    """A result names one file for each side; what that includes is neither read nor shown."""
    source = tmp_path / "p.p4"
    source.write_text(f"#include <core.p4>\n{include}\n", "utf-8")
    (tmp_path / "other.p4").write_text("secret", "utf-8")
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    found = find(Side(str(source), digest, "P", "p4"), Within((str(tmp_path),)))
    assert found.missing == "it includes other files, and only what the result names is opened"
    assert found.loaded is None and found.text == ()


def test_a_parser_that_includes_what_comes_with_equiv_is_drawn() -> None:
    path = ROOT / "corpora" / "p4-vlan" / "vlan.p4"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    found = find(Side(str(path), digest, "Parse", "p4"), Within((str(ROOT),)))
    assert found.missing == "" and found.loaded is not None and len(found.text) > 10


def test_pages_have_names_of_their_own() -> None:
    titles = ["a/b", "a:b", "../../etc/passwd", "", ".", "a" * 500, "ä", "<script>"]
    names = [page_name(title) for title in titles]
    assert len(set(names)) == len(titles)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.=_-]*\.html", name) and len(name) < 120 for name in names)


@pytest.mark.parametrize("name", ["../x.html", "a/b", "", "..", "/etc/x"])
def test_a_page_is_written_into_its_folder_only(equivalent: Result, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        write_report(equivalent, str(tmp_path), name=name)


def test_a_folder_that_cannot_be_written_to_is_an_error(equivalent: Result, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        write_report(equivalent, str(tmp_path / "file" / "sub"))


def test_an_index_lists_every_pair_and_links_to_its_page(
    equivalent: Result, different: Result, unknown: Result, tmp_path: Path
) -> None:
    listed = [
        Listed("one", equivalent, "one.html", remark="reused"),
        Listed("two", different, "two.html", failed=True),
        Listed("three", unknown),
        Listed("four", error="cannot read: no such file", failed=True),
    ]
    page = Path(write_index("Gate", listed, str(tmp_path))).read_text("utf-8")
    parsed = _Text(page)
    said = " ".join(parsed.text.split())
    assert {"one.html", "two.html"} <= set(parsed.links)
    for text in ("1 error, 1 different, 1 unknown, 1 equivalent; 2 of 4 fail", "reused", "cannot read: no such file"):
        assert text in said
