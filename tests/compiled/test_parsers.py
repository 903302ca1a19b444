"""Parsers as machine code against their interpreters, which know nothing of what it is made of (D320)."""

from __future__ import annotations

import os
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings

from equiv.bench.fuzzing.measure import posed_of
from equiv.bench.manifest import Pair, load_corpora
from equiv.compiled.native import NotCompiled, why_not
from equiv.compiled.pair import Pair as Compiled
from equiv.compiled.pair import Side, compile_pair, subject_of
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.packets import in_elements, stack
from equiv.fuzz.sides import Sides, compiled_pair, native_pair
from equiv.loaded import Loaded, load
from equiv.machine.concrete import Input, Observation
from equiv.machine.interface import Interface
from equiv.mutate.files import mutants
from equiv.p4.automata.load import parse_automaton
from equiv.p4.automata.parser import AutomatonParser
from equiv.p4.parser import Parser, ParserOptions, parser_interface
from equiv.p4.parser import Side as Which
from equiv.p4.program import parse_p4
from equiv.question import Question, pose
from tests.p4.automata_strategies import automata
from tests.p4.automata_strategies import inputs as automaton_inputs
from tests.p4.p4_strategies import inputs, programs

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")

CORPORA = Path(__file__).parents[2] / "corpora"
LEAPFROG = Path(os.environ.get("EQUIV_LEAPFROG", CORPORA.parents[1] / "shared" / "leapfrog"))
INPUTS = 80
MUTANTS = 2


def _pairs() -> list[Pair]:
    """One pair of every P4 file of the corpora."""
    seen: set[str] = set()
    chosen = []
    for corpus in load_corpora(CORPORA):
        for pair in corpus.pairs:
            files = {side for side in (pair.left, pair.right) if side.endswith(".p4")}
            if not pair.with_itself and not files <= seen:
                seen |= files
                chosen.append(pair)
    return chosen


def _packets(interface: Interface, random: Random, count: int) -> list[bytes]:
    found = []
    for _ in range(count):
        packet = stack(random)
        if random.random() < 0.4:
            packet = packet[: random.randint(0, len(packet))]
        if interface.element_width < 8:
            packet = in_elements(packet, interface.element_width)
        found.append(packet.ljust(interface.min_length, b"\x00"))
    return found


def _agrees(compiled: Compiled, side: Side, shown: Observation, given_input: Input) -> bool:
    """Whether native code shows the same, rather than that it asks."""
    native = compiled.run_side(side, given_input)
    if native is None:
        return False
    assert isinstance(native, Observation)
    assert native.code == shown.code, given_input
    assert {name: native.values.get(name) for name in shown.values} == dict(shown.values), given_input
    return True


@pytest.mark.parametrize("pair", _pairs(), ids=lambda pair: pair.id)
def test_native_parsers_show_what_their_interpreter_shows(pair: Pair) -> None:
    posed = posed_of(pair)
    compiled = compiled_pair(Sides(posed.left, posed.right, posed.interface))
    assert compiled.decides or pair.corpus == "p4-outputs"
    random = Random(5)
    sides: list[tuple[Side, Loaded, Which]] = [
        (compiled.left, posed.left, "left"), (compiled.right, posed.right, "right"),
    ]  # fmt: skip
    for side, loaded, which in sides:
        if loaded.parser is not None:
            for packet in _packets(posed.interface, random, INPUTS):
                shown = loaded.execute(posed.interface, Input(packet), which)
                assert _agrees(compiled, side, shown, Input(packet)), "no parser of the corpora asks"


@pytest.mark.parametrize("file", sorted(CORPORA.glob("p4*/*.p4"))[::5], ids=lambda path: path.name)
def test_native_mutants_show_what_their_interpreter_shows(file: Path, tmp_path: Path) -> None:
    """Sources with mistakes do what corpora do not: fields of odd widths, ways to nowhere, loops without end."""
    random = Random(file.name)
    for number, mutant in enumerate(islice(mutants(str(file), None, random, load), MUTANTS)):
        path = tmp_path / f"{number}.p4"
        path.write_bytes(mutant.data)
        loaded = load(str(path))
        assert loaded.parser is not None
        interface = parser_interface(loaded.parser, loaded.parser, ParserOptions())
        compiled = _itself(loaded.parser, interface)
        for packet in _packets(interface, random, 30):
            shown = loaded.parser.execute(interface, Input(packet), "left")
            _agrees(compiled, compiled.left, shown, Input(packet))


