"""Native code against the interpreters, which are its reference, on every program and table of the corpora."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from equiv.bench.manifest import Pair, load_corpora
from equiv.bpf.interpret import Fault
from equiv.compiled.native import why_not
from equiv.compiled.pair import compile_pair
from equiv.fuzz.inputs import Inputs
from equiv.fuzz.packets import Packets, stack
from equiv.loaded import Loaded
from equiv.machine.concrete import Input, NotRunnable, Observation
from equiv.machine.interface import Interface
from equiv.question import Question, pose

pytestmark = pytest.mark.skipif(why_not() is not None, reason=f"no native code: {why_not()}")

CORPORA = Path(__file__).parents[2] / "corpora"
INPUTS = 120
MOST_ASKED = 0.1
"""Of all runs so many may be left to the interpreter: pairs of the corpora are there to be run fast."""


def _pairs() -> list[Pair]:
    """Pairs of programs and tables; each file is in one of them at least."""
    seen: set[tuple[str, str | None]] = set()
    chosen = []
    for corpus in load_corpora(CORPORA):
        for pair in corpus.pairs:
            sides = {(pair.left, pair.interface), (pair.right, pair.interface)}
            if not (pair.left + pair.right).count(".p4") and not sides <= seen:
                seen |= sides
                chosen.append(pair)
    return chosen


def _inputs(loaded: Loaded, interface: Interface, count: int) -> list[Input]:
    random = Random(7)
    found = []
    for _ in range(count if loaded.program is None else count // 3):
        packet = stack(random)
        if random.random() < 0.4:
            packet = packet[: random.randint(0, len(packet))]
        found.append(Input(packet.ljust(interface.min_length, b"\x00")))
    if loaded.program is None:
        return found
    packets = Packets(loaded.program, random, interface.min_length, [given.packet for given in found])
    inputs = Inputs(loaded.program, interface, packets, lambda packet: {}, True, random)
    return [*found, *(inputs.next() for _ in range(count - len(found)))]


def _shown(loaded: Loaded, interface: Interface, given: Input) -> object:
    try:
        seen = loaded.execute(interface, given)
    except (Fault, NotRunnable) as reason:
        return type(reason)
    return "punt" if seen.verdict == "punt" else (seen.code, dict(seen.values))


@pytest.mark.parametrize("pair", _pairs(), ids=lambda pair: pair.id)
def test_native_code_shows_what_the_interpreter_shows(pair: Pair) -> None:
    from equiv.bpf.tail_calls import parse_tail_call

    question = Question(
        interface=pair.interface,
        observe_maps=pair.observe,
        tail_calls=tuple(parse_tail_call(text) for text in pair.tail_calls),
    )
    posed = pose(pair.left, pair.right, question)
    subjects = [side.program or side.table for side in (posed.left, posed.right)]
    assert subjects[0] is not None and subjects[1] is not None
    compiled = compile_pair(subjects[0], subjects[1], posed.interface)
    asked = total = 0
    for side, loaded in ((compiled.left, posed.left), (compiled.right, posed.right)):
        for given in _inputs(loaded, posed.interface, INPUTS):
            total += 1
            shown = compiled.run_side(side, given)
            if shown is None:
                asked += 1
                continue
            if isinstance(shown, Observation):
                shown = (shown.code, dict(shown.values))  # type: ignore[assignment]
            assert shown == _shown(loaded, posed.interface, given), given
    assert asked <= MOST_ASKED * total, (
        f"{asked} of {total} runs were left to the interpreter: {compiled.left.asked_for()}"
    )
