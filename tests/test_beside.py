"""Generated packets while a proof goes on (D340): what they find ends it, what they do not find says nothing."""

from pathlib import Path

import pytest

from equiv import api
from equiv.confirmed import Case
from equiv.fuzz.hunt import Hunt, Limits
from equiv.fuzz.sides import Sides
from equiv.hunting import QuickCase
from equiv.proof import engine

CORPORA = Path(__file__).parent.parent / "corpora"
PROGRAM = str(CORPORA / "tcp-options" / "tcp-options.bpf.o")
TABLE = str(CORPORA / "tcp-options" / "tcp-options.dev")
BROKEN = str(CORPORA / "tcp-options" / "tcp-options.nop-length.dev")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Campaigns from the first look on, and nobody else who looks for differences."""
    monkeypatch.setattr(engine, "BESIDE_AFTER", (0.0,))
    monkeypatch.setattr(engine, "CHUNK", 1)
    monkeypatch.setattr(engine.Engine, "_look_early", lambda *_: False)
    monkeypatch.setattr(engine.Engine, "_search", lambda *_: False)


@pytest.mark.usefixtures("at_once")
def test_a_difference_found_beside_the_proof_is_confirmed_and_ends_it() -> None:
    result = api.check(PROGRAM, BROKEN, fuzz_seconds=1.0, kernel=False)
    assert result.verdict == "different"
    assert result.fuzzed is not None
    assert result.counterexamples[0].confirmed_by == ("interpreter",)
    assert result.counterexamples[0].differs
    assert "beside" in result.statistics.phases


@pytest.mark.usefixtures("at_once")
def test_a_campaign_that_finds_nothing_leaves_the_proof_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("equiv.hunting.BESIDE_SECONDS", (0.5,))
    result = api.check(PROGRAM, TABLE, fuzz_seconds=1.0, certificate=True)
    assert result.verdict == "equivalent"
    assert result.certificate is not None
    assert result.fuzzed is None
    assert "beside" in result.statistics.phases


@pytest.mark.usefixtures("at_once")
def test_without_fuzzing_there_is_no_campaign() -> None:
    result = api.check(PROGRAM, TABLE, fuzz_seconds=0.0)
    assert "beside" not in result.statistics.phases


def test_native_code_and_interpreters_agree_on_what_differs() -> None:
    posed = api.pose(PROGRAM, BROKEN, api.question_for())
    left, right, interface = posed.left, posed.right, posed.interface
    hunt = Hunt(Sides(left, right, interface), seed=1)
    hunt.run(Limits(packets=20_000, differences=10**9))
    assert hunt.native is not None
    quick, slow = QuickCase(left, right, interface, False, hunt.native), Case(left, right, interface, False)
    given = [*hunt.kept[:100], *hunt.differences[:100]]
    found = [quick.differ(one) for one in given]
    assert found == [slow.differ(one) for one in given]
    assert set(found) == {True, False}
