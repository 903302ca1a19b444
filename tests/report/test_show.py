"""`equiv show`: text and drawings of real files."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from equiv import cli
from equiv.bpf.program import MapSpec
from equiv.report.show_program import map_text
from equiv.report.show_table import table_drawing
from equiv.table.parse import parse_table

FIVE_TUPLE = Path(__file__).resolve().parents[2] / "corpora" / "five-tuple"
SVG = "{http://www.w3.org/2000/svg}"

TABLE = """
interface xdp;
header h_t { bit<8> kind; bit<8> size; }
h_t h;
register bit<8> left = 4;
metadata 4;
output u8 kind at meta[0];
limit steps 9 else punt;
state start {
    extract(h);
    require h.size >= 2 else drop;
    kind = h.kind;
    transition select(h.kind) { 1: more; 2: start; default: accept; }
}
tcam {
    row more: u8[0] == 7 -> more, advance 1;
    row more: default -> drop;
}
"""


def texts(drawing: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(drawing).iter(f"{SVG}text")]


def test_table_is_shown_with_states_outputs_and_limits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.dev").write_text(TABLE)
    assert cli.main(["show", str(tmp_path / "t.dev")]) == 0
    out = capsys.readouterr().out
    assert "limits      steps 9 else punt" in out
    assert "outputs     kind  u8    at meta[0]" in out
    assert "start  line 9: 3 statements → more, start, accept" in out
    assert "more   line 16: 2 TCAM rows → more, drop" in out
    assert "extract(h)" not in out
    cli.main(["show", str(tmp_path / "t.dev"), "-v"])
    assert "extract(h);" in capsys.readouterr().out


def test_drawn_table_holds_states_conditions_and_verdicts() -> None:
    shown = texts(table_drawing(parse_table(TABLE)).svg())
    assert {"start", "more", "drop", "accept", "TCAM rows", "select(h.kind)", "u8[0] == 7", "· advance 1"} <= set(shown)
    assert {"1", "2", "default", "else"} <= set(shown)
    assert "limit steps 9 else punt" in shown


def test_program_is_shown_with_interface_helpers_and_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(FIVE_TUPLE / "five-tuple.bpf.o")]) == 0
    out = capsys.readouterr().out
    assert "program five_tuple" in out
    assert "interface     xdp: " in out
    assert "helpers       bpf_xdp_adjust_meta" in out
    assert "exit" not in out.splitlines()
    cli.main(["show", f"{FIVE_TUPLE / 'five-tuple.bpf.o'}:five_tuple", "-v"])
    verbose = capsys.readouterr().out
    assert "call bpf_xdp_adjust_meta" in verbose
    assert "cursor = eth + 1;" in verbose


@pytest.mark.parametrize("name", ["five-tuple.bpf.o", "five-tuple.dev"])
def test_drawings_of_real_files_are_well_formed(name: str, tmp_path: Path) -> None:
    out = tmp_path / "drawing.svg"
    assert cli.main(["show", str(FIVE_TUPLE / name), "--svg", str(out)]) == 0
    assert len(texts(out.read_text("utf-8"))) > 20
    assert [path.name for path in tmp_path.iterdir()] == ["drawing.svg"]


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF" + bytes(100), b"state", b"\xff\xfe", b"\x00" * 50])
@pytest.mark.parametrize("name", ["x.bpf.o", "x.dev"])
def test_broken_files_are_one_error_with_status_2(
    content: bytes, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes(content)
    assert cli.main(["show", str(tmp_path / name)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "error:" in err and "Traceback" not in err


def test_missing_file_is_an_error_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(tmp_path / "none.dev")]) == 2
    assert "none.dev" in capsys.readouterr().err


def test_maps_are_described_with_what_they_hold() -> None:
    inner = MapSpec("", 1, 4, 1, 16)
    outer = MapSpec("flows", 12, 4, 4, 1, inner=inner)
    assert map_text(outer) == (
        "array_of_maps, key 4 bytes, value 4 bytes, 1 entry; inner maps: hash, key 4 bytes, value 1 byte, 16 entries"
    )
    jumps = MapSpec("jumps", 3, 4, 4, 2, slots={0: "parse_ip"})
    assert map_text(jumps) == "prog_array, key 4 bytes, value 4 bytes, 2 entries, initially [0] parse_ip"
    assert map_text(MapSpec("x", 99, 4, 4, 2)).startswith("type 99, ")


def test_helpers_are_listed_with_how_far_each_is_modelled(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", "--helpers"]) == 0
    out = capsys.readouterr().out
    assert "26  bpf_skb_load_bytes  [exact]" in out
    assert "source: net/core/filter.c: bpf_csum_diff" in out


def test_a_drawing_shows_where_tail_calls_lead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = FIVE_TUPLE.parent / "tail-parser" / "tail-parser.bpf.o"
    drawing = tmp_path / "graph.svg"
    assert cli.main(["show", f"{path}:parse_ethernet", "--svg", str(drawing)]) == 0
    assert "parsers[3]: parse_ports" in capsys.readouterr().out
    labels = [text.text or "" for text in ElementTree.parse(drawing).iter(f"{SVG}text")]
    led = [label for label in labels if label.startswith("tail call")]
    assert {label.removeprefix("tail call ") for label in led} == {f"parsers[{index}]" for index in range(4)}
    assert led.count("tail call parsers[0]") == 2  # from the entry program and from behind a tag
