"""Suites go every way that there is, prove what cannot be reached (D181), and are believed only as far as read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from equiv.bpf import insn as op
from equiv.cli import main
from equiv.loaded import Loaded, choose_interface, load
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.modelled import input_of
from equiv.oracle import available
from equiv.p4.program import parse_p4
from equiv.report.pcapng import read_packets
from equiv.suite import make
from equiv.suite.cover import cover
from equiv.suite.goals import goals_of
from equiv.suite.make import make_suite
from equiv.suite.reach import reach
from equiv.table.parse import parse_table
from equiv.table.symbolic import TableMachine
from tests.bpf.programs import EXIT, XDP, add, copy, jump, ldx, machine_for, mov, program

ROOT = Path(__file__).parents[2]
CORPORA = ROOT / "corpora"
SCHEMA = json.loads((ROOT / "specs" / "suite.schema.json").read_text("utf-8"))
GRE = str(CORPORA / "gre" / "gre.dev")
IN_KERNEL = ["gre", "five-tuple", "mpls", "tc-mark", "tail-parser"]

LATE = """
interface xdp;
header eth_t { bit<96> a; bit<16> type; }
eth_t eth;
state start {
    extract(eth);
    transition select(eth.type) { 0x800: ip; 0x86dd: six; default: drop; }
}
state ip {
    transition select(u8[0]) { 0x40..0x4f: four; default: drop; }
}
state four {
    transition select(u8[0]) { 0x45: accept; 0x50..0x5f: never; default: drop; }
}
state never { transition accept; }
state six { require length >= 40 else drop; transition accept; }
"""


@pytest.fixture(scope="module")
def gre(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a suite made from the GRE table."""
    folder = tmp_path_factory.mktemp("suites") / "gre"
    assert main(["testgen", GRE, "-o", str(folder)]) == 0
    return folder


def document(folder: Path) -> dict[str, Any]:
    held: dict[str, Any] = json.loads((folder / "suite.json").read_text("utf-8"))
    return held


def test_a_suite_covers_or_excludes_every_goal_of_a_table(gre: Path) -> None:
    held = document(gre)
    jsonschema.validate(held, SCHEMA)
    statuses = [goal["status"] for goal in held["goals"]]
    assert set(statuses) == {"covered", "unreachable"}
    covered = {place for packet in held["packets"] for place in packet["covers"]}
    assert covered == {place for place, status in enumerate(statuses) if status == "covered"}
    kinds = {goal["kind"] for goal in held["goals"] if goal["status"] == "covered"}
    assert {"state", "row", "default", "exit", "check", "edge"} <= kinds


def test_no_packet_of_a_suite_is_needless(gre: Path) -> None:
    covers = [set(packet["covers"]) for packet in document(gre)["packets"]]
    for place, own in enumerate(covers):
        assert not own <= set[int]().union(*covers[:place], *covers[place + 1 :])


def test_the_capture_holds_the_same_packets(gre: Path) -> None:
    packets = [bytes.fromhex(packet["inputs"]["packet"]) for packet in document(gre)["packets"]]
    assert read_packets(str(gre / "suite.pcapng")) == packets


def test_the_same_seed_gives_the_same_suite(gre: Path, tmp_path: Path) -> None:
    assert main(["testgen", GRE, "-o", str(tmp_path / "again.pcapng")]) == 0
    assert (tmp_path / "again.json").read_bytes() == (gre / "suite.json").read_bytes()
    assert (tmp_path / "again.pcapng").read_bytes() == (gre / "suite.pcapng").read_bytes()


@pytest.mark.parametrize("name", ["suite.json", "suite.pcapng", ""])
def test_a_suite_passes_on_what_it_was_made_from(
    gre: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(gre / name), "--file", GRE]) == 0
    assert " passed, 0 failed" in capsys.readouterr().out


def test_a_suite_passes_on_the_equivalent_program(gre: Path) -> None:
    assert main(["replay", str(gre), "--on", GRE.replace(".dev", ".bpf.o")]) == 0


