"""Packets for users' property tests: they go everywhere, are admitted, and become small."""

from __future__ import annotations

import builtins
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings

import equiv
from equiv.errors import InputError
from equiv.loaded import choose_interface
from equiv.machine.concrete import Input
from equiv.strategies import packets

ROOT = Path(__file__).parents[1]
CORPORA = ROOT / "corpora"
MPLS = str(CORPORA / "mpls" / "mpls.dev")
QUICK = settings(max_examples=1500, database=None, derandomize=True, phases=[Phase.generate, Phase.shrink])


def test_every_state_of_a_table_is_entered() -> None:
    table = equiv.load(MPLS)
    assert table.table is not None
    interface = choose_interface(table, table)
    entered: set[int] = set()

    @QUICK
    @given(packets(table))
    def look(packet: bytes) -> None:
        assert interface.min_length <= len(packet) <= interface.max_length
        entered.update(step.line for step in table.execute(interface, Input(packet)).path)

    look()
    assert {state.place.line for state in table.table.states.values()} <= entered


@pytest.mark.parametrize("file", ["gre/gre.bpf.o", "p4-vlan/vlan.p4"])
def test_programs_and_parsers_have_packets_too(file: str) -> None:
    loaded = equiv.load(str(CORPORA / file))
    accepted = find(packets(loaded), lambda packet: equiv.run(loaded, packet).verdict == "accept", settings=QUICK)
    assert len(accepted) >= 14


def test_an_example_becomes_small() -> None:
    table = equiv.load(MPLS)
    accepted = find(
        packets(MPLS),
        lambda packet: packet[12] == 0x88 and equiv.run(table, packet).verdict == "accept",
        settings=QUICK,
    )
    assert len(accepted) <= 40


def test_an_input_that_cannot_be_used_is_told_at_once() -> None:
    with pytest.raises(InputError, match="cannot read"):
        packets("nowhere.dev")


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    load = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "hypothesis":
            raise ImportError(name)
        return load(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match="Hypothesis is not installed") as told:
        packets(MPLS)
    assert told.value.hint is not None and "equiv[strategies]" in told.value.hint


def test_the_documented_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(CORPORA / "gre" / "gre.dev", tmp_path / "gre.dev")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "property-tests.md").read_text("utf-8"), re.DOTALL)
    exec(compile(example, "property-tests.md", "exec"), {})
