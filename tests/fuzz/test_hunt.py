"""Campaigns between two sides: what they find is a counterexample, what they do not find is unknown (D171)."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import equiv
from equiv.bpf import insn as op
from equiv.bpf.program import MapSpec
from equiv.cli import main
from equiv.compiled.native import why_not
from equiv.errors import InputError, Unsupported
from equiv.fuzz.corpus import Corpus, read_corpus
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.sides import Sides
from equiv.fuzz.surroundings import Surroundings
from equiv.hunting import NOTHING_FOUND, Campaign, after_unknown, fuzz, hunt
from equiv.loaded import Loaded
from equiv.machine.concrete import Input
from equiv.machine.interface import load_interface
from equiv.oracle import available
from equiv.question import Posed, Question, pose
from equiv.report.fuzz import write_text
from tests.bpf.map_programs import load_map
from tests.bpf.programs import EXIT, add, call, copy, jump, ldx, mov, program, st, stx

CORPORA = Path(__file__).parents[2] / "corpora"
native = pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")


def posed(left: str, right: str, **question: object) -> Posed:
    return pose(str(CORPORA / left), str(CORPORA / right), Question(**question))  # type: ignore[arg-type]


def five_tuple(twin: str = "") -> Posed:
    return posed("five-tuple/five-tuple.bpf.o", f"five-tuple/five-tuple{twin}.dev")


@native
@pytest.mark.parametrize("twin", [".short-ihl", ".port-order", ".udp-size"])
def test_a_difference_is_reported_as_a_check_reports_it(twin: str) -> None:
    result = fuzz(five_tuple(twin), Campaign(Limits(seconds=60)), kernel=False)
    assert result.verdict == "different" and result.exit_status == 1
    found = result.counterexample
    assert found is not None and "interpreter" in found.confirmed_by and found.left.path and found.right.path
    assert not result.unknown and result.fuzzed is not None and result.fuzzed.packets


@native
def test_agreement_is_unknown_with_figures_of_what_was_reached() -> None:
    result = fuzz(five_tuple(), Campaign(Limits(packets=20_000)), kernel=False)
    assert (result.verdict, result.reason) == ("unknown", NOTHING_FOUND)
    figures = result.fuzzed
    assert figures is not None and figures.packets >= 20_000 and figures.left_on == figures.right_on == "compiled"
    for side in (figures.left, figures.right):
        assert 0 < side.reached <= side.total and side.total - side.reached == len(side.missed)
        assert set(side.verdicts) == {"accept", "drop"}
    assert figures.left.verdicts == figures.right.verdicts


@native
def test_the_same_seed_finds_the_same() -> None:
    runs = [Hunt(Sides(p.left, p.right, p.interface), 3, generated=False) for p in (five_tuple(".fragments"),) * 2]
    for each in runs:
        each.run(Limits(packets=30_000))
    assert runs[0].differences == runs[1].differences != []


@native
def test_inputs_that_do_not_count_are_no_difference() -> None:
    """Only IPv4 headers of less than five words are taken in another way, and those are left out (D321)."""
    asked = pose(
        str(CORPORA / "five-tuple/five-tuple.bpf.o"),
        str(CORPORA / "five-tuple/five-tuple.short-ihl.dev"),
        Question(assume=("u16[12] != 0x800 && u16[12] != 0x8100 && u16[12] != 0x88a8",)),
    )
    assert fuzz(asked, Campaign(Limits(packets=30_000)), kernel=False).verdict == "unknown"


@native
def test_packets_that_a_device_hands_on_are_not_compared(tmp_path: Path) -> None:
    table = (CORPORA / "five-tuple/five-tuple.dev").read_text()
    assert "drop" in table
    punting = tmp_path / "punting.dev"
    punting.write_text(table.replace("drop", "punt"))
    asked = pose(str(CORPORA / "five-tuple/five-tuple.bpf.o"), str(punting), Question())
    assert fuzz(asked, Campaign(Limits(packets=10_000)), kernel=False).verdict == "unknown"


@native
def test_parsers_are_compiled_too_and_the_figures_say_so() -> None:
    asked = posed("p4-tcp-options/tcp-options.p4", "p4-tcp-options/tcp-options.short.p4")
    result = fuzz(asked, Campaign(Limits(seconds=60)), kernel=False)
    assert result.verdict == "different" and result.fuzzed is not None
    assert (result.fuzzed.left_on, result.fuzzed.right_on) == ("compiled", "compiled")
    assert any(text.startswith(f"{asked.left.path}:") for text in result.fuzzed.left.missed)


def test_without_native_code_the_interpreters_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equiv.compiled.native.why_not", lambda: "llvmlite is not installed")
    result = fuzz(five_tuple(".port-order"), Campaign(Limits(seconds=60)), kernel=False)
    assert result.verdict == "different" and result.fuzzed is not None
    assert result.fuzzed.notes == ("one input at a time: llvmlite is not installed",)


@native
def test_native_code_that_is_wrong_is_a_defect_not_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    from equiv.compiled import batch

    asked = five_tuple()
    search = Hunt(Sides(asked.left, asked.right, asked.interface), 1)
    monkeypatch.setattr("equiv.fuzz.native.run_each", lambda pair, inputs: [(inputs[0], batch.DIFFERS)])
    with pytest.raises(equiv.errors.InternalError, match="disagree"):
        search.run(Limits(packets=10))


@native
def test_a_check_without_an_answer_fuzzes() -> None:
    left = str(CORPORA / "five-tuple/five-tuple.bpf.o")
    same = str(CORPORA / "five-tuple/five-tuple.dev")
    result = equiv.check(left, same, timeout=0.01, fuzz_seconds=1, kernel=False)
    assert result.verdict == "unknown" and result.fuzzed is not None and result.unknown[0].reason != NOTHING_FOUND
    assert equiv.check(left, same, timeout=0.01, kernel=False).fuzzed is None
    proved = equiv.check(left, same, fuzz_seconds=1, kernel=False)
    assert proved.verdict == "equivalent" and proved.fuzzed is None


@native
def test_a_corpus_holds_few_inputs_and_is_gone_on_from(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    for _ in range(2):
        corpus = read_corpus(str(folder))
        before = list(corpus.inputs)
        corpus.write = write_text
        result = fuzz(five_tuple(), Campaign(Limits(packets=20_000)), kernel=False, corpus=corpus)
        assert result.fuzzed is not None
    kept = read_corpus(str(folder)).inputs
    assert before and kept and len(kept) <= result.fuzzed.kept + len(before)
    reached = Hunt(Sides(*(lambda p: (p.left, p.right, p.interface))(five_tuple())), 1, first=kept, generated=False)
    again = reached.run(Limits(packets=len(kept)))
    assert again.left.reached >= result.fuzzed.left.reached - 1


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": "x"}', '{"schema": "equiv-fuzz-corpus/1"}',
    '{"schema": "equiv-fuzz-corpus/1", "inputs": [{}]}', '{"schema": "equiv-fuzz-corpus/1", "inputs": [{"packet": 1}]}',
    '{"schema": "equiv-fuzz-corpus/1", "inputs": [{"packet": "00", "maps": {"m": 3}}]}', "[" * 100_000])  # fmt: skip
def test_a_file_that_is_no_corpus_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "corpus.json").write_text(content)
    with pytest.raises(InputError):
        read_corpus(str(tmp_path))


def test_a_corpus_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_corpus(str(tmp_path / "new")) == Corpus(str(tmp_path / "new"))


@native
def test_processes_beside_each_other_end_with_the_first_difference() -> None:
    found = hunt(five_tuple(".short-ihl"), Campaign(Limits(seconds=60), jobs=2))
    assert found.differences and isinstance(found.differences[0], Input)


@native
def test_the_command_prints_a_result_as_json_and_keeps_a_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    left, right = (str(CORPORA / "gre" / name) for name in ("gre.bpf.o", "gre.dev"))
    arguments = ["--interface", "tc_linear", "--packets", "9000", "--json", "--corpus", str(tmp_path / "c")]
    assert main(["fuzz", left, right, *arguments]) == 3
    shown = json.loads(capsys.readouterr().out)
    assert shown["verdict"] == "unknown" and shown["fuzzed"]["packets"] >= 9000
    assert (tmp_path / "c" / "corpus.json").exists()


def test_the_command_wants_two_sides(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fuzz", str(CORPORA / "gre/gre.dev")]) == 2
    assert "RIGHT" in capsys.readouterr().err


on_kernel = pytest.mark.skipif(available() is not None, reason=available() or "")


@native
@on_kernel
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("left", "right", "interface"),
    [
        ("five-tuple/five-tuple.bpf.o", "five-tuple/five-tuple.dev", None),
        ("gre/gre.bpf.o", "gre/gre.dev", "tc_linear"),
        ("tc-mark/tc-mark.bpf.o", "tc-mark/tc-mark.dev", "tc"),
        ("socket-filter/socket-filter.bpf.o", "socket-filter/socket-filter.dev", None),
        ("flow-dissector/flow-dissector.bpf.o", "flow-dissector/flow-dissector.dev", None),
        ("port-filter/port-filter.bpf.o", "port-filter/port-filter.bpf.o", None),
        ("tunnel/tunnel.bpf.o", "tunnel/tunnel-copied.bpf.o", None),
    ],
)
def test_the_kernel_as_one_side_shows_what_native_code_shows(left: str, right: str, interface: str | None) -> None:
    campaign = Campaign(Limits(packets=20_000), left_on="kernel", generated=False)
    found = hunt(posed(left, right, interface=interface), campaign)
    assert not found.differences and found.figures.left_on == "kernel" and not found.figures.notes
    assert found.figures.packets >= 20_000


@native
@on_kernel
@pytest.mark.kernel
def test_the_kernel_finds_what_a_broken_table_does() -> None:
    result = fuzz(five_tuple(".short-ihl"), Campaign(Limits(seconds=60), left_on="kernel"))
    assert result.verdict == "different" and result.counterexample is not None
    assert "kernel" in result.counterexample.confirmed_by


@on_kernel
@pytest.mark.kernel
def test_arrays_too_large_to_be_written_anew_each_time_are_run_one_by_one() -> None:
    """Nothing that one run leaves in a map is taken for what the next one does."""
    body = [st(op.W, 10, -4, 1), load_map(1, "m"), copy(2, 10), add(2, -4), call(1), jump(op.JEQ, 0, 6, imm=0)]
    body += [ldx(op.W, 1, 0, 0), copy(2, 1), add(2, 1), stx(op.W, 0, 0, 2), copy(0, 1), EXIT, mov(0, 0), EXIT]
    loaded = Loaded("", "", "bpf", program(*body, maps=[MapSpec("m", 2, 4, 4, 300)]))
    asked = Posed(loaded, loaded, load_interface("xdp"))
    found = hunt(asked, Campaign(Limits(packets=500), left_on="kernel", generated=False))
    assert not found.differences and "too large" in found.figures.notes[0]


@pytest.mark.parametrize("entries", [5, 7, 8, 9])
def test_an_array_of_a_few_elements_is_given_contents(entries: int) -> None:
    checked = program(load_map(1, "m"), mov(0, 2), EXIT, maps=[MapSpec("m", 2, 4, 4, entries)])
    loaded = Loaded("", "", "bpf", checked)
    draw = Surroundings(Sides(loaded, loaded, load_interface("xdp")), Random(0), [])
    assert all(len(found["m"]) <= 8 for _ in range(100) if (found := draw.maps(bytes(64))))


@native
@on_kernel
@pytest.mark.kernel
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("classifier/classifier.bpf.o", "classifier/classifier.early-write.dev"),
        ("p4tc/ipv4.p4", "p4tc/ipv4.stale.bpf.o"),
    ],
)
def test_what_arrays_hold_after_a_run_in_the_kernel_is_compared(left: str, right: str) -> None:
    asked = posed(left, right)
    sides = Sides(asked.left, asked.right, asked.interface)
    sides = replace(sides, **{"left_on" if left.endswith(".o") else "right_on": "kernel"})  # type: ignore[arg-type]
    search = Hunt(sides, 1)
    search.run(Limits(seconds=60))
    search.close()
    assert search.differences and not search.notes


@on_kernel
@pytest.mark.kernel
def test_what_no_kernel_runs_cannot_run_there() -> None:
    with pytest.raises(Unsupported, match="kernel"):
        hunt(five_tuple(), Campaign(Limits(seconds=1), right_on="kernel"))


def test_parsers_of_single_bits_are_given_packets_of_single_bits() -> None:
    """D80: each byte of a packet holds one element; what is no element is no packet."""
    asked = five_tuple()
    bits = replace(asked.interface, element_width=1)
    search = Hunt(Sides(asked.left, asked.right, bits), 1)
    assert all(max(given.packet, default=0) <= 1 for given in search._beginning())


@native
def test_a_difference_found_behind_a_check_turns_its_verdict() -> None:
    asked = five_tuple(".short-ihl")
    open_ = equiv.check(asked.left, asked.right, timeout=0.01, kernel=False)
    assert open_.verdict == "unknown"
    result = after_unknown(open_, asked, Campaign(Limits(seconds=60)), False)
    assert result.verdict == "different" and result.counterexample is not None and result.exit_status == 1
    assert result.unknown == open_.unknown and result.assumptions == open_.assumptions


def asking(code: int) -> Loaded:
    """A program that calls bpf_ktime_get_ns, drops what is not IPv4, and returns `code` for that."""
    bounds = [ldx(op.W, 2, 6, 0), ldx(op.W, 4, 6, 4), copy(5, 2), add(5, 14), mov(0, 1), jump(op.JGT, 5, 3, src=4)]
    look = [ldx(op.H, 3, 2, 12), jump(op.JNE, 3, 1, imm=0x0008), mov(0, code)]
    made = program(copy(6, 1), call(5), *bounds, *look, EXIT)
    return Loaded("t.bpf.o", "00" * 32, "bpf", program=made)


@native
def test_helpers_that_no_packet_determines_are_given_something() -> None:
    asked = pose(asking(2), asking(3), Question(interface="xdp"))
    result = fuzz(asked, Campaign(Limits(seconds=60)), kernel=False)
    assert result.verdict == "different" and result.counterexample is not None
    assert result.counterexample.input.packet == bytes(12) + b"\x08\x00" and not result.counterexample.input.context