@pytest.mark.parametrize("twin", ["gre.checksum.dev", "gre.field-order.dev"])
def test_a_suite_fails_on_a_table_that_goes_another_way_or_shows_other_bytes(
    gre: Path, twin: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(gre), "--on", str(CORPORA / "gre" / twin)]) == 1
    assert "differs in" in capsys.readouterr().out


@pytest.mark.kernel
@pytest.mark.skipif(available() is not None, reason=str(available()))
@pytest.mark.parametrize("name", IN_KERNEL)
def test_the_kernel_passes_suites_of_equivalent_tables(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, program_ = (str(CORPORA / name / f"{name}{ending}") for ending in (".dev", ".bpf.o"))
    assert main(["testgen", table, "-o", str(tmp_path / "suite")]) == 0
    capsys.readouterr()
    assert main(["replay", str(tmp_path / "suite"), "--on", "kernel", "--file", program_, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] > 2
    assert not found["not_run"]


def table(text: str = LATE) -> Loaded:
    parsed = parse_table(text, "late.dev")
    return Loaded("late.dev", parsed.sha256, "dev", table=parsed)


def test_what_no_packet_reaches_is_proved() -> None:
    loaded = table()
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    by_text = {goal.text: status for goal, status in zip(suite.goals, suite.statuses)}
    assert by_text["state never"] == "unreachable"
    assert by_text["state four"] == by_text["state six"] == "covered"
    assert set(suite.statuses) == {"covered", "unreachable"}
    lengths = {len(item.given.packet) for item in suite.items if item.given.packet[12:14] == b"\x86\xdd"}
    assert {39, 40} <= lengths


def test_the_engine_finds_what_is_asked_for_or_says_that_there_is_none() -> None:
    loaded = table()
    interface = choose_interface(loaded, loaded)
    machine = TableMachine(loaded.table, interface)  # type: ignore[arg-type]
    for goal in goals_of(machine):
        status, model = reach(machine, [goal], interface, 20)
        if model is not None:
            assert goal.key in cover(machine, input_of(model, interface, (loaded,))), goal
        assert status in ("reached", "unreachable")
        assert (status == "unreachable") is (goal.text in UNREACHABLE), goal


UNREACHABLE = {
    "state never",
    "four: select case 80..95",
    "start: truncation -> drop",
    "start: 14 bytes are there, the last number below",
    "four: truncation -> drop",
    "four: 1 bytes are there, the last number below",
}


@pytest.mark.parametrize(
    ("code", "number", "reached"),
    [
        (op.JGT, 4, {"below"}),  # 4 < 5: 4 is the last number below 5
        (op.JGE, 5, {"above"}),
        (op.JLT, 6, {"below"}),
        (op.JLE, 5, {"above"}),
        (op.JSGT, -1, set()),
        (op.JSLE, 4, {"below"}),
        (op.JGT, 9, set()),
    ],
)
def test_edges_of_a_comparison_whose_answer_is_known_are_decided(code: int, number: int, reached: set[str]) -> None:
    """D351: no packet decides how it ends, so nothing is asked about it."""
    built = machine_for(mov(2, 5), jump(code, 2, 1, imm=number), mov(0, 1), mov(0, 2), EXIT)
    edges = [goal for goal in goals_of(built) if goal.kind == "edge"]
    assert len(edges) == 2
    for edge in edges:
        met = edge.target in reached
        assert reach(built, [edge], XDP, 10)[0] == ("reached" if met else "unreachable")
        assert (edge.key in cover(built, Input(bytes(64)))) is met


def test_edges_of_conditions_that_are_written_without_a_comparison_are_not_called_unreachable() -> None:
    """D351: `r5 > 7` is about the bits above the third, `1 byte is there` is that the length is not 0."""
    ends = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 1), jump(op.JGT, 4, 3, src=3)]
    tests = [ldx(op.B, 5, 2, 0), jump(op.JGT, 5, 1, imm=7, wide=False), mov(6, 0)]
    built = machine_for(*ends, *tests, mov(0, 2), EXIT)
    tested = next(goal.source for goal in goals_of(built) if goal.kind == "edge" and goal.source != 4)
    found = {goal.key: reach(built, [goal], XDP, 10)[0] for goal in goals_of(built) if goal.kind == "edge"}
    assert found[tested, "below"] == found[tested, "above"] == "reached"
    source = (
        "#include <core.p4>\nheader a_t { bit<8> x; }\nstruct h_t { a_t a; }\n"
        "parser P(packet_in p, out h_t h) { state start { p.extract(h.a); transition accept; } }\n"
    )
    parser = parse_p4("t.p4", source)
    loaded = Loaded("t.p4", parser.sha256, "p4", parser=parser)
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    assert set(suite.statuses) == {"covered"}, "a packet of no byte, and one of one byte"