def _itself(parser: Parser, interface: Interface) -> Compiled:
    read = Loaded(parser.file, parser.sha256, parser.kind, parser=parser)
    sides = subject_of(read, interface, "left"), subject_of(read, interface, "right")
    return compile_pair(*sides, interface)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(programs(), inputs())
def test_random_parsers_show_the_same(text: str, given_input: Input) -> None:
    """Everything that P4 expressions and statements do, contents of headers that are not valid, value sets."""
    parser = parse_p4("t.p4", text)
    interface = parser_interface(parser, parser, ParserOptions())
    compiled = _itself(parser, interface)
    packets = [given_input.packet, given_input.packet * 3]
    for packet in packets:
        plain = Input(packet, context={n: v for n, v in given_input.context.items() if n.startswith("given.")})
        assert _agrees(compiled, compiled.left, parser.execute(interface, plain, "left"), plain)
        whole = replace(given_input, packet=packet)
        _agrees(compiled, compiled.left, parser.execute(interface, whole, "left"), whole)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(automata().flatmap(lambda a: automaton_inputs(a, AutomatonParser(a).element).map(lambda i: (a, i))))
def test_random_automata_show_the_same(drawn: tuple[object, Input]) -> None:
    automaton, given_input = drawn
    parser = AutomatonParser(automaton)  # type: ignore[arg-type]
    interface = parser_interface(parser, parser, ParserOptions())
    compiled = _itself(parser, interface)
    plain = Input(given_input.packet)
    assert _agrees(compiled, compiled.left, parser.execute(interface, plain, "left"), plain)


@pytest.mark.skipif(not LEAPFROG.is_dir(), reason="no published automata here")
@pytest.mark.parametrize("name", ["edge-Plain", "enterprise-Simple", "datacenter"])
def test_published_automata_show_the_same(name: str) -> None:
    import json

    path = LEAPFROG / f"{name}.json"
    parser = AutomatonParser(parse_automaton(json.loads(path.read_text()), str(path)))
    interface = parser_interface(parser, parser, ParserOptions())
    compiled = _itself(parser, interface)
    for packet in _packets(interface, Random(3), 60):
        assert _agrees(compiled, compiled.left, parser.execute(interface, Input(packet), "left"), Input(packet))


def test_a_loop_that_consumes_nothing_asks() -> None:
    source = (
        "#include <core.p4>\nheader a_t { bit<8> x; }\nstruct h_t { a_t a; }\n"
        "parser P(packet_in p, out h_t h) { state start { transition select(p.lookahead<bit<8>>()) "
        "{ 0: accept; default: start; } } }\n"
    )
    parser = parse_p4("t.p4", source)
    compiled = _itself(parser, parser_interface(parser, parser, ParserOptions()))
    assert compiled.run_side(compiled.left, Input(b"\x01")) is None
    assert isinstance(compiled.run_side(compiled.left, Input(b"\x00")), Observation)


def test_what_is_too_wide_is_left_to_the_interpreter(tmp_path: Path) -> None:
    """A side that is not compiled is not: the campaign runs both on interpreters, and says so."""
    source = (
        "#include <core.p4>\nheader a_t { bit<8> n; varbit<32000> x; }\nstruct h_t { a_t a; }\n"
        "parser P(packet_in p, out h_t h) { state start { p.extract(h.a, (bit<32>)p.lookahead<bit<8>>() * 8); "
        "transition accept; } }\n"
    )
    path = tmp_path / "wide.p4"
    path.write_text(source)
    posed = pose(str(path), str(path), Question())
    sides = Sides(posed.left, posed.right, posed.interface)
    with ExitStack() as resources, pytest.raises(NotCompiled, match="bits"):
        native_pair(sides, resources)
    search = Hunt(sides, 1)
    figures = search.run(Limits(packets=40))
    assert figures.left_on == "interpreter" and "bits" in figures.notes[0] and not search.differences


def test_what_the_proof_gets_wrong_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Native code rests on the code that proofs rest on, so inputs that reach something new are interpreted, too."""
    right = str(CORPORA / "p4-vlan/vlan.p4")
    posed = pose(str(CORPORA / "p4-vlan/vlan.other.p4"), right, Question())
    sides = Sides(posed.left, posed.right, posed.interface)
    execute = type(posed.right.parser).execute  # type: ignore[union-attr]

    def wrong(self: Parser, interface: Interface, given_input: Input, side: Which) -> Observation:
        shown = execute(self, interface, given_input, side)
        return replace(shown, code=1 - shown.code) if side == "right" else shown

    monkeypatch.setattr(type(posed.right.parser), "execute", wrong)
    search = Hunt(sides, 1)
    search.run(Limits(seconds=20))
    assert search.differences