def test_edges_of_ends_of_a_packet_are_met_where_the_answer_is_known() -> None:
    """The second check asks for less than the first one has made sure of, once for as much."""
    ends = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4)]
    first = [copy(4, 2), add(4, 20), jump(op.JGT, 4, 7, src=3)]
    second = [copy(4, 2), add(4, 20), jump(op.JGT, 4, 4, src=3), copy(4, 2), add(4, 19), jump(op.JGT, 4, 1, src=3)]
    built = machine_for(*ends, *first, *second, mov(0, 2), mov(0, 1), EXIT)
    edges = [goal for goal in goals_of(built) if goal.kind == "edge"]
    found = {edge.key: reach(built, [edge], XDP, 10)[0] for edge in edges}
    assert found == {
        (4, "below"): "reached",
        (4, "above"): "reached",
        (7, "below"): "unreachable",
        (7, "above"): "reached",
        (10, "below"): "unreachable",
        (10, "above"): "unreachable",
    }
    keys = {key for length in range(14, 24) for key in cover(built, Input(bytes(length)))}
    assert {key for key, status in found.items() if status == "reached"} <= keys
    assert not {key for key, status in found.items() if status == "unreachable"} & keys


def test_edges_are_found_behind_a_comparison_that_settles_them_not() -> None:
    """The answer is known behind the first comparison, but not whether it is close."""
    ends = [ldx(op.W, 2, 1, 0), ldx(op.W, 3, 1, 4), copy(4, 2), add(4, 20), jump(op.JGT, 4, 4, src=3)]
    second = [ldx(op.B, 5, 2, 0), jump(op.JGT, 5, 2, imm=11), jump(op.JGT, 5, 1, imm=11), mov(6, 0)]
    built = machine_for(*ends, *second, mov(0, 2), EXIT)
    found = {}
    for goal in goals_of(built):
        if goal.kind == "edge":
            found[goal.key], model = reach(built, [goal], XDP, 10)
            assert model is None or goal.key in cover(built, input_of(model, XDP, ())), "a model is at the edge"
    assert found[7, "above"] == "reached" and found[7, "below"] == "unreachable"
    assert found[6, "above"] == found[6, "below"] == "reached"


def test_without_time_nothing_is_concluded() -> None:
    loaded = table()
    suite = make_suite(loaded, choose_interface(loaded, loaded), seconds=0)
    assert set(suite.statuses) == {"covered", "not reached"}


def test_a_model_that_does_not_get_there_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    from equiv.solve.backend import Model

    monkeypatch.setattr(make, "reach", lambda *_: ("reached", Model({"len": 14})))
    loaded = table()
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    assert "unreachable" not in suite.statuses
    assert {goal.text for goal, status in zip(suite.goals, suite.statuses) if status == "not reached"} >= {
        "state never"
    }


def test_branches_of_programs_are_goals() -> None:
    built = program(ldx(op.W, 2, 1, 12), mov(0, 1), jump(op.JEQ, 2, 1, imm=77), mov(0, 2), EXIT)
    loaded = Loaded("t.bpf.o", built.sha256, "bpf", program=built)
    suite = make_suite(loaded, XDP)
    assert [goal.kind for goal in suite.goals] == ["branch", "branch"]
    assert set(suite.statuses) == {"covered"}
    assert {item.expected.code for item in suite.items} == {1, 2}


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    assert main(["testgen", GRE, "-o", str(tmp_path)]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


Edit = Callable[[dict[str, Any]], object]


def _set(*path: Any, to: Any) -> Edit:
    def edit(held: dict[str, Any]) -> None:
        inside: Any = held
        for step in path[:-1]:
            inside = inside[step]
        inside[path[-1]] = to

    return edit


HOSTILE: dict[str, Edit] = {
    "another schema": _set("schema", to="equiv-suite/2"),
    "no interface": lambda held: held.pop("interface"),
    "an unknown interface": _set("interface", to="../../etc/passwd"),
    "no packets": _set("packets", to=[]),
    "packets that are no list": _set("packets", to={"0": 1}),
    "a packet that is no hex": _set("packets", 0, "inputs", "packet", to="zz"),
    "a packet that is a number": _set("packets", 0, "inputs", "packet", to=7),
    "a packet that is too short": _set("packets", 0, "inputs", "packet", to="00"),
    "a packet that is too long": _set("packets", 0, "inputs", "packet", to="00" * 70000),
    "a linear part longer than the packet": _set("packets", 0, "inputs", "linear", to=60000),
    "a negative length": _set("packets", 0, "inputs", "linear", to=-1),
    "a context of texts": _set("packets", 0, "inputs", "context", to={"mark": "x"}),
    "a context that is a list": _set("packets", 0, "inputs", "context", to=[1]),
    "maps of numbers": _set("packets", 0, "inputs", "maps", to={"m": 1}),
    "a code that is not its verdict": _set("packets", 0, "expected", "code", to=3),
    "a code that is true": _set("packets", 0, "expected", "code", to=True),
    "a huge code": _set("packets", 0, "expected", "code", to=1 << 90),
    "an unknown observable": _set("packets", 0, "expected", "observables", "made up", to=1),
    "an observable that is null": _set("packets", 0, "expected", "observables", "mark", to=None),
    "a verdict that is a list": _set("packets", 0, "expected", "verdict", to=[]),
    "an entry that is no object": _set("packets", 0, to=3),
    "a map without a size": _set("maps", to=[{"name": "m", "key": 0}]),
    "a map of a gigabyte": _set("maps", to=[{"name": "m", "key": 0, "size": 1 << 30}]),
    "a file that is no text": _set("of", "path", to=3),
    "a tail call that is none": _set("tail_calls", to=["nonsense"]),
    "a tail call that is a number": _set("tail_calls", to=[3]),
}


@pytest.mark.parametrize("edit", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_suite_is_one_clear_line(
    gre: Path, tmp_path: Path, edit: Edit, capsys: pytest.CaptureFixture[str]
) -> None:
    held = document(gre)
    edit(held)
    (tmp_path / "s.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "s.json"), "--file", GRE]) == 2
    said = capsys.readouterr()
    assert not said.out
    assert "error: " in said.err
    assert len(said.err.splitlines()) <= 2


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "1", "[" * 100_000, '{"schema": "equiv-suite/1"}', "\xff"])
def test_what_is_no_suite_is_one_clear_line(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.json").write_bytes(text.encode("latin-1"))
    assert main(["replay", str(tmp_path / "s.json")]) == 2
    assert "not a suite" in capsys.readouterr().err


@pytest.mark.parametrize("path", ["/etc/passwd", "../../../../etc/passwd", "a\0b", "", "..", "nowhere.dev"])
def test_a_suite_does_not_say_which_files_are_opened(
    gre: Path, tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = document(gre)
    held["of"]["path"] = path
    (tmp_path / "s.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "s.json")]) == 2
    assert "is not here as it was" in capsys.readouterr().err


def test_a_file_beside_the_suite_is_taken_if_it_is_the_same(
    gre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(gre / "suite.json", tmp_path / "suite.json")
    shutil.copy(GRE, tmp_path / "gre.dev")
    assert main(["replay", "suite.json"]) == 0
    (tmp_path / "gre.dev").write_text(Path(GRE).read_text("utf-8") + "\n")
    assert main(["replay", "suite.json"]) == 2
    assert "is not here as it was" in capsys.readouterr().err


def test_a_capture_with_other_packets_is_refused(gre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(gre / "suite.pcapng", tmp_path / "suite.pcapng")
    held = document(gre)
    held["packets"].pop()
    (tmp_path / "suite.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "suite.pcapng"), "--file", GRE]) == 2
    assert "its packets are not those of" in capsys.readouterr().err


def test_a_table_does_not_run_on_the_kernel(gre: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(gre), "--on", "kernel", "--file", GRE]) == 2
    assert "only programs run on the kernel" in capsys.readouterr().err


def test_where_nothing_can_be_run_nothing_passes(gre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    held = document(gre)
    for packet in held["packets"]:
        packet["inputs"]["context"]["tc_index"] = 1 << 20
    (tmp_path / "s.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path / "s.json"), "--on", GRE.replace(".dev", ".bpf.o")]) == 4
    assert "none of the suite's packets can be run there" in capsys.readouterr().err


def test_cover_sees_both_sides_of_a_comparison() -> None:
    loaded = load(str(CORPORA / "five-tuple" / "five-tuple.dev"))
    interface = load_interface("xdp")
    machine = TableMachine(loaded.table, interface)  # type: ignore[arg-type]
    ipv4 = bytes(12) + b"\x08\x00\x45" + bytes(40)
    for length, side in ((33, "below"), (34, "above")):
        edges = {goal.key for goal in goals_of(machine) if goal.kind == "edge" and goal.target == side}
        assert edges & cover(machine, Input(ipv4[:length]))


P4 = str(CORPORA / "p4-tcp-options" / "tcp-options.p4")


@pytest.fixture(scope="module")
def p4(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a suite made from a P4 parser."""
    folder = tmp_path_factory.mktemp("suites") / "p4"
    assert main(["testgen", P4, "-o", str(folder), "--seconds", "20"]) == 0
    return folder


def test_a_suite_of_a_parser_goes_every_way_of_its_states(p4: Path) -> None:
    held = document(p4)
    jsonschema.validate(held, SCHEMA)
    assert held["of"]["kind"] == "p4" and held["parser"]["errors"][0] == "NoError"
    covered = {goal["kind"] for goal in held["goals"] if goal["status"] == "covered"}
    assert {"state", "case", "default", "exit", "check", "edge"} <= covered
    texts = [goal["text"] for goal in held["goals"] if goal["status"] == "covered"]
    assert any("PacketTooShort" in text for text in texts) and any("verify fails" in text for text in texts)


def test_a_suite_of_a_parser_passes_on_it_and_on_one_that_does_the_same(p4: Path) -> None:
    assert main(["replay", str(p4), "--file", P4]) == 0
    assert main(["replay", str(p4), "--on", P4.replace(".p4", ".other.p4")]) == 0


@pytest.mark.parametrize("twin", ["flag", "short"])
def test_a_suite_of_a_parser_fails_on_its_twins(p4: Path, twin: str) -> None:
    assert main(["replay", str(p4), "--on", P4.replace(".p4", f".{twin}.p4")]) == 1


def test_suites_of_parsers_and_of_others_do_not_mix(p4: Path, gre: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", str(p4), "--on", GRE]) == 4
    assert main(["replay", str(gre), "--on", P4]) == 4
    assert "does not run on" in capsys.readouterr().err
    assert main(["replay", str(p4), "--on", "kernel", "--file", P4]) == 2
    assert main(["testgen", P4, "--interface", "xdp"]) == 4


def test_cases_that_lead_to_one_state_are_two_goals() -> None:
    """Both ways of `select` into one state are gone; a state's name alone would not tell them apart."""
    loaded = load(str(CORPORA / "p4-vlan" / "vlan.p4"))
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    cases = [(g, s) for g, s in zip(suite.goals, suite.statuses) if g.kind == "case" and g.text == "start -> tag"]
    assert len(cases) == 2 and {status for _, status in cases} == {"covered"}


def test_parsers_of_parts_of_bytes_have_suites_in_elements() -> None:
    """D80: every byte of such a packet holds one element, and a parser that needs smaller ones is refused."""
    source = (
        "#include <core.p4>\nheader a_t { bit<4> x; }\nstruct h_t { a_t a; a_t b; }\n"
        "parser P(packet_in p, out h_t h) { state start { p.extract(h.a); transition select(h.a.x) "
        "{ 4w3: more; default: accept; } } state more { p.extract(h.b); transition accept; } }\n"
    )
    parser = parse_p4("t.p4", source)
    loaded = Loaded("t.p4", parser.sha256, "p4", parser=parser)
    suite = make_suite(loaded, choose_interface(loaded, loaded))
    assert "not reached" not in suite.statuses
    assert all(max(item.given.packet, default=0) < 16 for item in suite.items)


@pytest.mark.parametrize(
    ("key", "value"), [("element_width", 3), ("exact_end", 1), ("errors", [1]), ("observables", [{"name": "x"}])]
)
def test_what_a_suite_says_of_parsers_is_not_believed_unread(
    p4: Path, tmp_path: Path, key: str, value: object, capsys: pytest.CaptureFixture[str]
) -> None:
    held = document(p4)
    held["parser"][key] = value
    (tmp_path / "suite.json").write_text(json.dumps(held))
    assert main(["replay", str(tmp_path), "--file", P4]) == 2
    assert "not a suite" in capsys.readouterr().err


ROWS = """
interface xdp;
header eth_t { bit<96> a; bit<16> type; }
eth_t eth;
state start { extract(eth); transition select(eth.type) { 0x800: ip; 0x8847 &&& 0xfffe: accept; default: drop; } }
state ip {
    transition select(u8[0], u8[1]) { (0x40 &&& 0xf0, 0x10 &&& 0x3c): accept; (0x60, _): accept; default: drop; }
}
"""


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A table with masks, and its suite."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "t.dev").write_text(ROWS)
    assert main(["testgen", str(folder / "t.dev"), "-o", str(folder / "suite")]) == 0
    return folder / "t.dev", folder / "suite"


def test_every_condition_is_missed_by_one_bit_and_every_mask_left_out_bits_are_set(rows: tuple[Path, Path]) -> None:
    """D323."""
    held = document(rows[1])
    jsonschema.validate(held, SCHEMA)
    bits = [goal for goal in held["goals"] if goal["kind"] == "bit"]
    assert {goal["status"] for goal in bits} == {"covered"}
    assert sum("missed by one bit" in goal["text"] for goal in bits) == 4
    assert sum("the mask leaves out" in goal["text"] for goal in bits) == 4


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("0x8847 &&& 0xfffe", "0x8847"),
        ("0x40 &&& 0xf0", "0x40"),
        ("0x10 &&& 0x3c", "0x10"),
        ("0x10 &&& 0x3c", "0x10 &&& 0x3d"),
    ],
)
def test_a_mask_that_asks_for_too_much_fails_the_suite(
    rows: tuple[Path, Path], right: str, wrong: str, tmp_path: Path
) -> None:
    (tmp_path / "t.dev").write_text(ROWS.replace(right, wrong))
    assert main(["replay", str(rows[1]), "--on", str(tmp_path / "t.dev")]) == 1


def test_rows_that_no_packet_misses_by_one_bit_are_proved_so() -> None:
    """Before a row with a mask come all its neighbours: no packet that takes it has other bits."""
    text = ROWS.replace("0x8847 &&& 0xfffe: accept", "0x8846: ip; 0x8846 &&& 0xfffe: accept")
    table = parse_table(text, "t.dev")
    suite = make_suite(Loaded("t.dev", "", "dev", table=table), load_interface("xdp"))
    found = {g.text: s for g, s in zip(suite.goals, suite.statuses) if "0x8846 &&&" in g.text and g.kind == "bit"}
    assert {text.rpartition(", ")[2]: status for text, status in found.items()} == {
        "missed by one bit": "covered",
        "with 0 in all bits that the mask leaves out": "unreachable",
        "with 1 in all bits that the mask leaves out": "covered",
    }
